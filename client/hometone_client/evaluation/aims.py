"""What a voice should reach, per yardstick.

The aims are those of the project's acceptance criteria: likeness near the person's own ceiling and clearly above any stock voice, spectrum,
pitch and rate near the person's, words as clear as those of the unadapted voice, sound not worse than the person's own takes.
"""

from collections.abc import Callable

from hometone_client.evaluation.yardsticks import Row

LIKENESS_BELOW_CEILING = 0.02
LIKENESS_ABOVE_FLOOR = 0.06
SPECTRUM_DB = 1.0
PITCH_PERCENT = 4.0
RATE_PERCENT = 8.0
DISTILLMOS = 4.2
ERROR_POINTS = 1.0
CHINESE_ERROR_POINTS = 2.0


def aim_met(row: Row) -> bool | None:
    """Tell whether a row reaches its aim; None where there is no aim or nothing to compare with."""
    kind, _, language = row.name.partition("_")
    if kind == "error":
        return _clear_words(row, CHINESE_ERROR_POINTS if language.endswith(("zh", "mixed")) else ERROR_POINTS)
    if kind == "rate":
        return _near(row, RATE_PERCENT)
    check = _CHECKS.get(row.name)
    return check(row) if check is not None else None


def _likeness(row: Row) -> bool | None:
    if row.synthetic is None or row.real is None:
        return None
    above_floor = row.floor is None or row.synthetic >= row.floor + LIKENESS_ABOVE_FLOOR
    return row.synthetic >= row.real - LIKENESS_BELOW_CEILING and above_floor


def _spectrum(row: Row) -> bool | None:
    return None if row.synthetic is None else row.synthetic <= SPECTRUM_DB


def _pitch(row: Row) -> bool | None:
    return _near(row, PITCH_PERCENT)


def _natural(row: Row) -> bool | None:
    if row.synthetic is None:
        return None
    return row.synthetic >= DISTILLMOS and (row.real is None or row.synthetic >= row.real)


def _not_worse(row: Row) -> bool | None:
    return None if row.difference is None else row.difference >= 0


def _near(row: Row, percent: float) -> bool | None:
    return None if row.difference is None else abs(row.difference) <= percent


def _clear_words(row: Row, points: float) -> bool | None:
    if row.synthetic is None or row.floor is None:
        return None
    return row.synthetic <= row.floor + points


_CHECKS: dict[str, Callable[[Row], bool | None]] = {
    "likeness": _likeness,
    "distillmos": _natural,
    "dnsmos_overall": _not_worse,
    "spectrum_distance": _spectrum,
    "f0_median": _pitch,
}
