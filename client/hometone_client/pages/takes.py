"""The takes that were kept: hear them, remove one in two steps; and recordings from a telephone, several at once.

What it may see: her unlocked things, bytes of files. What it must never do: remove anything at the first touch.
"""

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.enrolling.collected import AIM_S, Kept, kept_takes, speech_s
from hometone_client.enrolling.importing import Importing
from hometone_client.enrolling.intake import Spoken
from hometone_client.pages.recording import studio
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.speakers.consent import Purpose
from hometone_client.takes import campaigns
from hometone_shared.errors import HometoneError, UsageError

router: Final = APIRouter()
_LONGEST_NAME: Final = 60


@router.get("/me/recording/takes")
def kept(visit: Own) -> Response:
    """All of them."""
    takes = kept_takes(visit.room)
    return visit.page("recording/takes.html", takes=takes, seconds=round(speech_s(takes)), aim=round(AIM_S))


@router.get("/me/recording/takes/{name}/sound")
def sound(visit: Own, name: str) -> Response:
    """One, as it was recorded."""
    _take(visit, name)
    return visit.sound(visit.room.vault.read("take", name), media_type="audio/flac")


@router.get("/me/recording/takes/{name}/remove")
def ask(visit: Own, name: str) -> Response:
    """Really?"""
    return visit.page("recording/remove.html", take=_take(visit, name), has_voice=visit.room.has_voice)


@router.post("/me/recording/takes/{name}/remove")
def remove(visit: Own, form: Posted, name: str) -> Response:
    """Remove it."""
    _ = form
    try:
        take = _take(visit, name)
        visit.room.remove_take(take.name)
    except HometoneError as error:
        return visit.again("/me/recording/takes", error=error)
    return visit.go("/me/recording/takes", notice="takes-removed", number=take.number)


def _take(visit: Visit, name: str) -> Kept:
    for take in kept_takes(visit.room):
        if take.name == name:
            return take
    raise UsageError("there is no such take", hint="go back to the list")


def importing(visit: Visit) -> Importing:
    """What this session imports."""
    return visit.browser.kept(Importing, lambda: Importing(studio(visit.house)))


@router.get("/me/recording/import")
def files(visit: Own) -> Response:
    """Choose files, and what became of the last ones."""
    return visit.page("recording/import.html", languages=_languages(), **_progress(visit))


@router.get("/me/recording/import/live")
def live(visit: Own) -> Response:
    """The table while it fills."""
    values = _progress(visit)
    return visit.part("recording/imported.html", reload=not values["running"], **values)


@router.post("/me/recording/import")
def bring(visit: Own, form: Posted) -> Response:
    """Look at each of them, and keep the good ones."""
    language = form.text("spoken")
    try:
        visit.room.require(Purpose.OWN_VOICE, now=visit.house.now())
        if language and language not in _languages():
            raise UsageError("there is no such language here", hint="choose one of the list")
        uploads = [(_shown_name(each.name), each.content) for each in form.files("files")]
        importing(visit).start(uploads, room=visit.room, spoken=Spoken(text=None, language=language or None))
    except HometoneError as error:
        return visit.again("/me/recording/import", error=error, form=form)
    return visit.go("/me/recording/import")


def _shown_name(name: str) -> str:
    plain = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name.replace("\\", "/").rpartition("/")[2]
    )
    return plain if len(plain) <= _LONGEST_NAME else f"…{plain[-_LONGEST_NAME:]}"


def _languages() -> tuple[str, ...]:
    return tuple(sorted({each.language for each in campaigns().values()}, key=lambda code: (code not in {"zh", "en"}, code)))


def _progress(visit: Visit) -> dict[str, Any]:
    now = importing(visit).progress
    rows = [
        {
            "name": each.name,
            "seconds": each.seconds,
            "kept": each.kept,
            "findings": [finding.words(visit.language) for finding in each.findings],
            "error": None if each.error is None else visit.told(each.error),
        }
        for each in now.results
    ]
    return {"rows": rows, "count": now.count, "running": now.running, "kept": sum(each.kept for each in now.results)}
