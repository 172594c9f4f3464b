"""Lending a voice and borrowing one, in pages of two laptops."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from person import a_file, unlock, with_everything
from visitor import Visitor

from hometone_client.lending.giving import lent_copies
from hometone_client.lending.guests import guests
from hometone_client.models import model_folder
from hometone_client.pages.app import create_pages
from hometone_client.pages.house import House
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.records.lease import words_of_card
from hometone_shared.records.signing import Envelope


@pytest.fixture
def owner(visitor: Visitor, house: House, mei: str) -> Visitor:
    with_everything(house, mei)
    unlock(visitor, mei)
    return visitor


@pytest.fixture
def borrower(tmp_path: Path) -> Iterator[Visitor]:
    with House(tmp_path / "other", models=model_folder()) as house:
        found = Visitor(create_pages(house), house)
        found.enter()
        yield found


def a_card(borrower: Visitor) -> bytes:
    borrower.get("/borrowed")
    page = borrower.follow(borrower.post("/borrowed/card", {"label": "Sunrise home"}))
    card = borrower.get("/borrowed/card/file").content
    assert all(word in page.text for word in words_of_card(Envelope.from_bytes(card)).split())
    return card


def lend(owner: Visitor, card: bytes, **fields: str) -> bytes:
    owner.get("/me/lending")
    page = owner.follow(owner.post("/me/lending/card", files=a_file("card", card)))
    assert "Sunrise home" in page.text
    assert all(word in page.text for word in words_of_card(Envelope.from_bytes(card)).split())
    page = owner.follow(owner.post("/me/lending/lend", {"same": "yes", "days": "7", "name": "announcer"} | fields))
    assert "Your voice is lent to Sunrise home" in page.text
    return owner.get("/me/lending/package").content


def test_a_voice_travels_from_one_laptop_to_another(owner: Visitor, borrower: Visitor, mei: str) -> None:
    package = lend(owner, a_card(borrower))
    assert "Sunrise home" in owner.get("/me/lending").text
    with SpeakerRoom(owner.house.vault().unlock(mei, "2468")) as room:
        assert [copy.lease_days for copy in lent_copies(room)] == [7]
    borrower.get("/borrowed")
    page = borrower.follow(borrower.post("/borrowed", {"name": "Morning voice"}, files=a_file("package", package)))
    assert "Morning voice" in page.text
    assert "May speak, until" in page.text
    again = borrower.follow(borrower.post("/borrowed", files=a_file("package", package)))
    assert "this voice is here already" in again.text


def test_a_lent_copy_is_removed_in_two_steps(owner: Visitor, borrower: Visitor) -> None:
    package = lend(owner, a_card(borrower))
    borrower.get("/borrowed")
    borrower.post("/borrowed", files=a_file("package", package))
    (guest,) = guests(borrower.house.vault())
    assert "Remove announcer" in borrower.get(f"/borrowed/{guest.speaker_id}/remove").text
    assert len(guests(borrower.house.vault())) == 1
    page = borrower.follow(borrower.post(f"/borrowed/{guest.speaker_id}/remove"))
    assert "was removed" in page.text
    assert guests(borrower.house.vault()) == ()


def test_a_damaged_copy_stops_no_other_and_can_be_removed(owner: Visitor, borrower: Visitor) -> None:
    package = lend(owner, a_card(borrower))
    borrower.get("/borrowed")
    borrower.post("/borrowed", files=a_file("package", package))
    (guest,) = guests(borrower.house.vault())
    with borrower.house.vault().unlock_for_work(guest.speaker_id) as place:
        place.delete("lease-state", guest.lease.lease)
    assert "Damaged" in borrower.get("/borrowed").text
    assert "was removed" in borrower.follow(borrower.post(f"/borrowed/{guest.speaker_id}/remove")).text


def test_nothing_is_lent_before_the_words_were_compared(owner: Visitor, borrower: Visitor, mei: str) -> None:
    owner.get("/me/lending")
    owner.post("/me/lending/card", files=a_file("card", a_card(borrower)))
    page = owner.follow(owner.post("/me/lending/lend", {"days": "7", "name": "x"}))
    assert "nothing was lent" in page.text
    with SpeakerRoom(owner.house.vault().unlock(mei, "2468")) as room:
        assert lent_copies(room) == ()
    assert owner.get("/me/lending/package").status_code == 400


@pytest.mark.parametrize("days", ["0", "31", "1.5", "nan", "many"])
def test_a_lease_is_as_long_as_is_offered(owner: Visitor, borrower: Visitor, days: str) -> None:
    owner.get("/me/lending")
    owner.post("/me/lending/card", files=a_file("card", a_card(borrower)))
    assert 'role="alert"' in owner.follow(owner.post("/me/lending/lend", {"same": "yes", "days": days})).text


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, b"x" * 100_000])
def test_wrong_files_are_told(owner: Visitor, content: bytes) -> None:
    owner.get("/me/lending")
    assert 'role="alert"' in owner.follow(owner.post("/me/lending/card", files=a_file("card", content))).text
    owner.get("/borrowed")
    assert 'role="alert"' in owner.follow(owner.post("/borrowed", files=a_file("package", content))).text


def test_who_has_not_agreed_to_announcements_is_led_there(visitor: Visitor, house: House, mei: str) -> None:
    del house
    unlock(visitor, mei)
    assert "/me/consents/announcements" in visitor.get("/me/lending").text


def test_a_voice_lent_to_this_computer_is_here_at_once(owner: Visitor, house: House) -> None:
    owner.get("/me/lending")
    page = owner.follow(owner.post("/me/lending/card", {"to": "here"}))
    assert "four words" not in page.text
    page = owner.follow(owner.post("/me/lending/lend", {"days": "30", "name": "House voice"}))
    assert "House voice" in page.text
    assert [guest.name for guest in guests(house.vault())] == ["House voice"]
    assert "This computer" in page.text


def test_her_own_place_is_no_lent_copy(owner: Visitor, mei: str) -> None:
    owner.get("/borrowed")
    for path in (f"/borrowed/{mei}/remove", f"/borrowed/{mei}/try", "/borrowed/spk-nobody/remove"):
        assert "was not lent" in (page := owner.follow(owner.post(path)).text) or "nobody" in page
    assert [entry.name for entry in owner.house.people()] == ["Mei"]


def test_after_taking_announcements_back_the_copy_here_is_gone(owner: Visitor, house: House) -> None:
    owner.get("/me/lending")
    owner.post("/me/lending/card", {"to": "here"})
    owner.post("/me/lending/lend", {"days": "30", "name": "House voice"})
    owner.post("/me/consents/announcements/back", {"sure": "yes"})
    text = owner.get("/borrowed").text
    assert "May speak" not in text
    assert not any(guest.name == "House voice" for guest in guests(house.vault())) or "Does not speak now" in text


def test_no_vault_is_made_by_looking(tmp_path: Path) -> None:
    with House(tmp_path / "empty", models=model_folder()) as house:
        visitor = Visitor(create_pages(house), house)
        visitor.enter()
        assert "No voice was lent" in visitor.get("/borrowed").text
        assert not house.has_vault
