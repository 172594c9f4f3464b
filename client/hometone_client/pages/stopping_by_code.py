"""Stopping with the code from a recovery sheet, for somebody whose voice is on this computer or on any other.

The code is typed once, is kept in memory between the two steps, and is given back to no page. What it may see: a code. What it must
never do: keep one longer than the two steps, or say whose it is before it was used.
"""

from contextlib import suppress
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.receipts import receipt_path
from hometone_client.pages.stopping import unlocked_here, vault_for_stopping
from hometone_client.pages.visit import Here, Posted, Visit
from hometone_client.withdrawal.stopping import hand_over, stop, wish_of
from hometone_client.withdrawal.withdrawing import joined_coordinator, place_of, withdraw_by_code
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.records.tombstone import Tombstone
from hometone_shared.withdrawal.recovery import RecoverySecret

router: Final = APIRouter()


class PaperCode:
    """A code between the two steps."""

    def __init__(self) -> None:
        """None."""
        self.secret: RecoverySecret | None = None
        self.repeat = False

    def close(self) -> None:
        """Forget it."""
        self.secret = None


def _place(visit: Visit, secret: RecoverySecret) -> str | None:
    """Her place on this computer, if she has one."""
    if not visit.house.has_vault:
        return None
    with vault_for_stopping(visit.house) as vault:
        return place_of(vault, secret)


@router.get("/stop/code")
def ask(visit: Here) -> Response:
    """The code, or the twelve words."""
    unlocked_here(visit)
    visit.browser.drop(PaperCode)
    return visit.page("stopping/code.html")


@router.post("/stop/code")
def read(visit: Here, form: Posted) -> Response:
    """Read it; nothing is done yet."""
    unlocked_here(visit)
    try:
        secret = RecoverySecret.from_text(form.text("code"))
        if _place(visit, secret) is None and joined_coordinator(visit.house.home) is None:
            raise UsageError(
                "this computer has not joined a coordinator",
                hint="use the page whose address is on the paper, or the computer with the voice",
            )
    except HometoneError as error:
        return visit.again("/stop/code", error=error, form=form)
    paper = visit.browser.kept(PaperCode, PaperCode)
    paper.secret, paper.repeat = secret, form.flag("repeat")
    return visit.go("/stop/code/sure")


@router.get("/stop/code/sure")
def sure(visit: Here) -> Response:
    """What is going to happen."""
    unlocked_here(visit)
    paper = visit.browser.kept(PaperCode, PaperCode)
    if paper.secret is None:
        return visit.go("/stop/code")
    return visit.page("stopping/code_sure.html", here=_place(visit, paper.secret) is not None, repeat=paper.repeat)


@router.post("/stop/code/sure")
def finish(visit: Here, form: Posted) -> Response:
    """Stop, here or where her voice is."""
    room = unlocked_here(visit)
    paper = visit.browser.kept(PaperCode, PaperCode)
    secret = paper.secret
    if secret is None:
        return visit.again("/stop/code", error=UsageError("the code is not here any more", hint="type it again"))
    if not form.flag("sure"):
        return visit.again("/stop/code/sure", error=UsageError("nothing was removed", hint="set the switch if you are sure"))
    try:
        tombstone = _withdrawn(visit, secret, repeat=paper.repeat)
    except HometoneError as error:
        return visit.again("/stop/code/sure", error=error)
    visit.browser.drop(PaperCode)
    if room is not None and not _is_open(visit):
        visit.browser.lock()
    visit.house.forget_loaded()
    return visit.go(receipt_path(tombstone), notice="stopping-done")


def _withdrawn(visit: Visit, secret: RecoverySecret, *, repeat: bool) -> Tombstone:
    house = visit.house
    if house.has_vault:
        with vault_for_stopping(house) as vault:
            place = place_of(vault, secret)
            if place is not None:
                entry = next(each for each in vault.speakers() if each.speaker_id == place)
                done = stop(house.home, vault, entry, room=None, wish=wish_of(repeat))
                with suppress(HometoneError):  # it is done; it travels with a later contact
                    hand_over(house.home, vault, done.known.tombstone)
                return done.known.tombstone
    coordinator = joined_coordinator(house.home)
    if coordinator is None:
        raise UsageError("this computer has not joined a coordinator", hint="use the page whose address is on the paper")
    return withdraw_by_code(house.home, secret, coordinator, wish=wish_of(repeat)).tombstone


def _is_open(visit: Visit) -> bool:
    try:
        return visit.maybe_room is not None
    except HometoneError:
        return False
