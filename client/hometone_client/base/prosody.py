"""What is decided about one utterance before it becomes sound: which content, how long, how high, how loud.

Everything that shapes how a sentence is said - the base's language part, the prosody model, the speaker's pitch, a dialect's tones, what an
editor asks for - takes a `Prosody` and gives another one back (docs/expression.md). Nothing in it says who speaks.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
VOICED_HZ = 10.0
"""The harmonic source treats lower F0 as unvoiced."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """What the language part decided about one utterance.

    Attributes:
        content: float32 [1, 512, T] at 40 Hz.
        f0_hz: float32 [2T] at 80 Hz; below 10 means unvoiced.
        energy: float32 [2T] at 80 Hz, log of the norm of the mel spectrum.
        durations: int64 [n], frames of 1/40 s for every token, the two padding tokens included; T is their sum.
    """

    content: Array
    f0_hz: Array
    energy: Array
    durations: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """First frame (40 Hz) of every token, and T behind the last: int64 [n + 1]."""
        return np.concatenate([[0], np.cumsum(self.durations)])

    def retimed(self, durations: NDArray[np.int64]) -> "Prosody":
        """The same utterance in another time: content of each token held for as long, curves stretched token by token.

        Args:
            durations: int64 [n], at least 1 each where the token had a frame, and 0 where it had none.

        Raises:
            ValueError: There are not as many as tokens, or a token would appear or vanish.
        """
        if durations.shape != self.durations.shape or np.any((durations > 0) != (self.durations > 0)) or np.any(durations < 0):
            raise ValueError("durations do not fit the utterance")
        if np.array_equal(durations, self.durations):
            return self
        starts = self.starts[:-1]
        pairs = [(start, old, new) for start, old, new in zip(starts, self.durations, durations, strict=True) if new]
        frames = np.concatenate([start + (np.arange(new) + 0.5) * old / new for start, old, new in pairs])
        at = np.concatenate([2 * start + (np.arange(2 * new) + 0.5) * old / new - 0.5 for start, old, new in pairs])
        content = self.content[:, :, frames.astype(np.int64)]
        return replace(self, content=content, f0_hz=_voiced_between(self.f0_hz, at), energy=_between(self.energy, at), durations=durations)


def _between(curve: Array, at: NDArray[np.float64]) -> Array:
    return np.interp(at, np.arange(curve.size), curve).astype(np.float32)


def _voiced_between(f0_hz: Array, at: NDArray[np.float64]) -> Array:
    """Interpolated where both neighbours are on the same side of voicing; the nearest one elsewhere, so that nothing glides to zero."""
    near = f0_hz[np.clip(np.rint(at).astype(np.int64), 0, f0_hz.size - 1)]
    low = f0_hz[np.clip(np.floor(at).astype(np.int64), 0, f0_hz.size - 1)]
    high = f0_hz[np.clip(np.ceil(at).astype(np.int64), 0, f0_hz.size - 1)]
    alike = (low > VOICED_HZ) == (high > VOICED_HZ)
    return np.where(alike, _between(f0_hz, at), near).astype(np.float32)
