"""How well voices turned out, per group, from sums that hide every single speaker (requirement 37).

What it does: packs a speaker's figures into one vector of bounded norm, and reads the noisy sum of all of them as means with intervals.
What it may see: on the device, one speaker's figures; at the coordinator, the noisy sum. What it must never do: show a mean of a cell that
is too small, or a difference between groups that are not both shown.

A cell has four coordinates: a one, and the three figures, each in [0, 1]. The intervals are those of Fieller (1954) for a ratio of two
noisy numbers; they are about the noise, not about which speakers happened to take part.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import ATTRIBUTES, CELLS, NOT_SAID, attribute_of, positions

FIGURES: Final = ("error_before", "error_after", "change", "similarity")
_PER_CELL: Final = 4
EVALUATION_DIMENSION: Final = _PER_CELL * len(CELLS)
EVALUATION_CLIP_NORM: Final = math.sqrt(len(ATTRIBUTES) * _PER_CELL)
"""Euclidean norm of four ones in each of four cells."""
LEAST_SPEAKERS_SHOWN: Final = 5
NORMAL_95: Final = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFigures:
    """Means of one cell that is large enough.

    Attributes:
        cell: Its name, or "everybody".
        count: Speakers.
        figures: The names of `FIGURES` -> mean: error on held-out takes with the release before and with the newest (0 to 1),
            after minus before (-1 to 1; below 0 is better), similarity (0 to 1).
    """

    cell: str
    count: Interval
    figures: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The distance between the best and the worst group of an attribute in one figure; "rather not say" is no group.

    Attributes:
        attribute: Age, gender, settlement or region.
        figure: One of `FIGURES`.
        worst: Cell with the highest error or change, or the lowest similarity.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """All that an `evaluation` round shows.

    Attributes:
        everybody: Means over all speakers, `None` if there are too few.
        cells: Those that are large enough, in the order of `CELLS`.
        suppressed: The others.
        gaps: For each attribute with at least two groups shown, one for each figure.
    """

    everybody: CellFigures | None
    cells: tuple[CellFigures, ...]
    suppressed: tuple[str, ...]
    gaps: tuple[Gap, ...]

    @property
    def is_worse(self) -> bool:
        """Whether the errors of everybody together rose beyond doubt: the whole 95 % interval of the change is above 0."""
        return self.everybody is not None and self.everybody.figures["change"].low > 0.0

    def to_record(self) -> dict[str, Any]:
        """Plain JSON: the attributes by their names, intervals as objects."""
        return {
            "everybody": asdict(self.everybody) if self.everybody else None,
            "cells": [asdict(each) for each in self.cells],
            "suppressed": list(self.suppressed),
            "gaps": [asdict(each) for each in self.gaps],
        }

    def in_words(self) -> str:
        """One line: what changed for everybody, and the widest gap in errors that is beyond doubt."""
        if self.everybody is None:
            return "too few speakers for any figure that is not mostly noise"
        change = self.everybody.figures["change"]
        after = self.everybody.figures["error_after"]
        told = f"errors {after.value:.3f}, changed by {change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"
        gaps = [each for each in self.gaps if each.figure == "error_after" and each.certain]
        if gaps:
            widest = max(gaps, key=lambda each: each.gap)
            told += f"; worst {widest.worst}, {widest.gap:.3f} above {widest.best}"
        return told


def least_shown(noise_std: float) -> float:
    """The least count that is shown: five speakers, or 1.96 standard deviations of the noise where that is more."""
    return max(float(LEAST_SPEAKERS_SHOWN), NORMAL_95 * noise_std)


def evaluation_vector(*, cells: tuple[str, ...], error_before: float, error_after: float, similarity: float) -> NDArray[np.float64]:
    """What a speaker adds to an `evaluation` round.

    Args:
        cells: Her four cells.
        error_before: Error on her held-out takes with the release before; clipped to 0 to 1, like the others.
        error_after: The same with the newest release.
        similarity: Of the synthetic voice to her own.

    Returns:
        float64 [EVALUATION_DIMENSION], of norm at most `EVALUATION_CLIP_NORM`.

    Raises:
        UsageError: These are not four known cells, or a figure is not a number.
    """
    figures = (error_before, error_after, similarity)
    if any(math.isnan(figure) for figure in figures):
        raise UsageError("a figure of an evaluation is not a number")
    values = np.zeros((len(CELLS), _PER_CELL))
    values[list(positions(cells))] = (1.0, *(min(max(figure, 0.0), 1.0) for figure in figures))
    return values.reshape(-1)


def evaluation_report(decoded: NDArray[np.float64], *, noise_std: float) -> EvaluationReport:
    """Read the sum of everybody's `evaluation_vector`.

    Args:
        decoded: float64 [EVALUATION_DIMENSION], from `clipping.decode` with the clip norm `EVALUATION_CLIP_NORM`.
        noise_std: Standard deviation of the noise of each number, as for `groups.histogram`.

    Returns:
        Means; of cells below five speakers, or below 3.92 standard deviations of noise, none: a ratio to so uncertain a count says little.

    Raises:
        ProtocolError: The sum has another length or holds something that is not a number, or the noise is not a number.
    """
    if decoded.shape != (EVALUATION_DIMENSION,) or not np.all(np.isfinite(decoded)) or not 0.0 <= noise_std < math.inf:
        raise ProtocolError("an evaluation does not have four numbers for each group")
    table = decoded.reshape(len(CELLS), _PER_CELL)
    named = [(cell, _figures(cell, row, noise_std)) for cell, row in zip(CELLS, table, strict=True)]
    shown = tuple(figures for _, figures in named if figures is not None)
    # Everybody has exactly one cell of each attribute; settlement has the fewest cells, so the least noise.
    rows = np.array([attribute_of(cell) == "settlement" for cell in CELLS])
    return EvaluationReport(
        everybody=_figures("everybody", table[rows].sum(axis=0), noise_std * math.sqrt(rows.sum())),
        cells=shown,
        suppressed=tuple(cell for cell, figures in named if figures is None),
        gaps=tuple(gap for attribute in ATTRIBUTES for gap in _gaps(attribute, shown)),
    )


def _figures(cell: str, row: NDArray[np.float64], noise_std: float) -> CellFigures | None:
    count, before, after, similarity = row.tolist()
    if count < least_shown(2 * noise_std):
        return None
    half = NORMAL_95 * noise_std
    return CellFigures(
        cell=cell,
        count=Interval(count, count - half, count + half),
        figures={
            "error_before": _mean(before, count, half),
            "error_after": _mean(after, count, half),
            # A difference of two sums has twice the variance of one.
            "change": _mean(after - before, count, half, variances=2, low=-1.0),
            "similarity": _mean(similarity, count, half),
        },
    )


def _mean(total: float, count: float, half: float, *, variances: int = 1, low: float = 0.0) -> Interval:
    """Fieller's interval of total / count, clipped to [low, 1].

    It holds all m with (total - m count)^2 <= half^2 (variances + m^2): a bounded interval because count > half.
    """
    room = count**2 - half**2
    root = half * math.sqrt(total**2 + variances * room)
    ends = ((total * count - root) / room, (total * count + root) / room)
    value, lower, upper = (min(max(each, low), 1.0) for each in (total / count, *ends))
    return Interval(value, lower, upper)


def _gaps(attribute: str, shown: tuple[CellFigures, ...]) -> list[Gap]:
    groups = [each for each in shown if attribute_of(each.cell) == attribute and not each.cell.endswith(NOT_SAID)]
    return [_gap(attribute, figure, groups) for figure in FIGURES] if len(groups) > 1 else []


def _gap(attribute: str, figure: str, groups: list[CellFigures]) -> Gap:
    low, *_, high = sorted(groups, key=lambda each: each.figures[figure].value)
    best, worst = (high, low) if figure == "similarity" else (low, high)
    upper, lower = high.figures[figure], low.figures[figure]
    return Gap(
        attribute=attribute,
        figure=figure,
        worst=worst.cell,
        best=best.cell,
        gap=upper.value - lower.value,
        certain=upper.low > lower.high,
    )
