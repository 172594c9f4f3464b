"""Pictures of speech: spectrograms as small PNG files, drawn without a display and without global state of matplotlib."""

import io

import numpy as np
import soxr

from hometone_client.embedding.mel import Floats

_SAMPLE_RATE_HZ = 16000
_N_FFT = 512
_HOP = 128
_DYNAMIC_RANGE_DB = 70.0
_INCHES = (6.4, 1.7)
_DOTS_PER_INCH = 80


def spectrogram_png(samples: Floats, rate: int) -> bytes:
    """Draw the spectrogram of an utterance up to 8 kHz.

    Args:
        samples: float32 [n], mono.
        rate: Sample rate, Hz.

    Returns:
        A PNG of 512 x 136 pixels; time in seconds across, frequency in kHz upwards, 70 dB from black to bright.
    """
    from matplotlib.figure import Figure

    signal = soxr.resample(samples, rate, _SAMPLE_RATE_HZ) if rate != _SAMPLE_RATE_HZ else samples
    padded = np.pad(signal, (_N_FFT // 2, _N_FFT // 2 + _N_FFT))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP] * np.hanning(_N_FFT)
    decibels = 20.0 * np.log10(np.maximum(np.abs(np.fft.rfft(frames, axis=1)), 1e-6))
    peak = float(decibels.max())

    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    axes.imshow(
        decibels.T,
        origin="lower",
        aspect="auto",
        extent=(0.0, signal.size / _SAMPLE_RATE_HZ, 0.0, _SAMPLE_RATE_HZ / 2000.0),
        vmin=peak - _DYNAMIC_RANGE_DB,
        vmax=peak,
        cmap="magma",
    )
    axes.tick_params(labelsize=7)
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
