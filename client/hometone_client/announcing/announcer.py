"""Plays reminders at their time, one after the other, and notes what became of each.

Each look at the clock (`step`), about once a second:

1. Times up to now of which nothing is known are due. Later than `GRACE` they are missed, because the computer was off or asleep; those that
   had to wait for this program's own work are not.
2. The rest is played in order. The voice is asked for once more just before: sound that was made a minute ago may be of a voice that was
   taken back since. That playing begins is on the disk before, so that no crash makes it sound twice.
3. Without a loudspeaker it is tried again until `GRACE` is over.
4. Sound for the next minute is made beforehand, in memory only, one piece a look.

The clock may be wrong. History, not the clock, says what was played: an hour that comes again plays nothing twice, and a leap forward
leaves behind what was missed. Where the clock goes back by more than an hour, what it says is to come is to come: entries of that time are
taken back, and it sounds at its right time. A time that was missed while the clock was ahead is taken back however little that was.

What it may see: reminders. What it must never do: tell a log what they say, or keep sound of a voice that may not speak.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from hometone_client.announcing.book import GRACE, Announced, Key, Outcome, ReminderBook, unsettled
from hometone_client.announcing.occurrences import next_occurrence
from hometone_client.announcing.reminder import Reminder
from hometone_client.announcing.speech import SAMPLE_RATE_HZ
from hometone_shared.errors import AudioError, ConsentError, HometoneError, TextError, UsageError

LEAD: Final = dt.timedelta(minutes=1)
CLOCK_PATIENCE: Final = dt.timedelta(hours=1)
"""A clock that goes back by no more than this plays nothing twice."""

RETRY: Final = dt.timedelta(seconds=20)
LOCK: Final = "announcer.lock"
_LOOK_S: Final = 1.0
_AFTER_FAILURE_S: Final = 10.0
_TICK: Final = dt.timedelta(microseconds=1)
_DAY: Final = dt.timedelta(days=1)

Samples = NDArray[np.float32]
Clock = Callable[[], dt.datetime]
Told = Callable[[Announced, Reminder], None]


class Speaks(Protocol):
    """What the announcer needs of a `Speech`."""

    def require(self, reminder: Reminder) -> None:
        """Refuse a voice that may not be heard now."""
        ...

    def sound(self, reminder: Reminder) -> Samples:
        """Make the sound, 24,000 Hz."""
        ...


class Plays(Protocol):
    """What the announcer needs of `audio.player.play`."""

    def __call__(self, samples: Samples, *, sample_rate_hz: int, stop: threading.Event) -> bool:
        """Play to the end or until `stop`; says whether all of it was played."""
        ...


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _silent(_entry: Announced, _reminder: Reminder) -> None:
    """Tell nobody."""


def rehearse(reminder: Reminder, *, speech: Speaks, play: Plays, stop: threading.Event) -> bool:
    """Play a reminder now, to hear how it will be; nothing is noted but the use of the voice.

    Returns:
        Whether it was played to the end.

    Raises:
        ConsentError: The voice may not speak.
        TextError: The text cannot be read aloud.
        AudioError: There is no loudspeaker, or it fails.
        ModelError: The base is missing, or the voice is damaged.
    """
    sound = speech.sound(reminder)
    speech.require(reminder)
    return play(sound, sample_rate_hz=SAMPLE_RATE_HZ, stop=stop)


class Announcer:
    """Plays the reminders of one book. `step` is for one thread; `running` makes that thread."""

    def __init__(
        self,
        book: ReminderBook,
        *,
        speech: Speaks,
        play: Plays,
        clock: Clock = _now,
        monotonic: Callable[[], float] = time.monotonic,
        zone: dt.tzinfo | None = None,
        told: Told = _silent,
    ) -> None:
        """Take note of whom to ask.

        Args:
            book: The reminders.
            speech: Makes their sound.
            play: The loudspeaker.
            clock: Gives the time, with a time zone.
            monotonic: Seconds of a clock that nobody sets, and that stands still while the computer sleeps.
            zone: Where the computer stands; None asks the operating system at each look.
            told: Called for each time that was settled, after it was noted.
        """
        self._book = book
        self._speech = speech
        self._play = play
        self._clock = clock
        self._monotonic = monotonic
        self._zone = zone
        self._told = told
        self._stop = threading.Event()
        self._prepared: dict[Key, tuple[Reminder, Samples]] = {}
        self._tried: dict[Key, Reminder] = {}  # could not be prepared; tried once more at its time
        self._retry_at: dict[Key, dt.datetime] = {}
        self._settled: dict[Key, Announced] = {}  # what a full disk could not take
        self._looked: dt.datetime | None = None
        self._swept: dt.date | None = None
        self._busy_s = 0.0
        self._last = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._quiet: tuple[tuple[Reminder, ...], dt.datetime | None, dt.datetime] | None = None

    def step(self) -> float:
        """Look at the clock once, and do what is due.

        Returns:
            In how many seconds to look again.

        Raises:
            VaultError: The book cannot be read or written; nothing is lost.
        """
        now = self._clock().astimezone(dt.UTC)
        reminders = self._book.reminders()
        if self._is_quiet(now, reminders):
            self._busy_s = 0.0
            return self._pause(now)
        self._quiet = None
        if self._zone is None and hasattr(time, "tzset"):
            time.tzset()  # somebody may have told the computer where it stands
        began = self._monotonic()
        looked = self._begin(now)
        settled = waits = False
        for due, reminder in self._due(looked, now):  # (1)
            if self._stop.is_set():
                waits = True
                break
            outcome = self._settle(due, reminder, now=now)
            settled |= outcome
            waits |= not outcome
        self._looked = self._first_waiting(now) if waits else now
        if settled or looked > now:
            with suppress(HometoneError):  # a full disk: history says it all the same
                self._book.look_until(self._looked)
        worked = self._prepare(now, reminders)  # (4)
        self._busy_s = self._monotonic() - began
        if not worked and not waits:
            self._quiet = (reminders, self._next(now, reminders), now)
        return 0.0 if worked else self._pause(now)

    def run(self, *, failed: Callable[[HometoneError], None] = lambda _: None) -> None:
        """Look at the clock until `stop`.

        Args:
            failed: Told why a look failed, once for each row of failures.
        """
        was_well, pause_s = True, 0.0
        while not self._stop.wait(pause_s):
            try:
                pause_s = self.step()
                was_well = True
            except Exception as error:  # whatever it is, the next announcement must not fall silent because of it
                pause_s = _AFTER_FAILURE_S
                if was_well:
                    failed(error if isinstance(error, HometoneError) else HometoneError("announcements have met a mistake in Hometone"))
                was_well = False

    def stop(self) -> None:
        """End `run`, and what is playing."""
        self._stop.set()

    @contextmanager
    def running(self, *, home: Path, failed: Callable[[HometoneError], None] = lambda _: None) -> Iterator[None]:
        """Play reminders for as long as the block lasts; one program of a home does it at a time.

        Args:
            home: The home, for the lock.
            failed: As in `run`.

        Raises:
            UsageError: Another program plays them already.
        """
        lock = FileLock(home / LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError("announcements are played by another window of Hometone already", hint="one is enough") from error
        thread = threading.Thread(target=self.run, kwargs={"failed": failed}, name="announcer", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop()
            thread.join()
            lock.release()

    def _is_quiet(self, now: dt.datetime, reminders: tuple[Reminder, ...]) -> bool:
        """Whether nothing has changed since the last look but the time, and nothing is due soon; asked anew every minute."""
        last, self._last = self._last, now
        if self._quiet is None or self._quiet[0] != reminders or now < last or now.date() != self._swept:
            return False
        due, asked = self._quiet[1:]
        return now - asked < LEAD and (due is None or now < due - LEAD)

    def _pause(self, now: dt.datetime) -> float:
        due = None if self._quiet is None else self._quiet[1]
        return _LOOK_S if due is None else min(_LOOK_S, max(0.0, (due - now).total_seconds()))

    def _begin(self, now: dt.datetime) -> dt.datetime:
        """Up to when has been looked; entries of a clock that was ahead are taken back."""
        if now.date() != self._swept:
            self._book.sweep(now=now)
            self._swept = now.date()
        for entry in self._book.history():
            if entry.due > (now + CLOCK_PATIENCE if entry.was_heard else now):
                self._book.undo(entry)
                self._settled.pop(entry.key, None)
        self._settled = {key: entry for key, entry in self._settled.items() if now - 2 * _DAY < key[1] <= now + CLOCK_PATIENCE}
        return self._looked or self._book.looked_until or dt.datetime.min.replace(tzinfo=dt.UTC)

    def _due(self, looked: dt.datetime, now: dt.datetime) -> list[tuple[dt.datetime, Reminder]]:
        found = unsettled(self._book, since=min(looked, now), now=now, zone=self._zone)
        return [(due, reminder) for due, reminder in found if (reminder.reminder_id, due) not in self._settled]

    def _settle(self, due: dt.datetime, reminder: Reminder, *, now: dt.datetime) -> bool:
        """Play or miss one time; says whether that is the end of it."""
        key = (reminder.reminder_id, due)
        patience = GRACE + dt.timedelta(seconds=self._busy_s)
        if key in self._retry_at and now < self._retry_at[key] and now - due <= GRACE:
            return False
        too_late = Outcome.LOUDSPEAKER if key in self._retry_at else Outcome.OFF
        outcome = too_late if now - due > patience else self._played(key, reminder)
        moment = self._clock().astimezone(dt.UTC)
        if outcome is Outcome.LOUDSPEAKER and moment - due < GRACE:  # (3)
            self._retry_at[key] = moment + RETRY
            return False
        self._retry_at.pop(key, None)
        self._prepared.pop(key, None)
        self._tried.pop(key, None)
        entry = self._noted(key, outcome)
        self._told(entry, reminder)
        return True

    def _played(self, key: Key, reminder: Reminder) -> Outcome:
        """(2) Play one."""
        try:
            self._speech.require(reminder)
            made = self._prepared.get(key)
            if made is None or made[0] != reminder:
                made = self._prepared[key] = (reminder, self._speech.sound(reminder))
                self._speech.require(reminder)
            begun = self._noted(key, Outcome.BEGUN)
            try:
                whole = self._play(made[1], sample_rate_hz=SAMPLE_RATE_HZ, stop=self._stop)
            except AudioError:
                self._settled.pop(key, None)
                with suppress(HometoneError):
                    self._book.undo(begun)
                return Outcome.LOUDSPEAKER
        except ConsentError:
            return Outcome.VOICE
        except TextError:
            return Outcome.TEXT
        except Exception:  # whatever it is, the others must not fall silent because of it
            return Outcome.FAILED
        return Outcome.PLAYED if whole else Outcome.STOPPED

    def _noted(self, key: Key, outcome: Outcome) -> Announced:
        entry = Announced(reminder_id=key[0], due=key[1], at=self._clock().astimezone(dt.UTC), outcome=outcome)
        try:
            self._book.note(entry)
        except HometoneError:  # a full disk silences nobody
            self._settled[key] = entry
        return entry

    def _first_waiting(self, now: dt.datetime) -> dt.datetime:
        waiting = [due for _, due in self._retry_at]
        return min([*waiting, now]) - _TICK if waiting else (self._looked or now - GRACE)

    def _prepare(self, now: dt.datetime, reminders: tuple[Reminder, ...]) -> bool:
        """(4) Make the sound of one that is due within a minute; says whether there was one."""
        soon = {
            (reminder.reminder_id, due): reminder
            for reminder in reminders
            if reminder.on and (due := next_occurrence(reminder, after=now, zone=self._zone)) is not None and due <= now + LEAD
        }
        known = {entry.key for entry in self._book.history()} | self._settled.keys() if soon else set()
        wanted = {key: reminder for key, reminder in soon.items() if key not in known}
        kept = wanted.keys() | self._retry_at.keys()
        self._prepared = {key: made for key, made in self._prepared.items() if key in kept}
        self._tried = {key: tried for key, tried in self._tried.items() if key in wanted}
        for key, reminder in wanted.items():
            if self._stop.is_set() or self._tried.get(key) == reminder or (key in self._prepared and self._prepared[key][0] == reminder):
                continue
            self._tried[key] = reminder
            with suppress(Exception):  # said at its time, if it still holds then
                self._prepared[key] = (reminder, self._speech.sound(reminder))
            return True
        return False

    def _next(self, now: dt.datetime, reminders: tuple[Reminder, ...]) -> dt.datetime | None:
        times = (next_occurrence(reminder, after=now, zone=self._zone) for reminder in reminders if reminder.on)
        return min((due for due in times if due is not None), default=None)
