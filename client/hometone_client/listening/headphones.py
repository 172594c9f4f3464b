"""Whether somebody wears headphones, found out by ear (Woods, Siegel, Traer and McDermott 2017, Atten. Percept. Psychophys. 79).

Three low tones are played, one of them softer by 6 dB, and one of the other two with its sides in opposite phase. Through headphones the
soft one is the softest. Through loudspeakers the opposite sides cancel in the air, and that tone seems the softest. Who finds the soft
one in five of six wears headphones. It decides nothing: it is noted beside the answers.
"""

import random
import secrets
from dataclasses import dataclass
from typing import Final

import numpy as np

from hometone_client.listening.levels import Samples, wav_bytes
from hometone_shared.errors import UsageError

TRIALS: Final = 6
RIGHT_ANSWERS: Final = 5
TONES: Final = 3
RATE_HZ: Final = 48_000
_TONE_HZ: Final = 200.0
_TONE_S: Final = 1.0
_RAMP_S: Final = 0.1
_GAP_S: Final = 0.5
_AMPLITUDE: Final = 0.25
_SOFTER: Final = 10.0 ** (-6.0 / 20.0)


@dataclass(frozen=True, slots=True)
class ToneTrial:
    """Three tones.

    Attributes:
        soft: Which is softer, from 0.
        opposed: Which has its sides in opposite phase; another one.
    """

    soft: int
    opposed: int

    def sound(self) -> Samples:
        """float32 [n, 2] at 48,000 Hz."""
        time = np.arange(round(_TONE_S * RATE_HZ)) / RATE_HZ
        edge = round(_RAMP_S * RATE_HZ)
        envelope = np.ones(time.size)
        envelope[:edge] = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
        envelope[-edge:] = envelope[:edge][::-1]
        tone = _AMPLITUDE * envelope * np.sin(2 * np.pi * _TONE_HZ * time)
        gap = np.zeros((round(_GAP_S * RATE_HZ), 2))
        parts = []
        for number in range(TONES):
            left = tone * (_SOFTER if number == self.soft else 1.0)
            parts += [np.stack([left, -left if number == self.opposed else left], axis=1), gap]
        return np.concatenate(parts[:-1]).astype(np.float32)


class HeadphoneCheck:
    """Six trials, in their order."""

    def __init__(self, *, chance: random.Random | None = None) -> None:
        """Draw them.

        Args:
            chance: Source of the order; the operating system's by default.
        """
        drawn = chance or secrets.SystemRandom()
        orders = [drawn.sample(range(TONES), 2) for _ in range(TRIALS)]
        self._trials = tuple(ToneTrial(soft, opposed) for soft, opposed in orders)
        self._answers: dict[int, int] = {}

    def wav(self, number: int) -> bytes:
        """The tones of one trial, from 0, as a stereo WAV file.

        Raises:
            UsageError: There is no such trial.
        """
        return wav_bytes(self._trial(number).sound(), RATE_HZ)

    def answer(self, number: int, softest: int) -> None:
        """Which tone seemed the softest, from 0; the first answer counts.

        Raises:
            UsageError: There is no such trial or tone.
        """
        self._trial(number)
        if softest not in range(TONES):
            raise UsageError("there are three tones", hint="choose the first, the second or the third")
        self._answers.setdefault(number, softest)

    @property
    def answered(self) -> int:
        """How many trials have an answer."""
        return len(self._answers)

    @property
    def worn(self) -> bool | None:
        """Whether headphones are worn; None until all trials have an answer."""
        if len(self._answers) < TRIALS:
            return None
        return sum(self._answers[number] == trial.soft for number, trial in enumerate(self._trials)) >= RIGHT_ANSWERS

    def _trial(self, number: int) -> ToneTrial:
        if number not in range(TRIALS):
            raise UsageError("the check for headphones has six parts")
        return self._trials[number]
