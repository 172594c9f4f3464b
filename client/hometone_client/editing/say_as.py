"""What stands in <say-as>, written so that it is read as was asked (W3C Note "SSML 1.0 say-as attribute values", 26 May 2005).

The text room says numbers, dates and times; this only decides which of its rules reads the characters. A kind or a form that it has no
rule for is refused.
"""

import re
from collections.abc import Callable
from typing import Final

from hometone_client.text.characters import is_han, is_latin, readable
from hometone_shared.errors import UsageError

KINDS: Final = (
    "characters",
    "spell-out",
    "digits",
    "telephone",
    "cardinal",
    "number",
    "ordinal",
    "fraction",
    "unit",
    "date",
    "time",
    "currency",
)
_DATE_PARTS: Final = ("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "y", "m", "d")
_NUMBER: Final = re.compile(r"[+-]?\d[\d.,  ]*")
_FRACTION: Final = re.compile(r"(?:\d+\s)?\d+/\d+")
_TIME: Final = re.compile(r"\d{1,2}(?:[:h.]\d{2}){1,2}(?:\s?[AaPp]\.?[Mm]\.?)?|\d{1,2}\s?[AaPp]\.?[Mm]\.?")
_PATTERNS: Final = {
    "digits": re.compile(r"(?=.*\d)[\d\s.-]+"),
    "telephone": re.compile(r"(?=.*\d)\+?[\d\s().-]+"),
    "cardinal": _NUMBER,
    "number": _NUMBER,
    "ordinal": re.compile(r"\d+"),
    "fraction": _FRACTION,
    "time": _TIME,
}
_PLUS: Final = {"zh": "加", "en": "plus ", "en-gb": "plus ", "es": "más ", "fr": "plus ", "it": "più ", "pt": "mais "}
_LETTER_A: Final = "ˈA"
"""As a letter; alone it would be read as the article."""


def written(text: str, *, kind: str, form: str | None, language: str) -> list[tuple[str, str | None]]:
    """Return pieces of text that the frontend reads as was asked, each with its phonemes where those must be given.

    Args:
        text: What the element holds.
        kind: `interpret-as`, one of `KINDS`.
        form: `format`, the order of a date's parts ("dmy"); otherwise not looked at.
        language: "zh", "en", "en-gb", "es", "fr", "it" or "pt".

    Raises:
        UsageError: The kind is unknown, or the text is none of it.
        TextError: A character has no name.
    """
    said = " ".join(readable(text).split()) if text.strip() else ""
    if not said:
        raise UsageError("there is nothing to say as something", hint="put characters between <say-as> and </say-as>")
    if kind not in KINDS:
        raise UsageError(f"{kind[:40]!r} is not understood", hint=f"choose one of {', '.join(KINDS)}")
    if kind in _PATTERNS and not _PATTERNS[kind].fullmatch(said):
        raise UsageError(f"this is no {kind}", hint="take the words out of the element")
    if kind in {"unit", "currency"} and not any(map(str.isdigit, said)):
        raise UsageError(f"this is no {kind}", hint="write a number with its unit, such as 5 mg")
    if kind in {"characters", "spell-out"}:
        return _spelled(said, language)
    if kind == "date":
        return [(_date(said, form, language), None)]
    return [(_READERS[kind](said, language) if kind in _READERS else said, None)]


def _spelled(said: str, language: str) -> list[tuple[str, str | None]]:
    """Letters apart, in capitals, which are read by their names; digits and symbols by theirs."""
    pieces: list[tuple[str, str | None]] = []
    for character in said:
        if character.isspace():
            continue
        if pieces and not (is_han(character) and is_han(pieces[-1][0])):
            pieces.append((" ", None))
        if character.isdigit():
            pieces.append((_digits(character, language), None))
        elif character in "Aa" and language in {"en", "en-gb", "zh"}:
            pieces.append(("A", _LETTER_A))
        else:
            pieces.append((character.upper() if is_latin(character) else character, None))
    return pieces


def _digits(said: str, language: str) -> str:
    digits = re.sub(r"\D", "", said)
    if language == "zh":
        from hometone_client.text.verbalisation import mandarin

        return mandarin.digits(digits)
    if language in {"en", "en-gb"}:
        from hometone_client.text.verbalisation import english

        return english.digits(digits)
    from hometone_client.text.verbalisation import romance

    return " ".join(romance.verbalise(digit, language=language) for digit in digits)


def _telephone(said: str, language: str) -> str:
    groups = re.findall(r"\d+", said)
    plus = _PLUS[language] if said[0] == "+" else ""
    if language == "zh":
        from hometone_client.text.verbalisation import mandarin

        return plus + "，".join(mandarin.digits(group, telephone=True) for group in groups)
    return plus + ", ".join(_digits(group, language) for group in groups)


def _cardinal(said: str, language: str) -> str:
    number = said.replace(" ", "").removeprefix("+")
    minus, number = number.startswith("-"), number.lstrip("-")
    if language == "zh":
        from hometone_client.text.verbalisation import mandarin

        return ("负" if minus else "") + mandarin.cardinal(number)
    if language in {"en", "en-gb"}:
        from hometone_client.text.verbalisation import english

        return ("minus " if minus else "") + english.cardinal(number)
    from hometone_client.text.verbalisation import romance

    return romance.verbalise(("-" if minus else "") + number, language=language)


def _ordinal(said: str, language: str) -> str:
    if language == "zh":
        from hometone_client.text.verbalisation import mandarin

        return "第" + mandarin.cardinal(said)
    if language in {"en", "en-gb"}:
        from hometone_client.text.verbalisation import english

        return english.ordinal(said)
    from hometone_client.text.verbalisation import romance

    return romance.verbalise(said + ("er" if said == "1" else "e") if language == "fr" else said + "º", language=language)


def _date(said: str, form: str | None, language: str) -> str:
    order = form or ("ymd" if re.match(r"\d{4}\D", said) else "dmy" if language not in {"en", "zh"} else "mdy")
    numbers = re.findall(r"\d+", said)
    if order not in _DATE_PARTS:
        raise UsageError(f"{order[:40]!r} is no form of a date", hint=f"choose one of {', '.join(_DATE_PARTS)}")
    if re.sub(r"[\d\s./年月日号-]", "", said) or len(numbers) != len(order):
        raise UsageError("this is no date of that form", hint="write numbers with dashes, dots or slashes between them, such as 2026-11-23")
    parts = dict(zip(order, numbers, strict=True))
    if not (1 <= int(parts.get("m", "1")) <= 12 and 1 <= int(parts.get("d", "1")) <= 31):
        raise UsageError("there is no such day", hint="look at the order of day and month, and at format")
    if len(parts) == 3:
        year = parts["y"] if len(parts["y"]) == 4 else f"20{int(parts['y']):02d}"
        return f"{year}-{parts['m']}-{parts['d']}"
    return _short_date(parts, language)


def _short_date(parts: dict[str, str], language: str) -> str:
    if language == "zh":
        return "".join(parts[part] + name for part, name in (("y", "年"), ("m", "月"), ("d", "日")) if part in parts)
    if language in {"en", "en-gb"}:
        from hometone_client.text.verbalisation import english

        day = english.ordinal(str(int(parts["d"]))) if "d" in parts else ""
        month = english.verbalise(f"2000-{parts['m']}-1").split()[0] if "m" in parts else ""
        year = english.year(parts["y"]) if "y" in parts else ""
        return " ".join(part for part in (month, day if month or not day else f"the {day}", year) if part)
    if set(parts) == {"y"} or set(parts) == {"d"}:
        return next(iter(parts.values()))
    raise UsageError("a date without day, month or year is not read in this language", hint="write it in words")


_READERS: Final[dict[str, Callable[[str, str], str]]] = {
    "digits": _digits,
    "telephone": _telephone,
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
}
