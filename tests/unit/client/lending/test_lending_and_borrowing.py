"""A voice is lent to one machine, by somebody who consented aloud, and taken in only while all of that still holds."""

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from tests.unit.client.lending.conftest import COORDINATOR, DAY, NOW, World, open_vault, tombstone

from hometone_client.lending import giving
from hometone_client.lending.borrowing import borrow, remove_unfinished
from hometone_client.lending.giving import LentCopy, checked_card, lent_copies, recipient_card
from hometone_client.lending.guests import guests, read_guest
from hometone_client.lending.known_log import KnownLog, watched_log
from hometone_client.lending.package import LentPackage
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.removal import Removal
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, DamagedVaultError, ModelError, ProtocolError, UsageError
from hometone_shared.records.lease import Lease, words_of_card
from hometone_shared.records.receipt import Pending
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, Tombstone


def test_what_was_lent_arrives_and_is_in_the_registry(world: World) -> None:
    guest = borrow(world.borrower, world.package(lease_days=7), log=world.log, now=NOW)
    assert (guest.name, guest.pseudonym) == ("mei", world.secret.pseudonym)
    with world.borrower.unlock_for_work(guest.speaker_id) as place:
        assert place.read("voice", OWN) == world.room.vault.read("voice", OWN)
    (copy,) = lent_copies(world.room)
    assert (copy.label, copy.lease, copy.lease_days) == ("Sunrise home", guest.lease.lease, 7)
    assert copy.ends == int((NOW + 365 * DAY).timestamp()) == guest.lease.ends
    (use,) = world.room.uses()
    assert (use.way, use.about) == (Way.LENT, "Sunrise home")
    assert world.room.journal()[-1]["event"] == "lent"
    assert guests(world.borrower) == (guest,)


def test_the_pseudonym_is_in_the_log_before_the_package_exists(world: World) -> None:
    assert not world.log.book.knows(world.secret.pseudonym)
    world.package()
    assert world.log.book.knows(world.secret.pseudonym)


def test_a_failed_registration_lends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConsentError("no")

    monkeypatch.setattr(world, "register_once", refuse)
    with pytest.raises(ConsentError):
        world.package()
    assert lent_copies(world.room) == ()


def test_machines_are_counted_and_a_newer_copy_takes_the_place_of_the_one_before(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "MOST_COPIES", 1)
    world.package()
    world.package(lease_days=7)
    assert len(lent_copies(world.room)) == 2
    with open_vault(tmp_path / "another") as another, pytest.raises(UsageError, match="1 machines"):
        world.package(borrower=another)
    word = Tombstone.from_envelope(tombstone(world.secret, Purpose.OWN_VOICE))
    now_s = int(NOW.timestamp())
    waiting = [item for item in Removal.of_speaker(world.room, word, now_s=now_s).pending if item.what is Pending.LENT_COPIES]
    assert [item.until for item in waiting] == [now_s + 30 * 86_400], "one machine, one answer to wait for"


def test_two_laptops_without_a_coordinator_may_lend_too(world: World) -> None:
    guest = borrow(world.borrower, world.package(log=KnownLog()), log=KnownLog(), now=NOW)
    assert guest.lease.coordinator == NO_COORDINATOR


@pytest.mark.parametrize("purpose", [Purpose.ANNOUNCEMENTS, Purpose.OWN_VOICE])
def test_without_her_consent_nothing_is_lent_and_the_refusal_is_noted(world: World, purpose: Purpose) -> None:
    world.room.withdraw_consent(purpose)
    with pytest.raises(ConsentError, match=purpose.value):
        world.package()
    assert world.room.journal()[-1]["event"] == "refused"


def test_after_the_end_of_the_consent_nothing_is_lent(world: World) -> None:
    with pytest.raises(ConsentError, match="ended"):
        world.package(now=NOW + 366 * DAY)


def test_who_has_taken_announcements_back_in_the_log_lends_nothing_more(world: World) -> None:
    world.register()
    world.withdraw(Purpose.ANNOUNCEMENTS)
    with pytest.raises(ConsentError, match="taken back"):
        world.package()


def test_without_a_voice_there_is_nothing_to_lend(world: World) -> None:
    world.room.vault.delete("voice", OWN)
    with pytest.raises(UsageError, match="no voice yet"):
        world.package()


@pytest.mark.parametrize("label", ["", "  ", "x" * 101, "a\nb"])
def test_impossible_labels_are_refused(world: World, label: str) -> None:
    with pytest.raises(UsageError, match="label"):
        recipient_card(world.borrower, coordinator=NO_COORDINATOR, label=label)
    with pytest.raises(UsageError, match="label"):
        world.package(label=label)


def test_cards_of_other_coordinators_are_refused(world: World) -> None:
    other = recipient_card(world.borrower, coordinator="ab" * 16)
    with pytest.raises(UsageError, match="another coordinator"):
        checked_card(other, log=world.log)
    with pytest.raises(UsageError, match="another coordinator"):
        checked_card(other, log=KnownLog())


def test_a_changed_card_is_refused_and_its_words_differ(world: World) -> None:
    card = recipient_card(world.borrower, coordinator=world.log.coordinator, label="Sunrise home")
    assert len(words_of_card(card).split()) == 4
    forged = Envelope(card.kind, card.payload.replace(b"Sunrise", b"Sunset!"), card.key, card.signature)
    assert words_of_card(forged) != words_of_card(card)
    with pytest.raises(ProtocolError):
        checked_card(forged, log=world.log)


def test_a_package_for_another_machine_is_refused(world: World, tmp_path: Path) -> None:
    package = world.package()
    with open_vault(tmp_path / "third") as third, pytest.raises(UsageError, match="another computer"):
        borrow(third, package, log=world.log, now=NOW)


def test_a_package_of_another_coordinator_is_refused(world: World) -> None:
    package = world.package()
    with pytest.raises(UsageError, match="another coordinator"):
        borrow(world.borrower, package, log=KnownLog(), now=NOW)


def test_an_owner_whom_the_log_does_not_know_is_refused(world: World) -> None:
    package = world.package()
    world.entries.clear()
    with pytest.raises(UsageError, match="does not know"):
        borrow(world.borrower, package, log=world.log, now=NOW)


def nothing_arrived(vault: Vault) -> bool:
    return not vault.speakers()


@pytest.mark.parametrize("purpose", [Purpose.ANNOUNCEMENTS, Purpose.OWN_VOICE])
def test_a_package_that_is_replayed_after_the_withdrawal_is_refused_for_ever(world: World, purpose: Purpose) -> None:
    package = world.package()
    world.withdraw(purpose)
    for later in (NOW, NOW + DAY, NOW + 300 * DAY):
        with pytest.raises(ConsentError, match="taken it back"):
            borrow(world.borrower, package, log=world.log, now=later)
    assert nothing_arrived(world.borrower)


def test_a_tombstone_that_this_machine_was_given_itself_counts_as_well(world: World, tmp_path: Path) -> None:
    package = world.package(log=KnownLog())
    home = tmp_path / "borrower"
    known = watched_log(home)
    assert not KnownLog.of(home).is_joined
    assert not known().has_ended(world.secret.pseudonym)
    Outbox(home).add(tombstone(world.secret, Purpose.ANNOUNCEMENTS, coordinator=NO_COORDINATOR))
    assert known().has_ended(world.secret.pseudonym)
    assert not known().has_ended("00" * 16)
    with pytest.raises(ConsentError, match="taken it back"):
        borrow(world.borrower, package, log=known(), now=NOW)


def test_another_purpose_that_ended_is_no_reason(world: World) -> None:
    package = world.package()
    world.withdraw(Purpose.FEDERATED, Purpose.ARCHIVE)
    borrow(world.borrower, package, log=world.log, now=NOW)


@pytest.mark.parametrize(
    ("after", "words"),
    [(31 * DAY, "more than 30 days old"), (365 * DAY, "is over"), (-2 * DAY, "in the future")],
)
def test_old_ended_and_future_packages_are_refused(world: World, after: dt.timedelta, words: str) -> None:
    package = world.package()
    with pytest.raises(ConsentError, match=words):
        borrow(world.borrower, package, log=world.log, now=NOW + after)
    assert nothing_arrived(world.borrower)


def test_the_same_package_twice_is_refused_and_a_newer_one_takes_its_place(world: World) -> None:
    first = world.package(lease_days=5)
    guest = borrow(world.borrower, first, log=world.log, now=NOW, name="announcer")
    with pytest.raises(UsageError, match="here already"):
        borrow(world.borrower, first, log=world.log, now=NOW)
    newer = world.package(now=NOW + DAY, lease_days=9)
    again = borrow(world.borrower, newer, log=world.log, now=NOW + DAY)
    assert (again.speaker_id, again.name, again.lease.lease_days) == (guest.speaker_id, "announcer", 9)
    with world.borrower.unlock_for_work(guest.speaker_id) as place:
        assert len(place.list("lease-state")) == 1
    with pytest.raises(UsageError, match="here already"):
        borrow(world.borrower, first, log=world.log, now=NOW + DAY)
    assert len(lent_copies(world.room)) == 2


def test_a_forged_lease_is_refused(world: World) -> None:
    package = LentPackage.from_bytes(world.package())
    longer = Lease(**{name: getattr(package.lease, name) for name in Lease.__dataclass_fields__} | {"ends": package.lease.ends + 10})
    forged = Envelope.sign(package.envelope.kind, longer.to_document(), COORDINATOR)
    data = forged.to_bytes()
    with pytest.raises(ProtocolError, match="not signed by the owner"):
        borrow(world.borrower, b"HTONL\x01\x00\x00" + len(data).to_bytes(4, "big") + data + package.sealed, log=world.log, now=NOW)
    assert nothing_arrived(world.borrower)


def test_a_tampered_package_leaves_no_place_behind(world: World) -> None:
    data = bytearray(world.package())
    data[-1] ^= 1
    with pytest.raises(ProtocolError, match="does not open"):
        borrow(world.borrower, bytes(data), log=world.log, now=NOW)
    assert nothing_arrived(world.borrower)


def test_something_that_is_no_voice_is_refused(world: World) -> None:
    world.register()
    rubbish = b"not a voice at all"
    lease = Lease(
        pseudonym=world.secret.pseudonym,
        coordinator=world.log.coordinator,
        recipient=LentPackage.from_bytes(world.package()).lease.recipient,
        lease="12" * 16,
        label="mei",
        issued=int(NOW.timestamp()),
        ends=int((NOW + DAY).timestamp()),
        voice_sha256=hashlib.sha256(rubbish).hexdigest(),
        holder=LentPackage.from_bytes(world.package()).lease.holder,
    )
    envelope = lease.signed(world.secret.withdrawal_key())
    package = LentPackage.seal(rubbish, envelope=envelope, sealing_key=world.borrower.device.public_sealing_key())
    with pytest.raises(ModelError):
        borrow(world.borrower, package.to_bytes(), log=world.log, now=NOW)
    assert nothing_arrived(world.borrower)


def test_a_name_that_is_taken_is_refused_and_another_can_be_chosen(world: World) -> None:
    world.borrower.enroll("mei", "5678").close()
    package = world.package()
    with pytest.raises(UsageError, match="of that name"):
        borrow(world.borrower, package, log=world.log, now=NOW)
    assert borrow(world.borrower, package, log=world.log, now=NOW, name="mei of the village").name == "mei of the village"


def test_a_copy_whose_arrival_was_broken_off_never_speaks_and_is_removed(world: World) -> None:
    place = world.borrower.admit_guest("mei")
    place.put("voice", OWN, b"half")
    with pytest.raises(DamagedVaultError, match="not arrived"):
        read_guest(place)
    assert guests(world.borrower) == ()
    package = world.package()
    assert borrow(world.borrower, package, log=world.log, now=NOW).name == "mei"
    assert len(world.borrower.speakers()) == 1
    assert remove_unfinished(world.borrower) == 0


def test_an_arrival_that_fails_leaves_no_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    package = world.package()

    def full(*_: object, **__: object) -> None:
        raise DamagedVaultError("full")

    monkeypatch.setattr("hometone_client.lending.borrowing.keep_state", full)
    with pytest.raises(DamagedVaultError):
        borrow(world.borrower, package, log=world.log, now=NOW)
    assert nothing_arrived(world.borrower)


def test_a_damaged_registry_says_so(world: World) -> None:
    world.room.vault.put_json("x", {"lease": 1}, kind="lent")
    with pytest.raises(DamagedVaultError):
        lent_copies(world.room)
    with pytest.raises(DamagedVaultError):
        world.room.uses()
    with pytest.raises(DamagedVaultError):
        LentCopy.from_record([])


def test_guests_have_no_pin_and_cannot_be_lent_on(world: World) -> None:
    guest = borrow(world.borrower, world.package(), log=world.log, now=NOW)
    with pytest.raises(UsageError, match="lent copy"):
        world.borrower.unlock(guest.speaker_id, "1234")
    with SpeakerRoom(world.borrower.unlock_for_work(guest.speaker_id)) as place:
        with pytest.raises(ConsentError):
            place.require(Purpose.ANNOUNCEMENTS, now=NOW)
        place.keep_consent(give_consent(locale="en", now=NOW))
    with pytest.raises(UsageError, match="owner"):
        world.borrower.withdrawal_secret(guest.speaker_id)
