"""What an attack on the pages found, and what holds it off since (docs/threat-model.md)."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from person import unlock, with_everything
from visitor import Visitor

from hometone_client.enrolling.importing import Importing
from hometone_client.enrolling.intake import Spoken
from hometone_client.enrolling.studio import Studio
from hometone_client.models import model_folder
from hometone_client.pages import house as house_module
from hometone_client.pages.app import create_pages
from hometone_client.pages.forms import Form
from hometone_client.pages.guard import STRANGER
from hometone_client.pages.house import Browser, House
from hometone_client.pages.readings import Readings
from hometone_client.pages.visit import GoElsewhere, Visit
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import UsageError
from hometone_shared.pages.flash import Flash

# Another user of this computer, and what he may have learnt.


@contextmanager
def strangers(house: House) -> Iterator[tuple[Visitor, set[str]]]:
    """A visitor, and whose programs are another user's, by their address."""
    others: set[str] = set()
    app = create_pages(house, is_stranger=lambda peer, _here: peer[0] in others)
    yield Visitor(app, house), others


def test_another_users_program_has_no_session_although_it_brings_the_cookie(house: House, mei: str) -> None:
    with strangers(house) as (visitor, others):
        visitor.enter()
        assert "Mei" in visitor.get("/").text
        others.add("127.0.0.2")
        answer = visitor.request("GET", "/", peer="127.0.0.2")
        assert (answer.status_code, answer.headers["location"]) == (303, "/enter")
        assert visitor.get("/").status_code == 200


def test_another_users_program_can_neither_use_a_link_nor_use_it_up(house: House) -> None:
    with strangers(house) as (visitor, others):
        others.add("127.0.0.2")
        key = house.keys.new()
        answer = visitor.request("GET", f"/enter?key={key}", peer="127.0.0.2")
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert visitor.get(f"/enter?key={key}").status_code == 303


def test_what_a_request_brings_does_not_say_that_it_is_no_stranger(house: House) -> None:
    with strangers(house) as (visitor, others):
        others.add("127.0.0.1")
        answer = visitor.request("GET", f"/enter?key={house.keys.new()}", headers={STRANGER: ""})
        assert answer.status_code == 403


# What other pages may load.


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("dest", ["image", "audio", "iframe", "empty", "script"])
def test_a_page_on_another_port_cannot_even_ask(visitor: Visitor, mei: str, site: str, dest: str) -> None:
    answer = visitor.get("/", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest})
    assert answer.status_code == 403
    assert "Mei" not in answer.text


def test_a_page_on_another_port_keeps_nobody_unlocked(visitor: Visitor, house: House, mei: str, clock) -> None:
    unlock(visitor, mei)
    for _ in range(3):
        clock.now += 400
        visitor.get("/me", headers={"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"})
    assert visitor.get("/me").headers["location"] == "/"


# What remains of somebody who is locked.


def browser_of(house: House) -> Browser:
    (session,) = house.browsers.each()
    return session.state


def test_what_one_person_typed_is_not_given_to_the_next(visitor: Visitor, house: House, mei: str) -> None:
    with SpeakerRoom(house.vault().enroll("Lin", "1357")) as lin:
        place = lin.speaker_id
    unlock(visitor, mei)
    visitor.get("/me/speak")
    visitor.post("/language", {"to": "en", "back": "/me/recovery", "kept.text": "a secret of Mei"})
    visitor.get("/")
    unlock(visitor, place, "1357")
    assert browser_of(house).flash is None
    assert "a secret of Mei" not in visitor.get("/me/recovery").text


def test_who_goes_away_is_locked_although_nobody_asks(tmp_path: Path, clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house_module, "LOOK_S", 0.01)
    with House(tmp_path / "home", models=model_folder(), clock=clock) as house:
        room = SpeakerRoom(house.vault(create=True).enroll("Mei", "2468"))
        _, session = house.browsers.begin()
        house.admit(session.state, room)
        kept = session.state.kept(Readings, Readings)
        kept.typed = {"text": "words"}
        clock.now += 901
        for _ in range(1000):
            if session.state.room is None and not kept.typed:
                break
            threading.Event().wait(0.01)
        assert session.state.room is None
        assert kept.typed == {}
        assert not room.is_open


@pytest.mark.parametrize("how", ["leave", "too many", "another"])
def test_when_a_session_is_over_nothing_of_her_voice_stays_loaded(
    visitor: Visitor, house: House, mei: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    unlock(visitor, mei)
    forgotten: list[bool] = []
    monkeypatch.setattr(house, "forget_loaded", lambda: forgotten.append(True))
    if how == "leave":
        visitor.get("/")
        visitor.post("/leave")
    elif how == "another":
        unlock(visitor, mei)
    else:
        for _ in range(32):
            house.browsers.begin()
    assert forgotten


def test_of_two_who_unlock_at_once_in_one_session_one_is_locked_again(house: House, mei: str) -> None:
    browser = Browser()
    rooms = [SpeakerRoom(house.vault().unlock(mei, "2468")) for _ in range(8)]
    threads = [threading.Thread(target=house.admit, args=(browser, room)) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [room for room in rooms if room.is_open] == [browser.room]


def test_what_one_person_began_is_not_done_with_another_ones_things(visitor: Visitor, house: House, mei: str) -> None:
    """A request of hers is under way while somebody else unlocks in the same browser."""
    with SpeakerRoom(house.vault().enroll("Lin", "1357")) as lin:
        place = lin.speaker_id
    unlock(visitor, mei)
    (session,) = house.browsers.each()
    state = visitor.app.state  # type: ignore[attr-defined]
    from starlette.requests import Request

    scope = {"type": "http", "method": "POST", "path": "/me", "headers": [], "query_string": b""}
    visit = Visit(Request(scope), house=house, session=session, templates=state.templates, words=state.words)
    assert visit.room.name == "Mei"
    house.unlock(session.state, place, "1357")
    with pytest.raises(GoElsewhere):
        _ = visit.room


# Bad forms, and mistakes of Hometone's own.


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999", "one"])
def test_what_is_no_number_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="not a number"):
        Form({"n": (text,)}, {}).number("n", 1.0)


def test_a_huge_form_without_files_is_not_taken_apart(visitor: Visitor) -> None:
    visitor.get("/")
    answer = visitor.request(
        "POST",
        "/lock",
        content=b"a=" + b"x" * (3 << 20),
        headers={"Origin": "http://127.0.0.1:8573", "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400
    assert "arrived damaged" in answer.text


def test_a_mistake_of_ours_is_a_page_and_its_words_stay_out_of_the_log(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_house: House) -> None:
        raise RuntimeError("a secret that somebody typed")

    monkeypatch.setattr(House, "people", fail)
    answer = visitor.get("/")
    assert answer.status_code == 500
    assert "something went wrong that should not have" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


# The presenter, which speaks all before anything is heard.


def test_the_presenter_gives_no_sound_of_somebody_who_was_locked_meanwhile(
    visitor: Visitor, house: House, mei: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hometone_client.pages import presenting

    with_everything(house, mei)
    unlock(visitor, mei)
    monkeypatch.setattr(type(house.loaded), "base_sha256", "ab" * 32, raising=False)

    async def spoken(_house: House, _voice: object, _wish: object) -> list[object]:
        await asyncio.sleep(0)
        browser_of(house).lock()
        return ["sound of Mei"]

    monkeypatch.setattr(presenting, "whole", spoken)
    visitor.get("/presenter")
    answer = visitor.post("/presenter/speech", {"voice": "Mei", "text": "good morning"})
    assert answer.status_code == 400
    assert "there is no voice of that name" in answer.text
    unlock(visitor, mei)
    visitor.get("/presenter")
    assert visitor.post("/presenter", {"voice": "Mei", "text": "good morning"}).status_code == 303
    assert visitor.get("/presenter/sound").status_code == 404


def test_what_is_spoken_whole_is_not_a_whole_book(visitor: Visitor, house: House, mei: str) -> None:
    visitor.get("/presenter")
    answer = visitor.post("/presenter/speech", {"voice": "stock:zf_xiaoxiao", "text": "long " * 801})
    assert answer.status_code == 400
    assert "longer than 4000 characters" in answer.text


# Listening tests that nobody goes on with.


def test_a_listening_test_that_is_begun_anew_takes_no_second_place() -> None:
    from hometone_client.pages.listening import Taking

    left: list[str] = []

    class Chairs:
        def leave(self, token: str) -> None:
            left.append(token)

    class Sat:
        def __init__(self, token: str) -> None:
            self.token = token

    taking = Taking()
    taking.begin(Sat("one"), Chairs())  # type: ignore[arg-type]
    taking.begin(Sat("two"), Chairs())  # type: ignore[arg-type]
    assert (left, taking.token) == (["one"], "two")
    taking.close()
    assert (left, taking.token) == (["one", "two"], "")


def test_a_flash_is_gone_when_the_session_is_locked() -> None:
    browser = Browser(flash=Flash(path="/me/speak", typed={"text": "words"}))
    browser.lock()
    assert browser.flash is None


# What an error keeps in memory beside its words.


def frames_of(error: BaseException | None) -> list[object]:
    return [] if error is None else [each for each in (error.__traceback__, error.__cause__, error.__context__) if each is not None]


def test_an_error_that_waits_for_its_page_holds_no_pin(visitor: Visitor, house: House, mei: str) -> None:
    visitor.get(f"/unlock/{mei}")
    visitor.post(f"/unlock/{mei}", {"pin": "1111"})
    flash = browser_of(house).flash
    assert flash is not None
    assert flash.error is not None
    assert frames_of(flash.error) == []


def test_a_file_that_was_refused_does_not_stay_in_memory_with_its_error(house: House, mei: str) -> None:
    importing = Importing(Studio(models=house.models))
    with SpeakerRoom(house.vault().unlock(mei, "2468")) as room:
        importing.start([("a.wav", b"no sound" * 100)], room=room, spoken=Spoken(text=None, language=None))
        while importing.progress.running:
            threading.Event().wait(0.01)
    (result,) = importing.progress.results
    assert result.error is not None
    assert frames_of(result.error) == []
