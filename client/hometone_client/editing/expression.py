"""How a stretch of speech departs from what the voice would do by itself: the one type behind SSML, JSON controls and emphasis.

Pitch moves F0 and nothing else, so the timbre stays (requirement 14); rate changes durations (requirement 16); gain is loudness. Bounds are
checked when a value is made, so that whatever applies it need not ask.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hometone_shared.errors import UsageError

PITCH_SEMITONES: Final = (-12.0, 12.0)
PITCH_HZ: Final = (40.0, 600.0)
PITCH_RANGE: Final = (0.0, 2.0)
RATE: Final = (1.0 / 3.0, 10.0 / 3.0)
GAIN_DB: Final = (-60.0, 12.0)
PAUSE_S: Final = (0.0, 10.0)
LONGEST_CONTOUR: Final = 100


def checked(value: object, allowed: tuple[float, float], *, what: str) -> float:
    """Return a number that lies within its bounds.

    Raises:
        UsageError: It does not, or is no number.
    """
    low, high = allowed
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"the {what} must lie between {low:.4g} and {high:.4g}", hint="leave it out to get the usual value")
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourPoint:
    """A point of an intonation contour.

    Attributes:
        at: 0 at the beginning of the stretch, 1 at its end.
        semitones: How far F0 is moved there.
        hz: In the place of `semitones`: the height that the middle of the voice's melody gets there.
    """

    at: float
    semitones: float = 0.0
    hz: float | None = None

    def __post_init__(self) -> None:
        checked(self.at, (0.0, 1.0), what="place of a contour point")
        checked(self.semitones, PITCH_SEMITONES, what="pitch")
        if self.hz is not None:
            checked(self.hz, PITCH_HZ, what="pitch in Hz")


class Emphasis(StrEnum):
    """Degrees of emphasis (SSML 1.1, 3.2.2)."""

    STRONG = "strong"
    MODERATE = "moderate"
    NONE = "none"
    REDUCED = "reduced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """What changes over a stretch; the usual values change nothing.

    Attributes:
        pitch_semitones: -12 to 12, added to what encloses the stretch.
        pitch_hz: 40 to 600, the height of the middle of the voice's melody, whatever encloses the stretch.
        pitch_range: 0 to 2; 0 is a monotone, 2 twice as lively, about the stretch's own median.
        rate: 1/3 to 10/3; 2 is twice as fast. Multiplied with what encloses the stretch.
        duration_s: How long the stretch lasts, in the place of `rate`; at most five times as fast or slow as by itself.
        gain_db: -60 to 12, added to what encloses the stretch.
        contour: Points of an intonation contour in order of time; straight lines between them, level outside.
        anew: Which of "pitch", "rate" and "gain" count from the voice's own values and not from what encloses the stretch.

    Raises:
        UsageError: A value lies outside its bounds.
    """

    pitch_semitones: float = 0.0
    pitch_hz: float | None = None
    pitch_range: float = 1.0
    rate: float = 1.0
    duration_s: float | None = None
    gain_db: float = 0.0
    contour: tuple[ContourPoint, ...] = ()
    anew: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        checked(self.pitch_semitones, PITCH_SEMITONES, what="pitch")
        if self.pitch_hz is not None:
            checked(self.pitch_hz, PITCH_HZ, what="pitch in Hz")
        checked(self.pitch_range, PITCH_RANGE, what="pitch range")
        checked(self.rate, RATE, what="rate")
        if self.duration_s is not None:
            checked(self.duration_s, (0.05, 600.0), what="duration")
        checked(self.gain_db, GAIN_DB, what="gain in dB")
        if len(self.contour) > LONGEST_CONTOUR:
            raise UsageError(f"a contour has more than {LONGEST_CONTOUR} points", hint="leave some of them out")
        if any(after.at < before.at for before, after in zip(self.contour, self.contour[1:], strict=False)):
            raise UsageError("the points of a contour are not in order", hint="write them from 0 to 1")

    @property
    def is_plain(self) -> bool:
        """Whether it changes nothing."""
        return self == PLAIN


PLAIN: Final = Expression()
# Stressed words are longer, higher, wider in pitch and louder (Fry 1958; Cole 2015, "Prosody in context"); no more than a reader does.
EMPHASES: Final[dict[Emphasis, Expression]] = {
    Emphasis.STRONG: Expression(rate=1 / 1.25, pitch_semitones=2.0, pitch_range=1.3, gain_db=2.5),
    Emphasis.MODERATE: Expression(rate=1 / 1.12, pitch_semitones=1.0, pitch_range=1.15, gain_db=1.5),
    Emphasis.NONE: PLAIN,
    Emphasis.REDUCED: Expression(rate=1 / 0.9, pitch_semitones=-1.0, pitch_range=0.8, gain_db=-1.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An expression over a part of an utterance.

    Attributes:
        start: First token, counted without padding.
        stop: One behind the last; equal to `start` changes nothing.
        expression: What changes.
    """

    start: int
    stop: int
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause inside an utterance.

    Attributes:
        at: The token before which it stands.
        seconds: 0 to 10; 0 takes a pause away.
    """

    at: int
    seconds: float

    def __post_init__(self) -> None:
        checked(self.seconds, PAUSE_S, what="pause in seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """Everything that was asked for one utterance.

    Attributes:
        changes: From the outermost to the innermost.
        pauses: In order of place, at most one at each.
        before_s: Silence before it, 0 to 10 s; None leaves it as usual.
        after_s: Silence after its last sound; None leaves it as usual.
        pause_after_s: The pause that a text asks for there, for elements that end a sentence without a mark; None leaves the text's own.
    """

    changes: tuple[Change, ...] = ()
    pauses: tuple[Pause, ...] = ()
    before_s: float | None = None
    after_s: float | None = None
    pause_after_s: float | None = None

    def __bool__(self) -> bool:
        return self != Edits()

    def __add__(self, other: "Edits") -> "Edits":
        """Both, `other` inside; where both name a pause, `other`'s counts."""
        pauses = {pause.at: pause for pause in (*self.pauses, *other.pauses)}
        return Edits(
            changes=self.changes + other.changes,
            pauses=tuple(pauses[at] for at in sorted(pauses)),
            before_s=self.before_s if other.before_s is None else other.before_s,
            after_s=self.after_s if other.after_s is None else other.after_s,
            pause_after_s=self.pause_after_s if other.pause_after_s is None else other.pause_after_s,
        )
