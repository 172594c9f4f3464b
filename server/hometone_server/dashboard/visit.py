"""One request of somebody who has come in, as the modules of single pages see it.

    def laptops(visit: Visit) -> Response:
        return visit.page("laptops.html", laptops=...)

    PAGES = (Page("/laptops", laptops), Act("/laptops/revoke", revoke, back="/laptops"))

A `Page` shows; an `Act` is posted with the token of its session and answered by a page. What an act raises is told on its page `back`, with
what was typed. Pages work in threads, one call a request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hometone_server.dashboard.forms import EMPTY, Form
from hometone_server.dashboard.office import Desk, Office
from hometone_server.dashboard.wording import Wording
from hometone_shared.command_line import Language
from hometone_shared.error_words import in_language
from hometone_shared.errors import HometoneError
from hometone_shared.pages.flash import Flash
from hometone_shared.pages.rendering import Templates
from hometone_shared.pages.sessions import Session
from hometone_shared.pages.words import TAGS, Words, preferred_language


class Visit:
    """One request.

    Attributes:
        office: The coordinator.
        session: Whose session it is.
        words: The words of all pages, in its language.
        form: What was posted; empty when a page is only looked at.
    """

    def __init__(self, request: Request, *, office: Office, session: Session[Desk], templates: Templates, words: Words) -> None:
        """Nothing was posted yet."""
        self.request = request
        self.office = office
        self.session = session
        self.form: Form = EMPTY
        self._templates = templates
        desk = session.state
        if desk.language is None:
            desk.language = preferred_language("", request.headers.get("accept-language", ""))
        self.words = words.speaking(desk.language)

    @property
    def desk(self) -> Desk:
        """The state of the session."""
        return self.session.state

    @property
    def language(self) -> Language:
        """Of the page."""
        return self.words.language

    @property
    def wording(self) -> Wording:
        """Figures, times and codes in words."""
        return Wording(self.words)

    @property
    def typed(self) -> Mapping[str, str]:
        """What the last form on this page held."""
        flash = self.desk.flash
        return flash.typed if flash is not None and flash.path == self.request.url.path else {}

    def part_of_path(self, name: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[name])

    def asked(self, name: str, default: str = "") -> str:
        """A value behind the question mark of the address."""
        return self.request.query_params.get(name, default)

    def page(self, template: str, *, status: int = 200, error: HometoneError | None = None, **values: Any) -> Response:
        """A page, with what the last one left for it.

        Args:
            template: Its template.
            status: HTTP status.
            error: What went wrong now.
            values: What the template shows.
        """
        path = self.request.url.path
        flash = self.desk.flash
        if flash is not None and flash.path == path:
            self.desk.flash = None
        else:
            flash = Flash(path=path)
        failure = error or flash.error
        context: dict[str, Any] = {
            **self._standing(path),
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
        context = self._standing(self.request.url.path)
        return HTMLResponse(self._templates.render(template, **context, typed={}, **values), headers={"X-Reload": "1"} if reload else {})

    def go(self, path: str, *, notice: str = "", **values: object) -> Response:
        """To another page, which says that it worked."""
        if notice:
            self.desk.flash = Flash(path=path, notice=notice, values=values)
        return RedirectResponse(path, status_code=303)

    def again(self, path: str, *, error: HometoneError) -> Response:
        """Back to a page, which says what went wrong and still has what was typed."""
        self.desk.flash = Flash(path=path, error=error, typed=self.form.typed)
        return RedirectResponse(path, status_code=303)

    def told(self, error: HometoneError) -> Mapping[str, str]:
        """Message and hint of an error in the language of the page."""
        return {"message": in_language(error.message, self.language), "hint": in_language(error.hint, self.language)}

    def _standing(self, path: str) -> dict[str, Any]:
        return {
            "words": self.words,
            "wording": self.wording,
            "language": self.language,
            "tag": TAGS[self.language],
            "other_tag": TAGS[self.words.other],
            "form_token": self.session.form_token,
            "path": path,
            "coordinator": self.office.name,
        }


Answer = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is looked at.

    Attributes:
        path: Its address.
        answer: Makes it.
    """

    path: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that is done by a form.

    Attributes:
        path: Its address.
        answer: Does it.
        back: The page that tells what went wrong; parts in braces are those of `path`.
    """

    path: str
    answer: Answer
    back: str
