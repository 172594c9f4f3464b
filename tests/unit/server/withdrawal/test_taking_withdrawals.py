"""Registrations, tombstones and receipts: what is taken, what is refused, and that laptops accept every log that comes of it."""

import dataclasses
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hometone_server.records.refusals import FilingRefusedError
from hometone_server.records.withdrawals import WithdrawalTables
from hometone_server.withdrawal import taking
from hometone_server.withdrawal.bundle import Filings
from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.device import DeviceStatus, device_id
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FILED_KIND, FiledReceipt, HolderReceipt, Pending, Removed, Role
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, WITHDRAWAL_KIND, SharedModelWish
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.tombstones import TombstoneBook


def book_of(hall):
    size = hall.log.checkpoint().size
    return TombstoneBook.from_entries(hall.log.entries(0, size - 1), hall.log.key)


def filings_of(hall):
    descriptor = CoordinatorDescriptor(address="voices.example.org:443", bundle_sha256="ab" * 32, ca_sha256="cd" * 32, name="Hall")
    return Filings(hall.log, descriptor=descriptor.signed(hall.log._key))


def own_receipt(hall, filed):
    (own,) = [each.content for each in filings_of(hall).receipts(filed) if each.content.role is Role.COORDINATOR]
    return own


@contextmanager
def refusing(code):
    with pytest.raises(FilingRefusedError) as caught:
        yield
    assert caught.value.code == code


def test_a_registration_is_a_leaf_and_a_row(hall):
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    assert book_of(hall).knows(secret.pseudonym)
    assert hall.withdrawals.tables.device_of(secret.pseudonym) == laptop.device
    assert laptop.device.encode() not in b"".join(hall.log.leaves(1, 1))


def test_the_same_registration_again_gives_the_same_leaf(hall):
    laptop, secret = hall.laptop(), RecoverySecret.generate()
    first, again = (hall.withdrawals.register(hall.request(secret, laptop)) for _ in range(2))
    assert first == again
    assert hall.log.checkpoint().size == 2


def test_registrations_that_are_refused(hall):
    laptop, other, stranger = hall.laptop(), hall.laptop(), hall.laptop()
    secret = hall.speaker(laptop)
    hall.enter(stranger, DeviceStatus.REVOKED)
    size = hall.log.checkpoint().size
    with refusing("used"):
        hall.withdrawals.register(hall.request(secret, other))
    with refusing("unknown"):
        hall.withdrawals.register(hall.request(RecoverySecret.generate(), stranger))
    with pytest.raises(ProtocolError):
        hall.withdrawals.register(dataclasses.replace(hall.request(secret, laptop), signature=bytes(64)))
    assert hall.log.checkpoint().size == size


def test_a_laptop_that_joins_later_may_register(hall):
    hall.speaker(hall.laptop())
    hall.speaker(hall.laptop())
    assert len(book_of(hall).speakers) == 2


def test_a_withdrawal_is_leaf_receipt_and_no_row(hall):
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    filed = hall.withdrawals.take(hall.tombstone(secret))
    assert hall.withdrawals.tables.device_of(secret.pseudonym) is None
    assert all(book_of(hall).has_ended(secret.pseudonym, purpose) for purpose in Purpose)
    own = own_receipt(hall, filed)
    assert own.removed == {Removed.RECORDS: 1}
    assert [item.what for item in own.pending] == [Pending.LAPTOP]
    assert own.pending[0].until == hall.clock.now + 30 * 86_400
    assert hall.withdrawals.tables.unscrubbed() == []
    with refusing("refused"):
        hall.withdrawals.register(hall.request(secret, laptop))


def test_the_same_tombstone_again_gives_the_same_answer(hall):
    secret = hall.speaker(hall.laptop())
    filings = filings_of(hall)
    answers = [filings.tombstone_answer(hall.withdrawals.take(hall.tombstone(secret))) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert set(answers[0]) == {"checkpoint", "index", "leaf", "proof", "receipt"}


def test_tombstones_that_are_refused(hall):
    secret = hall.speaker(hall.laptop())
    hall.withdrawals.take(hall.tombstone(secret, sequence=3))
    size = hall.log.checkpoint().size
    for sequence, wish in ((1, SharedModelWish.LEAVE), (3, SharedModelWish.REPLAY)):
        with refusing("replayed"):
            hall.withdrawals.take(hall.tombstone(secret, sequence=sequence, wish=wish))
    with refusing("unknown"):
        hall.withdrawals.take(hall.tombstone(RecoverySecret.generate()))
    for name in (NO_COORDINATOR, "ab" * 16):
        with refusing("elsewhere"):
            hall.withdrawals.take(hall.tombstone(secret, sequence=9, coordinator=name))
    with pytest.raises(ProtocolError):
        hall.withdrawals.take(dataclasses.replace(hall.tombstone(secret, sequence=9), signature=bytes(64)))
    assert hall.log.checkpoint().size == size


def test_a_narrower_withdrawal_leaves_the_row_for_the_wider_one(hall):
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    filed = hall.withdrawals.take(hall.tombstone(secret, scope=frozenset({Purpose.ANNOUNCEMENTS})))
    assert own_receipt(hall, filed).removed == {}
    assert own_receipt(hall, filed).shared_model is None
    assert hall.withdrawals.tables.device_of(secret.pseudonym) == laptop.device
    filed = hall.withdrawals.take(hall.tombstone(secret, sequence=2, scope=frozenset({Purpose.OWN_VOICE})))
    assert own_receipt(hall, filed).removed == {Removed.RECORDS: 1}
    assert own_receipt(hall, filed).shared_model is not None


def test_nobody_fills_the_log_and_everybody_may_go(hall, monkeypatch):
    monkeypatch.setattr(taking, "MOST_TOMBSTONES", 2)
    secret = hall.speaker(hall.laptop())
    some = frozenset({Purpose.ARCHIVE})
    for sequence in (1, 2):
        hall.withdrawals.take(hall.tombstone(secret, sequence=sequence, scope=some))
    with refusing("refused"):
        hall.withdrawals.take(hall.tombstone(secret, sequence=3, scope=some))
    hall.withdrawals.take(hall.tombstone(secret, sequence=3))
    with refusing("refused"):
        hall.withdrawals.take(hall.tombstone(secret, sequence=4))


def test_receipts_are_filed_once(hall):
    laptop, other = hall.laptop(), hall.laptop()
    filed = hall.withdrawals.take(hall.tombstone(hall.speaker(laptop)))
    receipt = hall.receipt(filed, laptop)
    index = hall.withdrawals.file(receipt)
    assert hall.withdrawals.file(receipt) == index
    assert FiledReceipt.from_envelope(hall.log.entries(index, index)[0], key=hall.log.key).receipt == receipt
    assert own_receipt(hall, filed).pending == ()
    assert own_receipt(hall, filed).at > hall.clock.now
    size = hall.log.checkpoint().size
    with refusing("replayed"):
        hall.withdrawals.file(hall.receipt(filed, laptop, at=hall.clock.now + 9))
    hall.withdrawals.file(hall.receipt(filed, other, Role.RECIPIENT))
    assert hall.log.checkpoint().size == size + 1
    assert [answered.role for answered in hall.withdrawals.tables.answers(filed.digest)] == ["laptop", "coordinator", "recipient"]


def test_a_recipient_does_not_answer_for_the_laptop(hall):
    filed = hall.withdrawals.take(hall.tombstone(hall.speaker(hall.laptop())))
    hall.withdrawals.file(hall.receipt(filed, hall.laptop(), Role.RECIPIENT))
    assert [item.what for item in own_receipt(hall, filed).pending] == [Pending.LAPTOP]


def test_receipts_that_are_refused(hall):
    gone, laptop = hall.laptop(), hall.laptop()
    hall.enter(gone, DeviceStatus.REVOKED)  # before she came
    filed = hall.withdrawals.take(hall.tombstone(hall.speaker(laptop)))
    elsewhere = dataclasses.replace(filed, digest="ab" * 32)
    other = dataclasses.replace(filed, pseudonym="cd" * 16)
    size = hall.log.checkpoint().size
    stranger = mock.Mock(key=RecoverySecret.generate().withdrawal_key(), device="ef" * 16)
    for code, receipt in (
        ("unknown", hall.receipt(elsewhere, laptop)),
        ("unknown", hall.receipt(other, laptop)),
        ("unknown", hall.receipt(filed, gone)),
        ("unknown", hall.receipt(filed, stranger)),
        ("refused", hall.receipt(filed, laptop, Role.COORDINATOR)),
    ):
        with refusing(code):
            hall.withdrawals.file(receipt)
    with pytest.raises(ProtocolError):
        hall.withdrawals.file(dataclasses.replace(hall.receipt(filed, laptop), signature=bytes(64)))
    assert hall.log.checkpoint().size == size


def test_a_laptop_that_was_revoked_since_may_still_answer(hall):
    laptop = hall.laptop()
    filed = hall.withdrawals.take(hall.tombstone(hall.speaker(laptop)))
    hall.enter(laptop, DeviceStatus.REVOKED)
    hall.withdrawals.file(hall.receipt(filed, laptop))
    assert own_receipt(hall, filed).pending == ()


@pytest.mark.parametrize("place", ["add_tombstone", "remove_speaker", "set_unscrubbed", "file_own"])
def test_who_is_killed_on_the_way_has_changed_nothing(hall, place):
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    before = hall.log.head()
    with mock.patch.object(taking, place, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        hall.withdrawals.take(hall.tombstone(secret))
    hall.log.close()
    hall.reopen()
    assert hall.log.head() == before
    assert hall.withdrawals.tables.device_of(secret.pseudonym) == laptop.device
    assert hall.withdrawals.tables.newest(secret.pseudonym) is None
    hall.withdrawals.take(hall.tombstone(secret))
    hall.log.verify()


def test_the_bundle_proves_itself(hall):
    laptop, recipient = hall.laptop(), hall.laptop()
    secret = hall.speaker(laptop)
    filings = filings_of(hall)
    with pytest.raises(UsageError):
        filings.bundle(secret.pseudonym)
    filed = hall.withdrawals.take(hall.tombstone(secret))
    first = filings.bundle(secret.pseudonym).verified(hall.log.key)
    assert first.received == hall.clock.now
    assert [item.what for _, item in first.pending] == [Pending.LAPTOP]
    assert not first.is_complete
    hall.withdrawals.file(hall.receipt(filed, recipient, Role.RECIPIENT))
    hall.withdrawals.file(hall.receipt(filed, laptop))
    bundle = filings.bundle(secret.pseudonym)
    last = type(bundle).from_bytes(bundle.to_bytes()).verified(hall.log.key)
    assert last.is_complete
    assert {(answer.role, answer.device, answer.filed) for answer in last.newest} == {
        (Role.LAPTOP, laptop.device, True),
        (Role.RECIPIENT, recipient.device, True),
        (Role.COORDINATOR, device_id(hall.log.key), True),
    }


ACTS = st.lists(st.tuples(st.sampled_from("rtfx"), st.integers(0, 2), st.integers(0, 2), st.integers(1, 4)), max_size=14)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(ACTS)
def test_whatever_comes_laptops_accept_the_log(tmp_path_factory, make_hall, acts):
    hall = make_hall(tmp_path_factory.mktemp("hall"))
    try:
        laptops, secrets = [hall.laptop() for _ in range(3)], [RecoverySecret.generate() for _ in range(3)]
        for act, who, whose, sequence in acts:
            laptop, secret = laptops[who], secrets[whose]
            try:
                if act == "r":
                    hall.withdrawals.register(hall.request(secret, laptop))
                elif act == "x":
                    hall.withdrawals.take(hall.tombstone(secret, sequence=sequence, scope=frozenset({Purpose.ARCHIVE})))
                elif act == "t":
                    hall.withdrawals.take(hall.tombstone(secret, sequence=sequence))
                elif (filed := hall.withdrawals.tables.newest(secret.pseudonym)) is not None:
                    hall.withdrawals.file(hall.receipt(filed, laptop))
            except FilingRefusedError:
                continue
        book = book_of(hall)
        tables = WithdrawalTables(hall.log)
        for secret in secrets:
            newest = tables.newest(secret.pseudonym)
            assert book.last_sequence(secret.pseudonym) == (0 if newest is None else newest.sequence)
            assert (tables.registration(secret.pseudonym) is not None) == book.knows(secret.pseudonym)
            ended = book.has_ended(secret.pseudonym, Purpose.OWN_VOICE)
            assert (tables.device_of(secret.pseudonym) is None) == (ended or not book.knows(secret.pseudonym))
        assert len(hall.log.of_kind(WITHDRAWAL_KIND)) == len(tables.tombstones())
        for leaf in hall.log.of_kind(FILED_KIND):
            FiledReceipt.from_envelope(leaf, key=hall.log.key)
        hall.log.verify()
    finally:
        hall.log.close()


def test_an_envelope_of_another_kind_is_no_tombstone(hall):
    with pytest.raises(ProtocolError):
        hall.withdrawals.take(Envelope.sign("hometone/test/v1", {}, hall.log._key))


def test_a_laptop_that_held_nothing_of_hers_answers_nothing(hall):
    """Otherwise a receipt would read complete although hers was never switched on."""
    hers, other = hall.laptop(), hall.laptop()
    filed = hall.withdrawals.take(hall.tombstone(hall.speaker(hers)))
    with refusing("refused"):
        hall.withdrawals.file(hall.receipt(filed, other, holder=None))
    proof = HolderReceipt.from_envelope(hall.receipt(filed, hers)).holder
    for role in (Role.LAPTOP, Role.RECIPIENT):
        with pytest.raises(ProtocolError, match="nothing proves"):
            hall.withdrawals.file(hall.receipt(filed, other, role, holder=proof))
    assert [item.what for item in own_receipt(hall, filed).pending] == [Pending.LAPTOP]
    hall.withdrawals.file(hall.receipt(filed, hers))
    assert own_receipt(hall, filed).pending == ()


def test_one_laptop_does_not_make_the_log_too_long_for_the_others(hall, monkeypatch):
    monkeypatch.setattr(taking, "MOST_REGISTRATIONS_A_DAY", 2)
    busy, other = hall.laptop(), hall.laptop()
    secrets = [hall.speaker(busy) for _ in range(2)]
    hall.withdrawals.take(hall.tombstone(secrets[0]))  # who goes makes no room
    size = hall.log.checkpoint().size
    with refusing("busy"):
        hall.speaker(busy)
    hall.withdrawals.register(hall.request(secrets[1], busy))  # the same again is nothing new
    assert hall.log.checkpoint().size == size
    hall.speaker(other)
    hall.clock.now += 86_400
    hall.speaker(busy)
    assert len(book_of(hall).speakers) == 4
