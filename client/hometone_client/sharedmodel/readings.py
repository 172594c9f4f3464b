"""What a recording says about prosody, with what is personal taken out of it.

* durations of the phonemes as aligned. Pace is personal (`VoiceParameters.length_scale`) and taken out where predictions are compared;
* F0 on the base's own scale: the speaker's median and range (`F0Map`) are undone, what is left is the shape;
* nothing about timbre or level.

Nothing here is written anywhere but through the checkpoint hook, which seals.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hometone_client.voices.parameters import F0Map

Floats = NDArray[np.float32]
LEAST_HZ = 55.0


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One recording of known words.

    Attributes:
        tokens: Phoneme tokens with the padding at both ends, [n].
        style: float32 [128], the prosody half of the style that the base reads these words in for this speaker.
        durations: int64 [n], frames of 1/40 s, summing up to T.
        octaves: float32 [2T] at 80 Hz: log2 of F0 in Hz on the base's scale, 0 where unvoiced.
    """

    tokens: tuple[int, ...]
    style: Floats
    durations: NDArray[np.int64]
    octaves: Floats

    @classmethod
    def of(cls, *, tokens: tuple[int, ...], style: Floats, durations: NDArray[np.int64], f0_hz: Floats, f0_map: F0Map) -> Self:
        """Take the speaker's pitch out of a recording.

        Args:
            tokens: With padding.
            style: float32 [256].
            durations: int64 [tokens].
            f0_hz: float32 [2T], as recorded, 0 where unvoiced.
            f0_map: From the base's pitch to the speaker's.
        """
        voiced = f0_hz > LEAST_HZ
        safe = np.where(voiced, f0_hz, np.float32(f0_map.target_hz)).astype(np.float64)
        shape = np.log2(safe / f0_map.target_hz) / f0_map.range_scale + np.log2(f0_map.reference_hz)
        return cls(tokens, style[128:].astype(np.float32), durations, np.where(voiced, shape, 0.0).astype(np.float32))
