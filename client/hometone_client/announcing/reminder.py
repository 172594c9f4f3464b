"""One reminder: what is said, when, how often, in which voice. Checked when it is made, so that nothing else need ask.

Times are those of the wall clock where the computer stands: "at eight" stays at eight when summer time begins. A voice is `stock:` and a
name, or the place of a lent copy in the vault, never a person's name; of one that has gone nothing is left but `GONE`. What it may see:
what somebody typed. What it must never do: hold whose voice it was.
"""

import datetime as dt
import math
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from hometone_shared.errors import DamagedVaultError, UsageError

LONGEST_TITLE: Final = 100
LONGEST_TEXT: Final = 2_000
MOST_DAYS: Final = 366
GAIN_DB_RANGE: Final = (-20.0, 6.0)
PAUSE_S_RANGE: Final = (1, 30)
GONE: Final = "gone"
"""A voice that is no longer here was chosen."""

_YEARS: Final = (2000, 2100)
_ID: Final = re.compile(r"[0-9a-f]{16}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_VOICE: Final = re.compile(r"stock:[a-z0-9_]{1,60}|spk-[a-z2-7]{16}|gone")


class Kind(StrEnum):
    """What a reminder is about."""

    MEDICINE = "medicine"
    MEAL = "meal"
    ACTIVITY = "activity"
    OTHER = "other"


class Repeat(StrEnum):
    """How often."""

    ONCE = "once"
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    EVERY = "every"
    MONTHLY = "monthly"


def _new_id() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder.

    Attributes:
        title: What the calendar calls it, 1 to 100 printable characters.
        text: What is said, 1 to 2,000 characters.
        voice: `stock:` and a name, the place of a lent copy, or `GONE`; `voices.voice_named` gives it.
        first: Date and time of the first one on the wall clock, to the minute, without a time zone.
        kind: What it is about.
        repeat: How often.
        weekdays: For `WEEKDAYS`: 0 is Monday, 6 is Sunday; otherwise empty.
        every_days: For `EVERY`: 1 to 366; otherwise 1.
        until: Last day on which it may sound; None for ever.
        on: Whether it sounds at all.
        language: How Latin words are read; None lets the text decide.
        audible_label: Whether it is said first that the voice is synthetic.
        twice: Whether the text is said twice.
        pause_s: Seconds between the two, 1 to 30.
        gain_db: Louder or softer than the voice is by itself, -20 to 6.
        reminder_id: Random, 16 hexadecimal digits.

    Raises:
        UsageError: Something is not such; says what, and what to do.
    """

    title: str
    text: str = field(repr=False)
    voice: str
    first: dt.datetime
    kind: Kind = Kind.OTHER
    repeat: Repeat = Repeat.ONCE
    weekdays: frozenset[int] = frozenset()
    every_days: int = 1
    until: dt.date | None = None
    on: bool = True
    language: str | None = None
    audible_label: bool = True
    twice: bool = False
    pause_s: int = 3
    gain_db: float = 0.0
    reminder_id: str = field(default_factory=_new_id)

    def __post_init__(self) -> None:
        """Check every field."""
        _check_words(self.title, self.text)
        _check_how(self)
        _check_when(self)

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "id": self.reminder_id,
            "kind": self.kind.value,
            "title": self.title,
            "text": self.text,
            "voice": self.voice,
            "first": self.first.isoformat(timespec="minutes"),
            "repeat": self.repeat.value,
            "weekdays": sorted(self.weekdays),
            "every_days": self.every_days,
            "until": None if self.until is None else self.until.isoformat(),
            "on": self.on,
            "language": self.language,
            "audible_label": self.audible_label,
            "twice": self.twice,
            "pause_s": self.pause_s,
            "gain_db": self.gain_db,
        }

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read plain JSON.

        Raises:
            DamagedVaultError: It is something else.
        """
        if not isinstance(record, dict) or record.keys() != _FIELDS:
            raise _damaged()
        fields = dict(record)
        until = fields.pop("until")
        try:
            return cls(
                reminder_id=fields.pop("id"),
                kind=Kind(fields.pop("kind")),
                repeat=Repeat(fields.pop("repeat")),
                first=dt.datetime.fromisoformat(fields.pop("first")),
                weekdays=frozenset(fields.pop("weekdays")),
                until=None if until is None else dt.date.fromisoformat(until),
                **fields,
            )
        except (TypeError, ValueError, AttributeError, UsageError) as error:
            raise _damaged() from error


_FIELDS: Final = frozenset(
    {
        *("id", "kind", "title", "text", "voice", "first", "repeat", "weekdays", "every_days", "until", "on", "language"),
        *("audible_label", "twice", "pause_s", "gain_db"),
    }
)


def _damaged() -> DamagedVaultError:
    return DamagedVaultError("a reminder is damaged", hint="restore the vault from a backup, or enter it again")


def _check_words(title: str, text: str) -> None:
    if not title.strip() or len(title) > LONGEST_TITLE or not title.isprintable():
        raise UsageError(f"a title has 1 to {LONGEST_TITLE} characters on one line", hint="for instance: tablets after breakfast")
    if not text.strip():
        raise UsageError("there is nothing to say", hint="write the sentence that is to be heard")
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"the text has {len(text)} characters, at most {LONGEST_TEXT} are said at once", hint="make two reminders of it")


def _check_how(reminder: Reminder) -> None:
    if not _ID.fullmatch(reminder.reminder_id):
        raise UsageError("a reminder has no such number", hint="leave it out; Hometone makes one")
    if not _VOICE.fullmatch(reminder.voice):
        raise UsageError("reminders speak in lent or stock voices", hint="hometone voices --stock lists them")
    if reminder.language is not None and not _LANGUAGE.fullmatch(reminder.language):
        raise UsageError("this is not a language", hint="for instance en, es or fr; or leave it out")
    low, high = GAIN_DB_RANGE
    if isinstance(reminder.gain_db, bool) or not math.isfinite(reminder.gain_db) or not low <= reminder.gain_db <= high:
        raise UsageError(f"the volume lies between {low:g} and {high:g} dB", hint="0 leaves it as it is, -6 is half as loud")
    shortest, longest = PAUSE_S_RANGE
    if type(reminder.pause_s) is not int or not shortest <= reminder.pause_s <= longest:
        raise UsageError(f"the pause lies between {shortest} and {longest} seconds", hint="3 is usual")
    for name in ("on", "audible_label", "twice"):
        if type(getattr(reminder, name)) is not bool:
            raise UsageError("a switch is on or off")


def _check_when(reminder: Reminder) -> None:
    first, until = reminder.first, reminder.until
    if first.tzinfo is not None or first != first.replace(second=0, microsecond=0, fold=0) or not _YEARS[0] <= first.year <= _YEARS[1]:
        raise UsageError("a reminder begins at a date and time of the clock here", hint="for instance 2027-01-15 08:00")
    if until is not None and (isinstance(until, dt.datetime) or not first.date() <= until <= dt.date(_YEARS[1], 12, 31)):
        raise UsageError("the last day lies before the first one", hint="choose a later day, or none")
    if (reminder.repeat is Repeat.WEEKDAYS) != bool(reminder.weekdays) or not reminder.weekdays <= frozenset(range(7)):
        raise UsageError("days of the week belong to a weekly reminder, and at least one", hint="for instance Monday and Thursday")
    most = MOST_DAYS if reminder.repeat is Repeat.EVERY else 1
    if type(reminder.every_days) is not int or not 1 <= reminder.every_days <= most:
        raise UsageError(f"a reminder may come every 1 to {MOST_DAYS} days", hint="2 is every other day")
