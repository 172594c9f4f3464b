"""Long-term average spectrum: the colour of a voice together with that of its recording.

The spectrum is averaged over frames of speech in third-octave bands (Byrne et al., "An international comparison of long-term average
speech spectra", JASA 1994), its mean level removed. The distance of two such spectra is the mean absolute difference in dB over
the bands that both recordings carry, from 100 Hz to the smaller bandwidth and at most 7 kHz.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hometone_client.embedding.mel import Floats
from hometone_shared.errors import AudioError

LOWEST_HZ = 100.0
HIGHEST_HZ = 7000.0
BIN_HZ = 25.0

_SAMPLE_RATE_HZ = 16000
_FRAME = 640
"""40 ms, so that a bin is 25 Hz wide and a third-octave band at 100 Hz holds one."""
_HOP = 320
_SPEECH_BELOW_LOUD_DB = 30.0
_BANDWIDTH_BELOW_PEAK_DB = 60.0
_BAND_RATIO = 2.0 ** (1.0 / 3.0)


def average_spectrum(utterances: Sequence[tuple[Floats, int]]) -> NDArray[np.float64]:
    """Return the power spectrum of all frames of speech, averaged: float64 [321], bins of 25 Hz up to 8 kHz.

    A frame counts as speech when it is at most 30 dB below the loud frames (95th percentile) of its own utterance. Every utterance is
    brought to the same loudness first, so that a loud one does not speak for all.

    Args:
        utterances: Pairs of samples (float32 [n], mono) and rate in Hz.

    Raises:
        AudioError: No frame of any utterance holds sound.
    """
    frames = [_speech_frames(samples, rate) for samples, rate in utterances]
    frames = [frame for frame in frames if frame.size]
    if not frames:
        raise AudioError("there is no speech to measure", hint="record or choose another take")
    spectrum: NDArray[np.float64] = np.concatenate(frames).mean(axis=0)
    return spectrum


def bandwidth_hz(spectrum: NDArray[np.float64]) -> float:
    """Return the highest frequency, Hz, at which an average spectrum is within 60 dB of its peak."""
    present = np.nonzero(spectrum >= spectrum.max() * 10.0 ** (-_BANDWIDTH_BELOW_PEAK_DB / 10.0))[0]
    return float(present[-1]) * _SAMPLE_RATE_HZ / _FRAME


def distance_db(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the mean absolute difference of two average spectra over third-octave bands, dB, level removed."""
    limit = min(HIGHEST_HZ, bandwidth_hz(first), bandwidth_hz(second))
    difference = third_octaves_db(first, limit) - third_octaves_db(second, limit)
    return float(np.mean(np.abs(difference - difference.mean())))


def third_octaves_db(spectrum: NDArray[np.float64], limit_hz: float) -> NDArray[np.float64]:
    """Return the level of each whole third-octave band between 100 Hz and a limit, dB: float64 [bands]."""
    count = max(1, int(np.floor(np.log(limit_hz / LOWEST_HZ) / np.log(_BAND_RATIO))))
    edges = LOWEST_HZ * _BAND_RATIO ** np.arange(count + 1)
    bins_hz = np.arange(spectrum.size) * _SAMPLE_RATE_HZ / _FRAME
    levels = [spectrum[(bins_hz >= low) & (bins_hz < high)].mean() for low, high in itertools.pairwise(edges)]
    decibels: NDArray[np.float64] = 10.0 * np.log10(np.maximum(np.array(levels), 1e-20))
    return decibels


def _speech_frames(samples: Floats, rate: int) -> NDArray[np.float64]:
    signal = np.asarray(samples, dtype=np.float32)
    if rate != _SAMPLE_RATE_HZ:
        signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
    if signal.size < _FRAME or not np.any(signal):
        return np.empty((0, _FRAME // 2 + 1))
    frames = sliding_window_view(signal, _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    energy = power.sum(axis=1)
    speech: NDArray[np.float64] = power[energy > np.percentile(energy, 95) * 10.0 ** (-_SPEECH_BELOW_LOUD_DB / 10.0)]
    return speech / max(float(speech.sum(axis=1).mean()), 1e-20) if speech.size else speech
