"""What telephones, rooms and recorders do to speech, so that the encoder learns to hear through it.

Everything works on float32 [n] at 24 kHz and keeps the length, but for `resampled`.
"""

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

Floats = NDArray[np.float32]
RATE_HZ = 24_000


def resampled(samples: Floats, factor: float) -> Floats:
    """Played slower by `factor`: formants and pitch fall, durations grow; float32 [about n * factor]."""
    return np.asarray(soxr.resample(samples, RATE_HZ, RATE_HZ * factor), dtype=np.float32)


def spoilt(samples: Floats, generator: np.random.Generator, *, telephone: bool) -> Floats:
    """Echo, colour, noise, band limit, the telephone's coding, gain: each drawn, none for certain.

    Args:
        samples: float32 [n].
        generator: Draws.
        telephone: Limit the band to that of a telephone for certain.
    """
    sound = samples.astype(np.float64)
    if generator.random() < 0.5:
        sound = _echoed(sound, generator)
    if generator.random() < 0.7:
        sound = _coloured(sound, generator)
    if generator.random() < 0.6:
        sound = _noisy(sound, generator)
    if telephone:
        top = float(generator.choice([3_400.0, 3_800.0, 4_600.0, 7_000.0]))
        sound = sosfilt(butter(6, [float(generator.uniform(60, 300)), top], "band", fs=RATE_HZ, output="sos"), sound)
        if generator.random() < 0.4:
            sound = _coded(sound)
    elif generator.random() < 0.3:
        sound = sosfilt(butter(6, float(generator.uniform(5_000, 8_000)), fs=RATE_HZ, output="sos"), sound)
    gain = 10 ** (generator.uniform(-25, 3) / 20) / (np.abs(sound).max() + 1e-9)
    return np.asarray(np.clip(sound * gain, -1.0, 1.0), dtype=np.float32)


def _echoed(sound: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Noise that dies away within 80 to 450 ms, behind the direct sound (Moorer 1979)."""
    decay_s = float(generator.uniform(0.08, 0.45))
    count = int(decay_s * RATE_HZ)
    tail = generator.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    tail[: int(0.003 * RATE_HZ)] = 0.0
    tail *= 10 ** (generator.uniform(-20, -4) / 20) / np.linalg.norm(tail)
    tail[0] = 1.0
    echoed: NDArray[np.float64] = fftconvolve(sound, tail)[: sound.size]
    return echoed


def _coloured(sound: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random response of up to 8 dB either way."""
    bands = np.geomspace(80, 12_000, 8)
    gains_db = generator.uniform(-8, 8, bands.size)
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(sound.size, 1 / RATE_HZ)
    response_db = np.interp(np.log(np.maximum(hz, 40)), np.log(bands), gains_db)
    return np.fft.irfft(spectrum * 10 ** (response_db / 20), sound.size)


def _noisy(sound: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Noise of a random slope (white to brown), 12 to 40 dB below the speech."""
    spectrum = np.fft.rfft(generator.standard_normal(sound.size))
    spectrum /= np.maximum(np.fft.rfftfreq(sound.size, 1 / RATE_HZ), 50) ** generator.uniform(0, 1)
    noise = np.fft.irfft(spectrum, sound.size)
    level = np.sqrt(np.mean(sound**2)) * 10 ** (-generator.uniform(12, 40) / 20)
    return np.asarray(sound + noise * level / (np.sqrt(np.mean(noise**2)) + 1e-12))


def _coded(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eight bits of a telephone (ITU-T G.711, mu-law)."""
    peak = np.abs(sound).max() + 1e-9
    mu = 255.0
    bent = np.sign(sound) * np.log1p(mu * np.abs(sound / peak)) / np.log1p(mu)
    steps = np.rint(bent * 127) / 127
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(mu)) / mu * peak)
