"""How loud somebody speaks into the microphone just now, as a word and as a place on a scale.

One syllable is louder than the next, so the last second and a half counts. The bounds are those of the gate (`takes.quality`): what it
would call faint is "a little louder", and what reaches full scale is cut off.
"""

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hometone_client.audio.recorder import Level

_WITHIN_S: Final = 1.5
_NOTHING_DBFS: Final = -55.0
_FAINT_DBFS: Final = -38.0
_LOUD_PEAK_DBFS: Final = -0.5
_SCALE_DBFS: Final = (-60.0, -5.0)


class Loudness(StrEnum):
    """What is said about it."""

    NOTHING = "nothing"
    FAINT = "faint"
    GOOD = "good"
    LOUD = "loud"


class Loudmeter:
    """Follows the levels of one recording."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._recent: deque[Level] = deque()
        self.elapsed_s = 0.0

    def add(self, level: "Level") -> None:
        """The next tenth of a second."""
        self._recent.append(level)
        self.elapsed_s = level.elapsed_s
        while level.elapsed_s - self._recent[0].elapsed_s > _WITHIN_S:
            self._recent.popleft()

    @property
    def loudness(self) -> Loudness:
        """In a word."""
        recent = tuple(self._recent)
        if not recent:
            return Loudness.NOTHING
        if max(level.peak_dbfs for level in recent) >= _LOUD_PEAK_DBFS:
            return Loudness.LOUD
        loudest = max(level.rms_dbfs for level in recent)
        if loudest < _NOTHING_DBFS:
            return Loudness.NOTHING
        return Loudness.FAINT if loudest < _FAINT_DBFS else Loudness.GOOD

    @property
    def percent(self) -> int:
        """On a scale from 0 to 100: the last tenth of a second."""
        recent = tuple(self._recent)
        low, high = _SCALE_DBFS
        level = recent[-1].rms_dbfs if recent else low
        return round(100 * min(max((level - low) / (high - low), 0.0), 1.0))
