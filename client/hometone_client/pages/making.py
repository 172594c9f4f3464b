"""Making the voice, which goes on whether or not anybody looks; and the moment when she hears it.

What it may see: her unlocked things; how far a worker is. What it must never do: keep her unlocked because a page looks at the progress.
"""

import math
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.enrolling.collected import AIM_S, LEAST_S, kept_takes, speech_s
from hometone_client.jobs.background import Working, Workshop
from hometone_client.jobs.queue import JobQueue, read_job
from hometone_client.jobs.tiers import Tier, needed_mib
from hometone_client.jobs.usage import available_mib
from hometone_client.pages.house import House
from hometone_client.pages.speech import Wish, sound_file, whole
from hometone_client.pages.visit import Here, Own, Posted, Visit
from hometone_client.speakers.choosing import own_voice
from hometone_client.speakers.uses import Way
from hometone_shared.command_line import LANGUAGES, Language
from hometone_shared.errors import HometoneError, ResourceError, UsageError

router: Final = APIRouter()
SENTENCES: Final = 3
"""In each language, that nobody has ever recorded."""
_STAGES: Final = frozenset({"listening", "aligning", "learning", "choosing", "finishing"})


def workshop(house: House) -> Workshop:
    """Where voices are made; it ends with the pages, and its jobs stay in the queue."""
    return house.kept(Workshop, lambda: Workshop(house.vault, home=house.home, on_change=house.forget_loaded))


@router.get("/me/making")
def making(visit: Own) -> Response:
    """How far it is, or how to begin."""
    room = visit.room
    working = workshop(visit.house).working(room.speaker_id)
    job = read_job(room)
    failure = workshop(visit.house).failure(room.speaker_id) or (job.error if job is not None else "")
    takes = kept_takes(room)
    return visit.page(
        "making/making.html",
        working=working,
        **_words_of(visit, working or Working()),
        job=job,
        failure=visit.told(HometoneError(failure)) if failure and working is None else None,
        has_voice=room.has_voice,
        made=str(room.voice_record().get("made", ""))[:10],
        takes=len(takes),
        seconds=round(speech_s(takes)),
        aim=round(AIM_S),
        least=round(LEAST_S),
        hear=_sentences(visit) if room.has_voice else (),
    )


def _sentences(visit: Visit) -> tuple[tuple[Language, int, str], ...]:
    """What she can hear: language, number, words."""
    recorded = {tag.partition("-")[0] for tag in visit.room.voice_languages}
    languages = [language for language in LANGUAGES if language in recorded] or [visit.language]
    return tuple(
        (language, number, visit.words.speaking(language)(f"making-hear-{number}"))
        for language in languages
        for number in range(1, SENTENCES + 1)
    )


def _words_of(visit: Visit, working: Working) -> dict[str, Any]:
    stage = working.stage if working.stage in _STAGES else "waiting"
    left = ""
    if working.remaining_s is not None:
        minutes = math.ceil(working.remaining_s / 60)
        left = visit.words("making-left-minutes", minutes=minutes) if minutes > 1 else visit.words("making-left-minute")
    return {"fraction": working.fraction, "stage": visit.words(f"making-stage-{stage}"), "left": left}


@router.get("/me/making/live")
def live(visit: Here) -> Response:
    """How far it is; asks for the whole page when it is over, or when she was locked."""
    room = visit.house.present(visit.browser)
    working = None if room is None else workshop(visit.house).working(room.speaker_id)
    return visit.part("making/progress.html", reload=working is None, **_words_of(visit, working or Working()))


@router.post("/me/making/start")
def start(visit: Own, form: Posted) -> Response:
    """Begin, or go on: the job lies in the queue, so that it survives the end of this program."""
    try:
        tier = _tier(form.text("tier"))
        seconds = speech_s(kept_takes(visit.room))
        if seconds < LEAST_S:
            words = visit.words("making-too-little", seconds=round(seconds), least=round(LEAST_S), aim=round(AIM_S))
            raise UsageError(words, hint=visit.words("making-record"))
        if available_mib() < needed_mib(tier):
            raise ResourceError(visit.words("making-no-memory"), hint=visit.words("making-no-memory-hint"))
        JobQueue(visit.house.vault(), home=visit.house.home).add(visit.room, tier=tier)
        workshop(visit.house).begin(visit.room.speaker_id)
    except HometoneError as error:
        return visit.again("/me/making", error=error, form=form)
    return visit.go("/me/making")


def _tier(text: str) -> Tier:
    try:
        return Tier(text)
    except ValueError as error:
        raise UsageError("say how carefully the voice is to be made", hint="choose one of the two ways") from error


@router.post("/me/making/pause")
def pause(visit: Own, form: Posted) -> Response:
    """Stop for now; what was done is kept."""
    _ = form
    workshop(visit.house).pause(visit.room.speaker_id)
    return visit.go("/me/making", notice="making-paused")


@router.post("/me/making/drop")
def drop(visit: Own, form: Posted) -> Response:
    """Give it up: the job leaves the queue, and with it the permission to work without her PIN."""
    _ = form
    try:
        workshop(visit.house).pause(visit.room.speaker_id)
        JobQueue(visit.house.vault(), home=visit.house.home).remove(visit.room.speaker_id)
    except HometoneError as error:
        return visit.again("/me/making", error=error)
    return visit.go("/me/making", notice="making-dropped")


@router.get("/me/making/hear/{language}/{number}")
async def hear(visit: Own, language: str, number: int) -> Response:
    """A sentence that she never recorded, in her own voice."""
    if language not in LANGUAGES or not 1 <= number <= SENTENCES:
        raise UsageError("there is no such sentence", hint="choose one of the list")
    chosen: Language = "zh" if language == "zh" else "en"
    text = visit.words.speaking(chosen)(f"making-hear-{number}")
    sentences = await whole(visit.house, own_voice(visit.room, way=Way.SAY), Wish(text=text, language=chosen))
    return visit.sound(sound_file(sentences)[0])
