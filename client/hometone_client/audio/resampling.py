"""Changing the sampling rate, with the SoX resampler at its "HQ" quality (band edge 0.91 of Nyquist, 20-bit precision).

One function, so that every room hears the same thing at 16 kHz (voice activity, recogniser) and at 24 kHz (the base voice).
"""

import numpy as np
import numpy.typing as npt


def resample(samples: npt.NDArray[np.float32], *, from_hz: int, to_hz: int) -> npt.NDArray[np.float32]:
    """Resample mono sound.

    Args:
        samples: float32 [n].
        from_hz: The rate they have.
        to_hz: The rate wanted.

    Returns:
        float32 [round(n * to_hz / from_hz)]; the same array when the rates are equal.
    """
    if from_hz == to_hz:
        return samples
    import soxr

    wanted = round(samples.size * to_hz / from_hz)
    changed = np.asarray(soxr.resample(samples, from_hz, to_hz, quality="HQ"), dtype=np.float32)
    if changed.size < wanted:
        changed = np.pad(changed, (0, wanted - changed.size))
    return changed[:wanted]
