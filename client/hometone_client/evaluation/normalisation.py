"""Fold what is written differently but sounds the same, before words are compared.

Recognisers choose freely between `5` and `five`, simplified and traditional characters, capitals and punctuation. None of that is an
error of speaking. What is left are units: one for each Chinese character, one for each word of an alphabet, so that mixed sentences
are measured like the others.
"""

import logging
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opencc import OpenCC

NumberReading = Literal["whole", "digits"]
"""How figures are spelt out: `42` as forty-two or as four two."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNIT = re.compile(rf"[{_HAN}]|[^\W\d_{_HAN}]+(?:'[^\W\d_{_HAN}]+)*")
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
_PERCENT = {"en": "percent", "es": "por ciento", "fr": "pour cent", "it": "per cento", "pt": "por cento", "nl": "procent"}
_SAME_SOUND = str.maketrans({"她": "他", "它": "他", "妳": "你"})  # tā and nǐ, whoever is meant
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})
_CHINESE = frozenset({"zh", "mixed"})


def units(text: str, language: str, *, numbers: NumberReading = "whole") -> list[str]:
    """Split a text into what is compared: Chinese characters and words, folded.

    Args:
        text: Any text.
        language: `zh`, `en`, `es`, `fr`, `it`, `pt`, `nl`, or `mixed` (Chinese with words of another language).
        numbers: How figures are read.

    Returns:
        Units in order; empty when nothing of the text is spoken.
    """
    folded = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    if language in _CHINESE:
        folded = _simplifier().convert(folded).translate(_SAME_SOUND)
    folded = _spell_numbers(folded, language, numbers)
    return [unit.replace("'", "") for unit in _UNIT.findall(folded)]


def syllables(text: str, language: str) -> int:
    """Estimate the number of spoken syllables: one for each Chinese character, one for each group of vowels in a word.

    The estimate has the same bias for every voice of a language, so it serves to compare rates and not to state them.
    """
    return sum(_word_syllables(unit, language) for unit in units(text, language))


def _word_syllables(unit: str, language: str) -> int:
    if re.match(rf"[{_HAN}]", unit):
        return 1
    word = "".join(letter for letter in unicodedata.normalize("NFD", unit) if not unicodedata.combining(letter))
    if language in {"en", "mixed"}:
        word = re.sub(r"(?<=[^aeiouyl])e$|(?<=[aeiouy]l)e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouyscxzg])es$", "", word)
    elif language == "fr":
        word = re.sub(r"(?<=[^aeiouy])(?:e|es|ent)$", "", word)
    return max(1, len(re.findall(r"[aeiouy]+", word)))


def _spell_numbers(text: str, language: str, numbers: NumberReading) -> str:
    if language in _CHINESE:
        return _spell_chinese(text, numbers)
    text = re.sub(r"(\d)\s*%", rf"\1 {_PERCENT.get(language, 'percent')}", text)
    return _FIGURES.sub(lambda found: f" {_spell_figures(found.group(), language, numbers)} ", text)


def _spell_figures(figures: str, language: str, numbers: NumberReading) -> str:
    from num2words import num2words

    if numbers == "digits":
        return " ".join(str(num2words(int(digit), lang=language)) for digit in figures if digit.isdigit())
    thousands = r"(?<=\d),(?=\d{3}(?:\D|$))" if language == "en" else r"(?<=\d)\.(?=\d{3}(?:\D|$))"
    plain = re.sub(thousands, "", figures)
    parts = re.split(r"[.,]", plain)
    return " ".join(str(num2words(int(part), lang=language)) for part in parts if part)


def _spell_chinese(text: str, numbers: NumberReading) -> str:
    if numbers == "digits":
        return text.translate(str.maketrans("0123456789", "零一二三四五六七八九"))
    if not any(character.isdigit() for character in text):
        return text
    return _chinese_numbers(text)


def _chinese_numbers(text: str) -> str:
    logging.getLogger("cn2an").setLevel(logging.CRITICAL)
    import cn2an

    return str(cn2an.transform(text, "an2cn"))


@cache
def _simplifier() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("t2s")
