"""Geometry of the pictures: bars with intervals, the steps of rounds, what accumulates. Templates draw them; a table beside says the same.

What it may see: figures that are shown anyway. What it must never do: draw what the table leaves out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hometone_server.rounds.journal import Attempt

WIDTH: Final = 620
LABELS: Final = 190
_ROOM: Final = WIDTH - LABELS - 70
STAGES: Final = ("offer", "roster", "mask", "survivors", "unmask", "sum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value with its interval; None where there is too little to show.

    Attributes:
        name: What it is of.
        value: The value.
        low: Lower end.
        high: Upper end.
    """

    name: str
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a picture, in its coordinates.

    Attributes:
        figure: What it shows.
        y: Its upper edge.
        width: Its length.
        low: Where its interval begins, from the left.
        high: Where it ends.
    """

    figure: Figure
    y: int
    width: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A picture of bars.

    Attributes:
        bars: From top to bottom.
        height: Of the picture.
    """

    bars: tuple[Bar, ...]
    height: int


_ROW: Final = 44


def bars_of(figures: Sequence[Figure], *, most: float | None = None) -> Bars:
    """Lay out bars from 0 to the largest upper end.

    Args:
        figures: From top to bottom.
        most: The right end, where it is not that.
    """
    end = most or max((figure.high for figure in figures if figure.value is not None), default=1.0) or 1.0
    scale = _ROOM / end
    return Bars(
        bars=tuple(
            Bar(
                figure=figure,
                y=_ROW * place,
                width=_within((figure.value or 0.0) * scale),
                low=LABELS + _within(figure.low * scale),
                high=LABELS + _within(figure.high * scale),
            )
            for place, figure in enumerate(figures)
        ),
        height=_ROW * len(figures) + 4,
    )


def _within(length: float) -> float:
    return round(min(max(length, 0.0), float(_ROOM)), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of an attempt in a picture.

    Attributes:
        stage: Which.
        x: Where it begins.
        width: How long it took.
        height: How many laptops answered, as a height.
        laptops: How many.
    """

    stage: str
    x: float
    width: float
    height: float
    laptops: int | None


_TALL: Final = 60.0
_LEAST_WIDTH: Final = 74.0


def steps_of(attempt: Attempt) -> tuple[Step, ...]:
    """Stages of an attempt from left to right: as wide as they took long (but wide enough for a number), as high as laptops answered."""
    seconds, devices = attempt.figures.get("seconds", {}), attempt.figures.get("devices", {})
    stages = [stage for stage in STAGES if stage in seconds]
    if not stages:
        return ()
    total = sum(seconds[stage] for stage in stages) or 1.0
    most = max([*devices.values(), 1])
    spare = WIDTH - _LEAST_WIDTH * len(stages)
    found, x, last = [], 0.0, None
    for stage in stages:
        laptops = devices.get(stage, last if stage == "sum" else None)
        width = _LEAST_WIDTH + spare * seconds[stage] / total
        found.append(
            Step(stage=stage, x=round(x, 1), width=round(width - 3, 1), height=round(_TALL * (laptops or 0) / most, 1), laptops=laptops)
        )
        x, last = x + width, laptops
    return tuple(found)
