"""A voice's tremor: F0 swings a few times a second about where the sentence wants it (requirement 25).

The rate of a tremor wanders a little; it does so here by an Ornstein-Uhlenbeck process of 3 % that is renewed within a second. The phase
runs on through unvoiced sound, as a person's does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.voices.parameters import VOICED_ABOVE_HZ, Tremor

_FRAMES_HZ: Final = 80.0
_WANDERING: Final = 0.03
_WANDERING_S: Final = 1.0


def trembling(f0_hz: NDArray[np.float32], tremor: Tremor | None, *, seed: int | None) -> NDArray[np.float32]:
    """Return F0 times 1 + depth sin(phase) on voiced frames.

    Args:
        f0_hz: float32 [n], Hz, at 80 Hz; at or below 10 is unvoiced and stays as it is.
        tremor: Of the voice; None leaves the curve as it is.
        seed: Makes phase and wandering repeatable; drawn afresh when None.

    Returns:
        float32 [n]; never rounded to fewer bits.
    """
    if tremor is None or not f0_hz.size:
        return f0_hz
    generator = np.random.default_rng(seed)  # sound, not secrecy
    keep = float(np.exp(-1.0 / (_FRAMES_HZ * _WANDERING_S)))
    drift = generator.standard_normal(f0_hz.size)
    for i in range(1, f0_hz.size):
        drift[i] = keep * drift[i - 1] + np.sqrt(1.0 - keep**2) * drift[i]
    rate_hz = tremor.rate_hz * (1.0 + _WANDERING * drift)
    phase = 2.0 * np.pi * (generator.random() + np.cumsum(rate_hz) / _FRAMES_HZ)
    return np.where(f0_hz > VOICED_ABOVE_HZ, f0_hz * (1.0 + tremor.depth * np.sin(phase)), f0_hz).astype(np.float32)
