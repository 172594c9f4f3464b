"""`hometone announce` as a person or a program calls it."""

import datetime as dt
import json
from pathlib import Path

import pytest

from hometone_client.cli.entrance import run


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMETONE_CUSTODY", "file")

    def command(*arguments: str, code: int = 0):
        assert run(["--home", str(tmp_path / "home"), *arguments]) == code
        shown = capsys.readouterr()
        return json.loads(shown.out) if "--json" in arguments else shown.out + shown.err

    return command


ADD = ("announce", "add", "tablets", "Please take your tablets.", "--voice", "af_heart")


def test_add_list_remove(call) -> None:
    tomorrow = (dt.datetime.now().astimezone() + dt.timedelta(days=1)).strftime("%Y-%m-%d")
    added = call(*ADD, "--at", f"{tomorrow} 08:00", "--repeat", "daily", "--kind", "medicine", "--twice", "--no-audible-label", "--json")
    assert (added["kind"], added["repeat"], added["twice"], added["audible_label"]) == ("medicine", "daily", True, False)
    assert added["voice_name"] == "stock:af_heart"
    assert added["next"].startswith(f"{tomorrow}T08:00")
    (listed,) = call("announce", "list", "--json")["reminders"]
    assert listed["id"] == added["id"]
    assert "tablets" in call("announce", "list")
    assert call("announce", "remove", added["id"], "--json")["id"] == added["id"]
    assert call("announce", "list", "--json")["reminders"] == []
    assert call("announce", "remove", added["id"], "--json", code=2)["error"]["message"] == "there is no such reminder"


def test_days_of_the_week_and_every_other_day_need_no_further_word(call) -> None:
    chosen = call(*ADD, "--at", "2030-01-15 08:00", "--on", "mon", "--on", "sun", "--until", "2030-02-01", "--json")
    assert (chosen["repeat"], chosen["weekdays"], chosen["until"]) == ("weekdays", [0, 6], "2030-02-01")
    assert call(*ADD, "--at", "2030-01-15 08:00", "--every", "2", "--json")["every_days"] == 2


def test_what_was_missed_while_nothing_ran_is_no_secret_and_before_there_was_a_book_nothing_was_missed(call) -> None:
    assert call("announce", "history", "--json")["announcements"] == []
    call(*ADD, "--at", "2020-01-15 08:00", "--repeat", "daily", "--json")
    assert call("announce", "history", "--missed", "--json")["announcements"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [(("--voice", "nobody"), 2), (("--on", "someday"), 2), (("--gain", "40"), 2), (("--every", "0"), 2), (("--language", "English"), 2)],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(call, change: tuple[str, ...], code: int) -> None:
    line = [*ADD, "--at", "2030-01-15 08:00", *change, "--json"]
    assert call(*line, code=code)["error"]["message"]
    assert call("announce", "list", "--json")["reminders"] == []


def test_a_text_that_cannot_be_read_aloud_is_refused_now_and_not_in_the_morning(call) -> None:
    line = ["announce", "add", "x", "…", "--voice", "af_heart", "--at", "2030-01-15 08:00", "--json"]
    assert call(*line, code=10)["error"]["kind"] == "TextError"


def test_in_chinese(call) -> None:
    assert "还没有提醒" in call("announce", "list", "--lang", "zh")
