"""A yes that is spoken: one microphone, in memory, checked by the real recogniser and speaker encoder."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from person import a_file, unlock
from visitor import Visitor

from hometone_client.audio import RawTake
from hometone_client.audio.encoding import encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.audio.raw_take import Origin
from hometone_client.audio.recorder import InputDevice, Level
from hometone_client.enrolling.studio import Studio
from hometone_client.models import model_folder
from hometone_client.pages.house import House
from hometone_client.pages.phrase_recording import PhraseRecording
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.spoken_phrase import Phrase
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.voices import VoiceRegistry
from hometone_shared.errors import AudioError, ResourceError, UsageError

AN_HOUR_S = 3600.0
HERS, ANOTHER = "stock:bf_emma", "stock:am_michael"


def hiss(seconds: float = 3.0) -> RawTake:
    samples = np.random.default_rng(1).uniform(-0.3, 0.3, round(16_000 * seconds)).astype(np.float32)
    return RawTake(samples, 16_000, Origin.MICROPHONE)


def spoken(text: str, voice: str) -> RawTake:
    """A text in a stock voice, which stands for a person here."""
    sessions = Sessions(model_folder())
    found = VoiceRegistry(base_sha256=sessions.base_sha256).get(voice).load()
    pieces = [part.samples for part in Synthesizer(model_folder(), found, sessions=sessions).speak(text, language="en")]
    return RawTake(np.concatenate(pieces), 24_000, Origin.MICROPHONE)


class TapedMicrophone:
    """A microphone that plays what a test puts in, until it is stopped."""

    def __init__(self, take: RawTake | Exception) -> None:
        self.take = take
        self.opened = 0
        self.open_now = threading.Event()

    def devices(self) -> tuple[InputDevice, ...]:
        return ()

    def record(self, *, stop: threading.Event, device: int | None, on_level: Callable[[Level], None], max_duration_s: float) -> RawTake:
        del device, max_duration_s
        self.opened += 1
        on_level(Level(rms_dbfs=-20.0, peak_dbfs=-10.0, elapsed_s=0.1))
        self.open_now.set()
        assert stop.wait(AN_HOUR_S)
        if isinstance(self.take, Exception):
            raise self.take
        return self.take


@pytest.fixture
def microphone(house: House) -> TapedMicrophone:
    found = TapedMicrophone(hiss())
    house.kept(Studio, lambda: Studio(models=house.models, microphone=found))
    return found


@pytest.fixture
def mine(visitor: Visitor, microphone: TapedMicrophone, mei: str) -> Visitor:
    del microphone  # it has to be there before a page asks for one
    unlock(visitor, mei)
    visitor.get("/me/consents/archive")
    return visitor


def consent_of(house: House, place: str) -> object:
    with SpeakerRoom(house.vault().unlock(place, "2468")) as room:
        return room.consent(Purpose.ARCHIVE)


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.parametrize(("speaker", "agreed"), [(HERS, True), (ANOTHER, False)])
def test_her_own_voice_says_yes_and_nobody_elses(
    mine: Visitor, microphone: TapedMicrophone, house: House, mei: str, speaker: str, *, agreed: bool
) -> None:
    with SpeakerRoom(house.vault().unlock(mei, "2468")) as room:
        for text in ("The weather is lovely today, so I want to walk in the park.", "Please remember to take your medicine after lunch."):
            room.add_take(spoken(text, HERS), text=text, language="en", speech_s=3.0, quality={})
        # Words without a sentence around them that the recogniser is known to hear in both voices.
        phrase_of = Phrase(text="garden window river morning bread sister", locale="en", made=House.now().replace(microsecond=0))
        room.vault.put_json("spoken", phrase_of.to_record(), kind="phrase")
    page = mine.follow(mine.post("/me/consents/archive/record", {"agreed": "yes"}))
    phrase = page.text.split('class="sentence"')[1].split(">", 1)[1].split("</p>")[0]
    microphone.take = spoken(", ".join(phrase.split()), speaker)
    page = mine.follow(mine.post("/me/consents/archive/spoken", {"from": "microphone", "agreed": "yes", "days": "30"}))
    assert ("You have agreed" in page.text) is agreed, page.text
    if not agreed:
        assert "the voice is not like that of the recordings" in page.text
    assert (consent_of(house, mei) is not None) is agreed


def test_the_phrase_stays_the_same_until_it_is_spoken(mine: Visitor) -> None:
    def phrase() -> str:
        text = mine.get("/me/consents/archive").text
        return text.split('class="sentence"')[1].split("</p>")[0]

    assert phrase() == phrase()


def test_no_microphone_opens_before_she_has_agreed(mine: Visitor, microphone: TapedMicrophone) -> None:
    page = mine.follow(mine.post("/me/consents/archive/record"))
    assert "there was no consent" in page.text
    assert microphone.opened == 0


def test_level_is_shown_and_stopping_without_a_yes_keeps_nothing(
    mine: Visitor, microphone: TapedMicrophone, house: House, mei: str
) -> None:
    page = mine.follow(mine.post("/me/consents/archive/record", {"agreed": "yes"}))
    assert "Please say these words now" in page.text
    assert microphone.open_now.wait(10)
    level = mine.get("/me/consents/archive/level")
    assert "<meter" in level.text
    assert "x-reload" not in level.headers
    page = mine.follow(mine.post("/me/consents/archive/discard"))
    assert "Nothing was kept" in page.text
    assert mine.get("/me/consents/archive/level").headers["x-reload"] == "1"
    assert consent_of(house, mei) is None


def test_what_was_said_is_not_enough_without_recordings_to_compare(
    mine: Visitor, microphone: TapedMicrophone, house: House, mei: str
) -> None:
    mine.post("/me/consents/archive/record", {"agreed": "yes"})
    assert microphone.open_now.wait(10)
    page = mine.follow(mine.post("/me/consents/archive/spoken", {"from": "microphone", "agreed": "yes", "days": "30"}))
    assert 'role="alert"' in page.text
    assert consent_of(house, mei) is None


def test_a_microphone_that_refuses_is_told(mine: Visitor, microphone: TapedMicrophone) -> None:
    microphone.take = AudioError("the microphone delivered only silence", hint="unmute it")
    mine.post("/me/consents/archive/record", {"agreed": "yes"})
    page = mine.follow(mine.post("/me/consents/archive/spoken", {"from": "microphone", "agreed": "yes"}))
    assert "only silence" in page.text


def test_nothing_recorded_and_nothing_chosen_is_told(mine: Visitor, microphone: TapedMicrophone) -> None:
    del microphone
    for fields in ({"from": "microphone", "agreed": "yes"}, {"agreed": "yes"}):
        assert 'role="alert"' in mine.follow(mine.post("/me/consents/archive/spoken", fields)).text


def test_a_recording_that_says_a_machine_spoke_it_is_refused(mine: Visitor, house: House, mei: str) -> None:
    data = encode(hiss().samples, fmt="wav", label=SyntheticLabel.fresh())
    page = mine.follow(mine.post("/me/consents/archive/spoken", {"agreed": "yes"}, files=a_file("recording", data)))
    assert "spoken by a machine" in page.text
    assert consent_of(house, mei) is None


@pytest.mark.parametrize("content", [b"no sound", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_recording_is_told(mine: Visitor, content: bytes) -> None:
    page = mine.follow(mine.post("/me/consents/archive/spoken", {"agreed": "yes"}, files=a_file("recording", content)))
    assert 'role="alert"' in page.text


def test_purposes_that_are_not_spoken_know_no_microphone(mine: Visitor, microphone: TapedMicrophone) -> None:
    for path in ("record", "spoken", "discard"):
        assert mine.post(f"/me/consents/federated-learning/{path}", {"agreed": "yes"}).status_code in {303, 400}
    assert microphone.opened == 0


def test_one_person_at_a_time_has_the_microphone(house: House, microphone: TapedMicrophone) -> None:
    studio = house.kept(Studio, lambda: Studio(models=house.models, microphone=microphone))
    hers, his = PhraseRecording(studio), PhraseRecording(studio)
    hers.begin("archive")
    with pytest.raises(ResourceError):
        his.begin("archive")
    with pytest.raises(UsageError):
        hers.begin("archive")
    assert microphone.open_now.wait(10)
    assert hers.end().duration_s == 3.0
    his.begin("announcements")
    assert his.purpose == "announcements"
    his.close()
    assert his.purpose == ""
    with pytest.raises(UsageError):
        his.end()


def test_locking_closes_the_microphone(mine: Visitor, microphone: TapedMicrophone, house: House) -> None:
    mine.post("/me/consents/archive/record", {"agreed": "yes"})
    assert microphone.open_now.wait(10)
    mine.post("/lock")
    studio = house.kept(Studio, lambda: Studio(models=house.models))
    for _ in range(1000):
        try:
            studio.take_turn()
            break
        except ResourceError:
            threading.Event().wait(0.01)
    else:
        pytest.fail("the microphone is still open")
    studio.end_turn()


def test_a_failing_driver_is_no_page_fault(house: House) -> None:
    recording = PhraseRecording(Studio(models=house.models, microphone=TapedMicrophone(OSError("driver"))))
    recording.begin("archive")
    with pytest.raises(AudioError, match="the recording failed"):
        recording.end()
