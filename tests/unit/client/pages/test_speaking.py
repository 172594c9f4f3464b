"""Any text in one's own voice: heard while it is computed, kept as a labelled file, never written down."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from clock import Clock
from person import unlock, with_everything
from tests.unit.client.web.desk_speaker import ToneSpeaker
from visitor import ORIGIN, Visitor

from hometone_client.audio import decode
from hometone_client.audio.labels import read_label
from hometone_client.models import model_folder
from hometone_client.pages.app import create_pages
from hometone_client.pages.house import House
from hometone_client.pages.readings import Readings, Wish
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.speaking import Synthesizer
from hometone_client.voices import VoiceParameters
from hometone_client.web.state import Limits
from hometone_shared.errors import TextError, UsageError


class ToneHouse(House):
    """A laptop whose voices are tones: the same interface, without weights."""

    speaker = ToneSpeaker()

    def synthesizer(self, voice: VoiceParameters) -> Synthesizer:
        return self.speaker(voice)  # type: ignore[return-value]


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    with ToneHouse(tmp_path / "home", models=model_folder(), clock=clock, limits=Limits(text_characters=500)) as opened:
        opened.speaker = ToneSpeaker()
        yield opened


@pytest.fixture
def mine(house: House, mei: str) -> Visitor:
    with_everything(house, mei)
    visitor = Visitor(create_pages(house), house)
    visitor.enter()
    unlock(visitor, mei)
    visitor.get("/me/speak")
    return visitor


def together(visitor: Visitor, steps: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Several requests on one event loop, as a server has it."""

    async def run() -> None:
        transport = httpx.ASGITransport(visitor.app, client=("127.0.0.1", 5000))
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=visitor.cookies, headers=headers) as http:
            await steps(http)

    asyncio.run(run())


async def speak(http: httpx.AsyncClient, visitor: Visitor, **fields: str) -> httpx.Response:
    return await http.post("/me/speak", data={"_token": visitor.token, "text": "One. Two. Three."} | fields)


async def until_spoken(http: httpx.AsyncClient) -> str:
    while True:
        text = (await http.get("/me/speak/now")).text
        if "<progress" not in text:
            return text
        await asyncio.sleep(0.01)


def test_a_text_is_spoken_heard_and_kept_with_its_label(mine: Visitor, house: House, mei: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def steps(http: httpx.AsyncClient) -> None:
        answer = await speak(http, mine)
        assert answer.headers["location"] == "/me/speak"
        streamed = (await http.get("/me/speak/sound/1")).content
        assert read_label(streamed) is not None
        assert "All of it is spoken: 2 seconds" in await until_spoken(http)
        assert (await http.get("/me/speak/now")).headers["x-done"] == "1"
        page = (await http.get("/me/speak")).text
        assert "data-progress" not in page
        assert "One. Two. Three." in page
        for fmt in ("wav", "mp3", "flac", "opus", "aac"):
            file = await http.get(f"/me/speak/file/1/{fmt}")
            assert file.status_code == 200
            assert file.headers["content-disposition"].startswith('attachment; filename="hometone-1.')
            if fmt != "aac":
                assert read_label(file.content) is not None
            assert abs(decode(file.content).duration_s - 1.5) < 0.2
        assert (await http.get("/me/speak/file/1/pcm")).status_code == 400
        assert (await http.get("/me/speak/file/1/exe")).status_code == 400

    together(mine, steps)
    with SpeakerRoom(house.vault().unlock(mei, "2468")) as room:
        assert [use.count for use in room.uses() if use.way is Way.SAY] == [1]
        assert sum(entry["event"] == "kept-file" for entry in room.journal()) == 5
    assert "Two" not in caplog.text
    for file in house.home.rglob("*"):
        assert not file.is_file() or b"Two" not in file.read_bytes()


def test_sliders_are_what_they_say(mine: Visitor, house: House) -> None:
    async def steps(http: httpx.AsyncClient) -> None:
        await speak(http, mine, pace="2", pitch="-3", liveliness="0.5", variation="0.767", audible="yes", tongue="fr")
        await until_spoken(http)

    together(mine, steps)
    assert isinstance(house, ToneHouse)
    (settings,) = house.speaker.settings
    assert (settings.length_scale, settings.pitch_semitones, settings.pitch_range, settings.noise_scale) == (0.5, -3.0, 0.5, 0.767)
    assert house.speaker.audible == [True]


@pytest.mark.parametrize(
    "fields",
    [
        {"pace": "0"},
        {"pace": "9"},
        {"pace": "nan"},
        {"pitch": "high"},
        {"pitch": "99"},
        {"variation": "inf"},
        {"liveliness": "-1"},
        {"text": " \n"},
        {"text": "x" * 501},
    ],
)
def test_what_cannot_be_spoken_is_told_and_everything_typed_stays(mine: Visitor, house: House, fields: dict[str, str]) -> None:
    async def steps(http: httpx.AsyncClient) -> None:
        await speak(http, mine, **({"text": "Keep me. Please."} | fields))
        page = (await http.get("/me/speak")).text
        assert 'role="alert"' in page
        if "text" not in fields:
            assert "Keep me. Please." in page
        assert "/me/speak/sound" not in page

    together(mine, steps)
    assert house.desk._taken == 0


def test_an_unreadable_part_is_told_with_the_text_still_there(mine: Visitor) -> None:
    async def steps(http: httpx.AsyncClient) -> None:
        await speak(http, mine, text="Fine. !bad. Never.")
        assert "cannot be read aloud" in await until_spoken(http)
        page = (await http.get("/me/speak")).text
        assert "Fine. !bad. Never." in page
        assert 'role="alert"' in page
        assert (await http.get("/me/speak/file/1/wav")).status_code == 400

    together(mine, steps)


def test_without_consent_the_voice_does_not_speak(mine: Visitor, house: House, mei: str) -> None:
    with SpeakerRoom(house.vault().unlock(mei, "2468")) as room:
        room.withdraw_consent(Purpose.OWN_VOICE)

    async def steps(http: httpx.AsyncClient) -> None:
        await speak(http, mine)
        assert "has not consented" in await until_spoken(http)

    together(mine, steps)
    assert isinstance(house, ToneHouse)
    assert house.speaker.spoken == []


def test_usual_puts_the_sliders_back_and_keeps_the_text(mine: Visitor) -> None:
    page = mine.follow(mine.post("/me/speak", {"text": "Hello there.", "pitch": "4", "do": "usual"})).text
    assert "Hello there." in page
    assert 'value="0.667"' in page
    assert 'value="4"' not in page


def test_locking_forgets_sound_and_text(mine: Visitor, mei: str) -> None:
    async def steps(http: httpx.AsyncClient) -> None:
        await speak(http, mine, text="Forget me.")
        await until_spoken(http)
        await http.post("/lock", data={"_token": mine.token})
        assert (await http.get("/me/speak/sound/1")).status_code == 303

    together(mine, steps)
    unlock(mine, mei)
    assert "Forget me." not in mine.get("/me/speak").text
    assert mine.get("/me/speak/sound/1").status_code == 400


def test_a_new_text_ends_the_one_before_and_few_are_kept(house: House) -> None:
    readings = Readings()
    first = readings.begin(house, Wish(text="One."))
    for _ in range(3):
        house.desk.leave()
        readings.begin(house, Wish(text="More."))
    with pytest.raises(UsageError):
        readings.find(first.number)
    assert readings.newest is readings.find(4)
    with pytest.raises(TextError):
        readings.begin(house, Wish(text=""))
    readings.close()
    assert readings.newest is None


def test_who_has_no_voice_is_led_to_making_one(visitor: Visitor, mei: str) -> None:
    unlock(visitor, mei)
    assert "has not been made yet" in visitor.get("/me/speak").text
    assert "has no voice yet" in visitor.follow(visitor.post("/me/speak", {"text": "Hello."})).text
