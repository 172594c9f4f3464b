"""Mel spectrograms as the pretrained networks expect them, in plain numpy, without librosa.

The mel scale is Slaney's (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above, triangles of equal area. Whatever has to be
differentiable (the training loss) takes its filterbank, window and constants from here, so that there is one truth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_HZ_PER_MEL = 200.0 / 3.0
_LINEAR_LIMIT_HZ = 1000.0
_LOG_STEP = float(np.log(6.4)) / 27.0  # 27 mels for each factor of 6.4


@dataclass(frozen=True, slots=True, kw_only=True)
class MelSettings:
    """How a mel power spectrogram is taken.

    Attributes:
        sample_rate_hz: Rate of the samples.
        n_fft: Length of window and transform, samples; the window is a periodic Hann window.
        hop: Distance between frames, samples.
        bands: Number of mel bands from 0 Hz to half the sample rate.
    """

    sample_rate_hz: int
    n_fft: int
    hop: int
    bands: int


GE2E_MEL = MelSettings(sample_rate_hz=16000, n_fft=400, hop=160, bands=40)
"""25 ms windows every 10 ms (Resemblyzer `hparams.py`)."""


def filterbank(settings: MelSettings) -> Floats:
    """Return the triangular filters, float32 [bands, n_fft // 2 + 1], to be multiplied with a *power* spectrum.

    Equal to `librosa.filters.mel(sr=..., n_fft=..., n_mels=...)` with its defaults (htk=False, norm="slaney").
    """
    top_mel = _hz_to_mel(settings.sample_rate_hz / 2)
    corners_hz = _mel_to_hz(np.linspace(0.0, top_mel, settings.bands + 2))
    bins_hz = np.fft.rfftfreq(settings.n_fft, 1.0 / settings.sample_rate_hz)
    widths = np.diff(corners_hz)
    ramps = corners_hz[:, np.newaxis] - bins_hz[np.newaxis, :]
    rising = -ramps[:-2] / widths[:-1, np.newaxis]
    falling = ramps[2:] / widths[1:, np.newaxis]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    area = 2.0 / (corners_hz[2:] - corners_hz[:-2])
    return np.asarray(triangles * area[:, np.newaxis], dtype=np.float32)


def window(settings: MelSettings) -> Floats:
    """Return the periodic Hann window, float32 [n_fft]."""
    phase = 2.0 * np.pi * np.arange(settings.n_fft) / settings.n_fft
    return np.asarray(0.5 - 0.5 * np.cos(phase), dtype=np.float32)


def mel_power(samples: Floats, settings: MelSettings) -> Floats:
    """Return the mel power spectrogram of a signal, not its logarithm.

    Args:
        samples: float32 [n] at `settings.sample_rate_hz`.
        settings: How to take it.

    Returns:
        float32 [1 + n // hop, bands]; frames are centred, the signal is continued with zeros on both sides.
    """
    half = settings.n_fft // 2
    padded = np.pad(samples.astype(np.float32), (half, half))
    frames = sliding_window_view(padded, settings.n_fft)[:: settings.hop]
    power = np.abs(np.fft.rfft(frames * window(settings), axis=1)) ** 2
    return np.asarray(power.astype(np.float32) @ filterbank(settings).T, dtype=np.float32)


def _hz_to_mel(frequency_hz: float) -> float:
    if frequency_hz < _LINEAR_LIMIT_HZ:
        return frequency_hz / _HZ_PER_MEL
    return _LINEAR_LIMIT_HZ / _HZ_PER_MEL + float(np.log(frequency_hz / _LINEAR_LIMIT_HZ)) / _LOG_STEP


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    linear_mels = _LINEAR_LIMIT_HZ / _HZ_PER_MEL
    return np.where(mels < linear_mels, mels * _HZ_PER_MEL, _LINEAR_LIMIT_HZ * np.exp(_LOG_STEP * (mels - linear_mels)))
