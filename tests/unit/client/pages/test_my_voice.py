"""The pages of somebody's own voice: who may see them, what they say, and what wrong forms do."""

import re

import pytest
from person import unlock, with_everything
from tests.plans import a_plan
from visitor import Visitor

from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.pages.house import House
from hometone_client.pages.privacy import parts_used
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_shared.errors import ConsentError

PAGES = (
    "/me/speak",
    "/me/speak/now",
    "/me/uses",
    "/me/privacy",
    "/me/consents",
    *(f"/me/consents/{purpose.value}" for purpose in Purpose),
    "/me/consents/archive/back",
    "/me/lending",
    "/me/recovery",
)
POSTS = (
    "/me/speak",
    "/me/privacy",
    "/me/consents/federated-learning/give",
    "/me/consents/archive/record",
    "/me/consents/archive/discard",
    "/me/consents/archive/spoken",
    "/me/consents/archive/back",
    "/me/lending/card",
    "/me/lending/lend",
    "/me/recovery",
)


@pytest.fixture
def mine(visitor: Visitor, house: House, mei: str) -> Visitor:
    """Mei, unlocked, with everything."""
    with_everything(house, mei)
    unlock(visitor, mei)
    return visitor


def room_of(house: House, place: str) -> SpeakerRoom:
    return SpeakerRoom(house.vault().unlock(place, "2468"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_in_both_languages(mine: Visitor, path: str, language: str) -> None:
    mine.post("/language", {"to": language, "back": "/"})
    answer = mine.get(path)
    assert answer.status_code == 200, answer.text
    assert re.search(r' style="|<script>', answer.text) is None
    if path != "/me/speak/now":
        assert answer.text.count("<h1>") == 1


@pytest.mark.parametrize("path", [*PAGES, "/me/speak/sound/1", "/me/speak/file/1/wav", "/me/lending/package"])
def test_nobody_locked_sees_anything(visitor: Visitor, mei: str, path: str) -> None:
    del mei
    answer = visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_its_token_changes_nothing(mine: Visitor, path: str) -> None:
    answer = mine.post(path, {"agreed": "yes", "sure": "yes", "text": "hello", "pin": "2468"}, token="x" * 43)
    assert answer.status_code == 400
    assert "does not belong to this page" in answer.text


@pytest.mark.parametrize("path", POSTS)
def test_empty_and_hostile_forms_are_told_why(mine: Visitor, path: str) -> None:
    hostile = {"pace": "nan", "budget": "1e999", "days": "-1", "what": "x", "purpose": "<script>", "name": "\x00", "text": " ", "to": "x"}
    mine.get("/me/consents")
    for fields in ({}, hostile):
        answer = mine.post(path, fields)
        assert answer.status_code in {303, 400, 403, 422}, answer.text
        if answer.status_code == 303:
            assert mine.follow(answer).status_code == 200


@pytest.mark.parametrize("path", ["/me/consents/everything", "/me/consents/../x/back", "/me/speak/sound/7", "/me/speak/sound/x"])
def test_what_is_not_there_is_said(mine: Visitor, path: str) -> None:
    answer = mine.get(path)
    assert answer.status_code in {303, 400, 404}
    assert "Traceback" not in answer.text


def test_uses_are_counted_and_no_text_is_kept(mine: Visitor, house: House, mei: str) -> None:
    with room_of(house, mei) as room:
        for way in (Way.SAY, Way.SAY, Way.ANNOUNCEMENT):
            room.note_speaking(way, now=House.now())
        with pytest.raises(ConsentError):
            room.require(Purpose.ARCHIVE, now=House.now())
    text = mine.get("/me/uses").text
    assert "never kept" in text
    assert re.search(r"You, in these pages or with the command</th><td>2</td>", text)
    assert re.search(r"Announcements</th><td>1</td>", text)
    assert "Keeping your voice as heritage" in text
    assert "secret words" not in text


@pytest.mark.parametrize(("committed", "bound", "parts"), [(0.0, 8.0, 0), (0.001, 8.0, 1), (4.0, 8.0, 50), (9.0, 8.0, 100)])
def test_parts_never_say_less_than_is_used(committed: float, bound: float, parts: int) -> None:
    assert parts_used(committed, bound) == parts
    assert parts_used(float("inf"), bound) == 100


def test_the_picture_says_what_is_used(mine: Visitor, house: House, mei: str) -> None:
    with room_of(house, mei) as room:
        ledger = PrivacyLedger(room.vault)
        ledger.reserve(a_plan(noise_multiplier=4.0), digest="ab" * 32)
        ledger.spend("ab" * 32)
        used = parts_used(ledger.committed_epsilon(), 8.0)
    text = mine.get("/me/privacy").text
    assert 0 < used < 100
    assert f"Of 100 parts of your privacy budget, {used} are used." in text
    assert text.count('class="used"') == used
    assert text.count('class="left"') == 100 - used
    assert "Learning for the shared model" in text
    assert text.index("psilon") > text.index("<details")


def test_a_budget_is_chosen_only_as_the_ledger_allows(mine: Visitor, house: House, mei: str) -> None:
    for wrong in ("0", "-3", "nan", "inf", "101", "many"):
        assert 'role="alert"' in mine.follow(mine.post("/me/privacy", {"budget": wrong})).text
    assert "holds from now on" in mine.follow(mine.post("/me/privacy", {"budget": "2"})).text
    with room_of(house, mei) as room:
        budget = PrivacyLedger(room.vault).budget
        assert budget is not None
        assert budget.epsilon == 2.0


def test_who_takes_no_part_is_told_what_it_is(visitor: Visitor, mei: str) -> None:
    unlock(visitor, mei)
    text = visitor.get("/me/privacy").text
    assert "You take no part in this" in text
    assert "/me/consents/federated-learning" in text
    assert 'role="alert"' in visitor.follow(visitor.post("/me/privacy", {"budget": "4"})).text


def test_a_yes_needs_the_switch_and_holds_as_long_as_was_chosen(visitor: Visitor, house: House, mei: str) -> None:
    unlock(visitor, mei)
    visitor.get("/me/consents/federated-learning")
    assert "there was no consent" in visitor.follow(visitor.post("/me/consents/federated-learning/give", {"days": "30"})).text
    for days in ("0", "366", "31"):
        answer = visitor.post("/me/consents/federated-learning/give", {"agreed": "yes", "days": days})
        assert 'role="alert"' in visitor.follow(answer).text
    answer = visitor.post("/me/consents/federated-learning/give", {"agreed": "yes", "days": "30", "budget": "4"})
    assert "You have agreed" in visitor.follow(answer).text
    with room_of(house, mei) as room:
        consent, budget = room.consent(Purpose.FEDERATED), PrivacyLedger(room.vault).budget
        assert consent is not None
        assert (consent.expires - consent.given).days == 30
        assert budget is not None
        assert budget.epsilon == 4.0
    assert house.place(mei).work_allowed


@pytest.mark.parametrize("purpose", ["archive", "announcements"])
def test_what_is_agreed_to_aloud_is_not_given_in_writing(visitor: Visitor, house: House, mei: str, purpose: str) -> None:
    unlock(visitor, mei)
    visitor.get("/me/consents")
    answer = visitor.post(f"/me/consents/{purpose}/give", {"agreed": "yes", "days": "30"})
    assert "given aloud" in visitor.follow(answer).text
    with room_of(house, mei) as room:
        assert room.consent(Purpose(purpose)) is None


def test_a_yes_is_taken_back_in_two_steps_for_good(mine: Visitor, house: House, mei: str) -> None:
    mine.get("/me/consents/announcements/back")
    assert 'role="alert"' in mine.follow(mine.post("/me/consents/announcements/back", {})).text
    with room_of(house, mei) as room:
        assert room.consent(Purpose.ANNOUNCEMENTS) is not None
    assert "Taken back for good" in mine.follow(mine.post("/me/consents/announcements/back", {"sure": "yes"})).text
    with room_of(house, mei) as room:
        assert room.consent(Purpose.ANNOUNCEMENTS) is None
        assert room.consent() is not None
        assert room.has_voice
    assert "You have taken this back for good" in mine.get("/me/consents/announcements").text
    answer = mine.post("/me/consents/announcements/give", {"agreed": "yes", "days": "30"})
    assert "back, for good" in mine.follow(answer).text


def test_taking_back_the_last_work_purpose_ends_work_without_a_pin(mine: Visitor, house: House, mei: str) -> None:
    assert house.place(mei).work_allowed
    mine.post("/me/consents/federated-learning/back", {"sure": "yes"})
    assert not house.place(mei).work_allowed


def test_ones_own_voice_is_taken_back_by_stopping_only(mine: Visitor) -> None:
    assert mine.get("/me/consents/own-voice/back").headers["location"] == "/stop"
    assert mine.post("/me/consents/own-voice/back", {"sure": "yes"}).status_code == 303
    assert mine.get("/me").status_code == 200


def test_the_recovery_sheet_needs_the_pin_again(mine: Visitor, house: House, mei: str) -> None:
    secret = house.vault().withdrawal_secret(mei)
    from hometone_shared.withdrawal.recovery import RecoverySecret

    code = RecoverySecret(secret).code()
    assert code not in mine.get("/me/recovery").text
    wrong = mine.follow(mine.post("/me/recovery", {"pin": "1111"}))
    assert 'role="alert"' in wrong.text
    assert "1111" not in wrong.text
    shown = mine.post("/me/recovery", {"pin": "2468"})
    assert shown.status_code == 200
    assert code in shown.text
    assert RecoverySecret(secret).words("zh").split()[0] in shown.text
    assert "data:image/svg+xml" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert code not in mine.get("/me/recovery").text
