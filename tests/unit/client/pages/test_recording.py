"""Recording: in memory until it is kept, kept only if it is good enough, and gone when she is locked."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clock import Clock
from fake_microphone import FakeMicrophone
from visitor import ORIGIN, Visitor

from hometone_client.audio import Origin, RawTake, decode, to_flac_bytes
from hometone_client.enrolling.collected import kept_takes
from hometone_client.enrolling.recording import State
from hometone_client.enrolling.studio import Studio
from hometone_client.models import ensure, model_folder
from hometone_client.pages.app import create_pages
from hometone_client.pages.house import LOCKED_AFTER_S, Browser, House
from hometone_client.pages.recording import Recording
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.takes import campaign
from hometone_shared.errors import AudioError

SAMPLE = Path(__file__).parents[4] / "sample" / "allison"
PLACE = "en-everyday/2"
PAGE = f"/me/recording/read/{PLACE}"
pytestmark = pytest.mark.models


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.fixture(scope="module")
def speech() -> RawTake:
    take = decode(next(iter(sorted(SAMPLE.rglob("*.flac")) or sorted(SAMPLE.rglob("*.wav")))))
    return RawTake(take.samples, take.sample_rate_hz, Origin.MICROPHONE)


@pytest.fixture
def microphone(house: House, speech: RawTake) -> FakeMicrophone:
    ensure("whisper-base")
    fake = FakeMicrophone(speech)
    house.kept(Studio, lambda: Studio(models=model_folder(), microphone=fake))
    return fake


@pytest.fixture
def own(visitor: Visitor, mei: str, microphone: FakeMicrophone) -> Visitor:
    """Mei, unlocked."""
    del microphone
    assert visitor.post(f"/unlock/{mei}", {"pin": "2468"}).headers["location"] == "/me"
    visitor.get("/me")
    return visitor


def browser(visitor: Visitor) -> Browser:
    (session,) = visitor.house.browsers.each()
    return session.state


def room(visitor: Visitor) -> SpeakerRoom:
    found = browser(visitor).room
    assert found is not None
    return found


def status_of(visitor: Visitor) -> State:
    return (
        browser(visitor).kept(Recording, lambda: Recording(visitor.house.kept(Studio, lambda: Studio(models=model_folder())))).status.state
    )


def recorded(visitor: Visitor, microphone: FakeMicrophone, place: str = PLACE) -> None:
    assert visitor.post("/me/recording/start", {"place": place}).status_code == 303
    assert microphone.heard.wait(10)
    visitor.post("/me/recording/stop", {"place": place})
    until(lambda: status_of(visitor) in {State.JUDGED, State.FAILED})


def test_a_sentence_is_recorded_heard_and_kept(own: Visitor, microphone: FakeMicrophone, speech: RawTake) -> None:
    assert "brings fresh bread" in own.get(PAGE).text
    assert own.follow(own.post("/me/recording/start", {"place": PLACE})).text.count("Recording. Please read now.") == 1
    assert microphone.heard.wait(10)
    part = own.get("/me/recording/live?shown=recording")
    assert "✓ Good" in part.text
    assert "x-reload" not in part.headers
    own.post("/me/recording/stop", {"place": PLACE})
    until(lambda: status_of(own) is State.JUDGED)
    assert own.get("/me/recording/live?shown=recording").headers["x-reload"] == "1"
    page = own.get(PAGE).text
    assert "Keep it" in page
    assert "understood other words" in page
    assert own.get("/me/recording/sound").content == to_flac_bytes(speech)
    assert kept_takes(room(own)) == ()
    answer = own.post("/me/recording/keep", {"place": PLACE})
    assert answer.headers["location"] == "/me/recording/read/en-everyday/1"
    (take,) = kept_takes(room(own))
    assert take.record is not None
    assert take.record.text == campaign("en-everyday").sentences[1]
    assert "1 of 5 read" in own.get("/me/recording").text
    assert microphone.longest == [60.0]


def test_pressing_keep_twice_keeps_once(own: Visitor, microphone: FakeMicrophone) -> None:
    recorded(own, microphone)
    own.post("/me/recording/keep", {"place": PLACE})
    assert own.post("/me/recording/keep", {"place": PLACE}).headers["location"] == PAGE
    assert len(kept_takes(room(own))) == 1


def test_again_drops_it(own: Visitor, microphone: FakeMicrophone) -> None:
    recorded(own, microphone)
    own.post("/me/recording/again", {"place": PLACE})
    assert status_of(own) is State.IDLE
    assert own.get("/me/recording/sound").status_code == 400
    assert kept_takes(room(own)) == ()


def test_a_rejected_take_says_why_and_cannot_be_kept(own: Visitor, microphone: FakeMicrophone) -> None:
    microphone.take = RawTake((0.05 * np.random.default_rng(2).standard_normal(48_000)).astype(np.float32), 16_000, Origin.MICROPHONE)
    recorded(own, microphone)
    page = own.get(PAGE).text
    assert "cannot be kept" in page
    assert "Keep it" not in page
    answer = own.post("/me/recording/keep", {"place": PLACE})
    assert "nobody can be heard" in own.follow(answer).text
    assert kept_takes(room(own)) == ()


def test_a_microphone_that_refuses_is_told(own: Visitor, microphone: FakeMicrophone) -> None:
    microphone.refuses = AudioError("this computer has no microphone", hint="plug in a microphone")
    own.post("/me/recording/start", {"place": PLACE})
    until(lambda: status_of(own) is State.FAILED)
    page = own.get(PAGE).text
    assert "no microphone" in page
    assert "Try again" in page
    microphone.refuses = None
    recorded(own, microphone)
    assert status_of(own) is State.JUDGED


def test_one_person_records_at_a_time(own: Visitor, house: House, mei: str, microphone: FakeMicrophone) -> None:
    other = Visitor(create_pages(house), house)
    other.enter()
    other.post(f"/unlock/{mei}", {"pin": "2468"})
    own.post("/me/recording/start", {"place": PLACE})
    assert microphone.heard.wait(10)
    refused = other.post("/me/recording/start", {"place": PLACE})
    assert "somebody else is recording" in other.follow(refused).text
    own.post("/me/recording/stop", {"place": PLACE})


def test_another_sentence_leads_back_while_it_records(own: Visitor, microphone: FakeMicrophone) -> None:
    own.post("/me/recording/start", {"place": PLACE})
    assert microphone.heard.wait(10)
    assert own.get("/me/recording/read/en-everyday/4").headers["location"] == PAGE
    again = own.post("/me/recording/start", {"place": "free"})
    assert again.headers["location"] == "/me/recording/free"
    own.post("/me/recording/stop", {"place": PLACE})


@pytest.mark.parametrize("moment", ["recording", "judged"])
@pytest.mark.parametrize("way", ["lock", "leave", "time"])
def test_whoever_is_locked_leaves_nothing(
    own: Visitor, house: House, mei: str, microphone: FakeMicrophone, clock: Clock, moment: str, way: str
) -> None:
    if moment == "judged":
        recorded(own, microphone)
    else:
        own.post("/me/recording/start", {"place": PLACE})
        assert microphone.heard.wait(10)
    if way == "time":
        clock.now += LOCKED_AFTER_S + 1
        assert own.get(PAGE).headers["location"] == "/"
    else:
        own.post(f"/{way}")
    until(lambda: not microphone.heard.is_set())
    until(lambda: not any(thread.name == "recording" for thread in threading.enumerate()))
    with SpeakerRoom(house.vault().unlock(mei, "2468")) as opened:
        assert opened.take_names() == ()


def test_free_speech_is_written_down_here(own: Visitor, microphone: FakeMicrophone) -> None:
    recorded(own, microphone, "free")
    assert "This computer understood:" in own.get("/me/recording/free").text
    assert own.post("/me/recording/keep", {"place": "free"}).headers["location"] == "/me/recording"
    (take,) = kept_takes(room(own))
    assert take.record is not None
    assert take.record.text
    assert microphone.longest == [180.0]


def test_a_microphone_is_chosen_where_there_are_several(own: Visitor, microphone: FakeMicrophone) -> None:
    assert 'name="microphone"' not in own.get("/me/recording").text
    microphone.names = ("built in", "headset <1>")
    assert "headset &lt;1&gt;" in own.get("/me/recording").text
    own.post("/me/recording/microphone", {"microphone": "1"})
    recorded(own, microphone)
    assert microphone.devices_used == [1]
    assert "no such microphone" in own.follow(own.post("/me/recording/microphone", {"microphone": "7"})).text


@pytest.mark.parametrize("place", ["", "en-everyday/6", "en-everyday/0", "no/1", "../../x", "en-everyday/१", "en-everyday/999999999999"])
@pytest.mark.parametrize("action", ["start", "stop", "again", "keep"])
def test_places_that_are_not_there(own: Visitor, place: str, action: str) -> None:
    assert own.post(f"/me/recording/{action}", {"place": place}).status_code == 400


@pytest.mark.parametrize("path", ["start", "stop", "again", "keep", "microphone", "import", "takes/take-0001/remove"])
def test_forms_of_others_and_of_nobody_are_refused(own: Visitor, path: str) -> None:
    fields = {"place": PLACE}
    assert own.post(f"/me/recording/{path}", fields, token="wrong").status_code == 400
    assert own.post(f"/me/recording/{path}", fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert (
        own.request(
            "POST", f"/me/recording/{path}", content=b"{}", headers={"Origin": ORIGIN, "Content-Type": "application/json"}
        ).status_code
        == 400
    )
    own.post("/lock")
    own.get("/")
    answer = own.post(f"/me/recording/{path}", fields)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/read/en-everyday/1",
        "/free",
        "/takes",
        "/takes/take-0001/sound",
        "/takes/take-0001/remove",
        "/import",
        "/import/live",
        "/live",
        "/sound",
        "/aloud/en-everyday/1",
    ],
)
def test_pages_are_hers_alone(visitor: Visitor, mei: str, path: str) -> None:
    del mei
    assert visitor.get(f"/me/recording{path}").headers["location"] == "/"


def test_files_are_judged_one_by_one_and_a_damaged_one_costs_only_itself(own: Visitor, speech: RawTake) -> None:
    good = to_flac_bytes(speech)
    files = [
        ("files", ("早上.flac", good)),
        ("files", ("../../broken<b>.m4a", b"no sound" * 50)),
        ("files", ("b.flac", good)),
        ("files", ("empty.wav", b"")),
    ]
    assert own.post("/me/recording/import", {"spoken": "en"}, files=files).headers["location"] == "/me/recording/import"
    until(lambda: "were kept" in own.get("/me/recording/import").text)
    page = own.get("/me/recording/import").text
    assert "2 of 3 recordings were kept" in page
    assert "早上.flac" in page
    assert "broken&lt;b&gt;.m4a" in page
    assert ".." not in page
    assert own.get("/me/recording/import/live").headers["x-reload"] == "1"
    assert len(kept_takes(room(own))) == 2


def test_no_file_and_an_unknown_language_are_told(own: Visitor, speech: RawTake) -> None:
    assert "no recording was chosen" in own.follow(own.post("/me/recording/import", {})).text
    files = [("files", ("a.flac", to_flac_bytes(speech)))]
    assert "no such language" in own.follow(own.post("/me/recording/import", {"spoken": "xx"}, files=files)).text
    assert kept_takes(room(own)) == ()


def test_a_take_is_heard_and_removed_in_two_steps(own: Visitor, microphone: FakeMicrophone, speech: RawTake) -> None:
    recorded(own, microphone)
    own.post("/me/recording/keep", {"place": PLACE})
    assert "Recording 1" in own.get("/me/recording/takes").text
    assert own.get("/me/recording/takes/take-0001/sound").content == to_flac_bytes(speech)
    assert "cannot be brought back" in own.get("/me/recording/takes/take-0001/remove").text
    assert len(kept_takes(room(own))) == 1
    assert "was removed" in own.follow(own.post("/me/recording/takes/take-0001/remove")).text
    assert kept_takes(room(own)) == ()
    assert own.get("/me/recording/takes/take-0001/sound").status_code == 400
    assert "no such take" in own.follow(own.post("/me/recording/takes/take-0001/remove")).text


def test_a_damaged_take_is_shown_and_can_be_removed(own: Visitor, microphone: FakeMicrophone) -> None:
    recorded(own, microphone)
    own.post("/me/recording/keep", {"place": PLACE})
    room(own).vault.put_json("take-0001", {"text": 1}, kind="take-record")
    assert "damaged" in own.get("/me/recording/takes").text
    assert own.get("/me/recording").status_code == 200
    assert own.get("/me").status_code == 200
    own.post("/me/recording/takes/take-0001/remove")
    assert kept_takes(room(own)) == ()


def test_without_a_consent_nothing_is_recorded(own: Visitor, microphone: FakeMicrophone) -> None:
    room(own).vault.delete("consent", "own-voice")
    assert "not consented" in own.follow(own.post("/me/recording/start", {"place": PLACE})).text
    assert microphone.devices_used == []
