"""How well the voices speak, by group: the newest evaluation, with intervals, the worst group and the gap.

What it may see: sums that are public. What it must never do: show a figure of a group that is too small.
"""

from typing import Any, Final

from starlette.responses import Response

from hometone_server.dashboard.pictures import Bars, Figure, bars_of
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_shared.privacy.cells import ATTRIBUTES, attribute_of
from hometone_shared.records.plan import RoundPurpose

SHOWN: Final = ("error_before", "error_after", "similarity")


def quality(visit: Visit) -> Response:
    """Everybody, then the groups of each attribute, then the gaps."""
    with visit.office.journal() as journal:
        found = journal.results(RoundPurpose.EVALUATION.value)
    newest = found[-1] if found else None
    groups = [] if newest is None else [(each, *group) for each in ATTRIBUTES if (group := _group(visit, newest["cells"], each))[1]]
    return visit.page("quality.html", newest=newest, groups=groups, attribute_of=attribute_of)


def _group(visit: Visit, cells: list[dict[str, Any]], attribute: str) -> tuple[Bars, list[dict[str, Any]]]:
    rows = [cell for cell in cells if attribute_of(cell["cell"]) == attribute]
    figures = [
        Figure(
            name=visit.wording.cell(row["cell"]),
            value=row["figures"]["error_after"]["value"],
            low=row["figures"]["error_after"]["low"],
            high=row["figures"]["error_after"]["high"],
        )
        for row in rows
    ]
    return bars_of(figures), rows


PAGES: Final[tuple[Page | Act, ...]] = (Page("/quality", quality),)
