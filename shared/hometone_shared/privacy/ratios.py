"""Means out of noisy sums, with honest intervals, and the distance between groups.

What it does: divides a noisy sum of figures by a noisy count of speakers. What it may see: noised sums, which are public once released.
What it must never do: give a mean of a cell that is too small.

The intervals are those of Fieller (1954) for a ratio of two noisy numbers; they are about the noise, not about which speakers happened to
take part.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LEAST_SPEAKERS_SHOWN: Final = 5
NORMAL_95: Final = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def moved(self, *, factor: float, offset: float) -> "Interval":
        """The same on another scale: `offset` and `factor` (above 0) times it."""
        return Interval(*(offset + factor * each for each in (self.value, self.low, self.high)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The distance between the best and the worst group of an attribute in one figure; "rather not say" is no group.

    Attributes:
        attribute: What the groups differ in, such as age or region.
        figure: The figure's name.
        worst: The cell with the worst mean.
        best: Cell at the other end.
        gap: Distance of their means, not below 0.
        certain: Whether the intervals of the two do not overlap.
    """

    attribute: str
    figure: str
    worst: str
    best: str
    gap: float
    certain: bool


def least_shown(noise_std: float) -> float:
    """The least count that is shown: five speakers, or 1.96 standard deviations of the noise where that is more."""
    return max(float(LEAST_SPEAKERS_SHOWN), NORMAL_95 * noise_std)


def counted(count: float, noise_std: float) -> Interval | None:
    """A noisy count with its interval; None where a ratio to it would say little: below five, or below 3.92 standard deviations."""
    if count < least_shown(2 * noise_std):
        return None
    half = NORMAL_95 * noise_std
    return Interval(count, count - half, count + half)


def mean_of(total: float, count: float, noise_std: float, *, variances: int = 1, low: float = 0.0, high: float = 1.0) -> Interval:
    """Fieller's interval of total / count, clipped to [low, high].

    It holds all m with (total - m count)^2 <= half^2 (variances + m^2): a bounded interval because count > half.

    Args:
        total: The noisy sum.
        count: The noisy count, for which `counted` gives an interval.
        noise_std: Standard deviation of the noise of the count.
        variances: Variance of the noise of `total`, as a multiple of that of the count.
        low: The least that the mean can be.
        high: The most.
    """
    half = NORMAL_95 * noise_std
    room = count**2 - half**2
    root = half * math.sqrt(total**2 + variances * room)
    ends = ((total * count - root) / room, (total * count + root) / room)
    value, lower, upper = (min(max(each, low), high) for each in (total / count, *ends))
    return Interval(value, lower, upper)


def gap_between(attribute: str, figure: str, groups: Mapping[str, Interval], *, higher_is_better: bool) -> Gap:
    """The distance of the best and the worst group.

    Args:
        attribute: What the groups differ in.
        figure: Name of the figure.
        groups: Cell -> its mean, at least two of them.
        higher_is_better: Which end is the best.
    """
    low, *_, high = sorted(groups, key=lambda cell: groups[cell].value)
    best, worst = (high, low) if higher_is_better else (low, high)
    upper, lower = groups[high], groups[low]
    return Gap(
        attribute=attribute,
        figure=figure,
        worst=worst,
        best=best,
        gap=upper.value - lower.value,
        certain=upper.low > lower.high,
    )
