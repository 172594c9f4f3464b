"""Errors in the reader's language: known sentences, values in them, joined sentences, and what nobody knows."""

import pytest

from hometone_shared import error_words
from hometone_shared.error_words import in_language


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("this file is empty", "这个文件是空的"),
        ("this recording has 6 channels; 2 can be read", "这个录音有 6 个声道；最多能读取 2 个"),
        ("this is not a recovery code", "这不是恢复码"),
        ("this speaker has not consented to archive", "此人没有同意以下用途：作为乡音遗产存档"),
        ("the vault (its key slots are missing) is damaged", "保险库（缺少密钥槽）已损坏"),
        ("the coordinator's log was changed: it became shorter", "协调方的日志被改动过：日志变短了"),
    ],
)
def test_a_sentence_is_told_in_chinese_with_its_values(text: str, chinese: str) -> None:
    assert in_language(text, "zh") == chinese
    assert in_language(text, "en") == text


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("morning.wav: this file is empty", "morning.wav：这个文件是空的"),
        ("odd: name.wav: this file is empty", "odd: name.wav：这个文件是空的"),
        ("x.wav: the coordinator's log was changed: it became shorter", "x.wav：协调方的日志被改动过：日志变短了"),
        ("this file is empty; remove the job and add it again", "这个文件是空的；remove the job and add it again"),
        ("this file is empty: choose wav", "这个文件是空的：请选择 wav"),
        ("archive, balance, model", "作为乡音遗产存档、群体均衡、共享模型"),
    ],
)
def test_joined_sentences_are_told_part_by_part(text: str, chinese: str) -> None:
    assert in_language(text, "zh") == chinese


@pytest.mark.parametrize(
    "text",
    ["", "something nobody has ever said", "a: b: c: d: e: f: g: h: i", "x, y and z", "0 0 0 0", "没有声音", "{0}: {1}", "{", "%s {x}"],
)
def test_what_nobody_knows_is_returned_as_it_was(text: str) -> None:
    assert in_language(text, "zh") == text


def test_the_template_that_says_most_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    table = error_words._Table.of(
        {"the {0}": "甲{0}", "the {0} cannot be read": "乙{0}", "the {0} cannot be read: {1}": "丙{0}{1}", "file": "文件"}
    )
    monkeypatch.setattr(error_words, "_table", lambda: table)
    assert in_language("the file cannot be read", "zh") == "乙文件"
    assert in_language("the file cannot be read: x", "zh") == "丙文件x"
    assert in_language("the file cannot be read: ", "zh") == "甲file cannot be read: ", "a place is never empty"
    assert in_language("the file", "zh") == "甲文件"
    assert in_language("the ", "zh") == "the "


def test_values_that_look_like_templates_stay_what_they_are() -> None:
    assert in_language("there is no tier called {0.__class__}", "zh") == "没有叫 {0.__class__} 的档次"
    assert in_language("there is no tier called a\nb", "zh") == "没有叫 a\nb 的档次"


def test_a_text_that_never_ends_is_no_sentence() -> None:
    assert in_language("this file is empty" + " " * 5000, "zh").startswith("this file")


@pytest.mark.parametrize("piece", [": ", ", ", "; ", " or ", " is not a number from 0 to ", "the ", "this file is empty: ", "; use "])
def test_hostile_sentences_come_back(piece: str) -> None:
    """What a coordinator sends as a sentence may be made to be hard; it is told, and nothing is lost but the seams."""
    text = (piece * 1000)[:1999]

    told = in_language(text, "zh")
    assert told


def test_sentences_within_sentences_end_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    table = error_words._Table.of({"again {0}": "又{0}"})
    monkeypatch.setattr(error_words, "_table", lambda: table)
    assert in_language("again " * 20 + "x", "zh").startswith("又" * 9 + "again ")
