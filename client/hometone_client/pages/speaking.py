"""Any text in one's own voice: listened to in the page, kept as a file with its label.

What it may see: a text in memory while it is spoken. What it must never do: write it down, or put it into an address or a log.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from hometone_client.audio.encoding import MEDIA_TYPES, SpeechFormat, check_format
from hometone_client.audio.labels import LABEL_HEADER
from hometone_client.pages.forms import Form
from hometone_client.pages.readings import Reading, Readings, Wish, in_background
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.speakers.choosing import own_voice
from hometone_client.speakers.uses import Way
from hometone_client.speaking.settings import SpeakingSettings
from hometone_shared.errors import HometoneError, UsageError

router: Final = APIRouter()
FORMATS: Final[tuple[SpeechFormat, ...]] = ("wav", "mp3", "flac", "opus", "aac")
_ENDINGS: Final[dict[SpeechFormat, str]] = {"opus": "ogg"}
LANGUAGES: Final = ("zh", "en", "es", "fr", "it", "pt")
PACE: Final = (0.5, 2.0)
USUAL: Final = {"pace": "1", "pitch": "0", "liveliness": "1", "variation": "0.667"}
"""Where the sliders stand at first."""


@router.get("/me/speak")
def ask(visit: Own) -> Response:
    """A text and how it is to be spoken, and what was spoken last."""
    readings = visit.browser.kept(Readings, Readings)
    return visit.page(
        "speaking/speaking.html",
        has_voice=visit.room.has_voice,
        before={**USUAL, "text": "", "tongue": "", "audible": "", **readings.typed},
        usual=USUAL,
        tongues=LANGUAGES,
        longest=visit.house.limits.text_characters,
        reading=readings.newest,
        told=_told(visit, readings.newest),
        formats=FORMATS,
    )


@router.post("/me/speak")
async def speak(visit: Own, form: Posted) -> Response:
    """Begin to speak; the page that follows plays it."""
    readings = visit.browser.kept(Readings, Readings)
    typed = {name: form.text(name) for name in ("text", "tongue", *USUAL)}
    typed["audible"] = "yes" if form.flag("audible") else ""
    if form.text("do") == "usual":
        readings.typed = {**typed, **USUAL}
        return visit.go("/me/speak", notice="speaking-reset")
    readings.typed = typed
    try:
        if not visit.room.has_voice:
            raise UsageError("this speaker has no voice yet", hint=f"make it with: hometone train {visit.room.name}")
        voice = own_voice(visit.room, way=Way.SAY)
        reading = readings.begin(visit.house, wish_of(form))
    except HometoneError as error:
        return visit.again("/me/speak", error=error)
    in_background(reading, visit.house, voice.load)
    return visit.go("/me/speak")


def wish_of(form: Form) -> Wish:
    """What a form asks for.

    Raises:
        UsageError: A slider stands where it cannot.
    """
    pace = form.number("pace", 1.0)
    if not PACE[0] <= pace <= PACE[1]:
        raise UsageError(f"the pace must lie between {PACE[0]:g} and {PACE[1]:g}", hint="leave it out to get the usual value")
    tongue = form.text("tongue")
    return Wish(
        text=form.text("text"),
        language=tongue if tongue in LANGUAGES else None,
        settings=SpeakingSettings(
            length_scale=1.0 / pace,
            noise_scale=form.number("variation", 0.667),
            pitch_semitones=form.number("pitch", 0.0),
            pitch_range=form.number("liveliness", 1.0),
        ),
        audible_label=form.flag("audible"),
    )


@router.get("/me/speak/now")
def now(visit: Own) -> Response:
    """How far it is, for the page's script."""
    reading = visit.browser.kept(Readings, Readings).newest
    answer = visit.part("speaking/now.html", reading=reading, told=_told(visit, reading), formats=FORMATS)
    if reading is None or not reading.running:
        answer.headers["X-Done"] = "1"  # nothing asks any more, so that whoever has gone away is locked in time
    return answer


def _told(visit: Visit, reading: Reading | None) -> Mapping[str, str] | None:
    """What went wrong, in the language of the page."""
    return None if reading is None or reading.error is None else visit.told(reading.error)


@router.get("/me/speak/sound/{number}")
def sound(visit: Own, number: int) -> Response:
    """The sound, also while it is still being spoken."""
    reading = _reading(visit, number)
    if reading.is_whole:
        return visit.sound(reading.file("wav"))
    return StreamingResponse(reading.stream(), media_type=MEDIA_TYPES["wav"], headers={LABEL_HEADER: reading.label.to_json()})


@router.get("/me/speak/file/{number}/{fmt}")
def keep(visit: Own, number: int, fmt: str) -> Response:
    """The sound as a file; her journal says that it left."""
    reading = _reading(visit, number)
    checked = check_format(fmt=fmt, sample_rate_hz=24_000)
    if checked not in FORMATS:
        raise UsageError("raw samples cannot carry the AI label, so no file is made of them", hint="choose wav")
    data = reading.file(checked)
    visit.room.note("kept-file", format=checked, seconds=round(reading.seconds, 1))
    return visit.sound(data, media_type=MEDIA_TYPES[checked], name=f"hometone-{number}.{_ENDINGS.get(checked, checked)}")


def _reading(visit: Visit, number: int) -> Reading:
    return visit.browser.kept(Readings, Readings).find(number)
