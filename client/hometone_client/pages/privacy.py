"""The privacy ledger as a picture of a hundred parts, in words that need no mathematics; the figures are there for whoever wants them.

What it may see: her ledger. What it must never do: call something spent that is not, or less than is.
"""

import datetime as dt
import math
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.federation.ledger import DEFAULT_EPSILON, DELTA, LARGEST_EPSILON, EntryState, PrivacyLedger
from hometone_client.pages.visit import Own, Posted
from hometone_client.speakers.agreement import standings
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.records.purposes import Purpose

router: Final = APIRouter()
PARTS: Final = 100
_IN_A_ROW: Final = 20
_SIDE: Final = 10
BUDGETS: Final = (2.0, 4.0, DEFAULT_EPSILON, 16.0)
"""What the page offers; another one that was chosen with the command is shown beside them."""


def parts_used(committed: float, bound: float) -> int:
    """Of a hundred parts of a budget those that are used, rounded up: a little that was spent is not shown as nothing."""
    if not math.isfinite(committed) or bound <= 0.0:
        return PARTS
    return min(PARTS, math.ceil(PARTS * committed / bound - 1e-9))


@router.get("/me/privacy")
def privacy(visit: Own) -> Response:
    """Picture, words, rounds, and the choice of the budget."""
    ledger = PrivacyLedger(visit.room.vault)
    consent = next(each for each in standings(visit.room, now=visit.house.now()) if each.purpose is Purpose.FEDERATED)
    bound = ledger.budget.epsilon if ledger.budget else None
    spent, committed = ledger.spent_epsilon(), ledger.committed_epsilon()
    used = 0 if bound is None else parts_used(committed, bound)
    return visit.page(
        "privacy/privacy.html",
        takes_part=consent.allowed,
        bound=bound,
        used=used,
        spent=spent,
        committed=committed,
        delta=ledger.budget.delta if ledger.budget else DELTA,
        squares=[(place % _IN_A_ROW * _SIDE, place // _IN_A_ROW * _SIDE, place < used) for place in range(PARTS)],
        budgets=sorted({*BUDGETS, *([bound] if bound is not None else [])}),
        largest=LARGEST_EPSILON,
        rounds=[
            (dt.datetime.fromtimestamp(entry.at, dt.UTC).date().isoformat(), entry, entry.state is EntryState.SPENT)
            for entry in reversed(ledger.entries)
        ],
    )


@router.post("/me/privacy")
def choose(visit: Own, form: Posted) -> Response:
    """Another budget; what is spent stays spent."""
    try:
        chosen = form.number("budget", 0.0)
        if math.isnan(chosen):
            raise UsageError("this is not a number", hint="write it in digits, such as 2 or 0.5")
        ledger = PrivacyLedger(visit.room.vault)
        if ledger.budget is None:
            raise UsageError("this speaker has chosen no privacy budget", hint="choose one: hometone contribute SPEAKER")
        ledger.set_budget(chosen)
    except HometoneError as error:
        return visit.again("/me/privacy", error=error, form=form)
    return visit.go("/me/privacy", notice="privacy-chosen")
