"""Coming in by a one-time link or with the access key, going, the language, and the assets.

Who has no session has no form token either; that somebody else's page sends a key here is kept off by the guard, and would open nothing but
his own session. What it must never do: say why a link or a key was refused, or let keys be tried quickly.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from hometone_server.dashboard.access_key import has_access_key, is_access_key
from hometone_server.dashboard.forms import TOKEN, Form, read_form
from hometone_server.dashboard.guard import COOKIE, SESSION
from hometone_server.dashboard.office import Office
from hometone_server.gateway.limits import peer_of
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.pages.flash import Flash
from hometone_shared.pages.gate import local_path
from hometone_shared.pages.rendering import ASSET_HEADERS
from hometone_shared.pages.sessions import SESSION_GOOD_FOR_S
from hometone_shared.pages.words import TAGS, preferred_language


def routes() -> list[Route]:
    """The addresses that this module answers."""
    return [
        Route("/enter", enter, methods=["GET"]),
        Route("/enter", enter_with_key, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
        Route("/language", language, methods=["POST"]),
        Route("/static/{digest}/{name}", static, methods=["GET"]),
    ]


async def enter(request: Request) -> Response:
    """With a link that is good: a session. Without: how to come in."""
    office: Office = request.app.state.office
    key = request.query_params.get("key", "")
    if key and office.keys.use(key):
        return _come_in(office)
    return _how_to_come_in(request, alert="enter-used" if key else "", status=403 if key else 200)


async def enter_with_key(request: Request) -> Response:
    """With the access key: a session."""
    office: Office = request.app.state.office
    if not office.attempts.allow(peer_of(request)):
        return _how_to_come_in(request, alert="enter-busy", status=429)
    try:
        form = await read_form(request)
        is_right = await run_in_threadpool(is_access_key, office.home, form.text("key"))
    except HometoneError:
        return _how_to_come_in(request, alert="enter-damaged", status=400)
    return _come_in(office) if is_right else _how_to_come_in(request, alert="enter-wrong", status=403)


async def leave(request: Request) -> Response:
    """End the session."""
    if await _form(request) is None:
        return RedirectResponse("/", status_code=303)
    request.app.state.office.desks.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/enter", status_code=303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


async def language(request: Request) -> Response:
    """The other language, on the page where the switch was, with what was typed there."""
    form = await _form(request)
    if form is None:
        return RedirectResponse("/", status_code=303)
    desk = request.scope[SESSION].state
    desk.language = "zh" if form.text("to") == "zh" else "en"
    path = local_path(form.text("back", "/"))
    desk.flash = Flash(path=path, typed={name: value for name, value in form.typed.items() if name not in {"to", "back"}})
    return RedirectResponse(path, status_code=303)


async def static(request: Request) -> Response:
    """An asset."""
    found = request.app.state.assets.find(request.url.path)
    if found is None:
        return Response(status_code=404)
    return Response(found.content, media_type=found.media_type, headers=dict(ASSET_HEADERS))


async def _form(request: Request) -> Form | None:
    """The form, if it is one of this session."""
    try:
        form = await read_form(request)
    except UsageError:
        return None
    return form if request.scope[SESSION].is_form_of_ours(form.text(TOKEN)) else None


def _come_in(office: Office) -> Response:
    name, _ = office.desks.begin()
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(COOKIE, name, max_age=int(SESSION_GOOD_FOR_S), path="/", httponly=True, samesite="strict")
    return answer


def _how_to_come_in(request: Request, *, alert: str, status: int) -> Response:
    state = request.app.state
    chosen = preferred_language(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
    words = state.words.speaking(chosen)
    text = state.templates.render(
        "enter.html",
        words=words,
        language=chosen,
        tag=TAGS[chosen],
        other_tag=TAGS[words.other],
        form_token="",
        path="/enter",
        error=None,
        notice="",
        typed={},
        alert=alert,
        has_key=has_access_key(state.office.home),
    )
    return HTMLResponse(text, status_code=status)
