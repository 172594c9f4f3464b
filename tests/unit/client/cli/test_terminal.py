"""The rules at the top of `terminal`, one by one."""

import io
import json
import math

import pytest

from hometone_client.cli.terminal import Terminal, load_messages
from hometone_shared import errors
from hometone_shared.errors import HometoneError, TextError, UsageError


def terminal(**options: object) -> tuple[Terminal, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Terminal(stdin=io.StringIO(), stdout=out, stderr=err, **options), out, err  # type: ignore[arg-type]


def test_messages_have_a_prefix_and_hints_their_own_line() -> None:
    speaker, out, err = terminal()
    code = speaker.fail("say", TextError("the text is empty", hint="give at least one word"))
    assert code == TextError.exit_code
    assert err.getvalue() == "hometone: the text is empty\nhint: give at least one word\n"
    assert out.getvalue() == ""


def test_json_is_one_object_and_nothing_else() -> None:
    speaker, out, err = terminal(as_json=True)
    speaker.say("queue-empty")
    speaker.hint("nobody reads this")
    with speaker.progress("taking", count=2) as line:
        line.update(0.5)
    speaker.answer("say", {"seconds": math.nan, "list": (1.0, math.inf)})
    assert err.getvalue() == ""
    assert json.loads(out.getvalue()) == {"ok": True, "command": "say", "seconds": None, "list": [1.0, None]}


def test_errors_as_json_have_stable_keys() -> None:
    speaker, out, _ = terminal(as_json=True)
    speaker.fail("say", TextError("the text is empty", hint="give at least one word"), values={"voice": "mei"})
    assert json.loads(out.getvalue()) == {
        "ok": False,
        "command": "say",
        "voice": "mei",
        "error": {"kind": "TextError", "message": "the text is empty", "hint": "give at least one word", "exit_code": 10},
    }


@pytest.mark.parametrize("debug", [False, True])
def test_an_unexpected_error_shows_a_traceback_only_with_debug(debug: bool) -> None:
    speaker, _, err = terminal(debug=debug)
    code = speaker.fail("say", ZeroDivisionError("secret detail"))
    assert code == 70
    assert err.getvalue().startswith("hometone: a mistake in Hometone itself (ZeroDivisionError)\nhint: ")
    assert ("secret detail" in err.getvalue()) is debug


def test_interruption_is_130() -> None:
    speaker, _, err = terminal()
    assert speaker.fail("train", KeyboardInterrupt()) == 130
    assert "nothing is lost" in err.getvalue()


def test_nobody_to_ask_names_the_option() -> None:
    speaker, _, _ = terminal()
    with pytest.raises(UsageError) as caught:
        speaker.ask_secret("ask-pin", option="--pin-file")
    assert "--pin-file" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        speaker.confirm("sure?", expected="yes", option="--yes")
    assert "--yes" in caught.value.hint


def test_every_message_exists_in_both_languages_with_the_same_places() -> None:
    for key, texts in load_messages().items():
        assert set(texts) == {"en", "zh"}, key
        places = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in texts.values()]
        assert places[0] == places[1], key
        assert not texts["en"].endswith("."), key


def test_every_error_has_a_chinese_word() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, HometoneError)} - {"HometoneError"}
    assert {f"error-{kind}" for kind in kinds} <= set(load_messages())
    speaker, _, err = terminal(language="zh")
    speaker.fail("say", TextError("this sentence is in no table"))
    assert err.getvalue() == "hometone: 文字无法朗读：this sentence is in no table\n"


def test_errors_are_told_in_chinese_and_stay_english_for_programs() -> None:
    error = TextError("the text is empty", hint="give at least one word")
    speaker, out, err = terminal(language="zh")
    speaker.fail("say", error)
    speaker.say("contact-failed", why="the coordinator cannot be reached")
    assert err.getvalue() == "hometone: 文字是空的\nhint: 请至少写一个词\nhometone: 未能联系协调方：无法联系协调方\n"
    speaker, out, _ = terminal(language="zh", as_json=True)
    speaker.fail("say", error)
    told = json.loads(out.getvalue())["error"]
    assert (told["message"], told["hint"]) == ("the text is empty", "give at least one word")


def test_progress_says_how_long_it_still_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hometone_client.cli.terminal._PLAIN_INTERVAL_S", 0.0)
    speaker, _, err = terminal()
    with speaker.progress("training", name="mei") as line:
        line.update(0.25, words="aligning", remaining_s=200)
        line.update(0.9, remaining_s=12)
    assert err.getvalue().splitlines() == [
        "hometone: making the voice of mei",
        "hometone: making the voice of mei: aligning: 25%, 3 min to go",
        "hometone: making the voice of mei: 90%, 12 s to go",
    ]


def test_every_stage_of_adapting_has_words() -> None:
    from hometone_client.adaptation.progress import STAGES

    assert {f"stage-{stage}" for stage in STAGES} <= set(load_messages())
