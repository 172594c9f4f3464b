"""The plan calculator: what a cohort can learn from a budget, before anybody takes part.

What it does: chooses the noise from the budget and the dimension from the noise. What it may see: numbers of people and rounds. What it
must never do: promise a dimension in which the noise drowns what is learnt, or a plan that the protocol would refuse.

1. z1 is the noise multiplier of a single release that costs the whole budget; a round of T, with R replays reserved, has
   z = sqrt(T (1 + R)) z1 (`accounting.noise_multiplier`).
2. After T rounds the signal is T N s C, with N speakers and s C the norm of their mean clipped update, and the norm of the noise is
   sqrt(T) z C sqrt(d) times the excess sqrt(n / (t - c)) that a full roster adds, because each of n devices adds noise for the case that
   only t stay and c of these cheat. T cancels: r = z1 sqrt(1 + R) sqrt(n / (t - c)) sqrt(d) / (N s).
3. r at most 1.5 keeps 84 to 96 % of what would be learnt without noise (measured on small problems); hence the largest useful dimension.
"""

import math
from dataclasses import dataclass
from typing import Final

from hometone_shared.errors import UsageError
from hometone_shared.privacy import accounting
from hometone_shared.records.plan import LARGEST_COHORT, LARGEST_DIMENSION, MODULUS_BITS, SCALE, threshold

LARGEST_USEFUL_NOISE_TO_SIGNAL: Final = 1.5
MOST_PLANNED_ROUNDS: Final = 200
_COMPLETE_GRAPH: Final = 101
_NEIGHBOURS: Final = 100
#: Bytes of the documents of a device's answers (docs/protocol.md, section 5): fixed ones, and for each holder or participant.
_FIXED_BYTES: Final = 1000
_SEALED_SHARE_BYTES: Final = 190
_OPENED_SHARE_BYTES: Final = 82


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEstimate:
    """A plan that can be kept, and what it costs.

    Attributes:
        speakers: N.
        devices: n, laptops in the roster.
        rounds: T.
        epsilon: Budget of a speaker for all rounds and reserved replays.
        delta: Of that budget.
        noise_multiplier: z of every round.
        dimension: d, the largest useful one unless it was given; 1 if even one number drowns in the noise (see `useful`).
        noise_to_signal: r of all rounds together.
        epsilon_per_round: What one round alone costs, at the same delta.
        epsilon_after_rounds: What 1 ... T rounds cost, without replays.
        bytes_up_per_device: What a device sends in a round, without transport.
        reserved_replays: R.
        minimum_cohort: Least number of devices that a round begins with.
        threshold: t, how many of the n devices have to stay to the end.
    """

    speakers: int
    devices: int
    rounds: int
    epsilon: float
    delta: float
    noise_multiplier: float
    dimension: int
    noise_to_signal: float
    epsilon_per_round: float
    epsilon_after_rounds: tuple[float, ...]
    bytes_up_per_device: int
    reserved_replays: int
    minimum_cohort: int
    threshold: int

    @property
    def useful(self) -> bool:
        """Whether the noise leaves most of what is learnt."""
        return self.noise_to_signal <= LARGEST_USEFUL_NOISE_TO_SIGNAL


def estimate(
    *,
    speakers: int,
    rounds: int,
    epsilon: float,
    delta: float | None = None,
    devices: int | None = None,
    dimension: int | None = None,
    signal: float = 0.2,
    reserved_replays: int = 0,
    largest_dimension: int | None = None,
    minimum_cohort: int | None = None,
    colluders: int = 0,
) -> PlanEstimate:
    """Plan rounds.

    Args:
        speakers: N, at least 2.
        rounds: T, 1 to 200.
        epsilon: Budget of a speaker for everything.
        delta: Of that budget; one over ten times the number of speakers if not given.
        devices: n, 2 to N; as many as speakers if not given.
        dimension: d; the largest useful one if not given.
        signal: s, norm of the mean clipped update over C, above 0 to 1.
        reserved_replays: R, how often all rounds may be repeated after deletions.
        largest_dimension: What the basis offers.
        minimum_cohort: Least number of devices of a round, 2 to n; as many as have to stay of n if not given.
        colluders: c, how many devices may show their noise to the coordinator.

    Raises:
        UsageError: A value is outside its limits, or the sum could leave the modulus.
    """
    devices = speakers if devices is None else devices
    if not 2 <= devices <= speakers <= LARGEST_COHORT:
        raise UsageError(f"a cohort has 2 to {LARGEST_COHORT} speakers, and at least 2 laptops, but not more laptops than speakers")
    if not 1 <= rounds <= MOST_PLANNED_ROUNDS:
        raise UsageError(f"a plan has 1 to {MOST_PLANNED_ROUNDS} rounds")
    if not 0.0 < signal <= 1.0:
        raise UsageError("the norm of the mean update over the clip norm is a number above 0 and at most 1")
    minimum_cohort = max(2, threshold(devices)) if minimum_cohort is None else minimum_cohort
    if not 2 <= minimum_cohort <= devices or not 0 <= colluders < threshold(minimum_cohort):
        raise UsageError(
            "the smallest cohort does not fit the number of laptops, or so many of it may cheat that nobody's noise is left",
            hint="more than two thirds of the smallest cohort have to stay; fewer than these may cheat",
        )
    most = LARGEST_DIMENSION if largest_dimension is None else largest_dimension
    if not 1 <= most <= LARGEST_DIMENSION or (dimension is not None and not 1 <= dimension <= most):
        raise UsageError(f"a dimension is a whole number from 1 to {min(max(most, 1), LARGEST_DIMENSION)}")

    delta = 1.0 / (10 * speakers) if delta is None else delta
    multiplier = accounting.noise_multiplier(epsilon=epsilon, delta=delta, rounds=rounds, reserved_replays=reserved_replays)
    # (2): what the noise of one coordinate is to the signal.
    honest = threshold(devices) - colluders
    ratio = multiplier / math.sqrt(rounds) * math.sqrt(devices / honest) / (speakers * signal)
    if dimension is None:
        dimension = min(max(math.floor((LARGEST_USEFUL_NOISE_TO_SIGNAL / ratio) ** 2), 1), most)
    noise = SCALE * multiplier * math.sqrt(devices / honest) + 1
    if 2 * (speakers * SCALE + 8 * noise) + 1 >= 1 << MODULUS_BITS:
        raise UsageError("so much noise does not fit into the sum", hint="plan fewer rounds or a larger budget")
    return PlanEstimate(
        speakers=speakers,
        devices=devices,
        rounds=rounds,
        epsilon=epsilon,
        delta=delta,
        noise_multiplier=multiplier,
        dimension=dimension,
        noise_to_signal=ratio * math.sqrt(dimension),
        epsilon_per_round=accounting.epsilon([accounting.GaussianEvent(multiplier)], delta=delta),
        epsilon_after_rounds=tuple(
            accounting.epsilon([accounting.GaussianEvent(multiplier)] * count, delta=delta) for count in range(1, rounds + 1)
        ),
        bytes_up_per_device=bytes_up(dimension=dimension, devices=devices),
        reserved_replays=reserved_replays,
        minimum_cohort=minimum_cohort,
        threshold=threshold(devices),
    )


def bytes_up(*, dimension: int, devices: int) -> int:
    """What a device sends in a round: its vector, its sealed shares, the shares that it opens, and fixed documents; without transport."""
    holders = devices if devices <= _COMPLETE_GRAPH else _NEIGHBOURS + 1
    return MODULUS_BITS // 8 * dimension + _FIXED_BYTES + (holders - 1) * _SEALED_SHARE_BYTES + holders * _OPENED_SHARE_BYTES
