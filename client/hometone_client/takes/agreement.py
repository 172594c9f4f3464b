"""How far a transcript is from a text: word errors, and character errors where a script writes no spaces.

1. Both texts are brought to one form: NFKC, small letters, numbers in words, traditional characters simplified, punctuation gone.
2. They are cut into units: one Chinese or Japanese character each, one word each otherwise, so mixed sentences work.
3. The error rate is the Levenshtein distance of the units over the number of units of the text (it can exceed 1).

`takes` uses it to notice that somebody read another sentence; `evaluation` for word and character error rates.
"""

import functools
import re
import unicodedata
from typing import Any, Final

_SINGLE: Final = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
_UNIT: Final = re.compile(rf"{_SINGLE}|(?:(?!{_SINGLE})[^\W_])+(?:'(?:(?!{_SINGLE})[^\W_])+)*")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")


def units(text: str, language: str) -> tuple[str, ...]:
    """The comparable units of a text.

    Args:
        text: Any text.
        language: ISO 639 code; decides how digits are read and whether Han characters are folded ("zh").
    """
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    plain = re.sub(r"(?<=\d)[,\u202f\u00a0](?=\d{3}\b)", "", plain) if language in {"en", "zh"} else plain
    if _HAN.search(plain) and language != "ja":
        plain = simplified(plain)
        language = "zh"
    plain = _NUMBER.sub(lambda found: f" {_in_words(found.group(), language)} ", plain)
    return tuple(_UNIT.findall(unicodedata.normalize("NFKC", plain)))


def error_rate(reference: str, hypothesis: str, language: str) -> float:
    """Levenshtein distance over the length of the reference, in units.

    Args:
        reference: What should have been said.
        hypothesis: What was heard.
        language: ISO 639 code of both.

    Returns:
        0 when they agree; can exceed 1. An empty reference gives 0 for an empty hypothesis and 1 otherwise.
    """
    wanted, heard = units(reference, language), units(hypothesis, language)
    if not wanted:
        return 1.0 if heard else 0.0
    return _distance(wanted, heard) / len(wanted)


def simplified(text: str) -> str:
    """Traditional Chinese characters as simplified ones; the recogniser mixes both."""
    return str(_folding().convert(text))


def _distance(wanted: tuple[str, ...], heard: tuple[str, ...]) -> int:
    """Levenshtein distance, one row at a time."""
    row = list(range(len(heard) + 1))
    for i, unit in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (unit != other))
    return row[-1]


def _in_words(number: str, language: str) -> str:
    """Digits as they are read; digits without a reading in that language stay."""
    if len(number) > 15:
        return " ".join(number)  # a telephone number, or nonsense: digit by digit
    if language == "zh":
        import cn2an

        return str(cn2an.an2cn(number.replace(",", "."), "low"))
    import num2words

    value: Any = int(number) if number.isdigit() else float(number.replace(",", "."))
    try:
        return str(num2words.num2words(value, lang=language))
    except (NotImplementedError, OverflowError):
        return number


@functools.lru_cache(maxsize=1)
def _folding() -> Any:
    """The OpenCC table, about 10 ms to load."""
    import opencc

    return opencc.OpenCC("t2s")
