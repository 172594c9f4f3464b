"""The virtual presenter: a text is spoken, and a drawn face says it along (docs/pages.md, section 5; requirement 28).

The face lives in the browser: it gets the sound and the timings that `POST /v1/audio/speech/timed` gives to programs, and nothing else.
Without script the same form speaks, and the face keeps still. What it must never do: keep a text, or put one into an address.
"""

import base64
import json
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from hometone_client.pages.speech import Wish, sound_file, whole
from hometone_client.pages.visit import Here, Posted, Visit
from hometone_client.speakers.uses import Way
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.voices import Voice
from hometone_client.web.answers import TimedAnswer
from hometone_client.web.timed import timed
from hometone_shared.errors import HometoneError

router: Final = APIRouter()
PATH: Final = "/presenter"


class Presented:
    """What was said last in a session, for browsers without script."""

    def __init__(self, sound: bytes, *, voice: str = "") -> None:
        """Keep it in memory, and by which voice it was said."""
        self.sound = sound
        self.voice = voice

    def close(self) -> None:
        """Drop it."""
        self.sound = b""


@router.get(PATH)
def presenter(visit: Here) -> Response:
    """The face, and what it shall say."""
    voices = [(voice.id, name_of(visit, voice.id, voice.kind)) for voice in visit.house.voices(visit.browser, way=Way.PRESENTER)]
    said = visit.browser.kept(Presented, lambda: Presented(b""))
    return visit.page("presenting/presenter.html", voices=voices, has_sound=bool(said.sound))


@router.post(PATH)
async def present(visit: Here, form: Posted) -> Response:
    """Speak for a browser without script."""
    try:
        spoken = await _spoken(visit, form)
    except HometoneError as error:
        return visit.again(PATH, error=error, form=form)
    sound, _ = await run_in_threadpool(sound_file, spoken)
    visit.browser.drop(Presented)
    visit.browser.kept(Presented, lambda: Presented(sound, voice=form.text("voice")))
    return visit.go(PATH, form=form)


@router.get(f"{PATH}/sound")
def sound(visit: Here) -> Response:
    """What was said last, unless its voice was taken back since."""
    said = visit.browser.kept(Presented, lambda: Presented(b""))
    if said.sound:
        try:
            visit.house.chosen(visit.browser, said.voice, way=Way.PRESENTER)
        except HometoneError:
            said.close()
    return visit.sound(said.sound) if said.sound else Response(status_code=404)


@router.post(f"{PATH}/speech")
async def speech(visit: Here, form: Posted) -> Response:
    """Sound and timings for the face, or what went wrong, in words."""
    try:
        spoken = await _spoken(visit, form)
    except HometoneError as error:
        return JSONResponse({"error": visit.told(error)}, status_code=400)

    def written() -> str:
        data, label = sound_file(spoken)
        return TimedAnswer(
            sample_rate_hz=24_000,
            audio=base64.b64encode(data).decode("ascii"),
            format="wav",
            label=json.loads(label.to_json()),
            sentences=timed(spoken),
        ).model_dump_json()

    return Response(await run_in_threadpool(written), media_type="application/json")


async def _spoken(visit: Visit, form: Posted) -> list[SpokenSentence]:
    """Speak all of it, in a voice that may still speak when it is done: she may have been locked, or a copy taken back, meanwhile."""

    def chosen() -> Voice:
        return visit.house.chosen(visit.browser, form.text("voice"), way=Way.PRESENTER)

    voice = await run_in_threadpool(chosen)
    spoken = await whole(visit.house, voice, Wish(text=form.text("text"), audible_label=form.flag("label")))
    await run_in_threadpool(chosen)
    return spoken


def name_of(visit: Visit, voice_id: str, kind: str) -> str:
    """What a voice is called on a page: people by their name, stock voices in words where there are some."""
    key = f"stock-{voice_id.removeprefix('stock:')}"
    return visit.words(key) if kind == "stock" and key in visit.words else voice_id
