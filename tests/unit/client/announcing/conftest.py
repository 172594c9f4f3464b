"""A vault with a book, a clock that anybody may set, a loudspeaker and a speech in memory, and a voice lent to this machine."""

# ruff: noqa: DTZ001 - reminders are entered in the time of the wall clock

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.unit.client.lending.conftest import consent_to_everything, open_vault
from tests.unit.client.speakers.test_room import a_voice

from hometone_client.announcing.announcer import Announcer
from hometone_client.announcing.book import Announced, Outcome, ReminderBook
from hometone_client.announcing.reminder import Reminder, Repeat
from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import checked_card, lend, recipient_card
from hometone_client.lending.guests import Guest
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import HometoneError

BERLIN = ZoneInfo("Europe/Berlin")
START = dt.datetime(2026, 11, 24, 6, 0, tzinfo=dt.UTC)  # seven in Berlin
EIGHT = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)
STOCK = "stock:af_heart"
MINUTE = dt.timedelta(minutes=1)


def reminder(**change) -> Reminder:
    usual = {
        "title": "tablets",
        "text": "Frau Stein, please take your tablets.",
        "voice": STOCK,
        "first": dt.datetime(2026, 11, 24, 8, 0),
        "repeat": Repeat.DAILY,
    }
    return Reminder(**(usual | change))


@dataclass
class House:
    """Everything around an announcer, in memory where hardware is meant."""

    home: Path
    vault: Vault
    book: ReminderBook
    now: dt.datetime = START
    monotonic_s: float = 0.0
    played: list[tuple[str, dt.datetime]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    told: list[Announced] = field(default_factory=list)
    no_voice: HometoneError | None = None
    no_sound: HometoneError | None = None
    no_loudspeaker: HometoneError | None = None
    playing_s: float = 0.0
    making_s: float = 0.0
    during: Callable[[], None] = lambda: None
    whole: bool = True

    def pass_s(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)
        self.monotonic_s += seconds

    def require(self, each: Reminder) -> None:
        if self.no_voice is not None:
            raise self.no_voice

    def sound(self, each: Reminder) -> np.ndarray:
        self.made.append(each.title)
        self.pass_s(self.making_s)
        self.require(each)
        if self.no_sound is not None:
            raise self.no_sound
        return np.full(len(each.title), 0.1, np.float32)

    def play(self, samples: np.ndarray, *, sample_rate_hz: int, stop: threading.Event) -> bool:
        assert sample_rate_hz == 24_000
        if self.no_loudspeaker is not None:
            raise self.no_loudspeaker
        titles = {len(each.title): each.title for each in self.book.reminders()}
        self.played.append((titles[samples.size], self.now))
        self.during()
        self.pass_s(self.playing_s)
        return self.whole

    def announcer(self) -> Announcer:
        return Announcer(
            self.book,
            speech=self,
            play=self.play,
            clock=lambda: self.now,
            monotonic=lambda: self.monotonic_s,
            zone=BERLIN,
            told=lambda entry, _: self.told.append(entry),
        )

    def run(self, announcer: Announcer, *, until: dt.datetime) -> None:
        """Let time pass as `Announcer.run` would."""
        while self.now <= until:
            pause_s = announcer.step()
            if announcer._quiet is not None:  # nothing happens before: the test need not wait for it second by second
                due = announcer._quiet[1]
                pause_s = 20.0 if due is None else min(20.0, max(pause_s, (due - self.now).total_seconds() - 61.0))
            self.pass_s(max(0.001, pause_s))

    @property
    def outcomes(self) -> list[tuple[dt.datetime, Outcome]]:
        return [(entry.due, entry.outcome) for entry in self.book.history()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    home = tmp_path / "house"
    with open_vault(home) as vault, ReminderBook(vault) as book:
        yield House(home, vault, book)


@pytest.fixture
def lent(house: House, tmp_path: Path) -> Iterator[Guest]:
    """Mei lives elsewhere and has lent her voice to this machine."""
    with open_vault(tmp_path / "owner") as owner, SpeakerRoom(owner.enroll("mei", "1234")) as room:
        consent_to_everything(room, now=START)
        room.keep_voice(a_voice(), record={})
        log = KnownLog()
        card = checked_card(recipient_card(house.vault, coordinator=log.coordinator), log=log)
        package = lend(room, owner, card=card, log=log, register=lambda: None, now=START)[1]
        yield borrow(house.vault, package, log=log, now=START)
