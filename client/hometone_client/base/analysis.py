"""What the base voice knows a recording by: F0 and energy at 80 Hz.

F0 is WORLD's harvest (Morise 2017) every 12.5 ms. Energy is Kokoro's N: the log of the norm of a power mel spectrum (80 bands of a 16
kHz HTK filterbank, transform 2048, window 1200, hop 300, applied to sound at 24 kHz as Kokoro's training did).
"""

import numpy as np
import pyworld
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hometone_client.base.runtime import F0_HOP, SAMPLE_RATE_HZ

Floats = NDArray[np.float32]

F0_FLOOR_HZ, F0_CEILING_HZ = 55.0, 600.0
ENERGY_OFFSET = 0.85
"""The energy that the base predicts lies this much above that of the sound it makes (N units; both parts measured on stock voices)."""
_FFT, _WINDOW, _BANDS, _BANK_RATE_HZ = 2048, 1200, 80, 16_000


def f0_curve(samples: Floats) -> Floats:
    """F0 in Hz, float32 [n // 300], 0 where unvoiced; `samples` float32 [n] at 24 kHz."""
    frames = samples.shape[0] // F0_HOP
    padded = np.pad(samples.astype(np.float64), (0, F0_HOP))
    f0, times = pyworld.harvest(
        padded, SAMPLE_RATE_HZ, f0_floor=F0_FLOOR_HZ, f0_ceil=F0_CEILING_HZ, frame_period=1000 * F0_HOP / SAMPLE_RATE_HZ
    )
    f0 = pyworld.stonemask(padded, f0, times, SAMPLE_RATE_HZ)
    return np.asarray(f0[:frames], dtype=np.float32)


def _htk_bank() -> NDArray[np.float64]:
    def mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(2595 * np.log10(1 + np.asarray(hz) / 700))

    edges = 700 * (10 ** (np.linspace(mel(0.0), mel(_BANK_RATE_HZ / 2), _BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, _BANK_RATE_HZ / 2, _FFT // 2 + 1)
    up = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down))


_BANK = _htk_bank()


def energy_curve(samples: Floats) -> Floats:
    """Energy N, float32 [n // 300]; `samples` float32 [n] at 24 kHz."""
    frames = samples.shape[0] // F0_HOP
    window = np.zeros(_FFT)
    start = (_FFT - _WINDOW) // 2
    window[start : start + _WINDOW] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    padded = np.pad(samples.astype(np.float64), (_FFT // 2, _FFT // 2 + F0_HOP), mode="reflect" if samples.size > _FFT else "constant")
    spectra = np.abs(np.fft.rfft(sliding_window_view(padded, _FFT)[::F0_HOP][:frames] * window, axis=1)) ** 2
    log_mel = (np.log(1e-5 + spectra @ _BANK.T) + 4) / 4
    return np.asarray(np.log(np.linalg.norm(np.exp(log_mel * 4 - 4), axis=1) + 1e-9), dtype=np.float32)
