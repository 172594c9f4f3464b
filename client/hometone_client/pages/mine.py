"""What there is of hers, and the one next step.

What it may see: her unlocked things. What it must never do: show a PIN, or offer a step that will be refused.
"""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.enrolling.collected import AIM_S, LEAST_S, kept_takes, speech_s
from hometone_client.jobs.queue import read_job
from hometone_client.pages.making import workshop
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.speakers.consent import Purpose, require_purpose
from hometone_shared.errors import ConsentError, HometoneError, UsageError

router: Final = APIRouter()


@router.get("/me")
def mine(visit: Own) -> Response:
    """Her page."""
    room = visit.room
    takes = kept_takes(room)
    seconds = speech_s(takes)
    return visit.page(
        "mine.html",
        name=room.name,
        takes=len(takes),
        damaged=sum(take.record is None for take in takes),
        seconds=round(seconds),
        aim=round(AIM_S),
        has_voice=room.has_voice,
        made=str(room.voice_record().get("made", ""))[:10],
        agreed=_agreed(visit),
        step=_next_step(visit, seconds),
    )


def _agreed(visit: Visit) -> bool:
    try:
        require_purpose(visit.room.consent(), Purpose.OWN_VOICE, now=visit.house.now())
    except ConsentError:
        return False
    return True


def _next_step(visit: Visit, seconds: float) -> str:
    room = visit.room
    if not _agreed(visit):
        return "consent"
    if workshop(visit.house).working(room.speaker_id) is not None:
        return "wait"
    if room.has_voice:
        return "speak"
    if read_job(room) is not None:
        return "go-on"
    return "make" if seconds >= AIM_S else "make-or-record" if seconds >= LEAST_S else "record"


@router.get("/me/pin")
def ask_pin(visit: Own) -> Response:
    """Another PIN."""
    return visit.page("pin.html")


@router.post("/me/pin")
def change_pin(visit: Own, form: Posted) -> Response:
    """Change it; the old one is asked for, since she may have walked away."""
    try:
        if form.text("new_pin") != form.text("pin_again"):
            raise UsageError(visit.words("new-pins-differ"), hint=visit.words("new-pins-differ-hint"))
        visit.house.vault().change_secret(visit.room.speaker_id, old=form.text("pin"), new=form.text("new_pin"))
    except HometoneError as error:
        return visit.again("/me/pin", error=error)
    return visit.go("/me", notice="pin-changed")
