"""Stop using my voice: from every page, by anybody at this computer, in two steps, with a receipt; nothing by a slip."""

import json
import re

import pytest
from person import unlock, with_everything
from visitor import Visitor

from hometone_client.pages.house import House
from hometone_client.pages.stopping import is_her_name
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.outbox import Outbox
from hometone_shared.records.tombstone import SharedModelWish
from hometone_shared.withdrawal.receipt_bundle import ReceiptBundle
from hometone_shared.withdrawal.recovery import RecoverySecret


def to_the_second_step(visitor: Visitor, place: str, what: str = "own-voice", **more: str) -> str:
    visitor.get(f"/stop/of/{place}")
    answer = visitor.post(f"/stop/of/{place}", {"what": what, **more})
    assert answer.headers["location"] == f"/stop/of/{place}/sure"
    return visitor.follow(answer).text


def test_stopping_is_on_every_page_and_needs_no_pin(visitor: Visitor, mei: str) -> None:
    for path in ("/", f"/unlock/{mei}", "/borrowed", "/stop"):
        assert 'href="/stop"' in visitor.get(path).text
    assert "Mei" in visitor.get("/stop").text


def test_of_somebody_locked_nothing_is_told_but_her_name(visitor: Visitor, house: House, mei: str) -> None:
    with_everything(house, mei)
    text = to_the_second_step(visitor, mei)
    assert "This voice is locked" in text
    assert "recordings: 2" not in text
    assert "only be found with the PIN" in text


def test_who_is_unlocked_sees_counted_what_goes(visitor: Visitor, house: House, mei: str) -> None:
    with_everything(house, mei)
    unlock(visitor, mei)
    assert "My voice: Mei" in visitor.get("/stop").text
    text = to_the_second_step(visitor, mei)
    assert "recordings: 2, together 2 seconds" in text
    assert "the voice that was made from them" in text
    assert "no lent copies" in text


@pytest.mark.parametrize("name", ["", "mai", "Mei Ling", "yes", "*", "\x00", "M" * 5000])
def test_another_name_stops_nothing(visitor: Visitor, house: House, mei: str, name: str) -> None:
    to_the_second_step(visitor, mei)
    answer = visitor.post(f"/stop/of/{mei}/sure", {"what": "own-voice", "name": name})
    page = visitor.follow(answer)
    assert "nothing was removed" in page.text
    assert "Step 2 of 2" in page.text
    assert [entry.name for entry in house.people()] == ["Mei"]
    assert Outbox(house.home).items() == ()


@pytest.mark.parametrize(
    ("typed", "name", "same"), [(" mei ", "Mei", True), ("ＭＥＩ", "Mei", True), ("王秀英", "王秀英", True), ("王", "王秀英", False)]
)
def test_a_name_is_hers_whatever_the_keyboard_made_of_it(typed: str, name: str, *, same: bool) -> None:
    assert is_her_name(typed, name) is same


@pytest.mark.parametrize("is_unlocked", [True, False])
def test_everything_goes_and_the_receipt_says_so(visitor: Visitor, house: House, mei: str, *, is_unlocked: bool) -> None:
    with_everything(house, mei)
    if is_unlocked:
        unlock(visitor, mei)
    to_the_second_step(visitor, mei)
    answer = visitor.post(f"/stop/of/{mei}/sure", {"what": "own-voice", "name": "mei"})
    page = visitor.follow(answer)
    assert "Your receipt" in page.text
    assert "a voice of her own" in page.text
    assert "Mei" not in page.text
    assert house.people() == ()
    assert visitor.get("/me").headers["location"] == "/"  # nobody is unlocked any more
    file = visitor.get(f"{answer.headers['location']}/file")
    assert file.headers["content-disposition"].startswith("attachment")
    bundle = ReceiptBundle.from_bytes(file.content)
    assert bundle.verified().tombstone.ends(Purpose.OWN_VOICE)
    assert answer.headers["location"] in visitor.get("/stop").text
    assert b"Mei" not in file.content
    json.loads(file.content)


def test_one_purpose_ends_and_the_voice_stays(visitor: Visitor, house: House, mei: str) -> None:
    with_everything(house, mei)
    unlock(visitor, mei)
    text = to_the_second_step(visitor, mei, "announcements", repeat="yes")
    assert "Only this" in text
    page = visitor.follow(visitor.post(f"/stop/of/{mei}/sure", {"what": "announcements", "name": "Mei", "repeat": "yes"}))
    assert "announcements on other computers" in page.text
    assert Outbox(house.home).items()[0].tombstone.shared_model is SharedModelWish.REPLAY
    with SpeakerRoom(house.vault().unlock(mei, "2468")) as room:
        assert room.consent(Purpose.ANNOUNCEMENTS) is None
        assert room.has_voice


def test_a_purpose_of_somebody_locked_ends_when_she_comes_in_again(visitor: Visitor, house: House, mei: str) -> None:
    with_everything(house, mei)
    to_the_second_step(visitor, mei, "announcements")
    visitor.post(f"/stop/of/{mei}/sure", {"what": "announcements", "name": "Mei"})
    unlock(visitor, mei)
    assert "You have taken this back for good" in visitor.get("/me/consents/announcements").text


def test_somebody_elses_session_is_not_hers(visitor: Visitor, house: House, mei: str) -> None:
    """Whoever is unlocked stops another voice as without a PIN, and sees nothing of it."""
    other = house.vault().enroll("Otto", "1357")
    place = other.speaker_id
    other.close()
    with_everything(house, mei)
    unlock(visitor, mei)
    assert "This voice is locked" in to_the_second_step(visitor, place)
    visitor.post(f"/stop/of/{place}/sure", {"what": "own-voice", "name": "Otto"})
    assert [entry.name for entry in house.people()] == ["Mei"]


@pytest.mark.parametrize("what", ["", "everything", "own-voice,archive", "<b>"])
def test_unknown_purposes_stop_nothing(visitor: Visitor, house: House, mei: str, what: str) -> None:
    visitor.get("/stop")
    for path in (f"/stop/of/{mei}", f"/stop/of/{mei}/sure"):
        answer = visitor.post(path, {"what": what, "name": "Mei"})
        assert 'role="alert"' in visitor.follow(answer).text
    assert len(house.people()) == 1


def test_without_a_token_or_a_place_nothing_stops(visitor: Visitor, house: House, mei: str) -> None:
    for path in (f"/stop/of/{mei}/sure", "/stop/code", "/stop/code/sure"):
        assert visitor.post(path, {"what": "own-voice", "name": "Mei", "sure": "yes"}, token="").status_code == 400
    for path in ("/stop/of/spk-nobody", f"/stop/of/{mei}/sure", "/stop/of/spk-nobody/sure", "/stop/receipt/0-1", "/stop/code/sure"):
        assert visitor.get(path).status_code == 303
    assert visitor.get("/stop/receipt/0-1/file").status_code == 400
    assert len(house.people()) == 1


def test_the_code_from_paper_works_here_without_a_coordinator(visitor: Visitor, house: House, mei: str) -> None:
    with_everything(house, mei)
    unlock(visitor, mei)
    code = RecoverySecret(house.vault().withdrawal_secret(mei)).code()
    visitor.get("/stop/code")
    page = visitor.follow(visitor.post("/stop/code", {"code": code.lower().replace("-", " ")}))
    assert "The code is right" in page.text
    assert code not in page.text
    assert 'role="alert"' in visitor.follow(visitor.post("/stop/code/sure", {})).text
    assert len(house.people()) == 1
    page = visitor.follow(visitor.post("/stop/code/sure", {"sure": "yes"}))
    assert "Your receipt" in page.text
    assert house.people() == ()
    assert visitor.get("/me").headers["location"] == "/"
    assert visitor.get("/stop/code/sure").headers["location"] == "/stop/code"


@pytest.mark.parametrize("code", ["", "HR1-AAAAA", "abandon " * 12, "x" * 100_000])
def test_wrong_codes_are_told_and_not_given_back(visitor: Visitor, house: House, mei: str, code: str) -> None:
    del mei
    visitor.get("/stop/code")
    page = visitor.follow(visitor.post("/stop/code", {"code": code}))
    assert 'role="alert"' in page.text
    assert re.search(r"<textarea[^>]*></textarea>", page.text)
    assert len(house.people()) == 1


def test_a_code_of_somebody_elsewhere_needs_a_coordinator(visitor: Visitor, mei: str) -> None:
    del mei
    visitor.get("/stop/code")
    page = visitor.follow(visitor.post("/stop/code", {"code": RecoverySecret(b"0123456789abcdef").code()}))
    assert "has not joined a coordinator" in page.text


def test_a_damaged_place_is_still_forgotten(visitor: Visitor, house: House, mei: str) -> None:
    with_everything(house, mei)
    unlock(visitor, mei)
    for file in house.home.rglob("index*"):
        file.write_bytes(b"damaged")
    assert "Mei" in visitor.get("/stop").text
    to_the_second_step(visitor, mei)
    page = visitor.follow(visitor.post(f"/stop/of/{mei}/sure", {"what": "own-voice", "name": "Mei"}))
    assert "Your receipt" in page.text
    assert house.people() == ()


def test_the_page_is_there_on_a_computer_without_anybody(visitor: Visitor, house: House) -> None:
    assert "Nobody has a voice" in visitor.get("/stop").text
    assert not house.has_vault
