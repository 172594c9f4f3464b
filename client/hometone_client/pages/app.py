"""The pages as one application (docs/pages.md).

Each subject has a module with a router, templates in a folder of its name, and a table of words; `SUBJECTS` is the list of all.
"""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from hometone_client.pages import (
    announcing,
    borrowing,
    consents,
    enrolling,
    entrance,
    heard,
    lending,
    listening,
    making,
    mine,
    presenting,
    privacy,
    receipts,
    recording,
    recovery,
    speaking,
    stopping,
    stopping_by_code,
    takes,
    unlocking,
    uses,
    welcome,
)
from hometone_client.pages.guard import Address, PageGuard, nobody
from hometone_client.pages.house import House
from hometone_client.pages.visit import GoElsewhere, here
from hometone_shared.errors import ConsentError, HometoneError, ResourceError, StorageError, UsageError, WrongSecretError
from hometone_shared.pages.rendering import SHARED, Assets, Templates
from hometone_shared.pages.words import Words

_LOG: Final = logging.getLogger(__name__)
PACKAGE: Final = "hometone_client.pages"
SUBJECTS: Final[tuple[ModuleType, ...]] = (
    entrance,
    welcome,
    unlocking,
    presenting,
    announcing,
    listening,
    heard,
    enrolling,
    mine,
    recording,
    takes,
    making,
    speaking,
    uses,
    privacy,
    consents,
    lending,
    borrowing,
    stopping,
    stopping_by_code,
    receipts,
    recovery,
)
WORDS: Final = (
    "common",
    "stock",
    "presenting",
    "announcing",
    "listening",
    "enrolling",
    "mine",
    "recording",
    "making",
    "speaking",
    "uses",
    "privacy",
    "consents",
    "lending",
    "borrowing",
    "stopping",
    "recovery",
)
"""Tables of words, `data/<name>.json`; keys begin with the subject's name, so that two tables never meet."""
_STATUS: Final[tuple[tuple[type[HometoneError], int], ...]] = (
    (UsageError, 400),
    (ConsentError, 403),
    (WrongSecretError, 403),
    (ResourceError, 503),
    (StorageError, 503),
)


def create_pages(house: House, *, is_stranger: Callable[[Address, Address], bool] = nobody) -> FastAPI:
    """Build the pages.

    Args:
        house: What they work with; it stays the caller's to close.
        is_stranger: Whether another user's program asks, by the addresses of both ends of its connection.
    """
    app = FastAPI(title="Hometone pages", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    assets = Assets(SHARED, PACKAGE)
    app.state.house = house
    app.state.assets = assets
    app.state.templates = Templates(PACKAGE, assets=assets)
    app.state.words = Words.load(PACKAGE, *WORDS)
    app.add_middleware(PageGuard, house=house, unforeseen=_unforeseen, is_stranger=is_stranger)
    for subject in SUBJECTS:
        app.include_router(subject.router)
    app.add_exception_handler(GoElsewhere, _elsewhere)
    app.add_exception_handler(HometoneError, _problem)
    app.add_exception_handler(HTTPException, _not_here)
    app.add_exception_handler(RequestValidationError, _not_here)
    return app


def _elsewhere(_request: Request, error: Exception) -> Response:
    if not isinstance(error, GoElsewhere):  # pragma: no cover - registered for that class only
        raise error
    return RedirectResponse(error.path, status_code=303)


def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, HometoneError):  # pragma: no cover - registered for that class only
        raise error
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return _told(request, error, status=status)


def _not_here(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return _told(request, UsageError("there is no such page", hint="go back to the beginning"), status=status)


def _unforeseen(request: Request, error: Exception) -> Response:
    _ = error  # the guard logs its kind
    return _told(
        request,
        HometoneError("something went wrong that should not have", hint="nothing that was stored is lost; go back and try again"),
        status=500,
    )


def _told(request: Request, error: HometoneError, *, status: int) -> Response:
    try:
        return here(request).page("problem.html", status=status, error=error)
    except GoElsewhere as elsewhere:
        return RedirectResponse(elsewhere.path, status_code=303)
    except Exception as failure:
        _LOG.error("a page about a problem failed: %s", type(failure).__name__)
        return PlainTextResponse("Hometone: something went wrong; nothing that was stored is lost", status_code=500)
