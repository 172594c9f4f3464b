"""Who takes part, as the newest noised totals by group; small groups are only named.

What it may see: sums that are public. What it must never do: show a figure that the round left out.
"""

from typing import Any, Final

from starlette.responses import Response

from hometone_server.dashboard.pictures import Bars, Figure, bars_of
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.rounds.journal import Journal
from hometone_shared.privacy.cells import ATTRIBUTES, NOT_SAID, attribute_of
from hometone_shared.records.plan import RoundPurpose


def balance(visit: Visit) -> Response:
    """Bars for each attribute, and a table with the same."""
    with visit.office.journal() as journal:
        found = journal.results(RoundPurpose.BALANCE.value)
        newest = found[-1] if found else None
        people = None if newest is None else _people(journal, newest)
    groups = [] if newest is None else [(attribute, *_group(visit, newest, attribute)) for attribute in ATTRIBUTES]
    missing = [] if newest is None else [cell for cell in newest["missing"] if not cell.endswith(NOT_SAID)]
    is_drowned = newest is not None and people is not None and people <= 2 * newest["noise_std"]
    return visit.page(
        "balance.html", newest=newest, groups=groups, missing=missing, attribute_of=attribute_of, people=people, is_drowned=is_drowned
    )


def _people(journal: Journal, newest: dict[str, Any]) -> int | None:
    """How many people the newest count was made of, which is public."""
    counted = [
        each.figures.get("speakers") for each in journal.attempts(newest["run"]) if each.round_number == newest["round"] and each.figures
    ]
    return next((int(speakers) for speakers in reversed(counted) if speakers), None)


def _group(visit: Visit, newest: dict[str, Any], attribute: str) -> tuple[Bars, list[Figure], list[str]]:
    """Picture, shown figures and names of hidden cells; of the many regions only those that are shown are drawn."""
    cells = {cell: figure for cell, figure in newest["cells"].items() if attribute_of(cell) == attribute}
    shown = [
        Figure(name=visit.wording.cell(cell), value=figure["count"], low=figure["low"], high=figure["high"])
        for cell, figure in cells.items()
        if figure["count"] is not None
    ]
    return bars_of(shown), shown, [cell for cell, figure in cells.items() if figure["count"] is None]


PAGES: Final[tuple[Page | Act, ...]] = (Page("/balance", balance),)
