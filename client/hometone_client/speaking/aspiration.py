"""Breath: noise of the glottis in voiced sound, put in after the decoder (requirement 25).

The decoder hardly answers to noise in its harmonic source: seventeen times the base's own changes the ratio of harmonics to noise by
0 to 1.3 dB (docs/adaptation.md). A share of the power of voiced sound is therefore exchanged for noise of the same short-time envelope, as
WORLD's aperiodicity does (Morise 2016, Speech Communication 84). It begins at 500 Hz and is whole from 1,200 Hz up, as in breathy voices,
whose lowest harmonics stay strong (Klatt and Klatt 1990, J. Acoust. Soc. Am. 87, 2). Level, spectrum and F0 stay.
"""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hometone_client.voices.parameters import SAMPLE_RATE_HZ, VOICED_ABOVE_HZ

Samples = NDArray[np.float32]

_WINDOW: Final = 512  # 21 ms
_HOP: Final = 128
_F0_HOP: Final = 300
_ENVELOPE_BINS: Final = 7  # 330 Hz: wider than the distance of harmonics, narrower than formants
_FROM_HZ, _WHOLE_HZ = 500.0, 1_200.0


def aspirated(samples: Samples, f0_hz: Samples, share: float, *, seed: int | None) -> Samples:
    """Exchange a share of the power of voiced sound for noise.

    Args:
        samples: float32 [300 n] at 24 kHz, from the decoder.
        f0_hz: float32 [n] at 80 Hz; at or below 10 is unvoiced, where nothing changes.
        share: 0 (nothing) to 1 (a whisper above 1,200 Hz).
        seed: Makes the noise repeatable; drawn afresh when None.

    Returns:
        float32 [300 n].
    """
    if share <= 0.0 or not samples.size or not (f0_hz > VOICED_ABOVE_HZ).any():
        return samples
    frames = samples.size // _HOP + 5
    room = (frames - 1) * _HOP + _WINDOW
    window = np.sqrt(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    generator = np.random.default_rng(seed)  # sound, not secrecy
    padded = np.zeros(room, dtype=np.float32)
    padded[_WINDOW : _WINDOW + samples.size] = samples
    hiss = generator.standard_normal(room, dtype=np.float32)
    sound, noise = (np.fft.rfft(sliding_window_view(each, _WINDOW)[::_HOP] * window, axis=1) for each in (padded, hiss))
    envelope = np.sqrt(_smoothed(np.square(np.abs(sound))) / np.square(window).sum())
    hz = np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE_HZ)
    over_frequency = np.interp(np.log(np.maximum(hz, 1.0)), np.log([_FROM_HZ, _WHOLE_HZ]), [0.0, 1.0])
    middles = (np.arange(frames) * _HOP + _WINDOW // 2 - _WINDOW) / _F0_HOP - 0.5
    over_time = np.interp(middles, np.arange(f0_hz.size), (f0_hz > VOICED_ABOVE_HZ).astype(float), left=0.0, right=0.0)
    shares = min(share, 1.0) * over_time[:, None] * over_frequency[None]
    # Only what is exchanged is put together again: where nothing is, the sound stays as it was to the bit.
    changed = np.fft.irfft((np.sqrt(1.0 - shares) - 1.0) * sound + np.sqrt(shares) * envelope * noise, _WINDOW, axis=1) * window
    difference = np.zeros(room)
    for start in range(_WINDOW // _HOP):
        part = changed[start :: _WINDOW // _HOP].reshape(-1)
        difference[start * _HOP : start * _HOP + part.size] += part
    difference *= _HOP / np.square(window).sum()
    return (samples + difference[_WINDOW : _WINDOW + samples.size]).astype(np.float32)


def _smoothed(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over neighbouring bins, edges repeated: [frames, bins] in and out."""
    beside = _ENVELOPE_BINS // 2
    total = np.cumsum(np.pad(power, ((0, 0), (beside + 1, beside)), mode="edge"), axis=1, dtype=np.float64)
    mean: NDArray[np.float64] = (total[:, _ENVELOPE_BINS:] - total[:, :-_ENVELOPE_BINS]) / _ENVELOPE_BINS
    return np.maximum(mean, 0.0)
