"""Breath: how much noise is between the harmonics of a voice (requirement 25).

The ratio of harmonics to noise follows from the normalised cross-correlation r of the sound with itself one period later,
10 log10(r / (1 - r)) (Boersma 1993, Proc. Institute of Phonetic Sciences 17, equation 4), here in a band which telephones and laptops still
hear and in which the noise of a breathy voice is as strong as its harmonics (bandpass voicing: McCree & Barnwell 1995, IEEE Trans. Speech
and Audio Processing 3). F0 is WORLD's Harvest.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyworld
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from hometone_client.embedding.mel import Floats
from hometone_client.evaluation.f0 import FRAME_PERIOD_MS

_SAMPLE_RATE_HZ = 16_000
_BAND_HZ = (1_200.0, 2_400.0)
_BAND = butter(4, _BAND_HZ, "bandpass", fs=_SAMPLE_RATE_HZ, output="sos")
#: Correlation of noise with itself, the best of the lags that are tried; four stock voices made all noise: 0.19 to 0.22.
NOISE_CORRELATION = 0.2
_BACKGROUND_SHARE = 0.5
_NOISE_FRAME = 400  # 25 ms
_QUIETEST = 0.75  # the quietest twentieth of such frames of steady noise (60 degrees of freedom), of its mean
_F0_HZ = (55.0, 600.0)
_LOUD_WITHIN_DB = 15.0
_PERIODS = 3.0  # in a window: enough for a steady figure, few enough for F0 not to glide out of step
_LAG_TOLERANCE = 0.03


def harmonics_to_noise_db(utterances: Sequence[tuple[Floats, int]]) -> float:
    """Return the median ratio of harmonics to noise between 1.2 and 2.4 kHz over the loud voiced frames; NaN where there are none.

    Args:
        utterances: Samples (float32 [n], mono) and rate in Hz.
    """
    with ThreadPoolExecutor() as pool:  # Harvest runs on one core and leaves the interpreter to others
        found = list(pool.map(lambda utterance: _correlations(*utterance), utterances))
    return ratio_db(np.concatenate(found) if found else np.empty(0))


def ratio_db(correlations: NDArray[np.float64]) -> float:
    """Ratio of harmonics to noise for the median of some correlations, dB; NaN where there are none. Below about -5 dB it says no more."""
    if correlations.size == 0:
        return float("nan")
    r = float(np.clip(np.median(correlations), 0.01, 0.999))
    return 10.0 * float(np.log10(r / (1.0 - r)))


def correlations(
    samples: Floats, rate: int, f0_hz: NDArray[np.floating], times_s: NDArray[np.float64], *, quiet_room: bool = False
) -> NDArray[np.float64]:
    """Best normalised cross-correlation in the band near one period, for every loud voiced frame whose F0 is known.

    Args:
        samples: float32 [n], mono.
        rate: Hz.
        f0_hz: [frames], Hz, below 55 where unvoiced.
        times_s: [frames], seconds.
        quiet_room: As they would be without the noise of room and microphone: its power is that of the quietest twentieth of 25 ms, frames
            in which it is more than half are left out, in the others its share of the power is taken out of the norm.
    """
    return _correlated(_at_rate(samples, rate), f0_hz, times_s, quiet_room=quiet_room)


def _background(band: NDArray[np.float64]) -> float:
    frames = band[: band.size // _NOISE_FRAME * _NOISE_FRAME].reshape(-1, _NOISE_FRAME)
    return float(np.percentile(np.square(frames).mean(axis=1), 5)) / _QUIETEST if frames.size else 0.0


def _at_rate(samples: Floats, rate: int) -> NDArray[np.float64]:
    sound = np.asarray(samples, dtype=np.float32)
    return (soxr.resample(sound, rate, _SAMPLE_RATE_HZ) if rate != _SAMPLE_RATE_HZ else sound).astype(np.float64)


def _correlations(samples: Floats, rate: int) -> NDArray[np.float64]:
    """As `correlations`, F0 by Harvest."""
    sound = _at_rate(samples, rate)
    if sound.size < _SAMPLE_RATE_HZ // 10 or not np.any(sound):
        return np.empty(0)
    f0, times_s = pyworld.harvest(sound, _SAMPLE_RATE_HZ, f0_floor=_F0_HZ[0], f0_ceil=_F0_HZ[1], frame_period=FRAME_PERIOD_MS)
    f0 = pyworld.stonemask(sound, f0, times_s, _SAMPLE_RATE_HZ)
    return _correlated(sound, f0, times_s)


def _correlated(
    sound: NDArray[np.float64], f0: NDArray[np.floating], times_s: NDArray[np.float64], *, quiet_room: bool = False
) -> NDArray[np.float64]:
    if sound.size < _SAMPLE_RATE_HZ // 10 or not np.any(sound):
        return np.empty(0)
    power = np.convolve(np.square(sound), np.hanning(400), mode="same")
    centres = np.minimum((times_s * _SAMPLE_RATE_HZ).astype(int), sound.size - 1)
    loud = power[centres] > np.percentile(power[centres], 95) * 10.0 ** (-_LOUD_WITHIN_DB / 10.0)
    band = sosfiltfilt(_BAND, sound)
    background = _background(band) if quiet_room else 0.0
    found = []
    for hz, centre in zip(f0[loud & (f0 > _F0_HZ[0])], centres[loud & (f0 > _F0_HZ[0])], strict=True):
        period = _SAMPLE_RATE_HZ / hz
        length = int(_PERIODS * period)
        start = centre - (length + int(period)) // 2
        lags = np.arange(int(period * (1 - _LAG_TOLERANCE)), int(period * (1 + _LAG_TOLERANCE)) + 2)
        if start < 0 or start + lags[-1] + length > band.size:
            continue
        here = band[start : start + length]
        later = np.stack([band[start + lag : start + lag + length] for lag in lags])
        norms = np.sqrt((here @ here) * np.einsum("ij,ij->i", later, later)) + 1e-20
        ratios = later @ here / norms
        best = int(np.argmax(ratios))
        share = background * length / float(norms[best])
        if share < _BACKGROUND_SHARE:
            found.append(
                NOISE_CORRELATION + (float(ratios[best]) - NOISE_CORRELATION) / (1.0 - share) if share > 0.0 else float(ratios[best])
            )
    return np.array(found)
