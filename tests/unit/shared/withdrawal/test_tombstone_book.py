"""The book of tombstones: what the log says counts in its order, and a log that breaks a rule is refused as a whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, WITHDRAWAL_KIND, Tombstone, Withdrawal, coordinator_name
from hometone_shared.records.withdrawn_releases import WithdrawnReleases
from hometone_shared.withdrawal.tombstones import TombstoneBook


def book_of(log):
    return TombstoneBook.from_entries(log.leaves, log.key)


def test_an_empty_book():
    book = TombstoneBook()
    assert (book.knows("0" * 32), book.last_sequence("0" * 32), book.has_ended("0" * 32, Purpose.ARCHIVE)) == (False, 0, False)
    assert (book.withdrawn, book.withdrawn_releases, book.in_place_of(3), book.size) == ({}, frozenset(), 3, 0)
    with pytest.raises(ProtocolError, match="does not know"):
        book.registered_at("0" * 32)


def test_what_was_withdrawn_in_order(log):
    anna, otto = log.speaker(1), log.speaker(2)
    log.append(log.descriptor())  # of a type that means nothing here
    log.register(anna)
    log.register(otto)
    first, second = (
        log.tombstone(anna, [Purpose.ARCHIVE], sequence=2),
        log.tombstone(anna, [Purpose.FEDERATED, Purpose.ARCHIVE], sequence=9),
    )
    log.withdraw(first)
    log.withdraw(second)
    book = book_of(log)
    assert (book.knows(anna.pseudonym), book.registered_at(anna.pseudonym), book.registered_at(otto.pseudonym)) == (True, 1, 2)
    assert (book.last_sequence(anna.pseudonym), book.last_sequence(otto.pseudonym)) == (9, 0)
    assert book.withdrawn == {anna.pseudonym: (first, second)}
    ended = {purpose: book.ended_at(anna.pseudonym, purpose) for purpose in Purpose}
    assert ended == dict.fromkeys(Purpose) | {Purpose.FEDERATED: 4, Purpose.ARCHIVE: 3}
    assert not any(book.has_ended(otto.pseudonym, purpose) for purpose in Purpose)


def test_the_voice_takes_everything_with_it(log):
    anna = log.speaker(1)
    log.register(anna)
    log.withdraw(log.tombstone(anna))
    assert all(book_of(log).has_ended(anna.pseudonym, purpose) for purpose in Purpose)


def test_a_book_can_be_followed(log):
    anna = log.speaker(1)
    log.register(anna)
    before = book_of(log)
    leaf = log.withdraw(log.tombstone(anna))
    after = before.followed_by([leaf], log.key)
    assert (before.has_ended(anna.pseudonym, Purpose.ARCHIVE), after) == (False, book_of(log))
    assert after.ended_at(anna.pseudonym, Purpose.OWN_VOICE) == 1
    assert after.followed_by([], log.key) == after


def test_withdrawn_releases(log):
    for releases, by in (((2, 3), 5), ((5, 6), 8)):
        log.append(WithdrawnReleases(releases=releases, replaced_by=by).signed(log.coordinator))
    book = book_of(log)
    assert book.withdrawn_releases == {2, 3, 5, 6}
    assert [book.in_place_of(release) for release in (1, 2, 5, 7, 8)] == [1, 8, 8, 7, 8]


def refused(log, says):
    with pytest.raises(ProtocolError, match=says):
        book_of(log)


def test_a_tombstone_of_nobody(log):
    log.withdraw(log.tombstone(log.speaker(1)))
    refused(log, "whom it does not know")


def test_a_tombstone_before_the_registration(log):
    log.withdraw(log.tombstone(log.speaker(1)))
    log.register(log.speaker(1))
    refused(log, "whom it does not know")


def test_a_speaker_who_is_registered_twice(log):
    log.register(log.speaker(1))
    log.register(log.speaker(1))
    refused(log, "twice")


def test_nobody_comes_back_under_her_pseudonym(log):
    log.register(log.speaker(1))
    log.withdraw(log.tombstone(log.speaker(1)))
    log.register(log.speaker(1))
    refused(log, "twice")


@pytest.mark.parametrize("sequence", [1, 4, 5])
def test_a_sequence_that_does_not_rise(log, sequence):
    log.register(log.speaker(1))
    log.withdraw(log.tombstone(log.speaker(1), [Purpose.ARCHIVE], sequence=5))
    log.withdraw(log.tombstone(log.speaker(1), [Purpose.FEDERATED], sequence=sequence))
    refused(log, "does not come after")


@pytest.mark.parametrize("where", [NO_COORDINATOR, "ab" * 16])
def test_a_tombstone_of_another_log(log, where):
    log.register(log.speaker(1))
    tombstone = log.tombstone(log.speaker(1), coordinator=where)
    log.append(Envelope.sign(WITHDRAWAL_KIND, {"received": 1, "tombstone": tombstone.to_document()}, log.coordinator))
    refused(log, "another coordinator")


def test_a_tombstone_under_a_key_that_was_not_registered(log, monkeypatch):
    """Two keys whose hashes begin alike cannot be found; so the hash is made as weak as it would have to be."""
    anna, otto = log.speaker(1), log.speaker(2)
    for module in ("records.tombstone", "records.registration"):
        monkeypatch.setattr(f"hometone_shared.{module}.pseudonym_of", lambda _: "ab" * 16)
    log.register(anna)
    tombstone = Tombstone(pseudonym="ab" * 16, coordinator=coordinator_name(log.key), scope=frozenset(Purpose), sequence=1, made=1)
    log.withdraw(tombstone.signed(otto.withdrawal_key()))
    refused(log, "another key than the registered one")


@pytest.mark.parametrize("kind", ["speaker", "withdrawal", "releases"])
def test_leaves_that_the_coordinator_did_not_sign(log, kind):
    anna = log.speaker(1)
    log.register(anna)
    record = {
        "speaker": SpeakerEntry.from_envelope(log.leaves[0], key=log.key),
        "withdrawal": Withdrawal(tombstone=log.tombstone(anna), received=1),
        "releases": WithdrawnReleases(releases=(1,), replaced_by=2),
    }[kind]
    good = record.signed(log.coordinator)
    for leaf in (
        Envelope.sign(good.kind, record.to_document(), log.laptop),
        Envelope(good.kind, good.payload, good.key, bytes(64)),
        Envelope.sign(good.kind, {**record.to_document(), "x": 1}, log.coordinator),
    ):
        with pytest.raises(ProtocolError):
            TombstoneBook.from_entries([*log.leaves[1:], leaf], log.key)


def test_receipts_and_strange_leaves_change_nothing(withdrawn):
    log, _, _, receipts = withdrawn
    before = book_of(log)
    for leaf in (log.append(receipts["laptop"]), log.append(Envelope("hometone/filed-receipt/v1", b"?", log.key, bytes(64)))):
        after = before.followed_by([leaf], log.key)
        assert (after.speakers, after.replacements, after.size) == (before.speakers, before.replacements, before.size + 1)


# Anything that a coordinator can do with records that were signed: leave out, exchange, repeat, cut the end off, sign for somebody else.
@settings(max_examples=200)
@given(data=st.data())
def test_no_order_of_leaves_ends_what_nobody_ended(story, data):
    log, leaves_of, all_ended = story
    picked = data.draw(st.lists(st.sampled_from(range(len(log.leaves))), max_size=12))
    try:
        book = TombstoneBook.from_entries([log.leaves[place] for place in picked], log.key)
    except ProtocolError:
        return
    assert len(picked) == len(set(picked))
    for secret, ended in all_ended.items():
        mine = [place for place in picked if log.leaves[place] in leaves_of[secret]]
        assert mine == sorted(mine), "registration first, then rising sequences"
        assert {purpose for purpose in Purpose if book.has_ended(secret.pseudonym, purpose)} <= ended


@settings(max_examples=100)
@given(data=st.data())
def test_a_forged_leaf_is_refused(story, data):
    """One of a stranger, or one whose bytes were changed."""
    log, _, _ = story
    place = data.draw(st.integers(0, len(log.leaves) - 1))
    leaf = log.leaves[place]
    if data.draw(st.booleans()):
        forged = Envelope(leaf.kind, leaf.payload, leaf.key, log.laptop.sign(b"anything"))
    else:
        at = data.draw(st.integers(0, len(leaf.payload) - 1))
        changed = leaf.payload[:at] + bytes([leaf.payload[at] ^ data.draw(st.integers(1, 255))]) + leaf.payload[at + 1 :]
        forged = Envelope(leaf.kind, changed, leaf.key, leaf.signature)
    with pytest.raises(ProtocolError):
        TombstoneBook.from_entries([*log.leaves[:place], forged, *log.leaves[place + 1 :]], log.key)
