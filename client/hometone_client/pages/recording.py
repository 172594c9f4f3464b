"""Recording: five sentences one after the other, or free speech; measured at once; kept only if she says so.

The laptop records, not the browser (`enrolling.recording`), so that nothing depends on what a browser may do. A take waits in this
session's memory until she keeps it, and is gone when she is locked.

What it may see: her unlocked things, a take. What it must never do: keep one by itself, or one that the gate refused.
"""

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.audio import to_flac_bytes
from hometone_client.enrolling.collected import AIM_S, LEAST_S, kept_takes, sentences_read, speech_s
from hometone_client.enrolling.intake import Spoken
from hometone_client.enrolling.recording import FREE_SPEECH_S, Recording, State, Task
from hometone_client.enrolling.studio import Studio
from hometone_client.pages.house import House
from hometone_client.pages.reading_aloud import read_by_stock
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.speakers.consent import Purpose
from hometone_client.takes import Campaign, Verdict, campaign, campaigns
from hometone_shared.errors import AudioError, HometoneError, UsageError

router: Final = APIRouter()
FREE: Final = "free"
_HEARD_OTHERWISE: Final = 0.15
"""From this share of words on, what was heard is shown beside what was to be read."""
_BUSY: Final = (State.RECORDING, State.LISTENING)


def studio(house: House) -> Studio:
    """The laptop's microphone and recogniser."""
    return house.kept(Studio, lambda: Studio(models=house.models))


def recording(visit: Visit) -> Recording:
    """What this session records."""
    return visit.browser.kept(Recording, lambda: Recording(studio(visit.house)))


def page_of(place: str) -> str:
    """Where a task is shown."""
    return "/me/recording/free" if place == FREE else f"/me/recording/read/{place}"


@router.get("/me/recording")
def overview(visit: Own) -> Response:
    """What was read, how much there is, and what else can be done."""
    takes = kept_takes(visit.room)
    shown = sorted(campaigns().values(), key=lambda each: (each.language != visit.language, each.language not in {"zh", "en"}, each.id))
    read = {each.id: sentences_read(takes, each.sentences) for each in shown}
    ahead = {each.id: _next_unread(each, frozenset(read[each.id])) for each in shown}
    return visit.page(
        "recording/overview.html",
        campaigns=shown,
        read={key: len(found) for key, found in read.items()},
        ahead=ahead,
        takes=len(takes),
        seconds=round(speech_s(takes)),
        aim=round(AIM_S),
        least=round(LEAST_S),
        has_voice=visit.room.has_voice,
        microphones=_microphones(visit),
        chosen=recording(visit).device,
    )


def _next_unread(each: Campaign, read: frozenset[int]) -> int:
    """The first sentence that is still to be read, or the first of all."""
    return next((number for number in range(1, len(each.sentences) + 1) if number not in read), 1)


def _microphones(visit: Visit) -> list[tuple[str, str]]:
    """Those among which she can choose: none if there is only one, or if the sound system says nothing."""
    try:
        found = studio(visit.house).microphone.devices()
    except AudioError:
        return []
    return [(str(device.index), device.name) for device in found] if len(found) > 1 else []


@router.post("/me/recording/microphone")
def choose_microphone(visit: Own, form: Posted) -> Response:
    """Take this microphone from now on."""
    wanted = form.text("microphone")
    if wanted and wanted not in {value for value, _ in _microphones(visit)}:
        error = UsageError("there is no such microphone", hint="choose one of the list")
        return visit.again("/me/recording", error=error)
    recording(visit).device = int(wanted) if wanted else None
    return visit.go("/me/recording", notice="recording-microphone-chosen")


@router.get("/me/recording/read/{name}/{number}")
def sentence(visit: Own, name: str, number: int) -> Response:
    """One sentence, large."""
    chosen, text = _sentence(name, number)
    read = sentences_read(kept_takes(visit.room), chosen.sentences)
    return _shown(
        visit,
        f"{chosen.id}/{number}",
        campaign=chosen,
        number=number,
        sentence=text,
        read=frozenset(read),
        aloud=f"/me/recording/aloud/{chosen.id}/{number}",
    )


@router.get("/me/recording/free")
def free(visit: Own) -> Response:
    """Talk about anything."""
    return _shown(visit, FREE, campaign=None, number=0, sentence="", read=frozenset(), aloud="")


def _shown(visit: Visit, place: str, **values: Any) -> Response:
    status = recording(visit).status
    if status.state in _BUSY and status.place != place:
        return visit.go(page_of(status.place))
    here = status if status.place == place else None
    assessed = here.assessed if here is not None else None
    heard = assessed.transcript.text if assessed is not None and assessed.transcript is not None else ""
    differs = assessed is not None and (assessed.error_rate is None or assessed.error_rate > _HEARD_OTHERWISE)
    findings = assessed.findings if assessed is not None else ()
    return visit.page(
        "recording/sentence.html",
        place=place,
        state="idle" if here is None else here.state.value,
        now=status,
        failure=None if here is None or here.error is None else visit.told(here.error),
        assessed=assessed,
        rejected=assessed is not None and assessed.verdict is Verdict.REJECT,
        findings=[(each.severity.value, each.what(visit.language), each.advice(visit.language)) for each in findings],
        heard=heard if differs else "",
        longest=round(_task(place).longest_s),
        **values,
    )


def _sentence(name: str, number: int) -> tuple[Campaign, str]:
    chosen = campaigns().get(name)
    if chosen is None or not 1 <= number <= len(chosen.sentences):
        raise UsageError("there is no such sentence", hint="choose one of the list")
    return chosen, chosen.sentences[number - 1]


def _task(place: str) -> Task:
    """What is recorded at a place.

    Raises:
        UsageError: There is no such place.
    """
    if place == FREE:
        return Task(place=FREE, spoken=Spoken(text=None, language=None), longest_s=FREE_SPEECH_S)
    name, _, number = place.rpartition("/")
    chosen, text = _sentence(name, int(number) if number.isascii() and number.isdecimal() and len(number) < 3 else 0)
    return Task(place=f"{chosen.id}/{int(number)}", spoken=Spoken(text=text, language=chosen.language))


@router.get("/me/recording/aloud/{name}/{number}")
async def aloud(visit: Own, name: str, number: int) -> Response:
    """A sentence in a stock voice."""
    chosen, text = _sentence(name, number)
    return visit.sound(await read_by_stock(visit.house, text, language=chosen.language))


@router.post("/me/recording/start")
def start(visit: Own, form: Posted) -> Response:
    """Begin to record."""
    task = _task(form.text("place"))
    try:
        visit.room.require(Purpose.OWN_VOICE, now=visit.house.now())
        recording(visit).start(task)
    except HometoneError as error:
        return visit.again(page_of(task.place), error=error)
    return visit.go(page_of(task.place))


@router.get("/me/recording/live")
def live(visit: Own, shown: str = "") -> Response:
    """Level and time while it goes on; asks for the whole page when something else is to be shown."""
    status = recording(visit).status
    return visit.part("recording/level.html", reload=status.state.value != shown, now=status)


@router.post("/me/recording/stop")
def stop(visit: Own, form: Posted) -> Response:
    """End it; it is listened to then."""
    now = recording(visit)
    now.stop()
    return visit.go(page_of(_task(form.text("place")).place))


@router.get("/me/recording/sound")
def sound(visit: Own) -> Response:
    """What was recorded."""
    assessed = recording(visit).status.assessed
    if assessed is None:
        raise UsageError("there is no recording to be heard", hint="record the sentence first")
    return visit.sound(to_flac_bytes(assessed.take), media_type="audio/flac")


@router.post("/me/recording/again")
def again(visit: Own, form: Posted) -> Response:
    """Drop it."""
    recording(visit).again()
    return visit.go(page_of(_task(form.text("place")).place))


@router.post("/me/recording/keep")
def keep(visit: Own, form: Posted) -> Response:
    """Keep it, sealed, and go on with the next sentence."""
    now = recording(visit)
    place = now.status.place
    if not place:
        return visit.go(page_of(_task(form.text("place")).place))  # pressed twice: it is kept
    try:
        visit.room.require(Purpose.OWN_VOICE, now=visit.house.now())
        now.keep(visit.room, language=visit.language)
    except HometoneError as error:
        return visit.again(page_of(place), error=error)
    if place == FREE:
        return visit.go("/me/recording", notice="recording-kept")
    chosen = campaign(place.rpartition("/")[0])
    read = frozenset(sentences_read(kept_takes(visit.room), chosen.sentences))
    if len(read) == len(chosen.sentences):
        return visit.go("/me/recording", notice="recording-all-kept")
    return visit.go(page_of(f"{chosen.id}/{_next_unread(chosen, read)}"), notice="recording-kept")
