"""A device's share of the noise: the step from a clipped update to a noisy one (docs/protocol.md, section 4).

What it does: adds independent discrete Gaussian numbers, drawn from the operating system, and reduces modulo 2^32. What it may see: the
clipped integers of this device. What it must never do: use the generators of numpy, Python's `random` or a learning framework, draw less
noise than asked for, or give back anything but the sum.
"""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError
from hometone_shared.privacy import discrete
from hometone_shared.records.canonical import checked_hexadecimal
from hometone_shared.records.plan import LEAST_VARIANCE, MODULUS_BITS
from hometone_shared.updates import ClippedUpdate, NoisyUpdate

_MODULUS_MASK: Final = (1 << MODULUS_BITS) - 1


class Sampler(Protocol):
    """What draws the noise: independent N_Z(0, variance), int64 [count]."""

    def __call__(self, count: int, /, *, variance: int) -> NDArray[np.int64]:
        """Draw."""
        ...


def discrete_gaussian(count: int, /, *, variance: int) -> NDArray[np.int64]:
    """Draw independent samples of N_Z(0, variance) exactly, from the operating system's random bytes.

    Canonne, Kamath and Steinke 2020, Algorithm 3; see `discrete`.

    Returns:
        int64 [count].

    Raises:
        ProtocolError: Count or variance is not a whole number within its limits.
    """
    return discrete.sample(count, variance=variance)


def add_noise(update: ClippedUpdate, *, variance: int, plan_digest: str, sampler: Sampler = discrete_gaussian) -> NoisyUpdate:
    """Add this device's share of the noise.

    The caller draws once for a plan digest: the same update under two noises would show more than the ledger says.

    Args:
        update: Clipped integers of the speakers of this device.
        variance: v of the protocol, `RoundPlan.noise_variance(devices)`.
        plan_digest: Hexadecimal digest of the plan.
        sampler: Draws the noise. Only tests and audits give another.

    Raises:
        ProtocolError: The variance is below the least one, the digest is none, or the sampler gave something else than asked for.
    """
    if isinstance(variance, bool) or not isinstance(variance, int) or variance < LEAST_VARIANCE:
        raise ProtocolError("the noise of a plan is too small")
    checked_hexadecimal(plan_digest, name="a plan digest")
    noise = sampler(len(update.values), variance=variance)
    if noise.dtype != np.int64 or noise.shape != update.values.shape:
        raise ProtocolError("the noise does not fit the update")
    return NoisyUpdate(residues=((update.values + noise) & _MODULUS_MASK).astype(np.uint32), plan_digest=plan_digest)
