"""The listening test as pages: beginning, headphones, questions, going back, handing in, and whose session it is."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from panels import a_hall
from tests.unit.client.listening.conftest import PIN, SECONDS, Hall
from visitor import Visitor

from hometone_client.listening.clips import Role
from hometone_client.pages.listening import sittings
from hometone_client.speakers.consent import Purpose


@pytest.fixture
def hall(visitor: Visitor, tmp_path: Path) -> Iterator[Hall]:
    with a_hall(visitor.house, tmp_path / "coordinator") as hall:
        hall.enrol("Aurelia", languages=("en", "zh", "mixed"), traps=("en", "zh"))
        yield hall


def begin(visitor: Visitor, **fields: object) -> None:
    visitor.get("/listening")
    answer = visitor.post("/listening", {"native": ["en", "zh"]} | fields)
    assert answer.headers["location"] == "/listening/headphones/1", answer.text


def question_of(text: str) -> str:
    found = re.search(r'name="question" value="([^"]+)"', text)
    assert found is not None, text
    return found[1]


def sounds_of(text: str) -> list[str]:
    return re.findall(r'src="(/listening/test/sound/[^"]+)"', text)


def hear(visitor: Visitor, text: str) -> None:
    for sound in sounds_of(text):
        assert visitor.get(sound).content[:4] == b"RIFF"
    time.sleep(2 * SECONDS)


def truth(visitor: Visitor, token: str):
    """What a question really is."""
    (sitting,) = sittings(visitor.house)._open.values()
    return next(asked.trial for asked in sitting._asked if asked.token == token)


def answer_all(visitor: Visitor, *, traps_right: bool = True) -> None:
    while (page := visitor.get("/listening/test")).status_code == 200:
        hear(visitor, page.text)
        trial = truth(visitor, question_of(page.text))
        value = {Role.REFERENCE: 5, Role.ANCHOR: 1}.get(trial.clip.role, 2)
        if trial.is_trap:
            value = trial.clip.answer if traps_right else trial.clip.answer % 5 + 1
        answer = visitor.post("/listening/test", {"question": question_of(page.text), "value": value})
        assert "alert" not in visitor.follow(answer).text or visitor.get("/listening/test").status_code == 303
    assert page.headers["location"] == "/listening/done"


def test_without_a_panel_the_page_says_what_is_needed_and_makes_nothing(visitor: Visitor) -> None:
    page = visitor.get("/listening")
    assert "nothing to listen to" in page.text
    assert not visitor.house.home.exists()


@pytest.mark.parametrize("path", ["/listening/test", "/listening/headphones/1", "/listening/done", "/listening/test/sound/x"])
def test_who_has_not_begun_is_sent_to_the_beginning(visitor: Visitor, hall: Hall, path: str) -> None:
    assert visitor.get(path).headers["location"] == "/listening"


def test_who_names_no_language_is_asked_again_and_keeps_what_he_said(visitor: Visitor, hall: Hall) -> None:
    visitor.get("/listening")
    page = visitor.follow(visitor.post("/listening", {"knows": "yes"}))
    assert "which languages you grew up with" in page.text.split('role="alert"')[1]
    assert 'name="knows" value="yes" checked' in page.text


def test_nobody_speaks_his_language(visitor: Visitor, hall: Hall) -> None:
    hall.vault.revoke(hall.vault.find("Aurelia").speaker_id)
    visitor.get("/listening")
    page = visitor.follow(visitor.post("/listening", {"native": ["it"]}))
    assert page.status_code == 200
    assert 'role="alert"' in page.text


def test_headphones_can_be_left_out(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    page = visitor.get("/listening/headphones/1")
    assert "1 of 6" in page.text
    assert visitor.get("/listening/headphones/1/sound").content[:4] == b"RIFF"
    wrong = visitor.follow(visitor.post("/listening/headphones/1", {"softest": "9"}))
    assert "three tones" in wrong.text.split('role="alert"')[1]
    assert visitor.post("/listening/headphones/1", {"softest": "2"}).headers["location"] == "/listening/headphones/2"
    assert visitor.post("/listening/headphones/2", {"skip": "yes"}).headers["location"] == "/listening/test"


@pytest.mark.parametrize("number", ["0", "7", "-1", "99999999999999999999", "x"])
def test_tones_that_are_not_there(visitor: Visitor, hall: Hall, number: str) -> None:
    begin(visitor)
    assert visitor.get(f"/listening/headphones/{number}").status_code in {303, 400, 404}
    assert visitor.get(f"/listening/headphones/{number}/sound").status_code in {303, 400, 404}
    assert visitor.post(f"/listening/headphones/{number}", {"softest": "1"}).status_code in {303, 400, 404}


def test_a_session_that_counts(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    answer_all(visitor)
    assert "That was the last question" in visitor.get("/listening/done").text
    page = visitor.follow(visitor.post("/listening/done"))
    assert "Your answers count." in page.text
    assert "Aurelia" not in page.text
    assert visitor.get("/listening/test").headers["location"] == "/listening"
    visitor.post("/language", {"to": "zh", "back": "/listening/thanks"})
    assert "您的回答有效" in visitor.get("/listening/thanks").text


def test_thanks_without_a_session(visitor: Visitor, hall: Hall) -> None:
    assert visitor.get("/listening/thanks").headers["location"] == "/listening"


def test_wrong_traps_are_told_and_nothing_is_kept(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    answer_all(visitor, traps_right=False)
    page = visitor.follow(visitor.post("/listening/done"))
    assert "cannot be used" in page.text
    assert "A voice asked for a certain answer" in page.text


def test_nothing_on_the_pages_tells_whose_voice_it_is_or_what(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    place = hall.vault.find("Aurelia").speaker_id
    while (page := visitor.get("/listening/test")).status_code == 200:
        for hidden in ("Aurelia", place, "trap", "anchor", "baseline", "synthetic"):
            assert hidden not in page.text
        hear(visitor, page.text)
        visitor.post("/listening/test", {"question": question_of(page.text), "value": 1})


@pytest.mark.parametrize("value", ["", "9", "-9", "x", "nan", "1e400", "3.7"])
def test_an_answer_that_is_none(visitor: Visitor, hall: Hall, value: str) -> None:
    begin(visitor)
    page = visitor.get("/listening/test")
    hear(visitor, page.text)
    again = visitor.follow(visitor.post("/listening/test", {"question": question_of(page.text), "value": value}))
    assert question_of(again.text) == question_of(page.text)
    assert 'role="alert"' in again.text


def test_a_question_of_somebody_else(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    other = Visitor(visitor.app, visitor.house)
    other.enter()
    begin(other)
    theirs = other.get("/listening/test")
    page = visitor.follow(visitor.post("/listening/test", {"question": question_of(theirs.text), "value": 1}))
    assert "no such question" in page.text
    assert visitor.get(sounds_of(theirs.text)[0]).status_code == 404


def test_going_back_and_breaking_off(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    first = visitor.get("/listening/test")
    hear(visitor, first.text)
    visitor.follow(visitor.post("/listening/test", {"question": question_of(first.text), "value": 1}))
    visitor.follow(visitor.post("/listening/test/back"))
    visitor.post("/language", {"to": "zh", "back": "/listening/test/back"})
    before = visitor.get("/listening/test/back")
    assert question_of(before.text) == question_of(first.text)
    assert 'aria-pressed="true"' in before.text
    page = visitor.follow(visitor.post("/listening/leave"))
    assert "没有保留任何内容" in page.text
    assert visitor.get("/listening/test/back").headers["location"] == "/listening"
    assert visitor.get("/listening/test").headers["location"] == "/listening"


def test_when_the_only_voice_is_taken_back_the_test_ends_in_words(visitor: Visitor, hall: Hall) -> None:
    begin(visitor)
    page = visitor.get("/listening/test")
    with hall.room(hall.vault.find("Aurelia").speaker_id) as room:
        room.withdraw_consent(Purpose.LISTENING)
    assert visitor.get(sounds_of(page.text)[0]).status_code == 404
    assert visitor.get("/listening/test").headers["location"] == "/listening/done"
    page = visitor.follow(visitor.get("/listening/done"))
    assert "taken back by their owners" in page.text


def test_in_chinese(visitor: Visitor, hall: Hall) -> None:
    visitor.get("/")
    visitor.post("/language", {"to": "zh", "back": "/listening"})
    assert "您从小说哪些语言" in visitor.get("/listening").text
    begin(visitor)
    assert "耳机戴好了吗" in visitor.get("/listening/headphones/1").text
    assert re.search("有多自然|是同一个人|好多少|有多地道", visitor.get("/listening/test").text)
    assert PIN not in visitor.get("/listening/test").text
