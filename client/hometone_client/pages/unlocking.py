"""Name and PIN.

What it may see: a PIN, as long as the vault takes to look at it. What it must never do: keep it, or give it back to a page.
"""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.visit import Here, Posted
from hometone_shared.errors import HometoneError

router: Final = APIRouter()


@router.get("/unlock/{place}")
def ask(visit: Here, place: str) -> Response:
    """Who are you?"""
    try:
        entry = visit.house.place(place)
    except HometoneError as error:
        return visit.again("/", error=error)
    return visit.page("unlock.html", name=entry.name, place=place)


@router.post("/unlock/{place}")
def unlock(visit: Here, form: Posted, place: str) -> Response:
    """Unlock her, and go to what is hers."""
    try:
        visit.house.unlock(visit.browser, place, form.text("pin"))
    except HometoneError as error:
        return visit.again(f"/unlock/{place}", error=error)
    return visit.go("/me")


@router.post("/lock")
def lock(visit: Here, form: Posted) -> Response:
    """Lock whoever is unlocked."""
    _ = form
    visit.browser.lock()
    visit.house.forget_loaded()
    return visit.go("/", notice="locked")
