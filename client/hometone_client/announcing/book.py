"""All reminders, and what became of each time that one was due: sealed in the house of the vault, for no reminder belongs to a speaker.

1. A reminder is an entry `reminder`; beside it lies from when on it counts, so that a new one has missed nothing.
2. What became of a time is an entry `announced`, named by moment and reminder: there is one, or none, whatever the clock does.
3. Until when everything has been looked at is the entry `announcer`.
4. Whoever reads reminders finds no voice that has gone: its place is replaced by `GONE` on the disk before.

History goes after thirty days, and with its reminder. What it may see: the house, and who has a place in the vault. What it must never do:
keep whose voice it was, or write anything but into the house.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from hometone_client.announcing.occurrences import occurrences
from hometone_client.announcing.reminder import GONE, Reminder
from hometone_client.announcing.voices import places_here
from hometone_client.voices.registry import STOCK_PREFIX
from hometone_keys import Artefact, Vault
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError

MOST: Final = 200
HISTORY: Final = dt.timedelta(days=30)
GRACE: Final = dt.timedelta(minutes=5)
"""So late may an announcement be; later, it would be wrong."""
_MEANWHILE: Final = dt.timedelta(minutes=1)
"""A reminder that was kept so little after the clock was read was kept meanwhile; the clock has not gone back."""

_REMINDER: Final = "reminder"
_ANNOUNCED: Final = "announced"
_STATE: Final = ("announcer", "state")
_WHEN: Final = ("first", "repeat", "weekdays", "every_days", "until", "on")
_FORMAT: Final = "%Y%m%dT%H%MZ"

Key = tuple[str, dt.datetime]


class Outcome(StrEnum):
    """What became of one time."""

    PLAYED = "played"
    BEGUN = "begun"
    """It began to play, and nothing is known of the end: the computer went off."""
    OFF = "off"
    """The computer was off or asleep, or Hometone did not run."""
    VOICE = "voice"
    """The voice was taken back, its lease is over, or its owner's consent is."""
    LOUDSPEAKER = "loudspeaker"
    TEXT = "text"
    """The text cannot be read aloud."""
    STOPPED = "stopped"
    """Somebody ended Hometone while it played."""
    FAILED = "failed"
    """The sound could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What became of one time.

    Attributes:
        reminder_id: Whose.
        due: The time, UTC.
        at: When it was played, or found to be missed, UTC.
        outcome: Which.
    """

    reminder_id: str
    due: dt.datetime
    at: dt.datetime
    outcome: Outcome

    @property
    def key(self) -> Key:
        """What there is one of."""
        return self.reminder_id, self.due

    @property
    def was_heard(self) -> bool:
        """Whether any of it came out of the loudspeaker, as far as is known."""
        return self.outcome in {Outcome.PLAYED, Outcome.BEGUN, Outcome.STOPPED}

    def is_missed(self, now: dt.datetime) -> bool:
        """Whether somebody should hear of it; one that has just begun may be playing."""
        return self.outcome is not Outcome.PLAYED and not (self.outcome is Outcome.BEGUN and now - self.at < GRACE)

    @property
    def entry_name(self) -> str:
        """What the book calls it."""
        return f"{self.due.strftime(_FORMAT)}-{self.reminder_id}"

    @classmethod
    def of(cls, artefact: Artefact) -> Self:
        """Read an entry of the book.

        Raises:
            DamagedVaultError: It is not what was written.
        """
        try:
            due, _, reminder_id = artefact.name.partition("-")
            return cls(
                reminder_id=reminder_id,
                due=dt.datetime.strptime(due, _FORMAT).replace(tzinfo=dt.UTC),
                at=dt.datetime.fromisoformat(artefact.metadata["at"]).astimezone(dt.UTC),
                outcome=Outcome(artefact.metadata["outcome"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedVaultError("the history of announcements is damaged", hint="restore the vault from a backup") from error


class ReminderBook:
    """The book; several threads and programs may use one at once."""

    def __init__(self, vault: Vault) -> None:
        """Open it.

        Args:
            vault: The open vault.

        Raises:
            StorageError: The disk refuses.
        """
        self._vault = vault
        self._house = vault.house()
        self._read: dict[str, tuple[Reminder, dt.datetime]] = {}

    def __enter__(self) -> Self:
        """Use it as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Forget the key of the house."""
        self._house.close()

    def reminders(self) -> tuple[Reminder, ...]:
        """All reminders, by time of day; a voice that is no longer here has become `GONE`, on the disk too (4).

        Raises:
            DamagedVaultError: One is not what was written.
        """
        return tuple(reminder for reminder, _ in self._entries())

    def due_from(self) -> Mapping[str, dt.datetime]:
        """From when on each reminder counts, UTC (1)."""
        return {reminder.reminder_id: since for reminder, since in self._entries()}

    def get(self, reminder_id: str) -> Reminder:
        """One reminder.

        Raises:
            UsageError: There is none of this number.
        """
        for reminder in self.reminders():
            if reminder.reminder_id == reminder_id:
                return reminder
        raise UsageError("there is no such reminder", hint="look at the list; somebody may have removed it")

    def keep(self, reminder: Reminder, *, now: dt.datetime) -> None:
        """Add a reminder, or put it in the place of the one of its number; one whose times have changed has missed nothing.

        Raises:
            UsageError: There are too many, or a new one has a voice that is not here.
            StorageError: The disk refuses; the book is as it was.
        """
        entries = {each.reminder_id: (each, since) for each, since in self._entries()}
        before = entries.get(reminder.reminder_id)
        if before is None and len(entries) >= MOST:
            raise UsageError(f"there are {MOST} reminders, and no room for more", hint="remove those that are over")
        if (before is None or before[0].voice != reminder.voice) and not self._is_here(reminder.voice, places_here(self._vault)):
            raise UsageError("the voice of this reminder is no longer here", hint="choose another one")
        since = now.astimezone(dt.UTC)
        if before is not None and all(getattr(before[0], name) == getattr(reminder, name) for name in _WHEN):
            since = before[1]
        self._put(reminder, since)

    def remove(self, reminder_id: str) -> None:
        """Remove a reminder and everything that became of it.

        Raises:
            UsageError: There is none of this number.
        """
        if not self._house.has(_REMINDER, reminder_id):
            raise UsageError("there is no such reminder", hint="look at the list; somebody may have removed it")
        self._house.delete(_REMINDER, reminder_id)
        for entry in self.history():
            if entry.reminder_id == reminder_id:
                self.undo(entry)

    def history(self) -> tuple[Announced, ...]:
        """What became of every time of the last thirty days, oldest first.

        Raises:
            DamagedVaultError: An entry is not what was written.
        """
        return tuple(sorted(map(Announced.of, self._house.list(_ANNOUNCED)), key=lambda entry: entry.key[::-1]))

    def note(self, entry: Announced) -> None:
        """Write down what became of a time; on the disk when this returns."""
        self._house.put(_ANNOUNCED, entry.entry_name, b"", {"at": entry.at.isoformat(timespec="seconds"), "outcome": entry.outcome.value})

    def undo(self, entry: Announced) -> None:
        """Take an entry back."""
        if self._house.has(_ANNOUNCED, entry.entry_name):
            self._house.delete(_ANNOUNCED, entry.entry_name)

    def sweep(self, *, now: dt.datetime) -> int:
        """Let history go that is older than thirty days, or whose reminder is no longer there.

        Returns:
            How many entries went.
        """
        here = {reminder.reminder_id for reminder in self.reminders()}
        old = [entry for entry in self.history() if entry.due < now - HISTORY or entry.reminder_id not in here]
        for entry in old:
            self.undo(entry)
        return len(old)

    @property
    def looked_until(self) -> dt.datetime | None:
        """(3) Up to when every time has been looked at; None at the beginning."""
        if not self._house.has(*_STATE):
            return None
        try:
            return dt.datetime.fromisoformat(self._house.read_json(_STATE[1], kind=_STATE[0])["until"]).astimezone(dt.UTC)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedVaultError("the history of announcements is damaged", hint="restore the vault from a backup") from error

    def look_until(self, moment: dt.datetime) -> None:
        """Write it down."""
        self._house.put_json(_STATE[1], {"until": moment.astimezone(dt.UTC).isoformat()}, kind=_STATE[0])

    def _entries(self) -> Sequence[tuple[Reminder, dt.datetime]]:
        read: dict[str, tuple[Reminder, dt.datetime]] = {}
        for artefact in self._house.list(_REMINDER):
            known = self._read.get(artefact.artefact_id)
            read[artefact.artefact_id] = known or _read(self._house.read_json(artefact.name, kind=_REMINDER))
        self._read = read
        found = list(read.values())
        if any(not reminder.voice.startswith(STOCK_PREFIX) and reminder.voice != GONE for reminder, _ in found):
            places = places_here(self._vault)
            for number, (reminder, since) in enumerate(found):
                if reminder.voice != GONE and not self._is_here(reminder.voice, places):
                    found[number] = (replace(reminder, voice=GONE), since)
                    with suppress(StorageError):  # a full disk: it is gone for whoever reads, and goes with the next reading
                        self._put(*found[number])
        return sorted(found, key=lambda entry: (entry[0].first.time(), entry[0].title, entry[0].reminder_id))

    def _put(self, reminder: Reminder, since: dt.datetime) -> None:
        self._house.put_json(reminder.reminder_id, {"reminder": reminder.to_record(), "since": since.isoformat()}, kind=_REMINDER)

    @staticmethod
    def _is_here(voice: str, places: frozenset[str]) -> bool:
        return voice.startswith(STOCK_PREFIX) or voice in places


def _read(record: Any) -> tuple[Reminder, dt.datetime]:
    try:
        return Reminder.from_record(record["reminder"]), dt.datetime.fromisoformat(record["since"]).astimezone(dt.UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedVaultError("a reminder is damaged", hint="restore the vault from a backup, or enter it again") from error


def unsettled(
    book: ReminderBook, *, since: dt.datetime, now: dt.datetime, late: dt.timedelta = dt.timedelta(0), zone: dt.tzinfo | None = None
) -> list[tuple[dt.datetime, Reminder]]:
    """Times up to now of which nothing is known, oldest first, with their reminders; those that are switched off have none.

    Args:
        book: The book.
        since: Later than this.
        now: The time.
        late: Only those that are at least so late.
        zone: Where the computer stands; None asks the operating system.
    """
    settled = {entry.key for entry in book.history()}
    from_when = book.due_from()
    found = []
    for reminder in book.reminders():
        if not reminder.on:
            continue
        counts = from_when[reminder.reminder_id]
        # One that was entered while the clock was ahead counts from now on, not from a time that may never come; one that was entered
        # while somebody was looking at the clock has missed nothing.
        start = max(since, now - HISTORY, counts if counts <= now + _MEANWHILE else since)
        found += [
            (due, reminder)
            for due in occurrences(reminder, after=start, until=now - late, zone=zone)
            if (reminder.reminder_id, due) not in settled
        ]
    return sorted(found, key=lambda each: (each[0], each[1].title, each[1].reminder_id))


def missed_since(
    book: ReminderBook, moment: dt.datetime, *, now: dt.datetime, zone: dt.tzinfo | None = None
) -> tuple[tuple[Announced, Reminder], ...]:
    """What was missed and should be told to somebody, newest first; times while nothing ran are among them.

    Args:
        book: The book.
        moment: Since when, with a time zone.
        now: The time, with a time zone.
        zone: Where the computer stands; None asks the operating system.
    """
    reminders = {reminder.reminder_id: reminder for reminder in book.reminders()}
    found = [entry for entry in book.history() if entry.is_missed(now) and entry.due >= moment]
    looked = min(book.looked_until or moment, now)
    found += [
        Announced(reminder_id=reminder.reminder_id, due=due, at=now, outcome=Outcome.OFF)
        for due, reminder in unsettled(book, since=looked, now=now, late=GRACE, zone=zone)
        if due >= moment
    ]
    entries = sorted(found, key=lambda entry: entry.key[::-1], reverse=True)
    return tuple((entry, reminders[entry.reminder_id]) for entry in entries if entry.reminder_id in reminders)
