"""Pitch statistics: the median fundamental frequency of a voice and how far it moves.

F0 is taken with WORLD's Harvest (Morise, Interspeech 2017) at 12.5 ms, the base voice's own frame. Harvest also finds pitch in rooms and
hum, so a frame counts only when it is at most 25 dB below the loud frames of its utterance.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyworld
import soxr
from numpy.typing import NDArray

from hometone_client.embedding.mel import Floats

FRAME_PERIOD_MS = 12.5
_LOWEST_HZ = 50.0
_HIGHEST_HZ = 500.0
_SAMPLE_RATE_HZ = 8000
"""Harvest works on 8 kHz inside; it is handed that, and saves the time for the rest."""
_VOICED_BELOW_LOUD_DB = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PitchStatistics:
    """F0 over all voiced frames of some utterances.

    Attributes:
        median_hz: Median; NaN when nothing is voiced.
        low_hz: Lower quartile.
        high_hz: Upper quartile.
        range_semitones: Distance of the quartiles, semitones: how lively the intonation is.
        voiced_s: Voiced time that went into it, seconds.
    """

    median_hz: float
    low_hz: float
    high_hz: float
    range_semitones: float
    voiced_s: float


def voiced_f0(samples: Floats, rate: int) -> NDArray[np.float64]:
    """Return F0 of the voiced frames of one utterance, Hz: float64 [voiced frames].

    Args:
        samples: float32 [n], mono.
        rate: Sample rate, Hz.
    """
    signal = np.asarray(samples, dtype=np.float32)
    if rate != _SAMPLE_RATE_HZ:
        signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
    if signal.size < _SAMPLE_RATE_HZ // 10 or not np.any(signal):
        return np.empty(0)
    f0, times_s = pyworld.harvest(
        signal.astype(np.float64), _SAMPLE_RATE_HZ, f0_floor=_LOWEST_HZ, f0_ceil=_HIGHEST_HZ, frame_period=FRAME_PERIOD_MS
    )
    energy = np.convolve(np.square(signal, dtype=np.float64), np.hanning(200), mode="same")
    at_frames = energy[np.minimum((times_s * _SAMPLE_RATE_HZ).astype(int), signal.size - 1)]
    loud_enough = at_frames > np.percentile(at_frames, 95) * 10.0 ** (-_VOICED_BELOW_LOUD_DB / 10.0)
    voiced: NDArray[np.float64] = f0[(f0 > 0) & loud_enough]
    return voiced


def pitch_statistics(utterances: Sequence[tuple[Floats, int]]) -> PitchStatistics:
    """Return the statistics over all voiced frames of some utterances (pairs of samples and rate in Hz)."""
    with ThreadPoolExecutor() as pool:  # Harvest runs on one core and leaves the interpreter to others
        voiced = list(pool.map(voiced_f0, *zip(*utterances, strict=True))) if utterances else []
    f0 = np.concatenate(voiced) if voiced else np.empty(0)
    if f0.size == 0:
        nothing = float("nan")
        return PitchStatistics(median_hz=nothing, low_hz=nothing, high_hz=nothing, range_semitones=nothing, voiced_s=0.0)
    low, median, high = (float(value) for value in np.percentile(f0, [25, 50, 75]))
    return PitchStatistics(
        median_hz=median,
        low_hz=low,
        high_hz=high,
        range_semitones=12.0 * float(np.log2(high / low)),
        voiced_s=f0.size * FRAME_PERIOD_MS / 1000.0,
    )
