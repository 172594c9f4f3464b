"""The melody of a recording: freed of octave errors and of pitch in noise, then carried from one person's register to another's.

1. WORLD's harvest finds pitch in hum and rooms too, so a frame is voiced only where it is at most `VOICED_BELOW_LOUD_DB` below the loud
   ones (as in `evaluation.f0`).
2. Halved and doubled pitch is taken back. Each stretch of voice takes, frame by frame, the octave of what was measured that makes the
   smoothest curve near the person's median; changing an octave costs something, so a curve that really climbs stays as it is (a Viterbi
   search over three candidates, as Talkin's RAPT has it over many, 1995).
3. On a logarithmic axis the curve is moved to the target's median, and its spread, within limits, to the target's: intonation in semitones
   stays what it was, up to that one factor.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.prosody import VOICED_HZ
from hometone_client.voices.parameters import F0_RANGE_HZ, F0Map

Floats = NDArray[np.float32]

VOICED_BELOW_LOUD_DB: Final = 30.0
RANGE_LIMITS: Final = (0.8, 1.25)
"""How far the spread of a melody is moved towards the target's: one sentence tells little about a person's spread."""
_OCTAVES: Final = np.array([-1.0, 0.0, 1.0])
_CHANGED: Final = 0.25  # cost of every frame that is not left as it was measured
_FAR: Final = 0.7  # octaves from the median that nobody is surprised by
_FAR_COST: Final = 1.0  # for each octave beyond
_JUMP: Final = 0.15  # octaves between neighbouring frames, 12.5 ms apart, that a voice can make
_JUMP_COST: Final = 6.0
_SAME_STRETCH: Final = 4  # frames; a gap up to 50 ms does not end a stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where a person's melody lies.

    Attributes:
        median_hz: Median F0; NaN for a whisper.
        spread_octaves: Distance of the quartiles.
    """

    median_hz: float
    spread_octaves: float

    @classmethod
    def of(cls, f0_hz: Floats) -> "Register":
        """The register of one or more curves behind one another, Hz, at most 10 where unvoiced."""
        voiced = f0_hz[f0_hz > F0_RANGE_HZ[0]]  # predicted curves glide through low values
        if voiced.size == 0:
            return cls(median_hz=float("nan"), spread_octaves=0.0)
        low, median, high = np.percentile(np.log2(voiced.astype(np.float64)), [25, 50, 75])
        return cls(median_hz=float(2.0**median), spread_octaves=float(high - low))

    @property
    def is_voiced(self) -> bool:
        """Whether there is any melody."""
        return bool(np.isfinite(self.median_hz))


def voiced_where_loud(f0_hz: Floats, energy: Floats, *, loud: float) -> Floats:
    """(1) The curve with 0 where the sound is too faint to be a voice.

    Args:
        f0_hz: float32 [n], 0 where unvoiced.
        energy: float32 [n], N: the logarithm of a power.
        loud: N of the loud frames of the recording.
    """
    return np.where(energy > loud - VOICED_BELOW_LOUD_DB / 10.0 * np.log(10.0), f0_hz, np.float32(0.0)).astype(np.float32)


def without_octave_errors(f0_hz: Floats, *, median_hz: float) -> Floats:
    """(2) The curve with halved and doubled pitch taken back; float32 [n], unvoiced frames stay 0."""
    out = f0_hz.copy()
    voiced = np.flatnonzero(f0_hz > VOICED_HZ)
    if voiced.size == 0 or not np.isfinite(median_hz):
        return out
    for stretch in np.split(voiced, np.flatnonzero(np.diff(voiced) > _SAME_STRETCH) + 1):
        octaves = np.log2(f0_hz[stretch].astype(np.float64) / median_hz)
        chosen = _smoothest(octaves, steps=np.diff(stretch))
        out[stretch] = (f0_hz[stretch] * 2.0 ** _OCTAVES[chosen]).astype(np.float32)
    return out


def _smoothest(octaves: NDArray[np.float64], *, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the three octaves each frame takes: int64 [n].

    Args:
        octaves: float64 [n], distance from the median as measured.
        steps: int64 [n - 1], frames from one to the next.
    """
    candidates = octaves[:, None] + _OCTAVES  # [n, 3]
    local = _CHANGED * np.abs(_OCTAVES) + _FAR_COST * np.maximum(0.0, np.abs(candidates) - _FAR)
    cost = local[0]
    came_from = np.zeros(candidates.shape, np.int64)
    for frame in range(1, octaves.size):
        moved = np.abs(candidates[frame][None, :] - candidates[frame - 1][:, None]) / steps[frame - 1]
        total = cost[:, None] + _JUMP_COST * np.maximum(0.0, moved - _JUMP)
        came_from[frame] = np.argmin(total, axis=0)
        cost = np.min(total, axis=0) + local[frame]
    chosen = np.empty(octaves.size, np.int64)
    chosen[-1] = int(np.argmin(cost))
    for frame in range(octaves.size - 1, 0, -1):
        chosen[frame - 1] = came_from[frame, chosen[frame]]
    return chosen


def carried(source: Register, target: Register, *, keep_range: bool) -> F0Map:
    """(3) How the source's melody becomes the target's.

    Args:
        source: Of the recording.
        target: Of the voice.
        keep_range: Leave the distances in semitones as they are.
    """
    if not (source.is_voiced and target.is_voiced):
        return F0Map()
    scale = 1.0
    if not keep_range and source.spread_octaves > 0.0:
        scale = float(np.clip(target.spread_octaves / source.spread_octaves, *RANGE_LIMITS))
    reference_hz, target_hz = (float(np.clip(register.median_hz, *F0_RANGE_HZ)) for register in (source, target))
    return F0Map(reference_hz=reference_hz, target_hz=target_hz, range_scale=scale)
