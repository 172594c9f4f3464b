"""What people are asked to listen to, and what listeners said, by group.

What it may see: panels, and sums that are public. What it must never do: show a figure of a group that is too small.
"""

from typing import Any, Final

from starlette.responses import Response

from hometone_server.dashboard.pictures import Bars, Figure, bars_of
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_server.records.panels import Panels
from hometone_shared.privacy.cells import ATTRIBUTES, attribute_of
from hometone_shared.privacy.listening import RECORDING
from hometone_shared.records.panel import Scale
from hometone_shared.records.plan import RoundPurpose


def listening(visit: Visit) -> Response:
    """Panels, then the newest result."""
    with visit.office.journal() as journal:
        found = journal.results(RoundPurpose.LISTENING.value)
    newest = found[-1] if found else None
    groups = []
    if newest is not None:
        groups = [(each, *group) for each in (*ATTRIBUTES, RECORDING) if (group := _group(visit, newest["cells"], each))[1]]
    return visit.page(
        "listening.html",
        panels=[panel for panel, _ in Panels(visit.office.home).all()],
        newest=newest,
        groups=groups,
        scales=[scale.value for scale in Scale],
    )


def _group(visit: Visit, cells: list[dict[str, Any]], attribute: str) -> tuple[Bars, list[dict[str, Any]]]:
    rows = [cell for cell in cells if attribute_of(cell["cell"]) == attribute]
    name = Scale.NATURALNESS.value
    figures = [
        Figure(name=visit.wording.cell(row["cell"]), value=mean["value"], low=mean["low"], high=mean["high"])
        for row in rows
        if (mean := row["means"].get(name)) is not None
    ]
    return bars_of(figures, most=float(Scale.NATURALNESS.highest)), rows


PAGES: Final[tuple[Page | Act, ...]] = (Page("/listening", listening),)
