"""An owner's side of listening tests: panels, what her voice would say, making her sounds, and the report."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from panels import a_hall
from person import a_file
from tests.unit.client.listening.conftest import PIN, Crowd, Hall
from visitor import Visitor

from hometone_client.enrolling.agreeing import agree
from hometone_client.listening.trials import Rater
from hometone_client.pages import heard
from hometone_client.pages.heard import Making
from hometone_client.pages.house import Browser
from hometone_client.speakers.consent import Purpose
from hometone_shared.errors import ModelError
from hometone_shared.records.panel import Scale


@pytest.fixture
def hall(visitor: Visitor, tmp_path: Path) -> Iterator[Hall]:
    with a_hall(visitor.house, tmp_path / "coordinator") as hall:
        yield hall


def come_in(visitor: Visitor, hall: Hall, name: str, *, agrees: bool = True) -> str:
    """Enrol somebody and unlock her; her place."""
    place = hall.enrol(name, languages=("en", "zh", "mixed"), traps=("en", "zh"), agrees=agrees)
    visitor.get(f"/unlock/{place}")
    assert visitor.post(f"/unlock/{place}", {"pin": PIN}).headers["location"] == "/me"
    return place


def listeners(hall: Hall, place: str, count: int) -> None:
    truth = dict.fromkeys(((place, scale) for scale in Scale), 4.0) | {(place, Scale.PREFERENCE): 1.0}
    crowd = Crowd(truth, random.Random(5))
    taken = 0
    while taken < count:
        sitting = hall.sittings.begin(Rater(native=frozenset({"en", "zh"}), knows=False, language="en"))
        hall.listen(sitting, crowd.opinion())
        taken += sitting.finish().accepted


def browser_of(visitor: Visitor) -> Browser:
    (session,) = visitor.house.browsers.each()
    return session.state


def test_it_needs_somebody_who_is_unlocked(visitor: Visitor, hall: Hall) -> None:
    for path in ("/me/listening", "/me/listening/progress"):
        assert visitor.get(path).headers["location"] == "/"
    visitor.get("/listening")
    assert visitor.post("/me/listening/prepare").headers["location"] == "/"


def test_who_has_not_agreed_is_told_how_and_nothing_is_made(visitor: Visitor, hall: Hall) -> None:
    come_in(visitor, hall, "Aurelia", agrees=False)
    page = visitor.get("/me/listening")
    assert "You have not agreed to listening tests." in page.text
    assert 'href="/me/consents/listening-test"' in page.text
    assert "/me/listening/prepare" not in page.text
    page = visitor.follow(visitor.post("/me/listening/prepare", {"panel": hall.panel.number}))
    assert 'role="alert"' in page.text
    assert not browser_of(visitor).kept(Making, Making).goes_on


def test_she_reads_what_her_voice_would_say(visitor: Visitor, hall: Hall) -> None:
    come_in(visitor, hall, "Aurelia")
    page = visitor.get("/me/listening")
    assert "Spring" in page.text
    assert "Sentence number 0." in page.text or "一二三。" in page.text
    assert "Make your voice first." in page.text
    assert "Nobody has judged your voice yet" in page.text


def test_one_listener_is_too_few_and_more_make_a_report(visitor: Visitor, hall: Hall) -> None:
    place = come_in(visitor, hall, "Aurelia")
    listeners(hall, place, 1)
    assert "<td>your synthetic voice</td><td>all</td><td>1</td>" not in visitor.get("/me/listening").text
    listeners(hall, place, 3)
    page = visitor.get("/me/listening")
    assert "4 listeners counted, 0 of them with headphones" in page.text
    assert "<td>your synthetic voice</td><td>all</td><td>4</td>" in page.text
    assert "DNSMOS" in page.text
    assert "10%" in page.text


def test_a_panel_that_is_not_there(visitor: Visitor, hall: Hall) -> None:
    come_in(visitor, hall, "Aurelia")
    visitor.get("/me/listening")
    for number in ("0" * 16, "../../x", "x" * 5000):
        page = visitor.follow(visitor.post("/me/listening/prepare", {"panel": number}))
        assert 'role="alert"' in page.text, number


def test_a_file_that_is_no_panel_and_one_that_is(visitor: Visitor, hall: Hall) -> None:
    come_in(visitor, hall, "Aurelia")
    visitor.get("/me/listening")
    page = visitor.follow(visitor.post("/me/listening/fetch", files=a_file("file", b"{}")))
    assert 'role="alert"' in page.text
    good = (hall.home / "listening" / f"{hall.panel.number}.json").read_bytes()
    page = visitor.follow(visitor.post("/me/listening/fetch", files=a_file("file", good)))
    assert "“Spring” is known here now" in page.text


def test_what_goes_wrong_while_sounds_are_made_is_told(visitor: Visitor, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    come_in(visitor, hall, "Aurelia")

    def broken(*_: object, **__: object) -> None:
        raise ModelError("the base is missing", hint="install it")

    monkeypatch.setattr(heard, "prepare", broken)
    visitor.get("/me/listening")
    visitor.post("/me/listening/prepare", {"panel": hall.panel.number})
    while browser_of(visitor).kept(Making, Making).goes_on:
        time.sleep(0.05)
    assert visitor.get("/me/listening/progress").headers["x-reload"] == "1"
    page = visitor.get("/me/listening")
    assert 'role="alert"' in page.text
    assert "the base is missing" in page.text
    assert "the base is missing" not in visitor.get("/me/listening").text, "said once"


def test_locking_ends_the_work_at_the_next_sound(visitor: Visitor, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    come_in(visitor, hall, "Aurelia")
    sounds: list[float] = []

    def endless(*_: object, progress, **__: object) -> None:
        while True:
            progress(0.25)
            sounds.append(0.25)
            time.sleep(0.02)

    monkeypatch.setattr(heard, "prepare", endless)
    visitor.get("/me/listening")
    visitor.post("/me/listening/prepare", {"panel": hall.panel.number})
    making = browser_of(visitor).kept(Making, Making)
    while not sounds:
        time.sleep(0.02)
    page = visitor.get("/me/listening")
    assert "Please stay unlocked" in page.text
    assert "25 %" in visitor.get("/me/listening/progress").text
    visitor.post("/me/listening/prepare", {"panel": hall.panel.number})  # once more changes nothing
    visitor.post("/lock")
    assert not making.goes_on
    assert visitor.get("/me/listening/progress").headers["location"] == "/"


def test_in_chinese(visitor: Visitor, hall: Hall) -> None:
    place = come_in(visitor, hall, "Aurelia")
    agree_again(visitor, hall, place)
    listeners(hall, place, 2)
    visitor.post("/language", {"to": "zh", "back": "/me/listening"})
    page = visitor.get("/me/listening")
    assert "共有 2 位有效听众" in page.text
    assert "您的合成声音" in page.text


def agree_again(visitor: Visitor, hall: Hall, place: str) -> None:
    """A later yes holds as the first did."""
    with hall.room(place) as room:
        agree(room, visitor.house.vault(), purpose=Purpose.LISTENING, locale="zh")
