"""Moves the F0 curve of one sentence as the listener wishes, and nothing else: no resampling, so the timbre stays (requirement 14).

F0 stays float32 or better from the predictor to the harmonic source. Rounding it (bfloat16, float16, int8) is heard as roughness and
costs a whole point of predicted quality.
"""

import numpy as np
from numpy.typing import NDArray

from hometone_client.voices.parameters import F0_RANGE_HZ, VOICED_ABOVE_HZ


def moved(f0_hz: NDArray[np.float32], *, semitones: float, pitch_range: float) -> NDArray[np.float32]:
    """Return f0' = m * (f0 / m) ** pitch_range * 2 ** (semitones / 12) on voiced frames, m being their median.

    Args:
        f0_hz: float32 [n], Hz; at or below 10 is unvoiced and stays as it is.
        semitones: Shift of the whole curve.
        pitch_range: Factor on the distance from the median, in octaves.

    Returns:
        float32 [n], voiced frames within `F0_RANGE_HZ`, or no further outside than they were.
    """
    voiced = f0_hz > VOICED_ABOVE_HZ
    if (semitones == 0.0 and pitch_range == 1.0) or not voiced.any():
        return f0_hz
    curve = f0_hz.astype(np.float64)
    median = float(np.median(curve[voiced]))
    wanted = median * (np.where(voiced, curve, median) / median) ** pitch_range * 2.0 ** (semitones / 12.0)
    low, high = F0_RANGE_HZ
    # The base glides through low values where voicing begins and ends; those frames are not lifted to the bound.
    bounded = np.clip(wanted, np.minimum(low, curve), np.maximum(high, curve))
    return np.where(voiced, bounded, curve).astype(np.float32)
