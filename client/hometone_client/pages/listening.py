"""The listening test: for whoever listens, no PIN and no name (requirements 32 to 37; docs/listening.md).

A session belongs to the browser that began it. What it may see: questions and sounds by tokens that tell nothing. What it must never do:
show whose voice is heard, what kind of clip it is, or what anybody answered.
"""

from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hometone_client.listening.headphones import TONES, TRIALS
from hometone_client.listening.sitting import Question, Sitting, Verdict
from hometone_client.listening.sittings import Sittings
from hometone_client.listening.trials import Rater
from hometone_client.pages.forms import Form
from hometone_client.pages.house import House
from hometone_client.pages.visit import GoElsewhere, Here, Posted, Visit
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.records.panel import MIXED

router: Final = APIRouter()
PATH: Final = "/listening"
TEST: Final = f"{PATH}/test"


class Chairs:
    """The sessions of a house (`Sittings`), for as long as its pages are served."""

    def __init__(self, house: House) -> None:
        """None yet."""
        self.sittings = Sittings(house.home, house.vault())

    def close(self) -> None:
        """They are in memory and go with it."""


class Taking:
    """Which session a browser is in, and which question it shows once more."""

    def __init__(self, token: str = "") -> None:
        """The token of a session; empty for none."""
        self.token = token
        self.again: Question | None = None
        self._sittings: Sittings | None = None

    def begin(self, sitting: Sitting, found: Sittings) -> None:
        """Sit down; a session that was not ended makes room."""
        self.close()
        self.token, self._sittings = sitting.token, found

    def close(self) -> None:
        """Forget it: nobody else can go on with it, so that it need not take up a place."""
        if self._sittings is not None:
            self._sittings.leave(self.token)
        self.token, self.again, self._sittings = "", None, None


class Judged:
    """What became of the last session of a browser."""

    def __init__(self, verdict: Verdict) -> None:
        """The verdict, which names nobody."""
        self.verdict = verdict

    def close(self) -> None:
        """It is in memory and goes with the browser's session."""


def sittings(house: House) -> Sittings:
    """The sessions of a house.

    Raises:
        UsageError: Nobody has a voice here.
    """
    return house.kept(Chairs, lambda: Chairs(house)).sittings


def _sitting(visit: Visit) -> Sitting:
    """The session of a browser; without one, back to where one begins."""
    token = visit.browser.kept(Taking, Taking).token
    try:
        return sittings(visit.house).find(token)
    except HometoneError:
        raise GoElsewhere(PATH) from None


@router.get(PATH)
def offered(visit: Here) -> Response:
    """What can be listened to, and what is asked of a listener beforehand."""
    offers = sittings(visit.house).offers() if visit.house.has_vault else ()
    ready = [offer for offer in offers if offer.can_be_taken]
    tags = sorted({tag for offer in ready for tag in offer.languages if tag != MIXED} | ({"zh", "en"} if ready else set()))
    going_on = bool(visit.browser.kept(Taking, Taking).token)
    return visit.page(
        "listening/offers.html", offers=ready, languages=[(tag, language_name(visit, tag)) for tag in tags], going_on=going_on
    )


@router.post(PATH)
def begin(visit: Here, form: Posted) -> Response:
    """Begin a session."""
    try:
        native = frozenset(form.several("native"))
        if not native:
            raise UsageError("say which languages you grew up with", hint="choose at least one")
        panel = form.text("panel") or None
        found = sittings(visit.house)
        sitting = found.begin(Rater(native=native, knows=form.flag("knows"), language=visit.language), panel=panel)
    except HometoneError as error:
        return visit.again(PATH, error=error, form=form)
    visit.browser.kept(Taking, Taking).begin(sitting, found)
    return visit.go(f"{PATH}/headphones/1")


@router.get(f"{PATH}/headphones/{{number}}")
def headphones(visit: Here, number: int) -> Response:
    """Which of three tones is the softest? From 1."""
    _ = _sitting(visit)
    if not 1 <= number <= TRIALS:
        return visit.go(TEST)
    return visit.page("listening/headphones.html", number=number, total=TRIALS, tones=TONES)


@router.get(f"{PATH}/headphones/{{number}}/sound")
async def tones(visit: Here, number: int) -> Response:
    """The tones."""
    sitting = _sitting(visit)
    return visit.sound(await run_in_threadpool(sitting.headphones.wav, number - 1))


@router.post(f"{PATH}/headphones/{{number}}")
def hear_tones(visit: Here, form: Posted, number: int) -> Response:
    """The answer, or that there are no headphones."""
    sitting = _sitting(visit)
    if form.flag("skip"):
        return visit.go(TEST)
    try:
        sitting.headphones.answer(number - 1, _chosen(form, "softest") - 1)
    except HometoneError as error:
        return visit.again(f"{PATH}/headphones/{number}", error=error)
    return visit.go(f"{PATH}/headphones/{number + 1}")


@router.get(TEST)
def question(visit: Here) -> Response:
    """The question that has no answer yet, or the end."""
    sitting = _sitting(visit)
    asked = sitting.question()
    if asked is None:
        return visit.go(f"{PATH}/done")
    return _asked(visit, asked)


def _nothing_left(visit: Visit) -> Response:
    """Every voice of the session was taken back: it ends here."""
    sittings(visit.house).leave(visit.browser.kept(Taking, Taking).token)
    visit.browser.drop(Taking)
    return visit.go(PATH, notice="listening-taken-back")


def _chosen(form: Form, name: str) -> int:
    """Which answer was chosen.

    Raises:
        UsageError: None was.
    """
    try:
        return int(form.text(name))
    except ValueError as error:
        raise UsageError("choose one of the answers", hint="press its button or its key") from error


def _asked(visit: Visit, asked: Question) -> Response:
    scale = asked.scale
    values = range(scale.highest, scale.lowest - 1, -1)
    answers = [(value, visit.words(f"listening-{scale.value}-{value}"), str(value - scale.lowest + 1)) for value in values]
    return visit.page("listening/question.html", asked=asked, answers=answers, scale=scale.value)


@router.post(TEST)
def answer(visit: Here, form: Posted) -> Response:
    """Take an answer."""
    sitting = _sitting(visit)
    try:
        sitting.answer(form.text("question"), _chosen(form, "value"))
    except HometoneError as error:
        return visit.again(TEST, error=error)
    return visit.go(TEST)


@router.post(f"{TEST}/back")
def back(visit: Here, form: Posted) -> Response:
    """Show the question before, to answer it again."""
    _ = form
    asked = visit.browser.kept(Taking, Taking).again = _sitting(visit).back()
    return visit.go(TEST if asked is None else f"{TEST}/back")


@router.get(f"{TEST}/back")
def once_more(visit: Here) -> Response:
    """The question that is answered again."""
    _ = _sitting(visit)
    asked = visit.browser.kept(Taking, Taking).again
    return visit.go(TEST) if asked is None else _asked(visit, asked)


@router.get(f"{TEST}/sound/{{token}}")
async def sound(visit: Here, token: str) -> Response:
    """A sound of the session."""
    sitting = _sitting(visit)
    try:
        return visit.sound(await run_in_threadpool(sitting.sound, token))
    except HometoneError:
        return Response(status_code=404)  # its owner has taken it back: the next question is another one


@router.get(f"{PATH}/done")
def done(visit: Here) -> Response:
    """Whether it counts, and thanks."""
    sitting = _sitting(visit)
    if sitting.question() is not None:
        return visit.go(TEST)
    if sitting.progress == (0, 0):
        return _nothing_left(visit)
    return visit.page("listening/ready.html")


@router.post(f"{PATH}/done")
def finish(visit: Here, form: Posted) -> Response:
    """Hand the answers in."""
    _ = form
    sitting = _sitting(visit)
    if sitting.question() is not None:
        return visit.go(TEST)
    try:
        verdict = sitting.finish()
    except HometoneError as error:
        return visit.again(f"{PATH}/done", error=error)
    visit.browser.drop(Taking)
    visit.browser.drop(Judged)
    visit.browser.kept(Judged, lambda: Judged(verdict))
    return visit.go(f"{PATH}/thanks")


@router.get(f"{PATH}/thanks")
def thanks(visit: Here) -> Response:
    """Whether it counted, and why not."""
    judged = visit.browser.kept(Judged, lambda: Judged(Verdict(accepted=False, reasons=())))
    if not judged.verdict.accepted and not judged.verdict.reasons:
        return visit.go(PATH)
    return visit.page("listening/done.html", verdict=judged.verdict)


@router.post(f"{PATH}/leave")
def leave(visit: Here, form: Posted) -> Response:
    """Break it off; nothing of it is kept."""
    _ = form
    if visit.house.has_vault:
        sittings(visit.house).leave(visit.browser.kept(Taking, Taking).token)
    visit.browser.drop(Taking)
    return visit.go(PATH, notice="listening-left")


def language_name(visit: Visit, tag: str) -> str:
    """A language as people call it; the tag where there is no word for it."""
    key = f"language-{tag.lower()}"
    return visit.words(key) if key in visit.words else tag
