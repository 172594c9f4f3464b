"""The calendar of reminders, as a nurse uses it."""

import datetime as dt
import re

import pytest
from visitor import Visitor

FIELDS = {
    "kind": "medicine",
    "title": "Morning tablets",
    "text": "Good morning. Please take your tablets.",
    "voice": "stock:af_heart",
    "date": "2031-05-01",
    "time": "08:00",
    "repeat": "daily",
    "every_days": "2",
    "until": "",
    "gain_db": "0",
    "label": "yes",
    "on": "yes",
}


@pytest.fixture(autouse=True)
def _no_loudspeaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMETONE_CUSTODY", "file")


def number_of(page: str) -> str:
    found = re.search(r'href="/announcements/([0-9a-f]{16})"', page)
    assert found is not None
    return found[1]


def test_looking_makes_nothing(visitor: Visitor) -> None:
    page = visitor.get("/announcements")
    assert page.status_code == 200
    assert not visitor.house.home.exists()
    assert "nothing" in page.text


def test_a_reminder_is_written_changed_and_removed(visitor: Visitor) -> None:
    visitor.get("/announcements/new")
    page = visitor.follow(visitor.post("/announcements/new", FIELDS))
    assert "“Morning tablets” is in the calendar" in page.text
    number = number_of(page.text)
    edit = visitor.get(f"/announcements/{number}")
    assert "Please take your tablets." in edit.text
    changed = FIELDS | {"title": "Evening tablets", "repeat": "weekdays", "weekdays": ["0", "4"]}
    page = visitor.follow(visitor.post(f"/announcements/{number}", changed))
    assert "Monday, Friday" in page.text
    assert "Really remove" in visitor.get(f"/announcements/{number}/remove").text
    page = visitor.follow(visitor.post(f"/announcements/{number}/remove"))
    assert "Evening tablets" not in page.text


def test_the_week_shows_when_it_is_said(visitor: Visitor) -> None:
    tomorrow = (dt.datetime.now().astimezone() + dt.timedelta(days=1)).date()
    visitor.get("/announcements/new")
    page = visitor.follow(visitor.post("/announcements/new", FIELDS | {"date": tomorrow.isoformat()}))
    days = page.text.split("<section")
    assert sum("Morning tablets" in day for day in days) == 7  # six days of the week ahead, and the list


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("title", "", "title"),
        ("text", "", "say"),
        ("date", "", "missing"),
        ("time", "25:00", "missing"),
        ("until", "2020-01-01", "day"),
        ("voice", "stock:nobody", "voice"),
        ("voice", "<script>", "voice"),
        ("repeat", "hourly", "form"),
        ("weekdays", "x", "form"),
        ("every_days", "many", "number"),
        ("every_days", "nan", "number"),
        ("every_days", "9" * 5000, "number"),
        ("gain_db", "nan", ""),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(visitor: Visitor, field: str, value: str, words: str) -> None:
    visitor.get("/announcements/new")
    sent = FIELDS | {"repeat": "every"} | {field: value}
    answer = visitor.post("/announcements/new", sent)
    assert answer.headers["location"] == "/announcements/new"
    page = visitor.follow(answer)
    alert = page.text.split('role="alert"')[1].split("</div>")[0]
    assert words in alert
    if field not in {"title", "text"}:
        assert "Please take your tablets." in page.text
    assert "<script>" not in page.text.replace("<script src", "")


@pytest.mark.parametrize("number", ["0" * 16, "x", "..%2f", "new2"])
def test_a_reminder_that_is_not_there(visitor: Visitor, number: str) -> None:
    visitor.get("/announcements/new")
    visitor.post("/announcements/new", FIELDS)
    assert visitor.get(f"/announcements/{number}").status_code in {303, 404}
    assert visitor.post(f"/announcements/{number}/remove").status_code in {303, 404}
    assert visitor.post(f"/announcements/{number}", FIELDS).status_code in {303, 404}


def test_history_is_empty_at_first(visitor: Visitor) -> None:
    assert "Nothing has been said yet" in visitor.get("/announcements/history").text
    visitor.get("/announcements/new")
    visitor.post("/announcements/new", FIELDS)
    assert "Nothing has been said yet" in visitor.get("/announcements/history").text


def test_in_chinese(visitor: Visitor) -> None:
    visitor.get("/")
    visitor.post("/language", {"to": "zh", "back": "/announcements"})
    assert "播报提醒" in visitor.get("/announcements").text
    assert "新的提醒" in visitor.get("/announcements/new").text
