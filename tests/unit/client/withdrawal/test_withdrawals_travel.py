"""A withdrawal on its way: to the coordinator, into the log, to every other holder, and back as a receipt; against the real gateway."""

import dataclasses

import httpx
import pytest
from tests.unit.client.withdrawal.conftest import NOW, opened

from hometone_client.federation.log_audit import LogChangedError, PinnedLog
from hometone_client.federation.willing import require_registered
from hometone_client.lending.guests import LEASE, LeaseState, keep_state
from hometone_client.withdrawal.bundles import best_bundle, fetched_bundle
from hometone_client.withdrawal.delivery import ensure_registered
from hometone_client.withdrawal.reconciliation import reconcile
from hometone_client.withdrawal.withdrawing import joined_coordinator, met, place_of, withdraw, withdraw_by_code
from hometone_shared.errors import ConsentError, FederationError, ProtocolError, UsageError
from hometone_shared.records.canonical import canonical, parse
from hometone_shared.records.lease import Lease, recipient_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import Removed, Role
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone, Withdrawal, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret


def registered(laptop, name="mei", **options):
    speaker_id = laptop.enrol(name, **options)
    assert ensure_registered(laptop.home, laptop.vault, speaker_id, transport=laptop.coordinator.bridge)
    return speaker_id


def away(laptop):
    """The coordinator cannot be reached."""

    def refuse(request):
        raise httpx.ConnectError("away", request=request)

    laptop.coordinator.bridge.before = refuse


def back(laptop):
    laptop.coordinator.bridge.before = lambda _request: None


def test_registering(laptop, laptops):
    speaker_id = laptop.enrol("mei")
    with pytest.raises(ConsentError, match="does not know this speaker"):
        require_registered(laptop.vault, speaker_id, book=laptop.membership.log().tombstones())
    for _ in range(2):
        assert ensure_registered(laptop.home, laptop.vault, speaker_id, transport=laptop.coordinator.bridge)
    require_registered(laptop.vault, speaker_id, book=laptop.membership.log().tombstones())
    posts = [path for method, path, _ in laptop.coordinator.bridge.asked if method == "POST"]
    assert posts == ["/join", "/speakers"]
    alone = laptops(joins=False)
    assert not ensure_registered(alone.home, alone.vault, alone.enrol("hua"))


def test_a_contact_registers_whoever_contributes(laptop):
    laptop.enrol("mei", contributes=True)
    laptop.enrol("hua")
    assert laptop.contact().registered == 1
    assert laptop.contact().registered == 0
    assert len(laptop.membership.log().tombstones().speakers) == 1


def test_a_withdrawal_reaches_everybody(laptop):
    speaker_id = registered(laptop)
    secret = laptop.secret(speaker_id)
    away(laptop)
    done = withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    assert laptop.names() == set()
    with pytest.raises(FederationError, match="cannot be reached"):
        laptop.contact()
    assert best_bundle(laptop.home, done.known.tombstone, transport=laptop.coordinator.bridge).withdrawal is None
    back(laptop)
    contact = laptop.contact()
    assert (contact.delivered, contact.filed, contact.waiting, contact.erased) == (1, 1, 0, 0)
    assert laptop.membership.log().tombstones().has_ended(secret.pseudonym, Purpose.FEDERATED)
    laptop.coordinator.bridge.asked.clear()
    contact = laptop.contact()
    assert (contact.delivered, contact.filed) == (0, 0)
    assert [path for _, path, _ in laptop.coordinator.bridge.asked] == ["/log/checkpoint"]
    bundle = best_bundle(laptop.home, done.known.tombstone, transport=laptop.coordinator.bridge)
    found = bundle.verified(laptop.coordinator.raw_key)
    assert {(answer.role, answer.filed) for answer in found.newest} == {(Role.COORDINATOR, True), (Role.LAPTOP, True)}
    assert laptop.outbox.forget_settled(before_s=int(NOW)) == 0
    assert laptop.outbox.forget_settled(before_s=int(NOW) + 1) == 1
    assert laptop.outbox.items() == ()


def test_the_code_on_paper_ends_it_from_any_laptop(laptop, laptops):
    speaker_id = registered(laptop)
    secret = laptop.secret(speaker_id)
    elsewhere = laptops()
    coordinator = joined_coordinator(elsewhere.home)
    typed = RecoverySecret.from_text(secret.words("zh"))
    assert place_of(elsewhere.vault, typed) is None
    assert place_of(laptop.vault, typed) == speaker_id
    known = withdraw_by_code(elsewhere.home, typed, coordinator, clock=lambda: NOW, transport=elsewhere.coordinator.bridge)
    assert elsewhere.outbox.item(known.tombstone).is_settled
    assert laptop.reconcile() == 0  # it has not heard of it
    contact = laptop.contact()
    assert (contact.erased, contact.filed) == (1, 1)
    assert laptop.names() == set()
    found = fetched_bundle(coordinator, secret.pseudonym, transport=laptop.coordinator.bridge).verified(coordinator.key)
    assert {answer.role for answer in found.answers} == {Role.COORDINATOR, Role.LAPTOP}
    with pytest.raises(UsageError, match="knows nobody of this code"):
        withdraw_by_code(elsewhere.home, RecoverySecret.generate(), coordinator, transport=laptop.coordinator.bridge)
    with pytest.raises(FederationError):
        fetched_bundle(coordinator, "0" * 32, transport=laptop.coordinator.bridge)


def test_a_restored_vault_is_held_against_the_pinned_log(laptop, laptops, tmp_path):
    import shutil

    speaker_id = registered(laptop)
    secret = laptop.secret(speaker_id)
    shutil.copytree(laptop.home / "vault", tmp_path / "backup")
    withdraw_by_code(laptops().home, secret, joined_coordinator(laptop.home), clock=lambda: NOW, transport=laptop.coordinator.bridge)
    laptop.contact()
    laptop.vault.close()
    shutil.rmtree(laptop.home / "withdrawals")
    shutil.rmtree(laptop.home / "vault")
    shutil.copytree(tmp_path / "backup", laptop.home / "vault")
    with opened(laptop.home) as vault:
        assert reconcile(laptop.home, vault, clock=lambda: NOW) == 1
        assert vault.speakers() == ()


def test_a_coordinator_at_an_address_has_to_be_the_one_of_the_fingerprint(laptop):
    coordinator = laptop.coordinator
    name = coordinator_name(coordinator.raw_key)
    found = met("voices.example.org:443", fingerprint=name, transport=coordinator.bridge)
    assert found.key == coordinator.raw_key
    for fingerprint in ("0" * 32, "x", name[:-1]):
        with pytest.raises(ProtocolError):
            met("voices.example.org:443", fingerprint=fingerprint, transport=coordinator.bridge)
    with pytest.raises(ProtocolError, match="not the one"):
        met("other.example.org:443", fingerprint=name, transport=coordinator.bridge)


def changed(answer, **changes):
    return canonical({**parse(answer), **changes})


@pytest.mark.parametrize("path", ["/speakers", "/tombstones", "/receipts"])
@pytest.mark.parametrize("what", ["nothing", "leaf", "proof", "checkpoint", "index"])
def test_answers_that_prove_nothing_settle_nothing(laptop, path, what):
    speaker_id = laptop.enrol("mei", contributes=True) if path == "/speakers" else registered(laptop)
    if path != "/speakers":
        withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    other = Envelope.sign("hometone/test/v1", {"number": 1}, laptop.coordinator.key)

    def lie(request, body):
        if not request.url.path.endswith(path):
            return body
        lies = {
            "nothing": lambda: b"{}",
            "leaf": lambda: changed(body, leaf=other.to_document()),
            "proof": lambda: changed(body, proof=[*parse(body)["proof"], "A" * 43 + "="]),
            "checkpoint": lambda: changed(body, checkpoint=parse(body)["checkpoint"].replace("hometone", "homebone")),
            "index": lambda: changed(body, index=parse(body)["index"] + 1),
        }
        return lies[what]()

    laptop.coordinator.bridge.after = lie
    with pytest.raises(ProtocolError):
        laptop.contact()
    laptop.coordinator.bridge.after = lambda _request, body: body
    contact = laptop.contact()  # the same once more, and it is taken
    assert contact.waiting == 0
    if path != "/speakers":
        (item,) = laptop.outbox.items()
        assert item.is_settled


@pytest.mark.parametrize("code", ["busy", "internal", "refused"])
def test_refusals_keep_what_is_owed(laptop, code):
    speaker_id = registered(laptop)
    withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    refusal = canonical({"error": {"code": code, "hint": "", "message": "<script>"}})

    def refuse(request):
        if request.url.path.endswith("/tombstones"):
            return httpx.Response(403, stream=httpx.ByteStream(refusal))
        return None

    laptop.coordinator.bridge.before = refuse
    with pytest.raises(FederationError) as caught:
        laptop.contact()
    assert "<script>" not in caught.value.message + caught.value.hint
    back(laptop)
    assert laptop.contact().delivered == 1


def forged_leaves(laptop, speaker_id):
    """Leaves that break a rule of section 3, signed by the coordinator itself."""
    secret, key = laptop.secret(speaker_id), laptop.coordinator.key
    right = Tombstone(
        pseudonym=secret.pseudonym,
        coordinator=coordinator_name(laptop.coordinator.raw_key),
        scope=frozenset({Purpose.ARCHIVE}),
        sequence=5,
        made=1,
    )
    stranger = RecoverySecret.generate()

    def leaf(tombstone, who):
        return Withdrawal(tombstone=tombstone.signed(who.withdrawal_key()), received=1).signed(key)

    def elsewhere():
        other = dataclasses.replace(right, coordinator="1" * 32).signed(secret.withdrawal_key())
        return Envelope.sign("hometone/withdrawal/v1", {"received": 1, "tombstone": other.to_document()}, key)

    def forged_signature():
        envelope = dataclasses.replace(right.signed(secret.withdrawal_key()), signature=bytes(64))
        return Envelope.sign("hometone/withdrawal/v1", {"received": 1, "tombstone": envelope.to_document()}, key)

    speaker = SpeakerEntry(withdrawal_key=secret.withdrawal_key().public_key().public_bytes_raw())
    return {
        "unknown": [leaf(dataclasses.replace(right, pseudonym=stranger.pseudonym), stranger)],
        "sequence": [leaf(right, secret), leaf(dataclasses.replace(right, sequence=5, made=2), secret)],
        "elsewhere": [elsewhere()],
        "signature": [forged_signature()],
        "twice": [speaker.signed(key), dataclasses.replace(speaker.signed(key))],
    }


@pytest.mark.parametrize("rule", ["unknown", "sequence", "elsewhere", "signature"])
def test_a_log_with_a_tombstone_that_breaks_a_rule_is_refused(laptop, rule):
    speaker_id = registered(laptop)
    leaves = forged_leaves(laptop, speaker_id)[rule]
    before = laptop.membership.log().head
    laptop.coordinator.log.append_all(leaves)
    with pytest.raises(LogChangedError, match="breaks the rules"):
        laptop.contact()
    log = laptop.membership.log()
    assert log.head == before
    assert len(log.evidence()) == 1
    assert laptop.names() == {"mei"}


def test_what_is_owed_is_handed_over_even_to_a_coordinator_that_changed_its_log(laptop):
    speaker_id = registered(laptop)
    leaves = forged_leaves(laptop, speaker_id)["unknown"]
    done = withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    laptop.coordinator.log.append_all(leaves)
    with pytest.raises(LogChangedError):
        laptop.contact()
    assert laptop.outbox.item(done.known.tombstone).delivered is not None


def test_a_copy_of_an_older_version_is_searched_for_tombstones(laptop, laptops):
    import sqlite3
    from contextlib import closing

    speaker_id = registered(laptop)
    pseudonym = laptop.secret(speaker_id).pseudonym
    withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    laptop.contact()
    with closing(sqlite3.connect(laptop.home / "federation" / "log.db")) as database:
        database.execute("DROP TABLE withdrawals")
        database.execute("PRAGMA user_version = 0")
        database.commit()
    log = PinnedLog(laptop.home / "federation", coordinator_key=laptop.coordinator.raw_key)
    assert [each.content.pseudonym for each in log.withdrawals_of([pseudonym, "0" * 32])] == [pseudonym]
    assert log.withdrawals_of([]) == []
    assert log.tombstones().withdrawn.keys() == {pseudonym}
    assert log.tombstones().registered_at(pseudonym) == 1


def test_a_word_that_was_outrun_is_said_again(laptop):
    speaker_id = registered(laptop, contributes=True)
    secret = laptop.secret(speaker_id)
    tombstone = Tombstone(
        pseudonym=secret.pseudonym,
        coordinator=coordinator_name(laptop.coordinator.raw_key),
        scope=frozenset({Purpose.ARCHIVE}),
        sequence=int(NOW) + 500,
        made=1,
    )
    with joined_coordinator(laptop.home).records(transport=laptop.coordinator.bridge) as records:
        records.deliver_tombstone(tombstone.signed(secret.withdrawal_key()))
    withdraw(laptop.home, laptop.vault, speaker_id, scope=frozenset({Purpose.FEDERATED}), clock=lambda: NOW)
    laptop.contact()
    book = laptop.membership.log().tombstones()
    assert book.has_ended(secret.pseudonym, Purpose.FEDERATED)
    assert book.last_sequence(secret.pseudonym) == int(NOW) + 501
    assert not book.has_ended(secret.pseudonym, Purpose.OWN_VOICE)
    before = len(laptop.outbox.items())
    assert (laptop.contact().delivered, len(laptop.outbox.items())) == (0, before)
    assert laptop.names() == {"mei"}


def test_a_lent_copy_goes_and_its_machine_answers(laptop, laptops):
    speaker_id = registered(laptop)
    secret = laptop.secret(speaker_id)
    announcer = laptops()
    lease = Lease(
        pseudonym=secret.pseudonym,
        coordinator=coordinator_name(laptop.coordinator.raw_key),
        recipient=announcer.membership.device,
        lease="ab" * 16,
        purpose=Purpose.ANNOUNCEMENTS,
        label="Sunrise home",
        issued=int(NOW),
        ends=int(NOW) + 10_000_000,
        lease_days=30,
        voice_sha256="cd" * 32,
        holder=recipient_proof(secret.withdrawal_key(), announcer.membership.device),
    )
    with announcer.vault.admit_guest("announcer") as place:
        place.put(*LEASE, lease.signed(secret.withdrawal_key()).to_bytes())
        keep_state(place, lease, LeaseState(last_contact=int(NOW), latest_seen=int(NOW)))
        place.put("voice", "own", b"a voice")
    announcer.now_s = NOW + 86_400
    contact = announcer.contact()
    assert (contact.renewed, contact.erased) == (1, 0)
    withdraw(laptop.home, laptop.vault, speaker_id, scope=frozenset({Purpose.ANNOUNCEMENTS}), clock=lambda: NOW)
    assert laptop.contact().delivered == 1
    contact = announcer.contact()
    assert (contact.renewed, contact.erased, contact.filed) == (0, 1, 1)
    assert announcer.names() == set()
    found = fetched_bundle(joined_coordinator(laptop.home), secret.pseudonym, transport=laptop.coordinator.bridge).verified()
    (answer,) = [answer for answer in found.newest if answer.role is Role.RECIPIENT]
    assert (answer.device, answer.removed[Removed.LENT_COPIES], answer.removed[Removed.VOICES]) == (announcer.membership.device, 1, 1)
    assert laptop.names() == {"mei"}
