"""Texts are compared as they sound, not as they are spelt; expected values were counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.takes.agreement import error_rate, simplified, units


@pytest.mark.parametrize(
    ("reference", "heard", "language"),
    [
        ("To lock, or unlock the conference.", "to lock or unlock the conference", "en"),
        ("press 1", "Press one.", "en"),
        ("It costs 1,250 pounds.", "it costs one thousand, two hundred and fifty pounds", "en"),
        ("premere il tasto 3", "Premere il tasto tre.", "it"),
        ("c’è un altro", "C'è un altro", "it"),
        ("今天天气很好，我想去公园散步。", "今天天氣很好 我想去公園散步", "zh"),
        ("我有3个苹果", "我有三个苹果", "zh"),
        ("Let's go to the 超市吧", "let’s go to the 超市吧！", "zh"),
        ("ＡＢＣ", "abc", "en"),
    ],
)
def test_the_same_words_agree(reference: str, heard: str, language: str) -> None:
    assert error_rate(reference, heard, language) == 0.0


@pytest.mark.parametrize(
    ("reference", "heard", "language", "rate"),
    [
        ("one two three four", "one too three four", "en", 1 / 4),
        ("one two three four", "one three four", "en", 1 / 4),
        ("one two three four", "one two two three four", "en", 1 / 4),
        ("one two", "three four five six", "en", 2.0),
        ("我想去公园", "我想去公司", "zh", 1 / 5),
        ("go to the 超市吧", "go to a 超市", "zh", 2 / 6),
        ("one two", "", "en", 1.0),
        ("", "", "en", 0.0),
        ("…", "word", "en", 1.0),
    ],
)
def test_differences_are_counted_in_words_or_characters(reference: str, heard: str, language: str, rate: float) -> None:
    assert error_rate(reference, heard, language) == pytest.approx(rate)


def test_units_of_a_mixed_sentence() -> None:
    assert units("Let's go to the 超市吧", "en") == ("let's", "go", "to", "the", "超", "市", "吧")


def test_traditional_characters_are_folded() -> None:
    assert simplified("謝謝您，醫生囑咐我吃藥") == "谢谢您，医生嘱咐我吃药"


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["en", "zh", "it", "ja", "xx"]))
def test_any_two_texts_can_be_compared(reference: str, heard: str, language: str) -> None:
    assert error_rate(reference, reference, language) == 0.0
    assert 0.0 <= error_rate(reference, heard, language) <= max(1, len(units(heard, language)), len(units(reference, language)))
