"""Tremor: a nearly periodic movement of F0 between 4 and 8 Hz that runs through whatever is said (requirement 25).

Syllables move F0 as fast and further, but each in its own way; a tremor goes on through them in step. It is looked for as a line:

1. F0 in semitones on loud voiced frames at 80 Hz, in windows of about 2.5 s, whose phase is free. Stretches shorter than 75 ms are left
   out; a jump of a semitone between frames ends a stretch, unless F0 glides as fast around it.
2. What speech does is noise to this measurement, a Gaussian process: an unknown level, an offset for each voiced stretch and two Matern
   3/2 kernels (Rasmussen and Williams 2006, equation 4.17). Its numbers were fitted by likelihood to 90 windows of nine recordings without
   added tremor (docs/adaptation.md).
3. A sinusoid of every rate is fitted by generalised least squares (Aitken 1936), which whitens the noise: the spectrum of Lomb and Scargle
   for noise that is not white. Its power is summed over all windows.
4. A tremor is the highest value from 4 to 8 Hz, where it stands out from the median of the rates beside it, and of all rates, by more
   than chance makes it (`THRESHOLD`).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyworld
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from hometone_client.embedding.mel import Floats

FRAMES_HZ = 80.0
LOWEST_HZ, HIGHEST_HZ = 4.0, 8.0
#: Nine recordings of 60 and nine of 70 s without added tremor had at most 1.77; chance falls with the root of the number of windows.
THRESHOLD, THRESHOLD_OF_WINDOWS = 2.0, 5.0

_RATES_HZ = np.arange(3.0, 10.51, 0.125)
_BESIDE_HZ = 1.5
_WINDOW_S = 2.5
_LOUD_WITHIN = 22.0 * np.log(10.0) / 10.0
_LEAST_FRAMES, _LEAST_POINTS = 6, 16
_JUMP, _BESIDE_GLIDE = 1.0, 0.5  # semitones a frame
#: Wandering of the rate within a window, and stretches that a swing breaks, hide part of a tremor: simulated depths of 2 and 3 % at 4.5, 6
#: and 7.5 Hz were measured as 0.67 to 0.82 of themselves, medians of nine speakers.
_HIDDEN = 0.73
_SAMPLE_RATE_HZ = 8_000  # Harvest works on 8 kHz inside
_F0_HZ = (60.0, 600.0)
# Semitones and seconds, of a speaker whose F0 has the spread that the fit was scaled to.
_LEVEL, _OFFSET, _FAST, _FAST_S, _SLOW, _SLOW_S, _WHITE = 10.0, 1.145, 0.995, 0.107, 1.361, 0.263, 0.079

Doubles = NDArray[np.float64]
Window = tuple[Doubles, Doubles, NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TremorFigures:
    """What was found in some utterances of one voice.

    Attributes:
        rate_hz: Where it is strongest between 4 and 8 Hz; NaN where there is too little voice.
        depth: Amplitude there as a share of F0, what speech itself puts there taken out; 0 to about 0.1, NaN as above.
        prominence: Strength there over what is beside it: about 1 to 1.8 without a tremor.
        threshold: What a prominence has to exceed with this much speech.
    """

    rate_hz: float
    depth: float
    prominence: float
    threshold: float

    @property
    def present(self) -> bool:
        """Whether it is more than chance."""
        return bool(self.prominence > self.threshold)


def tremor_of_curves(curves: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]], *, at_hz: float | None = None) -> TremorFigures:
    """Look for a tremor in F0 curves.

    Args:
        curves: For each utterance F0 in Hz (0 where unvoiced) and the natural log of the power, both [n] at 80 Hz.
        at_hz: Measure at this rate instead of where it is strongest.
    """
    windows = [window for f0_hz, log_power in curves for window in _windows(*_points(f0_hz, log_power))]
    if not windows:
        nothing = float("nan")
        return TremorFigures(rate_hz=nothing, depth=nothing, prominence=nothing, threshold=nothing)
    found = [_fitted(*window) for window in windows]
    power = np.sum([each[0] for each in found], axis=0)
    information = np.sum([each[1] for each in found], axis=0)
    # Speech is not quite the process of (2), and may move more slowly than it: what is beside a line counts where it is more.
    near = np.abs(_RATES_HZ[:, None] - _RATES_HZ[None]) <= _BESIDE_HZ
    around = np.maximum(np.array([np.median(power[here]) for here in near]), np.median(power))
    prominences = power / np.maximum(around, 1e-12)
    searched = np.flatnonzero((_RATES_HZ >= LOWEST_HZ) & (_RATES_HZ <= HIGHEST_HZ))
    best = int(searched[np.argmax(prominences[searched])]) if at_hz is None else int(np.argmin(np.abs(_RATES_HZ - at_hz)))
    semitones = np.sqrt(max(0.0, float((power[best] - around[best]) / information[best]))) / _HIDDEN
    return TremorFigures(
        rate_hz=float(_RATES_HZ[best]),
        depth=float(2.0 ** (semitones / 12.0) - 1.0),
        prominence=float(prominences[best]),
        threshold=max(THRESHOLD, 1.0 + THRESHOLD_OF_WINDOWS / float(np.sqrt(len(windows)))),
    )


def tremor_figures(utterances: Sequence[tuple[Floats, int]]) -> TremorFigures:
    """Look for a tremor in sounds: samples (float32 [n], mono) and rate in Hz."""
    with ThreadPoolExecutor() as pool:  # Harvest runs on one core and leaves the interpreter to others
        return tremor_of_curves([curve for curve in pool.map(lambda utterance: curve_of(*utterance), utterances) if curve[0].size])


def curve_of(samples: Floats, rate: int) -> tuple[Doubles, Doubles]:
    """F0 in Hz and the natural log of the power of one utterance, float64 [n] at 80 Hz; empty where it is shorter than 0.1 s or silent."""
    sound = np.asarray(samples, dtype=np.float32)
    sound = (soxr.resample(sound, rate, _SAMPLE_RATE_HZ) if rate != _SAMPLE_RATE_HZ else sound).astype(np.float64)
    if sound.size < _SAMPLE_RATE_HZ // 10 or not np.any(sound):
        return np.empty(0), np.empty(0)
    f0, times_s = pyworld.harvest(sound, _SAMPLE_RATE_HZ, f0_floor=_F0_HZ[0], f0_ceil=_F0_HZ[1], frame_period=1000.0 / FRAMES_HZ)
    f0 = pyworld.stonemask(sound, f0, times_s, _SAMPLE_RATE_HZ)
    power = np.convolve(np.square(sound), np.hanning(400), mode="same")
    return f0, np.log(power[np.minimum((times_s * _SAMPLE_RATE_HZ).astype(int), sound.size - 1)] + 1e-12)


def _points(f0_hz: NDArray[np.floating], log_power: NDArray[np.floating]) -> Window:
    """(1) Seconds, semitones and number of the stretch of every frame that counts."""
    if not f0_hz.size:
        return np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    voiced = (f0_hz > _F0_HZ[0]) & (log_power > np.percentile(log_power, 95) - _LOUD_WITHIN)
    semitones = 12.0 * np.log2(np.maximum(f0_hz.astype(np.float64), 1.0))
    step = np.diff(semitones)
    glide = np.median(sliding_window_view(np.pad(step, 2, mode="edge"), 5), axis=1) if step.size else step
    breaks = ((np.abs(step) > _JUMP) & (np.abs(step - glide) > _BESIDE_GLIDE)) | (voiced[1:] != voiced[:-1])
    stretch = np.concatenate([[0], np.cumsum(breaks)])
    kept = voiced & (np.bincount(stretch)[stretch] >= _LEAST_FRAMES)
    return np.flatnonzero(kept) / FRAMES_HZ, semitones[kept], stretch[kept]


def _windows(seconds: Doubles, semitones: Doubles, stretch: NDArray[np.int64]) -> Iterator[Window]:
    if not seconds.size:
        return
    count = max(1, round(float(seconds[-1] - seconds[0]) / _WINDOW_S))
    number = np.minimum(((seconds - seconds[0]) / (seconds[-1] - seconds[0] + 1e-6) * count).astype(int), count - 1)
    for i in range(count):
        here = number == i
        if here.sum() >= _LEAST_POINTS:
            yield seconds[here], semitones[here], stretch[here]


def _covariance(seconds: Doubles, stretch: NDArray[np.int64]) -> Doubles:
    """(2)."""
    apart = np.sqrt(3.0) * np.abs(seconds[:, None] - seconds[None])
    covariance = _LEVEL**2 + _OFFSET**2 * (stretch[:, None] == stretch[None])
    for strength, length_s in ((_FAST, _FAST_S), (_SLOW, _SLOW_S)):
        covariance = covariance + strength**2 * (1.0 + apart / length_s) * np.exp(-apart / length_s)
    covariance[np.diag_indices_from(covariance)] += _WHITE**2
    return np.asarray(covariance, dtype=np.float64)


def _fitted(seconds: Doubles, semitones: Doubles, stretch: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """(3) Power that a sinusoid of every rate explains, and information about it, both whitened: [rates]."""
    factor = np.linalg.cholesky(_covariance(seconds, stretch))
    phase = 2.0 * np.pi * _RATES_HZ[None] * seconds[:, None]
    columns = np.concatenate([(semitones - semitones.mean())[:, None], np.cos(phase), np.sin(phase)], axis=1)
    white = solve_triangular(factor, columns, lower=True)
    data, cosine, sine = white[:, 0], white[:, 1 : 1 + _RATES_HZ.size], white[:, 1 + _RATES_HZ.size :]
    cc, ss, cs = np.square(cosine).sum(axis=0), np.square(sine).sum(axis=0), (cosine * sine).sum(axis=0)
    dc, ds = data @ cosine, data @ sine
    power = (ss * dc**2 - 2.0 * cs * dc * ds + cc * ds**2) / (cc * ss - cs**2)
    return power, (cc + ss) / 2.0
