"""One request of somebody who has come in, as the modules of single pages see it.

    @router.get("/me")
    def mine(visit: Own) -> Response:
        return visit.page("mine.html", takes=visit.room.take_names())

    @router.post("/me/greeting")
    def greet(visit: Own, form: Posted) -> Response:
        try:
            ...
        except HometoneError as error:
            return visit.again("/me", error=error, form=form)     # the page says why, with what was typed
        return visit.go("/me", notice="greeted", name=...)

`Here` has come in; `Own` has somebody unlocked, others are sent to the beginning. `Posted` is a form with the right token.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hometone_client.pages.forms import TOKEN, Form, read_form
from hometone_client.pages.guard import SESSION
from hometone_client.pages.house import Browser, House
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.command_line import Language
from hometone_shared.error_words import in_language
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.pages.flash import Flash
from hometone_shared.pages.rendering import Templates
from hometone_shared.pages.sessions import Session
from hometone_shared.pages.words import TAGS, Words, preferred_language


class GoElsewhere(Exception):  # noqa: N818 - not an error: it sends somebody to another page
    """Ends a request with the way to another page."""

    def __init__(self, path: str) -> None:
        """Where to."""
        super().__init__(path)
        self.path = path


class Visit:
    """One request.

    Attributes:
        house: The laptop.
        session: Whose session it is.
        words: The words of all pages, in its language.
    """

    def __init__(self, request: Request, *, house: House, session: Session[Browser], templates: Templates, words: Words) -> None:
        """Made by `here`."""
        self.request = request
        self.house = house
        self.session = session
        self._templates = templates
        self._room: SpeakerRoom | None = None
        browser = session.state
        if browser.language is None:
            browser.language = preferred_language("", request.headers.get("accept-language", ""))
        self.words = words.speaking(browser.language)

    @property
    def browser(self) -> Browser:
        """The state of the session."""
        return self.session.state

    @property
    def language(self) -> Language:
        """Of the page."""
        return self.words.language

    @property
    def maybe_room(self) -> SpeakerRoom | None:
        """Who is unlocked, if anybody. A part that a page asks for by itself is no sign that she is still there."""
        asks_by_itself = "x-part" in self.request.headers
        found = self.house.present(self.browser) if asks_by_itself else self.house.unlocked(self.browser)
        self._room = self._room or found
        return found

    def _require_same(self, room: SpeakerRoom) -> SpeakerRoom:
        """Whoever was unlocked when this request began: what one person began is never done with another one's things."""
        if room is not self._room:
            raise GoElsewhere("/")
        return room

    @property
    def room(self) -> SpeakerRoom:
        """Who is unlocked.

        Raises:
            GoElsewhere: Nobody is; to the beginning.
        """
        room = self.maybe_room
        if room is None:
            raise GoElsewhere("/")
        return self._require_same(room)

    def page(self, template: str, *, status: int = 200, error: HometoneError | None = None, **values: Any) -> Response:
        """A page, with what the last one left for it.

        Args:
            template: Its template.
            status: HTTP status.
            error: What went wrong now.
            values: What the template shows.
        """
        path = self.request.url.path
        flash = self.browser.flash
        if flash is not None and flash.path == path:
            self.browser.flash = None
        else:
            flash = Flash(path=path)
        failure = error or flash.error
        room = self.maybe_room
        context: dict[str, Any] = {
            **self._standing(path),
            "who": None if room is None else room.name,
            "error": None if failure is None else self.told(failure),
            "notice": self.words(flash.notice, **flash.values) if flash.notice else "",
            "typed": flash.typed,
        }
        return HTMLResponse(self._templates.render(template, **context, **values), status_code=status)

    def part(self, template: str, *, reload: bool = False, **values: Any) -> Response:
        """A part of a page, which its script asks for again and again.

        Args:
            template: Its template.
            reload: The whole page has changed: let the browser ask for it.
            values: What it shows.
        """
        headers = {"X-Reload": "1"} if reload else {}
        context = self._standing(self.request.url.path)
        return HTMLResponse(self._templates.render(template, **context, typed={}, **values), headers=headers)

    def go(self, path: str, *, notice: str = "", form: Form | None = None, **values: object) -> Response:
        """To another page, which says that it worked, and still has what was typed if a form is given."""
        if notice or form is not None:
            self.browser.flash = Flash(path=path, notice=notice, values=values, typed={} if form is None else form.typed)
        return RedirectResponse(path, status_code=303)

    def again(self, path: str, *, error: HometoneError, form: Form | None = None) -> Response:
        """Back to a page, which says what went wrong and still has what was typed."""
        self.browser.flash = Flash(path=path, error=error.alone(), typed={} if form is None else form.typed)
        return RedirectResponse(path, status_code=303)

    def sound(self, data: bytes, *, media_type: str = "audio/wav", name: str = "") -> Response:
        """Sound from memory.

        Args:
            data: A whole file.
            media_type: Of it.
            name: Of the file, where it is to be kept.
        """
        headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else {}
        return Response(data, media_type=media_type, headers=headers)

    def told(self, error: HometoneError) -> Mapping[str, str]:
        """Message and hint of an error in the language of the page."""
        return {"message": in_language(error.message, self.language), "hint": in_language(error.hint, self.language)}

    def _standing(self, path: str) -> dict[str, Any]:
        other = self.words.other
        return {
            "words": self.words,
            "language": self.language,
            "tag": TAGS[self.language],
            "other_tag": TAGS[other],
            "form_token": self.session.form_token,
            "path": path,
        }


def here(request: Request) -> Visit:
    """Whoever has come in; the guard lets nobody else through."""
    session = request.scope.get(SESSION)
    if not isinstance(session, Session):
        raise GoElsewhere("/enter")
    state = request.app.state
    return Visit(request, house=state.house, session=session, templates=state.templates, words=state.words)


def own(visit: Annotated[Visit, Depends(here)]) -> Visit:
    """Whoever has somebody unlocked."""
    _ = visit.room
    return visit


async def posted(request: Request, visit: Annotated[Visit, Depends(here)]) -> Form:
    """A form of ours.

    Raises:
        UsageError: It lacks the token of this session, or is no form.
    """
    form = await read_form(request)
    if not visit.session.is_form_of_ours(form.text(TOKEN)):
        raise UsageError("this form does not belong to this page any more", hint="go back, load the page again and try once more")
    return form


Here = Annotated[Visit, Depends(here)]
Own = Annotated[Visit, Depends(own)]
Posted = Annotated[Form, Depends(posted)]
