"""A care home's laptop often holds both: the person whose voice it is, and the announcer. She lends the voice to this very computer."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.client.lending.conftest import NOW, consent_to_everything, open_vault
from tests.unit.client.speakers.test_room import a_voice

from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import checked_card, lend, lent_copies, recipient_card
from hometone_client.lending.guests import Guest, guests, lent_voice
from hometone_client.lending.known_log import KnownLog, watched_log
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.reconciliation import Desk, reconcile
from hometone_client.withdrawal.withdrawing import signed_tombstone, withdraw
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, UsageError
from hometone_shared.records.receipt import HolderReceipt, Pending, Removed, Role
from hometone_shared.records.tombstone import NO_COORDINATOR, SharedModelWish
from hometone_shared.withdrawal.recovery import RecoverySecret


@dataclass
class Laptop:
    home: Path
    vault: Vault
    room: SpeakerRoom

    def package(self) -> bytes:
        log = KnownLog.of(self.home)
        card = checked_card(recipient_card(self.vault, coordinator=log.coordinator, label="Sunrise home"), log=log)
        return lend(self.room, self.vault, card=card, log=log, register=lambda: None, now=NOW)[1]

    def lend_to_itself(self, name: str = "mei for the house") -> Guest:
        return borrow(self.vault, self.package(), log=KnownLog.of(self.home), now=NOW, name=name)

    def answers(self) -> list[HolderReceipt]:
        outbox = Outbox(self.home)
        items = [item for pseudonym in outbox.pseudonyms() for item in outbox.items(pseudonym)]
        return [HolderReceipt.from_envelope(item.receipt) for item in items if item.receipt is not None]


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    home = tmp_path / "laptop"
    with open_vault(home) as vault, SpeakerRoom(vault.enroll("mei", "1234")) as room:
        consent_to_everything(room)
        room.keep_voice(a_voice(), record={})
        yield Laptop(home, vault, room)


def test_the_copy_needs_another_name_speaks_without_a_pin_and_is_accounted_for(laptop: Laptop) -> None:
    with pytest.raises(UsageError, match="name"):
        borrow(laptop.vault, laptop.package(), log=KnownLog.of(laptop.home), now=NOW)
    assert [entry.name for entry in laptop.vault.speakers()] == ["mei"]
    guest = laptop.lend_to_itself()
    assert [copy.label for copy in lent_copies(laptop.room)] == ["Sunrise home"] * 2
    with SpeakerRoom(laptop.vault.unlock_for_work(guest.speaker_id)) as place:
        voice = lent_voice(place, log=watched_log(laptop.home), way=Way.ANNOUNCEMENT, clock=lambda: NOW)
        assert voice.load().base_sha256 == a_voice().base_sha256
        assert [(use.way, use.count) for use in place.uses()] == [(Way.ANNOUNCEMENT, 1)]


def test_when_she_stops_everything_her_copy_goes_in_the_same_act_and_nothing_is_pending(laptop: Laptop) -> None:
    laptop.lend_to_itself()
    withdraw(laptop.home, laptop.vault, laptop.room.speaker_id, room=laptop.room, clock=NOW.timestamp)
    assert laptop.vault.speakers() == ()
    (receipt,) = laptop.answers()
    assert receipt.role is Role.LAPTOP
    assert receipt.removed[Removed.LENT_COPIES] == 1
    assert not [item for item in receipt.pending if item.what is Pending.LENT_COPIES]
    assert receipt.holder is not None


def test_without_her_pin_her_copy_goes_too(laptop: Laptop) -> None:
    laptop.lend_to_itself()
    withdraw(laptop.home, laptop.vault, laptop.room.speaker_id, clock=NOW.timestamp)
    assert laptop.vault.speakers() == ()
    (receipt,) = laptop.answers()
    assert (receipt.role, receipt.removed[Removed.LENT_COPIES]) == (Role.LAPTOP, 1)


def test_when_only_announcements_end_she_stays_and_her_copy_goes(laptop: Laptop) -> None:
    laptop.lend_to_itself()
    scope = frozenset({Purpose.ANNOUNCEMENTS})
    withdraw(laptop.home, laptop.vault, laptop.room.speaker_id, room=laptop.room, scope=scope, clock=NOW.timestamp)
    assert [entry.name for entry in laptop.vault.speakers()] == ["mei"]
    (receipt,) = laptop.answers()
    assert (receipt.role, receipt.removed[Removed.LENT_COPIES], receipt.pending) == (Role.LAPTOP, 1, ())


def test_when_only_announcements_end_and_nobody_gives_the_pin_the_copy_is_silent_at_once_and_gone_at_the_next_opening(
    laptop: Laptop,
) -> None:
    guest = laptop.lend_to_itself()
    scope = frozenset({Purpose.ANNOUNCEMENTS})
    withdraw(laptop.home, laptop.vault, laptop.room.speaker_id, scope=scope, clock=NOW.timestamp)
    with pytest.raises(ConsentError):
        guest.require(KnownLog.of(laptop.home), now_s=int(NOW.timestamp()))
    assert reconcile(laptop.home, laptop.vault, clock=NOW.timestamp) == 1
    assert [entry.name for entry in laptop.vault.speakers()] == ["mei"]
    assert laptop.answers() == []  # hers is written when she can be opened
    reconcile(laptop.home, laptop.vault, clock=NOW.timestamp)
    assert [entry.name for entry in laptop.vault.speakers()] == ["mei"]


def test_killed_after_the_word_the_next_opening_removes_both_with_one_receipt(laptop: Laptop) -> None:
    laptop.lend_to_itself()
    secret = RecoverySecret(laptop.vault.withdrawal_secret(laptop.room.speaker_id))
    known = signed_tombstone(
        secret,
        coordinator=NO_COORDINATOR,
        scope=frozenset({Purpose.OWN_VOICE}),
        wish=SharedModelWish.LEAVE,
        last_sequence=0,
        now_s=int(NOW.timestamp()),
    )
    Outbox(laptop.home).add(known.envelope)
    reconcile(laptop.home, laptop.vault, clock=NOW.timestamp)
    assert laptop.vault.speakers() == ()
    (receipt,) = laptop.answers()
    assert (receipt.role, receipt.removed[Removed.LENT_COPIES]) == (Role.LAPTOP, 1)


def test_killed_between_her_copy_and_herself_the_rest_goes_at_the_next_opening(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop.lend_to_itself()
    erase = Desk._erase_copy

    def then_killed(desk: Desk, place: object) -> bool:
        erase(desk, place)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(Desk, "_erase_copy", then_killed)
        with pytest.raises(KeyboardInterrupt):
            withdraw(laptop.home, laptop.vault, laptop.room.speaker_id, room=laptop.room, clock=NOW.timestamp)
    assert [entry.name for entry in laptop.vault.speakers()] == ["mei"]
    reconcile(laptop.home, laptop.vault, clock=NOW.timestamp)
    assert laptop.vault.speakers() == ()
    assert [receipt.role for receipt in laptop.answers()] == [Role.LAPTOP]


def test_a_newer_copy_takes_the_place_of_the_older_and_the_older_is_refused(laptop: Laptop) -> None:
    guest = laptop.lend_to_itself()
    log = KnownLog.of(laptop.home)
    card = checked_card(recipient_card(laptop.vault, coordinator=log.coordinator), log=log)
    later = NOW + dt.timedelta(days=1)
    package = lend(laptop.room, laptop.vault, card=card, log=log, register=lambda: None, now=later)[1]
    again = borrow(laptop.vault, package, log=log, now=later)
    assert (again.speaker_id, again.name) == (guest.speaker_id, guest.name)
    with pytest.raises(UsageError, match="here already"):
        borrow(laptop.vault, package, log=log, now=later)
    assert len(guests(laptop.vault)) == 1
