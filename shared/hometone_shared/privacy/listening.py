"""How people hear the voices, per group and per recording condition, from sums that hide every speaker (requirements 32 to 37).

What it does: packs the means that listeners gave one speaker into one vector of bounded norm, and reads the noisy sum of all of them.
What it may see: on the device, one speaker's means; at the coordinator, the noisy sum. What it must never do: show a mean of a cell that is
too small, or a difference between groups that are not both shown.

A cell has two coordinates for each scale: a one, and the mean, put from its scale to -1/2 ... 1/2. Who has no ratings on a scale adds
nothing there. The middle of the scale is zero because that makes the vector shorter, and with it the noise: its norm is at most that of
five cells, four of what she declared and one of how she was recorded. Unit of privacy is the speaker, as in every round; what single
listeners answered is inside her means. How sums become means and intervals is in `ratios`.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import ATTRIBUTES, CELLS, NOT_SAID, attribute_of, positions
from hometone_shared.privacy.ratios import Gap, Interval, counted, gap_between, mean_of
from hometone_shared.records.panel import Scale

RECORDING: Final = "recording"
"""The attribute that recording conditions are cells of (requirement 35)."""
_HALF: Final = 0.5


class Condition(StrEnum):
    """How a speaker was recorded, as measured on her takes."""

    HEADSET = "headset"
    QUIET_ROOM = "quiet room"
    NOISY_ROOM = "noisy room"
    NARROW_BAND = "narrow band"

    @property
    def cell(self) -> str:
        """Its cell."""
        return f"{RECORDING}:{self.value}"


LISTENING_CELLS: Final[tuple[str, ...]] = (*CELLS, *(condition.cell for condition in Condition))
SCALES: Final = tuple(Scale)
_PER_CELL: Final = 2 * len(SCALES)
LISTENING_DIMENSION: Final = _PER_CELL * len(LISTENING_CELLS)
LISTENING_CLIP_NORM: Final = math.sqrt((len(ATTRIBUTES) + 1) * len(SCALES) * (1.0 + _HALF**2))
"""Euclidean norm of a one and a half for each scale in each of five cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRatings:
    """What listeners gave the speakers of one cell.

    Attributes:
        cell: Its name, or "everybody".
        counts: Scale -> speakers with ratings on it; only scales with enough of them.
        means: Scale -> mean over speakers, on the scale's own figures; the same scales.
    """

    cell: str
    counts: dict[str, Interval]
    means: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningReport:
    """All that a `listening` round shows.

    Attributes:
        everybody: Means over all speakers, `None` if there are too few on every scale.
        cells: Those that are large enough on some scale, in the order of `LISTENING_CELLS`.
        suppressed: The others.
        gaps: For each attribute and scale with at least two groups shown: the worst group, the best, and how far apart.
    """

    everybody: CellRatings | None
    cells: tuple[CellRatings, ...]
    suppressed: tuple[str, ...]
    gaps: tuple[Gap, ...]

    def to_record(self) -> dict[str, Any]:
        """Plain JSON: the attributes by their names, intervals as objects."""
        return {
            "everybody": asdict(self.everybody) if self.everybody else None,
            "cells": [asdict(each) for each in self.cells],
            "suppressed": list(self.suppressed),
            "gaps": [asdict(each) for each in self.gaps],
        }

    def in_words(self) -> str:
        """One line: what everybody got, and the widest gap that is beyond doubt."""
        if self.everybody is None:
            return "too few speakers for any figure that is not mostly noise"
        told = ", ".join(f"{scale} {mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f})" for scale, mean in self.everybody.means.items())
        gaps = [each for each in self.gaps if each.certain]
        if gaps:
            widest = max(gaps, key=lambda each: each.gap / Scale(each.figure).width)
            told += f"; worst in {widest.figure} {widest.worst}, {widest.gap:.2f} below {widest.best}"
        return told


def listening_vector(*, cells: tuple[str, ...], condition: Condition, means: Mapping[Scale, float]) -> NDArray[np.float64]:
    """What a speaker adds to a `listening` round.

    Args:
        cells: Her four cells.
        condition: How she was recorded.
        means: Scale -> mean over her listeners, on the scale's own figures; clipped to them. Scales without ratings are left out.

    Returns:
        float64 [LISTENING_DIMENSION], of norm at most `LISTENING_CLIP_NORM`.

    Raises:
        UsageError: These are not four known cells, there is no mean, or one is not a number.
    """
    if not means or any(math.isnan(mean) for mean in means.values()):
        raise UsageError("there is no rating of this voice, or one is not a number")
    row = np.zeros((len(SCALES), 2))
    for scale, mean in means.items():
        row[SCALES.index(scale)] = (1.0, (min(max(mean, scale.lowest), scale.highest) - scale.lowest) / scale.width - _HALF)
    values = np.zeros((len(LISTENING_CELLS), _PER_CELL))
    values[[*positions(cells), LISTENING_CELLS.index(condition.cell)]] = row.reshape(-1)
    return values.reshape(-1)


def listening_report(decoded: NDArray[np.float64], *, noise_std: float) -> ListeningReport:
    """Read the sum of everybody's `listening_vector`.

    Args:
        decoded: float64 [LISTENING_DIMENSION], from `clipping.decode` with the clip norm `LISTENING_CLIP_NORM`.
        noise_std: Standard deviation of the noise of each number, as for `groups.histogram`.

    Returns:
        Means; of cells below five speakers, or below 3.92 standard deviations of noise, none: a ratio to so uncertain a count says little.

    Raises:
        ProtocolError: The sum has another length or holds something that is not a number, or the noise is not a number.
    """
    if decoded.shape != (LISTENING_DIMENSION,) or not np.all(np.isfinite(decoded)) or not 0.0 <= noise_std < math.inf:
        raise ProtocolError("a listening report does not have two numbers for each group and scale")
    table = decoded.reshape(len(LISTENING_CELLS), len(SCALES), 2)
    named = [(cell, _ratings(cell, rows, noise_std)) for cell, rows in zip(LISTENING_CELLS, table, strict=True)]
    shown = tuple(ratings for _, ratings in named if ratings is not None)
    # Everybody has exactly one cell of each attribute; settlement has the fewest cells, so the least noise.
    rows = np.array([attribute_of(cell) == "settlement" for cell in LISTENING_CELLS])
    return ListeningReport(
        everybody=_ratings("everybody", table[rows].sum(axis=0), noise_std * math.sqrt(rows.sum())),
        cells=shown,
        suppressed=tuple(cell for cell, ratings in named if ratings is None),
        gaps=tuple(gap for attribute in (*ATTRIBUTES, RECORDING) for gap in _gaps(attribute, shown)),
    )


def _ratings(cell: str, rows: NDArray[np.float64], noise_std: float) -> CellRatings | None:
    counts: dict[str, Interval] = {}
    means: dict[str, Interval] = {}
    for scale, (count, total) in zip(SCALES, rows.tolist(), strict=True):
        shown = counted(count, noise_std)
        if shown is not None:
            mean = mean_of(total, count, noise_std, low=-_HALF, high=_HALF)
            counts[scale.value] = shown
            means[scale.value] = mean.moved(factor=scale.width, offset=scale.lowest + _HALF * scale.width)
    return CellRatings(cell=cell, counts=counts, means=means) if counts else None


def _gaps(attribute: str, shown: tuple[CellRatings, ...]) -> list[Gap]:
    found = []
    for scale in SCALES:
        groups = {
            each.cell: each.means[scale.value]
            for each in shown
            if attribute_of(each.cell) == attribute and not each.cell.endswith(NOT_SAID) and scale.value in each.means
        }
        if len(groups) > 1:
            found.append(gap_between(attribute, scale.value, groups, higher_is_better=True))
    return found
