"""The presenter's page: what it says with script and without, and what it answers to what cannot be read."""

import base64
from itertools import pairwise

import pytest
from visitor import Visitor

FIELDS = {"text": "Good morning. Let us walk.", "voice": "stock:af_heart", "label": ""}


def test_the_page_offers_voices_in_words_and_the_label_is_on(visitor: Visitor) -> None:
    page = visitor.get("/presenter")
    assert page.status_code == 200
    assert "Heart: woman, American English" in page.text
    assert "af_heart</option>" not in page.text
    assert 'name="label" value="yes" checked' in page.text
    assert "<audio" not in page.text
    assert visitor.get("/presenter/sound").status_code == 404


def test_sound_and_timings_for_the_face(visitor: Visitor) -> None:
    visitor.get("/presenter")
    answer = visitor.post("/presenter/speech", FIELDS)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert base64.b64decode(said["audio"])[:4] == b"RIFF"
    assert [sentence["text"] for sentence in said["sentences"]] == ["Good morning.", "Let us walk."]
    phonemes = [phoneme for sentence in said["sentences"] for phoneme in sentence["phonemes"]]
    assert all(before["end_s"] <= after["start_s"] + 1e-6 for before, after in pairwise(phonemes))
    assert {"closed", "rest"} & {phoneme["mouth"] for phoneme in phonemes}
    assert answer.headers["cache-control"] == "no-store"


def test_without_script_the_sound_waits_on_the_page_with_what_was_typed(visitor: Visitor) -> None:
    visitor.get("/presenter")
    answer = visitor.post("/presenter", FIELDS)
    assert answer.headers["location"] == "/presenter"
    page = visitor.follow(answer)
    assert 'src="/presenter/sound"' in page.text
    assert "Let us walk." in page.text
    sound = visitor.get("/presenter/sound")
    assert (sound.content[:4], sound.headers["content-type"]) == (b"RIFF", "audio/wav")


def test_what_one_browser_said_no_other_hears(visitor: Visitor) -> None:
    visitor.get("/presenter")
    visitor.post("/presenter", FIELDS)
    other = Visitor(visitor.app, visitor.house)
    other.enter()
    assert other.get("/presenter/sound").status_code == 404
    assert "Let us walk." not in other.get("/presenter").text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": " "}, "the text is empty"),
        ({"text": "☃"}, "nothing to read aloud"),
        ({"text": "a " * 40_000}, "longer than"),
        ({"voice": "stock:nobody"}, "no voice of that name"),
        ({"voice": "<script>"}, "no voice of that name"),
        ({"voice": ""}, "no voice of that name"),
    ],
)
def test_what_cannot_be_said_is_told_with_and_without_script(visitor: Visitor, change: dict[str, str], words: str) -> None:
    visitor.get("/presenter")
    answer = visitor.post("/presenter/speech", FIELDS | change)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    page = visitor.follow(visitor.post("/presenter", FIELDS | change))
    alert = page.text.split('role="alert"><p>')[1].split("</div>")[0]
    assert words in alert
    assert "<audio" not in page.text


def test_a_form_of_another_page_says_nothing(visitor: Visitor) -> None:
    visitor.get("/presenter")
    assert visitor.post("/presenter/speech", FIELDS, token="x" * 43).status_code == 400
    assert visitor.post("/presenter/speech", FIELDS, headers={"Origin": "http://evil.example"}).status_code == 403


def test_in_chinese(visitor: Visitor) -> None:
    visitor.get("/")
    visitor.post("/language", {"to": "zh", "back": "/presenter"})
    page = visitor.get("/presenter")
    assert "晓晓：女声，普通话" in page.text
    answer = visitor.post("/presenter/speech", FIELDS | {"text": "☃"})
    assert "朗读" in answer.json()["error"]["message"]
