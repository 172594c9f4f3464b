"""What one's voice was used for: by what, when, how often; copies, rounds, files, and what was refused. Texts are not known."""

import datetime as dt
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.visit import Own, Visit
from hometone_client.speakers.uses import Way

router: Final = APIRouter()
_APART: Final = frozenset({Way.LENT, Way.ROUND})


@router.get("/me/uses")
def uses(visit: Own) -> Response:
    """The account."""
    found = visit.room.uses()
    journal = visit.room.journal()
    spoken = [use for use in found if use.way not in _APART]
    refusals = [entry for entry in journal if entry.get("event") == "refused"]
    return visit.page(
        "uses/uses.html",
        totals=[(way, sum(use.count for use in spoken if use.way is way)) for way in Way if way not in _APART],
        spoken=spoken[::-1],
        lent=[use for use in reversed(found) if use.way is Way.LENT],
        rounds=[(use, use.about.partition(" ")[0]) for use in reversed(found) if use.way is Way.ROUND],
        files=[entry for entry in reversed(journal) if entry.get("event") == "kept-file"],
        exports=len(visit.room.export_names()),
        refusals=[_refusal(visit, entry) for entry in reversed(refusals)],
        moment=_moment,
    )


def _refusal(visit: Visit, entry: dict[str, Any]) -> tuple[str, str, str]:
    from hometone_shared.error_words import in_language

    purpose = str(entry.get("purpose", ""))
    name = f"consents-{purpose}"
    return (
        str(entry.get("at", ""))[:10],
        visit.words(name) if name in visit.words else purpose,
        in_language(str(entry.get("why", "")), visit.language),
    )


def _moment(at: dt.datetime) -> str:
    """A day and a time, as the clock of this computer shows it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")
