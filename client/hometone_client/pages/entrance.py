"""Coming in by a one-time link, going, the language, and the assets. What it must never do: say why a link was refused."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hometone_client.pages.guard import COOKIE, STRANGER
from hometone_client.pages.visit import Here, Posted
from hometone_shared.pages.flash import Flash
from hometone_shared.pages.gate import local_path
from hometone_shared.pages.rendering import ASSET_HEADERS
from hometone_shared.pages.sessions import SESSION_GOOD_FOR_S
from hometone_shared.pages.words import TAGS, preferred_language

router: Final = APIRouter()


@router.get("/enter")
def enter(request: Request, key: str = "") -> Response:
    """With a key that is good: a session. Without: how to come in."""
    house = request.app.state.house
    if key and not request.scope.get(STRANGER) and house.keys.use(key):
        name, _ = house.browsers.begin()
        answer: Response = RedirectResponse("/", status_code=303)
        answer.set_cookie(COOKIE, name, max_age=int(SESSION_GOOD_FOR_S), path="/", httponly=True, samesite="strict")
        return answer
    language = preferred_language("", request.headers.get("accept-language", ""))
    words = request.app.state.words.speaking(language)
    text = request.app.state.templates.render(
        "enter.html",
        words=words,
        language=language,
        tag=TAGS[language],
        other_tag=TAGS[words.other],
        form_token="",
        path="/enter",
        who=None,
        error=None,
        notice="",
        typed={},
        tried=bool(key),
    )
    return HTMLResponse(text, status_code=403 if key else 200)


@router.post("/leave")
def leave(request: Request, visit: Here, form: Posted) -> Response:
    """End the session; whoever is unlocked in it is locked."""
    _ = form
    visit.house.browsers.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/enter", status_code=303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.post("/language")
def language(visit: Here, form: Posted) -> Response:
    """The other language, on the page where the switch was, with what was typed there."""
    visit.browser.language = "zh" if form.text("to") == "zh" else "en"
    path = local_path(form.text("back", "/"))
    typed = {name: value for name, value in form.typed.items() if name not in {"to", "back"}}
    visit.browser.flash = Flash(path=path, typed=typed)
    return RedirectResponse(path, status_code=303)


@router.get("/static/{digest}/{name}")
def static(request: Request, digest: str, name: str) -> Response:
    """An asset."""
    found = request.app.state.assets.find(f"/static/{digest}/{name}")
    if found is None:
        return Response(status_code=404)
    return Response(found.content, media_type=found.media_type, headers=dict(ASSET_HEADERS))
