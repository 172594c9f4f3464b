"""The last touches, measured on synthesis against the enrolment: pitch, pace, tone and level.

Each of them has one number or one curve that no gradient is needed for: the median and spread of F0 (a map on a logarithmic axis), the
speaking rate (a length scale), the long-term average spectrum (a linear-phase filter), the level.

The level is part of how alike two recordings sound, to people and to networks: the same real takes 6 dB softer lose 0.01 to 0.03 of
likeness, 9 dB softer 0.02 to 0.05 (docs/adaptation.md, lesson 7). A voice therefore speaks as loud as its owner's recordings, within
limits.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.analysis import F0_FLOOR_HZ, Floats
from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.evaluation import ltas
from hometone_client.takes.segmentation import detect
from hometone_client.voices.parameters import F0_RANGE_HZ, GAIN_RANGE_DB, F0Map

TAPS = 513
TONE_LIMIT_DB = 18.0
WIDEST_BAND_HZ = 7600.0  # wide enough for everything; just below half of 16 kHz, where recorders' filters fall
NARROW_BAND_HZ, BEYOND_BAND_DB, BEYOND_BAND_WIDTH = 7000.0, -15.0, 1.15
RANGE_LIMITS = (0.7, 1.4)
HEARD_PITCH_LIMITS = (0.9, 1.1)
PACE_LIMITS = (0.75, 1.35)
LEVEL_LIMITS_DBFS = (-26.0, -16.0)  # a faint recording must not make a voice nobody hears, a loud one none that is all limiter
_THIRD_OCTAVE = 2.0 ** (1.0 / 3.0)


def f0_map(real: Sequence[Floats], made: Sequence[Floats]) -> F0Map:
    """Map that gives the synthesis the speaker's median F0 and, within limits, the speaker's range.

    Args:
        real: F0 curves of the enrolment, Hz, 0 where unvoiced.
        made: F0 curves measured on synthesis without a map.
    """
    if not all(any((curve > F0_FLOOR_HZ).any() for curve in curves) for curves in (real, made)):
        return F0Map()  # a whisper has no pitch to take over
    (real_median, real_spread), (made_median, made_spread) = (_median_and_spread(curves) for curves in (real, made))
    scale = float(np.clip(real_spread / max(made_spread, 1e-3), *RANGE_LIMITS))
    return F0Map(reference_hz=made_median, target_hz=real_median, range_scale=scale)


def _median_and_spread(curves: Sequence[Floats]) -> tuple[float, float]:
    octaves = np.log2(np.concatenate([curve[curve > F0_FLOOR_HZ] for curve in curves]))  # predicted curves glide through low values
    low, high = np.percentile(octaves, [25, 75])
    return float(2 ** np.median(octaves)), float(high - low)


def heard_pitch(f0_map: F0Map, *, real: tuple[Sequence[Floats], float], made: tuple[Sequence[Floats], float]) -> F0Map:
    """The same map with its target moved so that the medians agree as they are heard.

    Which frames sound voiced and loud enough to count differs between a recording, where it is measured, and a prediction: on a deep
    narrow-band voice the median of the finished speech was 4 % too low (docs/adaptation.md).

    Args:
        f0_map: From `f0_map`.
        real: F0 curves of the enrolment, Hz, and the median that is measured in the recordings (`evaluation.f0`).
        made: F0 curves of some synthesis, the map applied, and the median that is measured in its sound.
    """
    (real_curves, real_hz), (made_curves, made_hz) = real, made
    if not (np.isfinite(real_hz) and np.isfinite(made_hz)):
        return f0_map
    heard = (real_hz / _median_and_spread(real_curves)[0]) / (made_hz / _median_and_spread(made_curves)[0])
    target_hz = float(np.clip(f0_map.target_hz * np.clip(heard, *HEARD_PITCH_LIMITS), *F0_RANGE_HZ))
    return dataclasses.replace(f0_map, target_hz=target_hz)


def bounded_pace(length_scale: float) -> float:
    """A length scale within what is still speech."""
    return float(np.clip(length_scale, *PACE_LIMITS))


def heard_time(sounds: Sequence[tuple[Floats, int]]) -> float:
    """Seconds of speech that the voice detector finds in some sounds (samples and rate) together."""
    return float(sum(detect(samples, rate).speech_s for samples, rate in sounds))


def speech_level_dbfs(sounds: Sequence[tuple[Floats, int]]) -> float:
    """Level of the speech that the voice detector finds in some sounds, all together; a full-scale sine has -3 dBFS.

    Args:
        sounds: Samples, float32 [n], and their rate.
    """
    power = seconds = 0.0
    for samples, rate in sounds:
        for segment in detect(samples, rate).speech:
            piece = samples[round(segment.start_s * rate) : round(segment.end_s * rate)].astype(np.float64)
            power += float(np.square(piece).sum()) / rate
            seconds += piece.size / rate
    return 10.0 * float(np.log10(max(power / max(seconds, 1e-3), 1e-10)))


def own_level_dbfs(takes: Sequence[tuple[Floats, int]]) -> float:
    """How loud a voice is to speak: as loud as these recordings of its owner, within limits."""
    return float(np.clip(speech_level_dbfs(takes), *LEVEL_LIMITS_DBFS))


def gain_db(sounds: Sequence[Floats], level_dbfs: float) -> float:
    """Gain that brings the speech in sounds at 24 kHz, float32 [n], to a level; within what a voice may hold."""
    return float(np.clip(level_dbfs - speech_level_dbfs([(sound, SAMPLE_RATE_HZ) for sound in sounds]), *GAIN_RANGE_DB))


def tone_towards(spectrum: NDArray[np.float64], sounds: Sequence[Floats], *, bandwidth_hz: float) -> Floats:
    """Tone filter that brings sounds at 24 kHz to a long-term spectrum as `evaluation.ltas` measures it."""
    made = ltas.average_spectrum([(sound, SAMPLE_RATE_HZ) for sound in sounds])
    return tone_filter(spectrum, made, bin_hz=ltas.BIN_HZ, bandwidth_hz=bandwidth_hz)


def tone_filter(real_power: NDArray[np.float64], made_power: NDArray[np.float64], *, bin_hz: float, bandwidth_hz: float) -> Floats:
    """Linear-phase filter that brings one average power spectrum to another.

    Args:
        real_power: float64 [bins], speech of the enrolment.
        made_power: float64 [bins], synthesis.
        bin_hz: Width of a bin.
        bandwidth_hz: Above this the recordings hold nothing.

    Returns:
        float32 [513], at 24 kHz; third-octave smoothing, at most 18 dB up or down, mean level kept. Above the band it keeps the value it
        has there; above a narrow band it falls by `BEYOND_BAND_DB`: a speaker encoder has never heard this person there and takes too
        much of it for somebody else; with nothing left there, predicted quality falls (the table is in docs/adaptation.md).
    """
    hz = np.arange(real_power.size) * bin_hz
    count = int(np.floor(np.log(min(bandwidth_hz, WIDEST_BAND_HZ) / 80.0) / np.log(_THIRD_OCTAVE)))
    edges = 80.0 * _THIRD_OCTAVE ** np.arange(count + 1)
    centres, gains = [], []
    for low, high in itertools.pairwise(edges):
        inside = (hz >= low) & (hz < high)
        if inside.any():
            centres.append(np.sqrt(low * high))
            gains.append(10 * np.log10((real_power[inside].mean() + 1e-20) / (made_power[inside].mean() + 1e-20)))
    gain = np.array(gains)
    gain = np.clip(gain - np.average(gain, weights=_speech_weight(np.array(centres))), -TONE_LIMIT_DB, TONE_LIMIT_DB)
    grid = np.fft.rfftfreq(4096, 1 / SAMPLE_RATE_HZ)
    curve = np.interp(np.log(np.maximum(grid, 40.0)), np.log(np.array(centres)), gain)
    if bandwidth_hz < NARROW_BAND_HZ:
        curve += np.interp(np.log(np.maximum(grid, 40.0)), np.log([bandwidth_hz, bandwidth_hz * BEYOND_BAND_WIDTH]), [0.0, BEYOND_BAND_DB])
    impulse = np.fft.irfft(10 ** (curve / 20), 4096)
    taps = np.roll(impulse, TAPS // 2)[:TAPS] * np.hanning(TAPS)
    return np.asarray(taps, dtype=np.float32)


def _speech_weight(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where((hz > 200) & (hz < 4000), 1.0, 0.1)
