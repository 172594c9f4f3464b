"""From the decoder's raw sound to one sentence that can be put behind another: tone, level, edges, pause.

1. The voice's tone filter, its delay taken out, so that sound and timing stay together.
2. The voice's gain, then a soft limiter: below 0.85 nothing is touched; above it tanh bends the peak towards 0.98, which no sample passes.
   It has no memory, so a loud syllable does not duck its neighbours, and one sentence is never scaled differently from the next.
3. Digital silence that the base puts at both ends is cut down to 50 ms in front and 150 ms behind, so that the first sound comes early
   and pauses are as long as the text asks for, whatever the base added.
4. 5 ms raised-cosine edges: no clicks at joins.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ: Final = 24_000
LIMITER_KNEE: Final = 0.85
CEILING: Final = 0.98
_SILENCE: Final = 10.0 ** (-60.0 / 20.0)
_WINDOW: Final = 240  # 10 ms
_LEAD: Final = 1_200  # 50 ms
_TAIL: Final = 3_600  # 150 ms
_EDGE: Final = 120  # 5 ms

Samples = NDArray[np.float32]


def filtered(samples: Samples, taps: Samples, *, delay: int) -> Samples:
    """Convolve with an FIR (by FFT) and take out its delay; float32 [n] in, float32 [n] out."""
    if taps.size == 1:
        return samples if taps[0] == 1.0 else samples * taps[0]
    length = samples.size + taps.size - 1
    size = 1 << (length - 1).bit_length()
    product = np.fft.rfft(samples, size) * np.fft.rfft(taps, size)
    return np.fft.irfft(product, size)[delay : delay + samples.size].astype(np.float32)


def limited(samples: Samples) -> Samples:
    """Bend peaks above the knee so that no sample's magnitude passes the ceiling; quieter sound is returned as it is."""
    magnitude = np.abs(samples)
    if not samples.size or magnitude.max() <= LIMITER_KNEE:
        return samples
    room = CEILING - LIMITER_KNEE
    bent = np.minimum(LIMITER_KNEE + room * np.tanh((magnitude - LIMITER_KNEE) / room), CEILING)
    return np.where(magnitude > LIMITER_KNEE, np.sign(samples) * bent, samples).astype(np.float32)


def kept(samples: Samples) -> slice:
    """What is left when silence (60 dB below the loudest 10 ms) at both ends is cut down to 50 and 150 ms."""
    windows = samples.size // _WINDOW
    if windows == 0:
        return slice(0, samples.size)
    level = np.sqrt(np.mean(samples[: windows * _WINDOW].reshape(windows, _WINDOW).astype(np.float64) ** 2, axis=1))
    loud = np.flatnonzero(level > level.max() * _SILENCE)
    if not loud.size:
        return slice(0, samples.size)
    return slice(max(0, int(loud[0]) * _WINDOW - _LEAD), min(samples.size, (int(loud[-1]) + 1) * _WINDOW + _TAIL))


def trimmed(samples: Samples) -> Samples:
    """Cut silence at both ends down to 50 and 150 ms; sound in between is not touched."""
    return samples[kept(samples)]


def edged(samples: Samples, *, pause_s: float) -> Samples:
    """Fade both ends over 5 ms and append silence of `pause_s` seconds."""
    out = np.zeros(samples.size + round(pause_s * SAMPLE_RATE_HZ), dtype=np.float32)
    out[: samples.size] = samples
    edge = min(_EDGE, samples.size // 2)
    if edge:
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)).astype(np.float32)
        out[:edge] *= ramp
        out[samples.size - edge : samples.size] *= ramp[::-1]
    return out
