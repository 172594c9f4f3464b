"""How well voices turned out, per group, from sums that hide every single speaker (requirement 37).

What it does: packs a speaker's figures into one vector of bounded norm, and reads the noisy sum of all of them as means with intervals.
What it may see: on the device, one speaker's figures; at the coordinator, the noisy sum. What it must never do: show a mean of a cell that
is too small, or a difference between groups that are not both shown.

A cell has four coordinates: a one, and the three figures, each in [0, 1]. How sums become means and intervals is in `ratios`.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import ATTRIBUTES, CELLS, NOT_SAID, attribute_of, positions
from hometone_shared.privacy.ratios import Gap, Interval, counted, gap_between, mean_of

FIGURES: Final = ("error_before", "error_after", "change", "similarity")
_PER_CELL: Final = 4
EVALUATION_DIMENSION: Final = _PER_CELL * len(CELLS)
EVALUATION_CLIP_NORM: Final = math.sqrt(len(ATTRIBUTES) * _PER_CELL)
"""Euclidean norm of four ones in each of four cells."""


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
    shown = counted(count, noise_std)
    if shown is None:
        return None
    return CellFigures(
        cell=cell,
        count=shown,
        figures={
            "error_before": mean_of(before, count, noise_std),
            "error_after": mean_of(after, count, noise_std),
            # A difference of two sums has twice the variance of one.
            "change": mean_of(after - before, count, noise_std, variances=2, low=-1.0),
            "similarity": mean_of(similarity, count, noise_std),
        },
    )


def _gaps(attribute: str, shown: tuple[CellFigures, ...]) -> list[Gap]:
    groups = {each.cell: each.figures for each in shown if attribute_of(each.cell) == attribute and not each.cell.endswith(NOT_SAID)}
    if len(groups) < 2:
        return []
    return [
        gap_between(attribute, figure, {cell: figures[figure] for cell, figures in groups.items()}, higher_is_better=figure == "similarity")
        for figure in FIGURES
    ]
