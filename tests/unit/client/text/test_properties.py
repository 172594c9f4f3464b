"""What holds for every text: utterances or a TextError, tokens within bounds, and nothing that carries words is lost."""

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hometone_client.text import LANGUAGES, MAX_TOKENS, Frontend
from hometone_client.text.characters import is_han, readable
from hometone_client.text.pronunciation import mandarin
from hometone_client.text.utterance import vocabulary
from hometone_client.text.verbalisation import english, romance
from hometone_client.text.verbalisation import mandarin as spoken_mandarin
from hometone_shared.errors import TextError

IDS = set(vocabulary().values())
PIECES = st.sampled_from(
    re.findall(
        r"\S+",
        """kg mg/kg km/h Dr. e.g. 8:05 3-5 1/2 2026-11-23 11月 https://a.b/c x@y.com WiFi iPhone don't the KFC 1,234.5 -5 ℃ 24/7
        阿司匹林 一会儿 不是 第一 ... 。 pm No.5 $5 5% 1st II Chapter l'eau c'est á R$ 1.234,50 8h05 007 Ⅱ ½ ① α μg ß ñ ¿ “ ” 《 》 — …
        😀 ２ Ａ 々 ы""",
    )
) | st.sampled_from([" ", "\n", "\u0301", "\u200d", "\x00"])
SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HAN = (
    "今天气很好我想去公园散步请在早上八点服用两片药大家你他她们的了吗吧不一个是有没还得地长里为"
    "只种数看说水老虎馆国学生医院血压体温米菜饭茶书车门窗花树猫狗红绿蓝白黑"
)


def check(text: str, language: str | None) -> None:
    try:
        utterances = list(Frontend().utterances(text, language=language))
    except TextError as refusal:
        refused = refusal
    else:
        refused = None
    if refused is not None:
        assert refused.message
        assert refused.hint
        return
    assert utterances
    for utterance in utterances:
        assert 1 <= len(utterance.tokens) <= MAX_TOKENS
        assert set(utterance.tokens) <= IDS
        assert utterance.language in LANGUAGES
        assert any(symbol.isalpha() for symbol in utterance.phonemes)
        assert "  " not in utterance.phonemes
        assert utterance.phonemes == utterance.phonemes.strip()


@SLOW
@given(st.text(max_size=60), st.sampled_from([None, *LANGUAGES]))
def test_any_unicode_gives_utterances_or_a_text_error(text: str, language: str | None) -> None:
    check(text, language)


@SLOW
@given(st.lists(PIECES | st.sampled_from(HAN) | st.text(max_size=4), max_size=12).map("".join), st.sampled_from([None, *LANGUAGES]))
def test_hostile_pieces_give_utterances_or_a_text_error(text: str, language: str | None) -> None:
    check(text, language)


@SLOW
@given(st.lists(st.sampled_from(HAN) | st.sampled_from("，。！、 "), min_size=1, max_size=40).map("".join))
def test_every_chinese_character_is_a_syllable(text: str) -> None:
    characters = [character for character in text if is_han(character)]
    if not characters:
        return
    syllables = [
        syllable
        for run in text.translate(str.maketrans("，。！、 ", "\n" * 5)).split()
        for word in mandarin.readings(run)
        for syllable in word
    ]
    assert [syllable.character for syllable in syllables] == characters
    sounds = "".join(utterance.phonemes for utterance in Frontend().utterances(text))
    vowels = "aeiouyɑɔəɛɤɨʊɚ"
    groups = sum(1 for i, symbol in enumerate(sounds) if symbol in vowels and (i == 0 or sounds[i - 1] not in vowels))
    assert groups >= 1
    assert len(sounds.replace(" ", "")) >= len(characters)


WORDS = st.sampled_from(["apple", "water", "doctor", "tablet", "garden", "xylotrim", "KFC", "iPhone", "don't", "café", "morning", "zebra"])


@SLOW
@given(st.lists(WORDS, min_size=2, max_size=8), st.data())
def test_every_latin_word_is_heard(words: list[str], data: st.DataObject) -> None:
    dropped = data.draw(st.integers(0, len(words) - 1))
    whole = "".join(utterance.phonemes for utterance in Frontend().utterances(" ".join(words)))
    fewer = "".join(utterance.phonemes for utterance in Frontend().utterances(" ".join(words[:dropped] + words[dropped + 1 :])))
    assert len(whole) > len(fewer)


@SLOW
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["zh", "en", "es", "fr", "it", "pt"]))
def test_different_numbers_sound_different(one: int, other: int, language: str) -> None:
    def say(number: int) -> str:
        if language == "zh":
            return spoken_mandarin.verbalise(f"共{number}个", phrase=english.verbalise)
        return english.verbalise(f"about {number} things") if language == "en" else romance.verbalise(f"con {number}", language=language)

    assert (say(one) == say(other)) == (one == other)
    assert not any(character.isdigit() for character in say(one))


@SLOW
@given(st.text(max_size=80))
def test_cleaning_keeps_every_letter_and_digit(text: str) -> None:
    try:
        cleaned = readable(text)
    except TextError:
        return
    kept = [c for c in unicodedata.normalize("NFC", text) if (c.isascii() and c.isalnum()) or is_han(c)]
    assert [c for c in cleaned if c in set(kept)][: len(kept)] == kept or all(cleaned.count(c) >= kept.count(c) for c in kept)


@pytest.mark.parametrize(
    "text",
    ["a" * 200, "1" * 3000, "一" * 3000, "," * 3000 + "a", "a." * 500, "3-5" * 300, "１／２" * 200, "(" * 500 + "x", "'" * 500 + "x"],
)
@pytest.mark.parametrize("language", [None, "en", "fr"])
def test_long_oddities(text: str, language: str | None) -> None:
    check(text, language)
