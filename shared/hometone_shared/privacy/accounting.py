"""What releases cost: from noise to (epsilon, delta), and from a budget to noise (docs/differential-privacy.md).

What it does: adds up Gaussian releases with everybody taking part. No amplification is claimed: laptops choose themselves whether they
take part, so nobody's absence is a secret. What it may see: multipliers, never data. What it must never do: round in favour of the
release; all rounding is towards more epsilon.

1. Releases with multipliers z_1 ... z_T of which each may depend on those before are together as private as one Gaussian release with
   1 / z^2 = 1 / z_1^2 + ... + 1 / z_T^2 (Dong, Roth and Su 2022, "Gaussian Differential Privacy", corollary 2).
2. The epsilon of that one release is read off its privacy loss distribution by dp-accounting, with pessimistic rounding (Doroshenko et
   al. 2022, "Connect the Dots").
3. A sum of discrete Gaussians of several devices is not quite a discrete Gaussian; `distributed_gaussian_gap` is by how much (Kairouz, Liu
   and Steinke 2021, theorem 1).
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hometone_shared.errors import UsageError

LARGEST_EPSILON: Final = 1000.0
LEAST_EPSILON: Final = 1e-6
LEAST_DELTA: Final = 1e-18
MOST_ROUNDS: Final = 1_000_000
#: Noise so weak that no bound worth the name exists (epsilon above 1,300): infinite.
_LEAST_MULTIPLIER: Final = 0.02
#: More noise than this is counted as this much.
_LARGEST_MULTIPLIER: Final = 1e9
#: Step of the grid of privacy losses times the multiplier: epsilon is exact to 1e-6 of itself (1e-3 at multipliers below 0.03), in 30 ms.
_GRID: Final = 1e-3
#: Of epsilon, kept back when noise is chosen, so that adding up the rounds one by one never ends above the budget by a rounding error.
_MARGIN: Final = 1e-6


@dataclass(frozen=True, slots=True)
class GaussianEvent:
    """One release of a sum with Gaussian noise, everybody taking part.

    Attributes:
        noise_multiplier: z > 0, standard deviation of the noise of the sum over the most that one speaker can change the sum by.

    Raises:
        UsageError: The multiplier is not a positive number.
    """

    noise_multiplier: float

    def __post_init__(self) -> None:
        """Refuse what is no multiplier."""
        if not math.isfinite(self.noise_multiplier) or self.noise_multiplier <= 0.0:
            raise UsageError("a noise multiplier is not a positive number")


def epsilon(events: Sequence[GaussianEvent], *, delta: float) -> float:
    """The least epsilon for which the releases together are (epsilon, delta)-private, rounded up.

    Returns:
        0.0 without releases, infinity if the noise is so weak that no useful bound exists.

    Raises:
        UsageError: Delta is not between 0 and 1.
    """
    _check_delta(delta)
    if not events:
        return 0.0
    if min(event.noise_multiplier for event in events) < _LEAST_MULTIPLIER:
        return math.inf
    # (1). Every factor is at most one unit in the last place off; the margin makes that an error in the right direction.
    precision = math.fsum(min(event.noise_multiplier, _LARGEST_MULTIPLIER) ** -2 for event in events) * (1 + 1e-14)
    return _epsilon_of_one(1.0 / math.sqrt(precision), delta)


def noise_multiplier(*, epsilon: float, delta: float, rounds: int, reserved_replays: int = 0) -> float:
    """The least noise of each of several releases, so that all of them together cost at most epsilon.

    With z1 the multiplier of a single release that costs the whole budget, z = sqrt(rounds * (1 + reserved_replays)) * z1.

    Args:
        epsilon: The whole budget, 1e-6 to 1,000.
        delta: Of the whole budget, 1e-18 to below 1.
        rounds: How many releases.
        reserved_replays: How often all of them may be repeated from the start with fresh noise (exact replay after a deletion).

    Raises:
        UsageError: A value is outside its limits.
    """
    _check_delta(delta)
    if not LEAST_EPSILON <= epsilon <= LARGEST_EPSILON:
        raise UsageError(f"a privacy budget is not a number from {LEAST_EPSILON:g} to {LARGEST_EPSILON:g}")
    if rounds < 1 or reserved_replays < 0 or rounds * (1 + reserved_replays) > MOST_ROUNDS:
        raise UsageError("a number of rounds or of replays is not a whole number within its limits")
    return math.sqrt(rounds * (1 + reserved_replays)) * _multiplier_of_one(epsilon, delta)


def distributed_gaussian_gap(variance: int, devices: int) -> float:
    """How far a sum of discrete Gaussians is from one Gaussian: tau of Kairouz, Liu and Steinke 2021, theorem 1.

    With d numbers and n devices the Renyi divergence of order alpha grows by at most tau * d over that of a Gaussian of variance n * v; at
    the least variance of the protocol, 9, tau is below 3e-38 for any cohort. Where tau is too small for a number, the least positive one.

    Args:
        variance: v of one device, in integers.
        devices: n, how many devices' noise is in the sum.

    Raises:
        UsageError: The variance is below 1/4 (the theorem's condition) or there is no device.
    """
    if variance < 0.25 or devices < 1:
        raise UsageError("a variance or a number of devices is outside its limits")
    terms = math.fsum(math.exp(-2.0 * math.pi**2 * variance * k / (k + 1)) for k in range(1, devices))
    return max(10.0 * terms, sys.float_info.min) if devices > 1 else 0.0


def load_accountant() -> None:
    """Load the library before it is needed, which takes a second or more; what answers a question with a deadline calls it beforehand."""
    _epsilon_of_one(1.0, 1e-5)


@lru_cache(maxsize=4096)
def _epsilon_of_one(multiplier: float, delta: float) -> float:
    """(2)."""
    if multiplier < _LEAST_MULTIPLIER:
        return math.inf
    from dp_accounting.pld import privacy_loss_distribution

    # A power of two, so that neighbouring multipliers share a grid and epsilon never rises with the noise.
    step = 2.0 ** math.floor(math.log2(_GRID / multiplier))
    distribution = privacy_loss_distribution.from_gaussian_mechanism(
        multiplier,
        pessimistic_estimate=True,
        value_discretization_interval=step,
        log_mass_truncation_bound=min(-50.0, math.log(delta) - 12.0),
    )
    return float(distribution.get_epsilon_for_delta(delta))


@lru_cache(maxsize=4096)
def _multiplier_of_one(epsilon: float, delta: float) -> float:
    """z1: begin at the closed form (Balle and Wang 2018, theorem 8), grow until the accountant agrees."""
    from dp_accounting.gaussian_mechanism import get_sigma_gaussian

    multiplier, growth = max(float(get_sigma_gaussian(epsilon, delta)), _LEAST_MULTIPLIER), 1e-7
    while _epsilon_of_one(multiplier, delta) > epsilon * (1 - _MARGIN):
        multiplier *= 1 + growth
        growth *= 2
    return multiplier


def _check_delta(delta: float) -> None:
    if not LEAST_DELTA <= delta < 1.0:
        raise UsageError(f"delta is not a number from {LEAST_DELTA:g} to below 1", hint="one over ten times the speakers is usual")
