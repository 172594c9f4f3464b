"""Which characters can be read aloud, and what the others become.

1. Letters a listener would expect to hear (Han, Latin, single Greek letters), digits, and symbols with a spoken name are kept.
2. Typographic variants are unified (full-width forms, quotes, dashes, book title marks, circled numbers, ligatures).
3. Decoration (emoji, bullets, control characters, variation selectors) makes no sound and is left out.
4. Letters of other scripts and symbols without a spoken name are refused, by name: nothing that carries words is lost in silence.

The tables are `data/characters.json`. Nothing here knows a language.
"""

import json
import unicodedata
from functools import cache
from importlib import resources

from hometone_shared.errors import TextError

_LINE_ENDS = frozenset("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
_LATIN_BLOCKS = ((0x41, 0x24F), (0x1E00, 0x1EFF))
_HAN_BLOCKS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x323AF))
_BY_CLASS = {"Zs": " ", "Zl": "\n", "Zp": "\n", "Pd": "-", "Ps": "(", "Pe": ")", "Pi": "“", "Pf": "”", "Pc": "_", "Po": " ", "So": " "}
_SILENT_CLASSES = frozenset({"Cc", "Cf", "Cs", "Mn", "Mc", "Me", "Sk"})
_SCRIPT_NAMES = {"HIRAGANA": "Japanese kana", "KATAKANA": "Japanese kana", "HANGUL": "Korean", "BOPOMOFO": "bopomofo"}
_SHOWN = 5


@cache
def _table() -> tuple[dict[str, str], frozenset[str]]:
    data = json.loads(resources.files("hometone_client.text").joinpath("data", "characters.json").read_text(encoding="utf-8"))
    return dict(data["replace"]), frozenset(data["spoken"]) | frozenset(data["greek"])


def is_han(character: str) -> bool:
    """Whether this is a Chinese character."""
    return any(first <= ord(character) <= last for first, last in _HAN_BLOCKS)


def is_latin(character: str) -> bool:
    """Whether this is a letter of a Latin alphabet."""
    return any(first <= ord(character) <= last for first, last in _LATIN_BLOCKS) and character.isalpha() and character not in "ªº"


def _readable_form(character: str) -> str | None:  # noqa: PLR0911 - one rule, one return
    """What one character becomes; None when it cannot be read aloud."""
    replace, spoken = _table()
    if character in _LINE_ENDS:
        return "\n"
    if character == "\t":
        return " "
    if character in replace:
        return replace[character]
    if character in spoken or is_latin(character) or is_han(character) or character in "0123456789":
        return character
    category = unicodedata.category(character)
    if category in {"No", "Nl", "Nd"}:
        value = unicodedata.numeric(character)
        if value == int(value):
            listed = "CIRCLED" in unicodedata.name(character) or "PARENTHESIZED" in unicodedata.name(character)
            return str(int(value)) if category == "Nd" else f" {int(value)}{',' if listed else ''} "
    compatible = unicodedata.normalize("NFKC", character)
    if compatible != character:
        parts = [_readable_form(part) for part in compatible]
        joined = "".join(part for part in parts if part is not None)
        return None if None in parts else f" {joined}" if category == "No" else joined
    if category in _SILENT_CLASSES:
        return ""
    return _BY_CLASS.get(category)


def _name(character: str) -> str:
    script = unicodedata.name(character, "").split(" ")[0]
    script = _SCRIPT_NAMES.get(script, script.capitalize())
    shown = f"{character} (U+{ord(character):04X})" if character.isprintable() else f"U+{ord(character):04X}"
    return f"{shown}, {script}" if unicodedata.category(character).startswith("L") and script else shown


def readable(text: str) -> str:
    """The text with only characters that later steps know; the cost is one pass over the text and one look at each distinct character.

    Raises:
        TextError: Letters or symbols that have no sound here, or nothing to read at all.
    """
    composed = unicodedata.normalize("NFC", text)
    forms = {character: _readable_form(character) for character in set(composed)}
    unreadable = sorted(character for character, form in forms.items() if form is None)
    if unreadable:
        names = "; ".join(_name(character) for character in unreadable[:_SHOWN])
        more = f"; and {len(unreadable) - _SHOWN} more" if len(unreadable) > _SHOWN else ""
        raise TextError(
            f"these characters cannot be read aloud: {names}{more}",
            hint="write them in Chinese characters or Latin letters, or leave them out",
        )
    cleaned = composed.translate({ord(character): form for character, form in forms.items()})
    if not any(map(str.isalnum, set(cleaned))) and not set(cleaned) & frozenset("&@%‰#+=°$€£¥§"):
        raise TextError("there is nothing to read aloud in this text", hint="write at least one word or number")
    return cleaned
