"""Somebody new: nothing is stored before she has agreed, and what she typed is not lost when something is wrong."""

import pytest
from visitor import ORIGIN, Visitor

from hometone_client.enrolling.places import place_for
from hometone_client.pages.app import create_pages
from hometone_client.pages.house import House
from hometone_client.retention.takes import drops_takes
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault

YES = {"own-voice": "yes", "read": "self", "locale": "en", "days": "91", "after": "drop"}
WHO = {"name": "Ana", "pin": "8642", "pin_again": "8642"}


def agreed(visitor: Visitor, **fields: str) -> None:
    visitor.get("/new")
    assert visitor.post("/new", {**YES, **fields}).headers["location"] == "/new/name"


def enrolled(visitor: Visitor, **fields: str) -> SpeakerRoom:
    agreed(visitor, **fields)
    assert visitor.post("/new/name", WHO).headers["location"] == "/new/about"
    (session,) = visitor.house.browsers.each()
    assert session.state.room is not None
    return session.state.room


def test_the_whole_text_is_shown_in_both_languages(visitor: Visitor) -> None:
    page = visitor.get("/new").text
    assert "What cannot be undone." in page
    assert "/new/aloud/own-voice/en/0" in page
    visitor.post("/language", {"to": "zh", "back": "/new"})
    page = visitor.get("/new").text
    assert "无法撤回的部分。" in page
    assert "/new/aloud/own-voice/zh/0" in page


def test_nothing_is_stored_before_name_and_pin(house: House, visitor: Visitor) -> None:
    agreed(visitor)
    visitor.get("/new/name")
    for wrong in (
        {**WHO, "pin_again": "8643"},
        {**WHO, "pin": "12", "pin_again": "12"},
        {**WHO, "name": " "},
        {**WHO, "name": "stock:x"},
        {},
    ):
        assert visitor.post("/new/name", wrong).headers["location"] == "/new/name"
    assert not Vault.exists(house.home)
    assert not house.home.exists() or not any(house.home.iterdir())


def test_a_consent_is_one_to_each_purpose_that_was_chosen_and_to_no_other(visitor: Visitor) -> None:
    room = enrolled(visitor, **{"federated-learning": "yes", "read": "aloud"})
    given = room.consent()
    assert given is not None
    assert (given.expires - given.given).days == 91
    assert room.consent(Purpose.FEDERATED) is not None
    assert room.consent(Purpose.LISTENING) is None
    assert room.consent(Purpose.ANNOUNCEMENTS) is None
    assert drops_takes(room)
    assert room.journal()[0]["shown"] == "read out"


def test_without_further_purposes_this_computer_may_not_work_without_her_pin(house: House, visitor: Visitor) -> None:
    enrolled(visitor)
    (entry,) = house.people()
    assert not entry.work_allowed


def test_the_language_of_the_text_is_recorded(visitor: Visitor) -> None:
    consent = enrolled(visitor, locale="zh").consent()
    assert consent is not None
    assert consent.locale == "zh"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({**YES, "own-voice": "no"}, "Without your yes"),
        ({key: value for key, value in YES.items() if key != "own-voice"}, "Without your yes"),
        ({**YES, "read": "somebody"}, "read out to you"),
        ({**YES, "days": "366"}, "365 days"),
        ({**YES, "days": "0"}, "365 days"),
        ({**YES, "days": "-1"}, "number of days"),
        ({**YES, "days": "١٢"}, "number of days"),
        ({**YES, "locale": "../etc"}, "damaged"),
        ({}, "Without your yes"),
    ],
)
def test_what_is_no_consent_is_told_and_goes_no_further(house: House, visitor: Visitor, fields: dict[str, str], said: str) -> None:
    visitor.get("/new")
    page = visitor.follow(visitor.post("/new", fields)).text
    assert 'role="alert"' in page
    assert said in page
    assert visitor.get("/new/name").headers["location"] == "/new"
    assert visitor.post("/new/name", WHO).headers["location"] == "/new"
    assert not Vault.exists(house.home)


def test_a_purpose_that_is_agreed_to_aloud_cannot_be_slipped_in(visitor: Visitor) -> None:
    room = enrolled(visitor, announcements="yes", archive="yes")
    assert room.consent(Purpose.ANNOUNCEMENTS) is None
    assert room.consent(Purpose.ARCHIVE) is None


def test_what_was_chosen_is_still_chosen_after_a_mistake_and_pins_are_not_given_back(visitor: Visitor) -> None:
    visitor.get("/new")
    page = visitor.follow(visitor.post("/new", {"read": "aloud", "federated-learning": "yes", "days": "30"})).text
    assert 'value="aloud" checked' in page
    assert 'name="federated-learning" value="yes" checked' in page
    assert '<option value="30" selected' in page
    agreed(visitor)
    page = visitor.follow(visitor.post("/new/name", {**WHO, "pin_again": "1111"})).text
    assert "not the same" in page
    assert 'value="Ana"' in page
    assert "8642" not in page


def test_a_name_that_is_taken_is_told(visitor: Visitor, mei: str) -> None:
    del mei
    agreed(visitor)
    page = visitor.follow(visitor.post("/new/name", {**WHO, "name": "MEI"})).text
    assert "somebody of that name" in page
    assert "another name" in page or "second name" in page


def test_enrolling_that_was_broken_off_goes_on(house: House, visitor: Visitor) -> None:
    place_for(house.vault(create=True), "Ana", "8642").close()
    room = enrolled(visitor)
    assert room.consent() is not None
    assert len(house.people()) == 1


def test_an_interrupted_place_is_not_opened_by_another_pin(house: House, visitor: Visitor) -> None:
    place_for(house.vault(create=True), "Ana", "1357").close()
    agreed(visitor)
    assert "somebody of that name" in visitor.follow(visitor.post("/new/name", WHO)).text


def test_what_she_says_about_herself_is_sealed_and_may_stay_unsaid(visitor: Visitor) -> None:
    room = enrolled(visitor)
    assert visitor.post("/new/about", {"region": "  ", "gender": "女性 / non-binary"}).headers["location"] == "/me/recording"
    assert room.declaration() == Declaration(gender="女性 / non-binary")
    assert "女性 / non-binary" in visitor.get("/new/about").text
    assert 'name="region" type="text" maxlength="100" aria-describedby="region-help" value=""' in visitor.get("/new/about").text


@pytest.mark.parametrize("fields", [{"age_band": "old"}, {"settlement": "moon"}, {"region": "x" * 101}, {"gender": "a\x07"}])
def test_answers_that_cannot_be_given_are_refused_and_kept_on_the_page(visitor: Visitor, fields: dict[str, str]) -> None:
    room = enrolled(visitor)
    assert visitor.post("/new/about", fields).headers["location"] == "/new/about"
    assert room.declaration() == Declaration()


@pytest.mark.parametrize("path", ["/new", "/new/name"])
def test_forms_of_others_are_refused(house: House, visitor: Visitor, path: str) -> None:
    agreed(visitor)
    assert visitor.post(path, {**YES, **WHO}, token="").status_code == 400
    assert visitor.post(path, {**YES, **WHO}, headers={"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert visitor.request("POST", path, json={"own-voice": "yes"}, headers={"Origin": ORIGIN}).status_code == 400
    assert not Vault.exists(house.home)


def test_the_about_page_is_for_whoever_is_unlocked(visitor: Visitor) -> None:
    assert visitor.get("/new/about").headers["location"] == "/"
    assert visitor.post("/new/about", {"region": "x"}).headers["location"] in {"/", "/new/about"}


@pytest.mark.parametrize(
    "path",
    [
        "/new/aloud/own-voice/en/99",
        "/new/aloud/own-voice/en/-1",
        "/new/aloud/own-voice/xx/0",
        "/new/aloud/no/en/0",
        "/new/aloud/own-voice/en/x",
    ],
)
def test_parts_that_are_not_there(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 400


def test_one_browsers_consent_is_not_anothers(house: House, visitor: Visitor) -> None:
    agreed(visitor)
    other = Visitor(create_pages(house), house)
    other.enter()
    assert other.get("/new/name").headers["location"] == "/new"


@pytest.mark.models
def test_the_text_is_read_in_a_stock_voice(visitor: Visitor) -> None:
    answer = visitor.get("/new/aloud/own-voice/en/0")
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.content[:4] == b"RIFF"
    assert visitor.get("/new/aloud/own-voice/en/0").content == answer.content
