"""Receipts of what was stopped on this computer: in plain words, as a file, and who has answered since.

What it may see: public records. What it must never do: show a receipt that does not hold.
"""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.visit import Here, Posted, Visit
from hometone_client.withdrawal.bundles import SUGGESTED_NAME, best_bundle, own_bundle
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.pages import day, model_words, pending_words, purposes_words, removed_words, role_words
from hometone_client.withdrawal.stopping import hand_over
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.records.tombstone import Tombstone
from hometone_shared.withdrawal.receipt_bundle import ReceiptBundle

router: Final = APIRouter()


class Fetched:
    """The newest bundles that the coordinator gave, for one session."""

    def __init__(self) -> None:
        """None."""
        self.bundles: dict[str, ReceiptBundle] = {}

    def close(self) -> None:
        """Forget them."""
        self.bundles.clear()


def receipt_path(tombstone: Tombstone) -> str:
    """Where a receipt is shown; the number in it names nobody (docs/withdrawal.md, section 1)."""
    return f"/stop/receipt/{tombstone.pseudonym}-{tombstone.sequence}"


def _tombstone(visit: Visit, number: str) -> Tombstone:
    for item in Outbox(visit.house.home).items():
        if receipt_path(item.tombstone).endswith(f"/{number}"):
            return item.tombstone
    raise UsageError("nothing is known here of such a withdrawal", hint="check the pseudonym; it has 32 digits")


def _bundle(visit: Visit, tombstone: Tombstone) -> ReceiptBundle:
    return visit.browser.kept(Fetched, Fetched).bundles.get(receipt_path(tombstone)) or own_bundle(visit.house.home, tombstone)


@router.get("/stop/receipt/{number}")
def show(visit: Here, number: str) -> Response:
    """A receipt in plain words."""
    try:
        tombstone = _tombstone(visit, number)
        found = _bundle(visit, tombstone).verified()
    except HometoneError as error:
        return visit.again("/stop", error=error)
    language = visit.language
    return visit.page(
        "stopping/receipt.html",
        number=number,
        found=found,
        scope=purposes_words(found.tombstone.scope, language),
        made=day(found.tombstone.made),
        received="" if found.received is None else day(found.received),
        joined=found.coordinator_key is not None,
        answers=[
            (
                role_words(answer.role, language),
                day(answer.at),
                removed_words(answer.removed, language),
                answer.receipt.key_destroyed,
                "" if answer.treatment is None else model_words(answer.treatment, language),
            )
            for answer in found.newest
        ],
        pending=[(role_words(answer.role, language), pending_words(item, language)) for answer, item in found.pending],
    )


@router.post("/stop/receipt/{number}")
def ask(visit: Here, form: Posted, number: str) -> Response:
    """Hand it over if it still waits, and ask who has answered since."""
    _ = form
    house = visit.house
    try:
        tombstone = _tombstone(visit, number)
        if house.has_vault:
            handed = hand_over(house.home, house.vault(), tombstone)
            if handed.waiting is not None:
                raise handed.waiting
        visit.browser.kept(Fetched, Fetched).bundles[receipt_path(tombstone)] = best_bundle(house.home, tombstone)
    except HometoneError as error:
        return visit.again(f"/stop/receipt/{number}", error=error)
    return visit.go(f"/stop/receipt/{number}", notice="stopping-asked")


@router.get("/stop/receipt/{number}/file")
def file(visit: Here, number: str) -> Response:
    """The receipt as a file, which `hometone receipt verify` checks without a network."""
    bundle = _bundle(visit, _tombstone(visit, number))
    return visit.sound(bundle.to_bytes(), media_type="application/json", name=SUGGESTED_NAME)
