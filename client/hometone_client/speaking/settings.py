"""What a listener may wish for: pace, liveliness, pitch, edits. Checked when made; what speaks need not ask (requirements 14 to 16)."""

import math
from dataclasses import dataclass
from typing import Final

from hometone_client.editing.controls import Controls
from hometone_client.editing.reading import INPUT_TYPES, TEXT
from hometone_shared.errors import UsageError

LENGTH_SCALE_RANGE: Final = (0.3, 3.0)
NOISE_SCALE_RANGE: Final = (0.0, 2.0)
PITCH_SEMITONES_RANGE: Final = (-12.0, 12.0)
PITCH_RANGE_RANGE: Final = (0.0, 2.0)
_SEED_LIMIT: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingSettings:
    """How a text is to be spoken, on top of the voice's own way.

    Attributes:
        length_scale: 0.3 to 3; above 1 is slower, below 1 faster (requirement 16).
        noise_scale: 0 to 2; the noise in the harmonic source, as a factor on the voice's own (requirement 15; 0.6 to 0.8 recommended).
        pitch_semitones: -12 to 12; moves F0 and nothing else, so that the timbre stays (requirement 14).
        pitch_range: 0 to 2; widens or flattens the intonation about the sentence's median: 0 is a monotone, 1 leaves it as it is.
        seed: Makes the noise repeatable; drawn anew each time by default.
        input_type: What the text is: "text", or "ssml".
        controls: What is wanted of single sentences, words and phonemes (docs/editing.md).

    Raises:
        UsageError: A value lies outside its range.
    """

    length_scale: float = 1.0
    noise_scale: float = 0.667
    pitch_semitones: float = 0.0
    pitch_range: float = 1.0
    seed: int | None = None
    input_type: str = TEXT
    controls: Controls | None = None

    def __post_init__(self) -> None:
        _check(self.length_scale, LENGTH_SCALE_RANGE, what="length scale")
        _check(self.noise_scale, NOISE_SCALE_RANGE, what="noise scale")
        _check(self.pitch_semitones, PITCH_SEMITONES_RANGE, what="pitch")
        _check(self.pitch_range, PITCH_RANGE_RANGE, what="pitch range")
        if self.seed is not None and (type(self.seed) is not int or not 0 <= self.seed < _SEED_LIMIT):
            raise UsageError("the seed is not a whole number from 0", hint="leave it out, or give a number such as 7")
        if self.input_type not in INPUT_TYPES:
            raise UsageError("the text is neither text nor ssml", hint=f"choose one of {', '.join(INPUT_TYPES)}")


def _check(value: object, allowed: tuple[float, float], *, what: str) -> None:
    low, high = allowed
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"the {what} must lie between {low:g} and {high:g}", hint="leave it out to get the usual value")
