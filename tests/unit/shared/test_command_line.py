"""One way for both commands to read a line, to answer and to fail."""

import json

import pytest

from hometone_shared.command_line import CommonOptions, Failure, answer_json, chosen_language, failure_json, finite
from hometone_shared.errors import TextError

OPTIONS = CommonOptions(flags=("--json", "--debug"), with_value=("--home", "--lang"), groups=frozenset({"take"}))
WORDS = {"interrupted": ("interrupted", "go on"), "unexpected": ("something went wrong", "report it")}


def test_options_of_every_command_may_stand_anywhere() -> None:
    assert OPTIONS.hoisted(["say", "mei", "--json", "--home", "x", "hi"]) == ["--json", "--home", "x", "say", "mei", "hi"]
    assert OPTIONS.hoisted(["say", "mei", "--home=x", "--", "--json"]) == ["--home=x", "say", "mei", "--", "--json"]
    assert OPTIONS.hoisted(["say", "--home"]) == ["--home", "say"]


def test_the_command_is_found_behind_them() -> None:
    assert OPTIONS.command_name(["--home", "x", "--json", "take", "add", "mei"]) == "take add"
    assert OPTIONS.command_name(["--debug", "say", "mei"]) == "say"
    assert OPTIONS.command_name([]) == ""


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        ("zh", {"LANG": "en_GB.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
        (None, {"HOMETONE_LANG": "zh", "LANG": "en_US"}, "zh"),
        (None, {"LC_ALL": "C", "LANG": "zh_CN"}, "en"),
    ],
)
def test_language_is_chosen_by_request_then_environment(asked: str | None, environment: dict[str, str], expected: str) -> None:
    assert chosen_language(asked, environment) == expected


def test_finite_takes_out_what_json_lacks_and_leaves_everything_else() -> None:
    assert finite({"a": 1, "b": "x", "c": [True, None, 0.5]}) == {"a": 1, "b": "x", "c": [True, None, 0.5]}
    assert finite((float("nan"), {"x": float("inf")})) == [None, {"x": None}]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TextError("the text is empty", hint="type one"), Failure("TextError", "the text is empty", "type one", 10)),
        (KeyboardInterrupt(), Failure("Interrupted", "interrupted", "go on", 130)),
        (KeyError("secret"), Failure("UnexpectedError", "something went wrong (KeyError)", "report it", 70)),
    ],
)
def test_a_failure_says_what_a_person_and_a_program_need(error: BaseException, expected: Failure) -> None:
    assert Failure.of(error, **WORDS) == expected


def test_answers_are_one_object() -> None:
    assert json.loads(answer_json("say", {"seconds": float("nan")})) == {"ok": True, "command": "say", "seconds": None}
    said = json.loads(failure_json("say", Failure("TextError", "empty", "", 10), {"left": 2}))
    assert said == {
        "ok": False,
        "command": "say",
        "error": {"kind": "TextError", "message": "empty", "hint": "", "exit_code": 10},
        "left": 2,
    }
