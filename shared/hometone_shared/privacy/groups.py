"""The balance of a cohort as a noisy histogram, and bounded weights so that no group dominates (requirements 9 and 10).

What it does: reads the decoded sum of a `balance` round, shows what stands out of the noise, and derives weights from it. What it may see:
the noisy sum, which is public once released; everything here is post-processing and costs no privacy. What it must never do: show a figure
that is mostly noise as though it were a count, or give a weight outside 250 to 1000.

Cells are in `cells`, figures of an `evaluation` round in `evaluation`; both are offered here too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import (
    ATTRIBUTES,
    CELLS,
    HISTOGRAM_CLIP_NORM,
    NOT_SAID,
    attribute_of,
    cells_of,
    one_hot,
    positions,
)
from hometone_shared.privacy.evaluation import (
    EVALUATION_CLIP_NORM,
    EVALUATION_DIMENSION,
    EvaluationReport,
    evaluation_report,
    evaluation_vector,
)
from hometone_shared.privacy.ratios import NORMAL_95, least_shown
from hometone_shared.records.plan import FULL_WEIGHT

__all__ = [
    "ATTRIBUTES",
    "CELLS",
    "EVALUATION_CLIP_NORM",
    "EVALUATION_DIMENSION",
    "HISTOGRAM_CLIP_NORM",
    "LEAST_WEIGHT",
    "WEIGHTED_ATTRIBUTES",
    "CellCount",
    "EvaluationReport",
    "Histogram",
    "cells_of",
    "evaluation_report",
    "evaluation_vector",
    "histogram",
    "one_hot",
    "weight_of",
    "weights",
]

WEIGHTED_ATTRIBUTES: Final = ("age", "gender", "settlement")
LEAST_WEIGHT: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCount:
    """How many speakers are in one cell.

    Attributes:
        cell: Its name.
        count: Estimate, not below 0; `None` when it is too small to be told from the noise.
        low: Lower end of the 95 % interval, not below 0.
        high: Upper end; of a cell that is not shown, one for all such cells.
    """

    cell: str
    count: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A cohort in its cells.

    Attributes:
        counts: One for each of `CELLS`, in their order.
        noise_std: Standard deviation of the noise of each count, in speakers.
    """

    counts: tuple[CellCount, ...]
    noise_std: float

    @property
    def missing(self) -> tuple[str, ...]:
        """Cells with nobody, or with too few to be seen through the noise."""
        return tuple(each.cell for each in self.counts if each.count is None)

    def of(self, attribute: str) -> dict[str, float]:
        """The counts of one attribute that are shown."""
        return {each.cell: each.count for each in self.counts if attribute_of(each.cell) == attribute and each.count is not None}

    def to_record(self) -> dict[str, Any]:
        """Plain JSON: `cells` (cell -> count or null, low, high), `missing`, `noise_std`."""
        cells = {each.cell: {"count": each.count, "low": each.low, "high": each.high} for each in self.counts}
        return {"cells": cells, "missing": list(self.missing), "noise_std": self.noise_std}

    def in_words(self) -> str:
        """One line: how many groups stand out, and which of age, gender and settlement do not; regions are many, so only their number."""
        hidden = [cell for cell in self.missing if not cell.endswith(NOT_SAID)]
        named = [cell for cell in hidden if attribute_of(cell) != "region"]
        parts = [f"{len(CELLS) - len(self.missing)} of {len(CELLS)} groups stand out of the noise"]
        if named:
            parts.append(f"missing or too small to be seen: {', '.join(named)}")
        if len(hidden) > len(named):
            parts.append(f"so are {len(hidden) - len(named)} regions" if named else f"{len(hidden) - len(named)} regions are missing")
        return "; ".join(parts)


def histogram(decoded: NDArray[np.float64], *, noise_std: float) -> Histogram:
    """Read the sum of everybody's `one_hot`.

    Args:
        decoded: float64 [len(CELLS)], from `clipping.decode` with the clip norm `HISTOGRAM_CLIP_NORM`.
        noise_std: Standard deviation of its noise, in speakers: the square root of the survivors' variances added up, times C / 2^14.

    Returns:
        Counts below `evaluation.least_shown` are not shown: below five speakers, or below 1.96 standard deviations of noise.

    Raises:
        ProtocolError: The sum does not have one finite number for each cell, or the noise is not a number.
    """
    if decoded.shape != (len(CELLS),) or not np.all(np.isfinite(decoded)) or not 0.0 <= noise_std < math.inf:
        raise ProtocolError("a histogram does not have one number for each group")
    least, half = least_shown(noise_std), NORMAL_95 * noise_std
    counts = []
    for cell, value in zip(CELLS, decoded.tolist(), strict=True):
        if value >= least:
            counts.append(CellCount(cell=cell, count=value, low=max(value - half, 0.0), high=value + half))
        else:
            counts.append(CellCount(cell=cell, count=None, low=0.0, high=least + half))
    return Histogram(counts=tuple(counts), noise_std=noise_std)


def weights(balance: Histogram) -> dict[str, int]:
    """Weights that bring large groups down to what an even share would be; small groups are not raised, sensitivity stays C.

    A cell with a part p of its attribute, where K groups answered and are shown, gets min(1, 1 / (K p)), but not below 1/4: below, a group
    would mostly add its share of the noise. "Rather not say" is no group of its own in K, but is weighted by the same rule, so that silence
    gains nothing. Cells that are not shown have the full weight.

    Returns:
        Cell of age, gender or settlement -> 250 to 1000 permille, for the plan's `weights_permille`; only those below 1000.
    """
    result = {}
    for attribute in WEIGHTED_ATTRIBUTES:
        counts = balance.of(attribute)
        total = math.fsum(counts.values())
        groups = sum(not cell.endswith(NOT_SAID) for cell in counts)
        for cell, count in counts.items():
            even = FULL_WEIGHT * total / (max(groups, 1) * count)
            if even < FULL_WEIGHT:
                result[cell] = max(math.floor(even), LEAST_WEIGHT)
    return result


def weight_of(cells: tuple[str, ...], weights_permille: Mapping[str, int]) -> int:
    """A speaker's weight: the least of those of her cells.

    The least and not the product: somebody who belongs to the majority three times over would otherwise count for 1/64 while her privacy
    costs as much as anybody's; with the least nobody counts for less than a quarter of anybody else.

    Args:
        cells: Her four cells.
        weights_permille: From the plan; cells that are not in it have 1000.

    Returns:
        0 to 1000 permille.

    Raises:
        UsageError: These are not four known cells, or a weight is outside 0 to 1000.
    """
    positions(cells)
    weight = min(weights_permille.get(cell, FULL_WEIGHT) for cell in cells)
    if not 0 <= weight <= FULL_WEIGHT:
        raise UsageError(f"a weight is a whole number from 0 to {FULL_WEIGHT}")
    return weight
