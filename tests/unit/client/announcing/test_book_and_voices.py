"""The book is sealed, nobody's name is in it, and whose voice has gone leaves nothing there; only lent and stock voices speak."""

# ruff: noqa: DTZ001 - reminders are entered in the time of the wall clock

import datetime as dt
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.client.announcing.conftest import EIGHT, START, House, reminder
from tests.unit.client.lending.conftest import open_vault, tombstone

from hometone_client.announcing.book import Outcome, ReminderBook
from hometone_client.announcing.reminder import GONE
from hometone_client.announcing.speech import Speech
from hometone_client.announcing.voices import announcing_voices, name_of, voice_named
from hometone_client.lending.guests import Guest
from hometone_client.speakers.consent import Purpose
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.reconciliation import reconcile
from hometone_keys.sealing import canonical_json
from hometone_shared.errors import ConsentError, UsageError
from hometone_shared.records.tombstone import NO_COORDINATOR
from hometone_shared.withdrawal.recovery import RecoverySecret

DAY = dt.timedelta(days=1)


def speech(house: House, now: dt.datetime = START) -> Speech:
    return Speech(house.vault, home=house.home, models=house.home / "no models", clock=lambda: now)


def what_lies_in_the_house(house: House) -> bytes:
    with house.vault.house() as opened:
        kept = [[artefact.name, artefact.metadata, opened.read(artefact.kind, artefact.name).decode()] for artefact in opened.list()]
    return canonical_json(kept)


def test_nothing_of_a_reminder_is_readable_on_the_disk_or_in_a_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    each = reminder(title="Frau Stein: tablets")
    house.book.keep(each, now=START)
    house.now = EIGHT
    house.no_voice = ConsentError("over")
    house.announcer().step()
    data = b"".join(path.read_bytes() for path in house.home.rglob("*") if path.is_file())
    for piece in ("Stein", "tablets", each.reminder_id):
        assert piece.encode() not in data
        assert piece not in caplog.text
        assert piece not in " ".join(str(path) for path in house.home.rglob("*"))


def test_what_was_kept_is_there_for_everybody_who_opens_the_book(house: House) -> None:
    early, late = reminder(first=dt.datetime(2026, 11, 25, 7, 0)), reminder()
    for each in (late, early):
        house.book.keep(each, now=START)
    house.book.keep(replace(late, title="supper"), now=START)
    with open_vault(house.home) as vault, ReminderBook(vault) as book:
        assert book.reminders() == (early, replace(late, title="supper"))
        assert book.get(early.reminder_id) == early
        book.remove(early.reminder_id)
        for act in (book.get, book.remove):
            with pytest.raises(UsageError, match="no such reminder"):
                act(early.reminder_id)
    assert [each.title for each in house.book.reminders()] == ["supper"]


def test_there_is_room_for_two_hundred(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hometone_client.announcing.book.MOST", 2)
    first = reminder()
    for each in (first, reminder()):
        house.book.keep(each, now=START)
    with pytest.raises(UsageError, match="no room"):
        house.book.keep(reminder(), now=START)
    house.book.keep(replace(first, title="changed"), now=START)


def test_lent_and_stock_voices_may_be_chosen_and_nobodys_own(house: House, lent: Guest) -> None:
    house.vault.enroll("李明", "1234")
    offered = announcing_voices(house.vault)
    assert (offered[0].name, offered[0].ref, offered[0].kind) == ("mei", lent.speaker_id, "lent")
    assert "stock:af_heart" in {each.ref for each in offered}
    assert voice_named(house.vault, "MEI") == lent.speaker_id
    assert voice_named(house.vault, "af_heart") == voice_named(house.vault, "stock:af_heart") == "stock:af_heart"
    with pytest.raises(UsageError, match="only with its PIN") as caught:
        voice_named(house.vault, "李明")
    assert "lend it to this computer" in caught.value.hint
    with pytest.raises(UsageError, match="no voice of that name"):
        voice_named(house.vault, "nobody")
    with pytest.raises(UsageError, match="no longer here"):
        house.book.keep(reminder(voice="spk-abcdefghijklmnop"), now=START)


def test_a_lent_voice_speaks_for_as_long_as_it_is_lent(house: House, lent: Guest) -> None:
    each = reminder(voice=lent.speaker_id)
    house.book.keep(each, now=START)
    speech(house).require(each)
    assert name_of(house.vault, each.voice) == "mei"
    for now in (START + 31 * DAY, START + 400 * DAY, START - DAY):
        with pytest.raises(ConsentError):
            speech(house, now).require(each)
        with pytest.raises(ConsentError):
            speech(house, now).sound(each)


def test_when_she_takes_it_back_it_is_silent_at_once_and_nothing_of_hers_stays_in_the_book(
    house: House, lent: Guest, tmp_path: Path
) -> None:
    each = reminder(voice=lent.speaker_id)
    house.book.keep(each, now=START)
    with open_vault(tmp_path / "owner") as owner:
        secret = RecoverySecret(owner.withdrawal_secret(owner.find("mei").speaker_id))
    Outbox(house.home).add(tombstone(secret, Purpose.ANNOUNCEMENTS, coordinator=NO_COORDINATOR))
    with pytest.raises(ConsentError, match="taken it back"):
        speech(house).require(each)
    assert reconcile(house.home, house.vault, clock=START.timestamp) == 1
    (kept,) = house.book.reminders()
    assert kept == replace(each, voice=GONE)
    assert name_of(house.vault, kept.voice) is None
    with pytest.raises(ConsentError, match="no longer here"):
        speech(house).require(kept)
    for piece in (b"mei", lent.speaker_id.encode(), lent.pseudonym.encode()):
        assert piece not in what_lies_in_the_house(house)
    house.book.keep(replace(kept, title="still here"), now=START)  # it may be changed before another voice is chosen


def test_it_is_reported_at_each_of_its_times(house: House, lent: Guest) -> None:
    house.book.keep(reminder(voice=lent.speaker_id), now=START)
    house.vault.revoke(lent.speaker_id)
    real = speech(house)
    house.require, house.sound = real.require, real.sound  # type: ignore[method-assign]
    house.run(house.announcer(), until=EIGHT + dt.timedelta(minutes=1))
    assert house.outcomes == [(EIGHT, Outcome.VOICE)]
    assert len(house.book.reminders()) == 1
