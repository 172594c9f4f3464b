"""The coordinator's pages as one application. Each subject has a module with its `PAGES`; `SUBJECTS` is the list of all."""

import logging
from types import ModuleType
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hometone_server.dashboard import balance, departures, entrance, laptops, listening, ordering, overview, public_log, quality, rounds
from hometone_server.dashboard.forms import TOKEN, read_form
from hometone_server.dashboard.guard import SESSION, DashboardGuard
from hometone_server.dashboard.office import Office
from hometone_server.dashboard.visit import Act, Page, Visit
from hometone_shared.errors import FederationError, HometoneError, StorageError, UsageError
from hometone_shared.pages.rendering import SHARED, Assets, Templates
from hometone_shared.pages.words import Words

_LOG: Final = logging.getLogger("hometone.dashboard")
PACKAGE: Final = "hometone_server.dashboard"
SUBJECTS: Final[tuple[ModuleType, ...]] = (overview, ordering, rounds, laptops, balance, quality, departures, public_log, listening)
WORDS: Final = ("common", "groups", "rounds", "ordering", "laptops", "figures", "departures", "log")
"""Tables of words, `data/<name>.json`; no key is in two of them."""
_STATUS: Final[tuple[tuple[type[HometoneError], int], ...]] = ((UsageError, 404), (FederationError, 503), (StorageError, 503))


def create_dashboard(office: Office) -> Starlette:
    """Build the pages.

    Args:
        office: What they work with; it stays the caller's to close.
    """
    assets = Assets(SHARED, PACKAGE)
    app = Starlette(
        routes=[*entrance.routes(), *(_route(each) for subject in SUBJECTS for each in subject.PAGES)],
        middleware=[Middleware(DashboardGuard, office=office)],
        exception_handlers={HTTPException: _not_here},
    )
    app.state.office = office
    app.state.assets = assets
    app.state.templates = Templates(PACKAGE, assets=assets)
    app.state.words = Words.load(PACKAGE, *WORDS)
    return app


def _route(each: Page | Act) -> Route:
    if isinstance(each, Page):
        page = each

        async def look(request: Request) -> Response:
            return await run_in_threadpool(_looked, page, _visit(request))

        return Route(page.path, look, methods=["GET"])
    act = each

    async def post(request: Request) -> Response:
        visit = _visit(request)
        try:
            visit.form = await read_form(request)
        except UsageError as error:
            return _problem(visit, error, status=400)
        return await run_in_threadpool(_done, act, visit)

    return Route(act.path, post, methods=["POST"])


def _visit(request: Request) -> Visit:
    state = request.app.state
    return Visit(request, office=state.office, session=request.scope[SESSION], templates=state.templates, words=state.words)


def _looked(page: Page, visit: Visit) -> Response:
    try:
        return page.answer(visit)
    except HometoneError as error:
        return _problem(visit, error, status=next((status for kind, status in _STATUS if isinstance(error, kind)), 500))
    except Exception as error:
        return _unforeseen(visit, error)


def _done(act: Act, visit: Visit) -> Response:
    try:
        _require_token(visit)
        return act.answer(visit)
    except HometoneError as error:
        return visit.again(act.back.format(**visit.request.path_params), error=error)
    except Exception as error:
        return _unforeseen(visit, error)


def _require_token(visit: Visit) -> None:
    if not visit.session.is_form_of_ours(visit.form.text(TOKEN)):
        raise UsageError("this form does not belong to this page any more", hint="go back, load the page again and try once more")


def _unforeseen(visit: Visit, error: Exception) -> Response:
    _LOG.error("a page failed: %s", type(error).__name__)  # never what it was about
    told = HometoneError("something went wrong that should not have", hint="nothing that was stored is lost; go back and try again")
    return _problem(visit, told, status=500)


def _problem(visit: Visit, error: HometoneError, *, status: int) -> Response:
    return visit.page("problem.html", status=status, error=error)


def _not_here(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if request.scope.get(SESSION) is None:
        return PlainTextResponse("there is no such page", status_code=status)
    return _problem(_visit(request), UsageError("there is no such page", hint="go back to the beginning"), status=status)
