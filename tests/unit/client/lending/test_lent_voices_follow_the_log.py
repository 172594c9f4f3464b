"""Lent copies with a real coordinator between the laptops: registered, renewed by contacts, erased and receipted after a withdrawal."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.client.lending.conftest import SPOKEN
from tests.unit.client.speakers.test_room import a_voice
from tests.unit.client.withdrawal.conftest import NOW, PIN, Laptop, coordinator, laptops

from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import checked_card, lend, recipient_card
from hometone_client.lending.guests import guests, lent_voice
from hometone_client.lending.known_log import KnownLog, watched_log
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.exports import export
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.withdrawal.delivery import ensure_registered
from hometone_client.withdrawal.withdrawing import withdraw
from hometone_shared.errors import ConsentError, UsageError
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt, Pending, Removed, Role

__all__ = ["coordinator", "laptops"]
Laptops = Callable[..., Laptop]
DAY_S = 86_400


def moment(seconds: float = NOW) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def lent_to(owner: Laptop, borrower: Laptop, *, lease_days: int = 30) -> tuple[str, bytes]:
    """Mei's place, and the package with her voice for the borrower."""
    speaker_id = owner.enrol("mei")
    with SpeakerRoom(owner.vault.unlock(speaker_id, PIN)) as room:
        room.keep_consent(give_consent(locale="en", now=moment()))
        room.keep_consent(give_consent(locale="en", now=moment(), purpose=Purpose.ANNOUNCEMENTS, spoken=SPOKEN))
        room.keep_voice(a_voice(), record={})
        log = KnownLog.of(owner.home)
        card = recipient_card(borrower.vault, coordinator=KnownLog.of(borrower.home).coordinator, label="Sunrise home")

        def register() -> None:
            transport = owner.coordinator.bridge
            ensure_registered(owner.home, owner.vault, speaker_id, purpose=Purpose.ANNOUNCEMENTS, transport=transport)

        _, package = lend(
            room,
            owner.vault,
            card=checked_card(card, log=log),
            log=log,
            register=register,
            now=moment(),
            lease_days=lease_days,
        )
    return speaker_id, package


def speak(borrower: Laptop, *, now_s: float) -> None:
    (guest,) = guests(borrower.vault)
    with SpeakerRoom(borrower.vault.unlock_for_work(guest.speaker_id)) as room:
        lent_voice(room, log=watched_log(borrower.home), way=Way.SAY, clock=lambda: moment(now_s)).load()


@pytest.mark.parametrize("scope", [frozenset({Purpose.ANNOUNCEMENTS}), frozenset({Purpose.OWN_VOICE})])
def test_a_withdrawal_reaches_the_copy_and_its_receipt_comes_back(laptops: Laptops, scope: frozenset[Purpose]) -> None:
    owner, borrower = laptops(), laptops()
    speaker_id, package = lent_to(owner, borrower)
    pseudonym = owner.secret(speaker_id).pseudonym
    with pytest.raises(UsageError, match="does not know"):
        borrow(borrower.vault, package, log=KnownLog.of(borrower.home), now=moment())
    borrower.contact()
    borrow(borrower.vault, package, log=KnownLog.of(borrower.home), now=moment())
    speak(borrower, now_s=NOW)
    withdraw(owner.home, owner.vault, speaker_id, scope=scope, clock=lambda: NOW)
    speak(borrower, now_s=NOW)  # it cannot know yet
    assert owner.contact().delivered == 1
    contact = borrower.contact()
    assert (contact.erased, contact.filed, contact.renewed) == (1, 1, 0)
    assert borrower.names() == set()
    (item,) = borrower.outbox.items(pseudonym)
    assert item.receipt is not None
    receipt = HolderReceipt.from_envelope(item.receipt)
    assert (receipt.role, receipt.removed[Removed.LENT_COPIES], receipt.key_destroyed) == (Role.RECIPIENT, 1, True)
    with pytest.raises(ConsentError, match="taken it back"):
        borrow(borrower.vault, package, log=KnownLog.of(borrower.home), now=moment())
    key = owner.membership.coordinator_key
    leaves = owner.coordinator.log.entries(0, borrower.membership.log().head.size - 1)
    filed = [FiledReceipt.from_envelope(leaf, key=key).receipt for leaf in leaves if leaf.kind == "hometone/filed-receipt/v1"]
    assert item.receipt in filed


def test_a_contact_renews_and_silence_ends_it(laptops: Laptops) -> None:
    owner, borrower = laptops(), laptops()
    _, package = lent_to(owner, borrower, lease_days=5)
    borrower.contact()
    borrow(borrower.vault, package, log=KnownLog.of(borrower.home), now=moment())
    with pytest.raises(ConsentError, match="more than 5 days"):
        speak(borrower, now_s=NOW + 6 * DAY_S)
    borrower.now_s = NOW + 6 * DAY_S
    assert borrower.contact().renewed == 1
    speak(borrower, now_s=NOW + 11 * DAY_S)
    with pytest.raises(ConsentError, match="more than 5 days"):
        speak(borrower, now_s=NOW + 11 * DAY_S + 1)


def test_a_log_that_was_taken_silences_a_copy_at_once_and_erases_it_at_the_next_opening(laptops: Laptops) -> None:
    owner, borrower = laptops(), laptops()
    speaker_id, package = lent_to(owner, borrower)
    borrower.contact()
    borrow(borrower.vault, package, log=KnownLog.of(borrower.home), now=moment())
    withdraw(owner.home, owner.vault, speaker_id, scope=frozenset({Purpose.ANNOUNCEMENTS}), clock=lambda: NOW)
    owner.contact()
    log = watched_log(borrower.home)
    assert not log().has_ended(owner.secret(speaker_id).pseudonym)
    borrower.membership.log().update(borrower.membership.records(transport=borrower.coordinator.bridge))
    assert log().has_ended(owner.secret(speaker_id).pseudonym), "a running service sees it without being started again"
    with pytest.raises(ConsentError, match="taken it back"):
        speak(borrower, now_s=NOW)
    assert borrower.reconcile() == 1
    assert borrower.names() == set()


def test_somebody_who_took_announcements_back_cannot_lend_again(laptops: Laptops) -> None:
    owner, borrower = laptops(), laptops()
    speaker_id, _ = lent_to(owner, borrower)
    withdraw(owner.home, owner.vault, speaker_id, scope=frozenset({Purpose.ANNOUNCEMENTS}), clock=lambda: NOW)
    assert KnownLog.of(owner.home).has_ended(owner.secret(speaker_id).pseudonym)
    with pytest.raises(ConsentError, match="for good"):
        ensure_registered(owner.home, owner.vault, speaker_id, purpose=Purpose.ANNOUNCEMENTS, transport=owner.coordinator.bridge)


def test_a_laptop_that_joined_and_one_that_did_not_do_not_lend(laptops: Laptops) -> None:
    owner, stranger = laptops(), laptops(joins=False)
    with pytest.raises(UsageError, match="another coordinator"):
        lent_to(owner, stranger)
    assert replace(KnownLog.of(stranger.home), outbox=None) == KnownLog()


def test_what_was_spoken_with_a_lent_copy_goes_with_it_and_what_was_changed_is_pending(laptops: Laptops, tmp_path: Path) -> None:
    owner, borrower = laptops(), laptops()
    speaker_id, package = lent_to(owner, borrower)
    borrower.contact()
    guest = borrow(borrower.vault, package, log=KnownLog.of(borrower.home), now=moment())
    kept, changed = tmp_path / "supper.wav", tmp_path / "breakfast.wav"
    with SpeakerRoom(borrower.vault.unlock_for_work(guest.speaker_id)) as room:
        for file in (kept, changed):
            export(room, file, b"RIFF" + file.name.encode())
    changed.write_bytes(b"cut and mixed")
    withdraw(owner.home, owner.vault, speaker_id, scope=frozenset({Purpose.ANNOUNCEMENTS}), clock=lambda: NOW)
    owner.contact()
    borrower.contact()
    assert (kept.exists(), changed.exists()) == (False, True)
    (item,) = borrower.outbox.items(owner.secret(speaker_id).pseudonym)
    assert item.receipt is not None
    receipt = HolderReceipt.from_envelope(item.receipt)
    assert receipt.removed[Removed.EXPORTS] == 1
    assert [pending.what for pending in receipt.pending] == [Pending.EXPORTS_ELSEWHERE]
