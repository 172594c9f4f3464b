"""Every sentence that an error can say has Chinese, and the table holds nothing else."""

import json
import re
import string

import pytest
from tests.architecture.error_sentences import PACKAGES, ROOT, Collector, sources

from hometone_shared.error_words import in_language
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.records.purposes import Purpose

TABLE: dict[str, str] = json.loads((ROOT / PACKAGES[0] / "data" / "error-words.zh.json").read_text(encoding="utf-8"))
JOINTS = {"{0}: {1}", "{0}; {1}", "{0}, {1}", "{0} or {1}", "{0} in {1}"}
"""Hardly more than what is between two values; they count where one of the two is known."""
VALUES = {*Purpose, *RoundPurpose, "unknown", "used", "expired", "the disk refuses"}
"""Words that stand in sentences and come from elsewhere: purposes, why an invitation is refused, why a file could not be written."""
FROM_CLICK = {
    "Got unexpected extra argument ({0})",
    "Got unexpected extra arguments ({0})",
    "Invalid value for {0}: {1}",
    "Invalid value: {0}",
    "Missing argument {0}",
    "Missing command",
    "Missing option {0}",
    "No such command {0}",
    "No such command {0}. Did you mean {1}?",
    "No such command {0}. Did you mean {1}? Did you mean {2}?",
    "No such option {0}",
    "No such option {0}. (Did you mean one of: {1}?)",
    "No such option {0}. Did you mean {1}?",
    "Option {0} does not take a value",
    "Option {0} requires an argument",
    "{0} is not a valid float",
    "{0} is not a valid float range",
    "{0} is not a valid integer",
    "{0} is not a valid integer range",
    "{0} is not in the range {1}",
    "{0} is not one of {1}",
}
"""What the reader of command lines says, without the full stop; and the hint beside it where no command was given."""
ALONE = {"see hometone --help", "see hometone-coordinator --help"}


@pytest.fixture(scope="module")
def sentences() -> dict[str, str]:
    return Collector(list(sources())).run()


def places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_sentences_are_found(sentences: dict[str, str]) -> None:
    """One of each kind of source; who changes how errors are made has to teach the collector."""
    assert {
        "this file is empty",  # a literal
        "this recording has {0} channels; {1} can be read",  # an f-string
        "choose one of {0}",  # a sum
        "choose a WAV, FLAC, MP3, OGG, Opus, M4A or WebM recording",  # a constant
        "the vault (its key slots are missing)",  # given to a function that makes the error
        "it is larger than any voice",
        "the clip norm may be at most {0}",  # in a table
        "the coordinator does not know this invitation",
        "recovery code",  # what a class was made with
        "the invitation is {0}",  # in an error's own constructor
        "there is nothing at this address",  # an answer of the gateway
    } <= set(sentences)
    assert len(sentences) > 1000


def test_every_sentence_has_chinese(sentences: dict[str, str]) -> None:
    lacking = sorted(f"{where}  {text}" for text, where in sentences.items() if text not in TABLE)
    assert not lacking, "add to shared/hometone_shared/data/error-words.zh.json:\n" + "\n".join(lacking)


def test_the_table_holds_nothing_else(sentences: dict[str, str]) -> None:
    stale = sorted(set(TABLE) - set(sentences) - JOINTS - VALUES - FROM_CLICK - ALONE)
    assert not stale, "nobody says any more:\n" + "\n".join(stale)


@pytest.mark.parametrize("words", [JOINTS, VALUES, FROM_CLICK, ALONE], ids=["joints", "values", "click", "alone"])
def test_what_comes_from_elsewhere_has_chinese_too(words: set[str]) -> None:
    assert not words - set(TABLE)


def test_each_entry_is_chinese_with_the_same_places() -> None:
    assert [text for text, chinese in TABLE.items() if places(text) != places(chinese) and text not in FROM_CLICK] == []
    assert [text for text, chinese in TABLE.items() if text not in JOINTS and not re.search(r"[\u4e00-\u9fff]", chinese)] == []


def test_each_entry_is_punctuated_as_chinese_is() -> None:
    """Full width beside Chinese; commands, names and figures keep their own."""
    wrong = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;?!][\u4e00-\u9fff]|[。，；：]$|[\u4e00-\u9fff]\.(?!\w)")
    assert [chinese for chinese in TABLE.values() if wrong.search(re.sub(r"模块:函数|主机:端口", "", chinese))] == []


def test_each_sentence_is_found_by_its_own_entry() -> None:
    """No other template takes it, even with values such as people have."""
    for text, chinese in TABLE.items():
        if text not in JOINTS:
            values = ["7", "x1", "Zoë.wav", "q", "0.5"][: len(set(places(text)))]
            assert in_language(text.format(*values), "zh") == chinese.format(*values), text


def test_commands_and_options_are_kept() -> None:
    for text, chinese in TABLE.items():
        assert set(re.findall(r"--[a-z][a-z-]+|\bHOMETONE_\w+", text)) == set(re.findall(r"--[a-z][a-z-]+|\bHOMETONE_\w+", chinese)), text
