"""The beginning: who is here, and what can be done."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.visit import Here

router: Final = APIRouter()


@router.get("/")
def welcome(visit: Here) -> Response:
    """Everybody by name, and the rooms that need no PIN."""
    return visit.page("welcome.html", people=visit.house.people())
