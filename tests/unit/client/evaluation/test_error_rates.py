"""Words that sound the same are the same; errors are counted as the literature does."""

import pytest

from hometone_client.evaluation.error_rates import ErrorCount, count_errors, pool
from hometone_client.evaluation.normalisation import syllables, units


@pytest.mark.parametrize(
    ("language", "written", "heard"),
    [
        ("en", "It's half past three, isn't it?", "its half past three isnt it"),
        ("en", "I paid 42 dollars.", "I paid forty-two dollars"),
        ("en", "Room 405 is free.", "room four zero five is free"),
        ("en", "He’s 50% sure", "he's fifty percent sure"),
        ("en", "1,250 people", "one thousand, two hundred and fifty people"),
        ("es", "Son las 5 de la tarde.", "son las cinco de la tarde"),
        ("fr", "Il a 15 chats", "il a quinze chats"),
        ("it", "Ho 12 anni", "ho dodici anni"),
        ("zh", "我们三点钟见面。", "我們3點鐘見面"),
        ("zh", "今年是2025年", "今年是二零二五年"),
        ("zh", "她来了吗？", "他来了吗"),
        ("mixed", "Let's go to the 超市吧", "lets go to the 超市吧。"),
    ],
)
def test_same_sound_is_no_error(language: str, written: str, heard: str) -> None:
    assert count_errors(written, heard, language).errors == 0


def test_units_are_characters_and_words() -> None:
    assert units("Let's go to the 超市吧！", "mixed") == ["lets", "go", "to", "the", "超", "市", "吧"]
    assert units("……！", "zh") == []


def test_errors_are_counted_by_kind() -> None:
    count = count_errors("one two three four five six", "one too three five six seven", "en")
    assert (count.substitutions, count.deletions, count.insertions, count.length) == (1, 1, 1, 6)
    assert count.rate == pytest.approx(0.5)


def test_silence_and_invented_words() -> None:
    assert count_errors("four words were said", "", "en").rate == 1.0
    assert count_errors("", "two words", "en") == ErrorCount(insertions=2)
    assert count_errors("", "two words", "en").rate == 1.0
    assert count_errors("", "", "en").rate == 0.0


def test_pooling_weighs_by_length() -> None:
    short, long = ErrorCount(deletions=1, length=1), ErrorCount(length=9)
    assert pool([short, long]).rate == pytest.approx(0.1)
    assert pool([]).rate == 0.0


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("今天天气很好", "zh", 6),
        ("made the table", "en", 4),
        ("walked and wanted", "en", 4),
        ("La reunión empieza", "es", 6),
        ("une longue lettre", "fr", 4),
        ("Let's go 超市", "mixed", 4),
        ("12", "it", 3),
    ],
)
def test_syllables(text: str, language: str, count: int) -> None:
    assert syllables(text, language) == count
