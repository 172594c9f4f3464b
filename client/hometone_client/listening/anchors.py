"""The anchor: a recording made plainly worse, so that listeners who pay no attention give themselves away (ITU-R BS.1534-3, 5.1).

1. Low-passed at 3.5 kHz, as the low anchor of BS.1534.
2. Noise that follows the speech, as the modulated noise reference unit of ITU-T P.810: y = x (1 + 10^(-Q/20) N), N normal, Q = 8 dB.
   Without it a telephone recording would be its own anchor.
"""

from typing import Final

import numpy as np

from hometone_client.listening.levels import RATE_HZ, Samples

LOW_PASS_HZ: Final = 3_500.0
MODULATED_NOISE_Q_DB: Final = 8.0
_ORDER: Final = 8


def anchored(samples: Samples, *, chance: np.random.Generator | None = None) -> Samples:
    """The anchor of a recording.

    Args:
        samples: float32 [n] at 24,000 Hz.
        chance: Source of the noise, which protects nobody.

    Returns:
        float32 [n]; not levelled.
    """
    from scipy.signal import butter, sosfiltfilt

    sections = butter(_ORDER, LOW_PASS_HZ, "lowpass", fs=RATE_HZ, output="sos")
    narrow = sosfiltfilt(sections, np.pad(samples.astype(np.float64), 256))[256:-256]  # (1)
    noise = (chance or np.random.default_rng()).standard_normal(samples.size)
    return np.asarray(narrow * (1.0 + 10.0 ** (-MODULATED_NOISE_Q_DB / 20.0) * noise), dtype=np.float32)  # (2)
