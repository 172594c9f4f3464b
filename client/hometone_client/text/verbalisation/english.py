"""English sentences in spoken form: every digit and symbol becomes words.

The rules run in this order, because each leaves fewer digits to the next:
1. e-mail and web addresses
2. abbreviations and Roman numerals after the few words that call for them
3. dates, clock times
4. telephone numbers, codes
5. money, units, fractions, ratios, ranges
6. ordinals, years, remaining numbers, then symbols

American order of month and day; "en-gb" reads 11/12/2026 day first.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from hometone_client.text.verbalisation.addresses import ADDRESS, spell_address

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_LEFT = r"(?<![\d.,A-Za-z])"
_RIGHT = r"(?![\d])"
_TO = r"\s?[-–~]\s?"
_LONGEST_SPELLED = 15
_ROMAN_NUMERALS = (
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "VII",
    "VIII",
    "IX",
    "X",
    "XI",
    "XII",
    "XIII",
    "XIV",
    "XV",
    "XVI",
    "XVII",
    "XVIII",
    "XIX",
    "XX",
)
_ROMAN = {numeral: value for value, numeral in enumerate(_ROMAN_NUMERALS, start=1)}
_SCALE = "thousand|million|billion|trillion"


@cache
def _data() -> dict[str, Any]:
    text = resources.files("hometone_client.text").joinpath("data", "verbalise_en.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _words(number: int, *, to: str = "cardinal") -> str:
    from num2words import num2words

    spoken = str(num2words(number, lang="en", to=to))
    return re.sub(r",", "", spoken).replace("-", " ").replace(" and ", " ")


def digits(number: str) -> str:
    """A number digit by digit."""
    return " ".join(_words(int(digit)) for digit in number if digit.isdigit())


def cardinal(number: str) -> str:
    """A whole or decimal number in words; leading zeros and very long numbers digit by digit."""
    whole, _, decimals = number.replace(",", "").partition(".")
    spelled = len(whole) > _LONGEST_SPELLED or (len(whole) > 1 and whole.startswith("0"))
    spoken = digits(whole) if spelled else _words(int(whole or "0"))
    return f"{spoken} point {digits(decimals)}" if decimals else spoken


def ordinal(number: str) -> str:
    """21 -> twenty first."""
    return _words(int(number), to="ordinal")


def year(number: str) -> str:
    """A year the way it is said: 2026 -> twenty twenty six, 2005 -> two thousand five."""
    return cardinal(number) if number.endswith("000") else _words(int(number), to="year")


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    half = {"a": " AM", "p": " PM"}.get((match[4] or " ")[0].lower(), "")
    if hour > 24:
        return match.group()
    spoken = _words(hour)
    if minute:
        spoken += f" {'oh ' if minute < 10 else ''}{_words(minute)}"
    elif not half:
        spoken += " o'clock" if 1 <= hour <= 12 else " hundred hours" if hour else " hours"
    if match[3] and int(match[3]):
        spoken += f" and {_words(int(match[3]))} seconds"
    return spoken + half


def _replace_dates(text: str, *, day_first: bool) -> str:
    months: list[str] = _data()["month_names"]
    short = "|".join(_data()["months"])
    name = "|".join(months)
    text = re.sub(rf"\b({short})\.?(?=\s\d)", lambda m: _data()["months"][m[1].lower()], text, flags=re.IGNORECASE)

    def spoken(number_of_month: str, day: str, of_year: str, original: str) -> str:
        if not (1 <= int(number_of_month) <= 12 and 1 <= int(day) <= 31):
            return original
        month = months[int(number_of_month) - 1]
        spoken_day = ordinal(str(int(day)))
        return f"the {spoken_day} of {month}, {year(of_year)}" if day_first else f"{month} {spoken_day}, {year(of_year)}"

    def slashed(match: re.Match[str]) -> str:
        first, second = match[1], match[2]
        is_day_first = int(first) > 12 or (day_first and int(second) <= 12)
        return spoken(second, first, match[3], match.group()) if is_day_first else spoken(first, second, match[3], match.group())

    text = re.sub(_LEFT + r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T(?=\d))?" + _RIGHT, lambda m: spoken(m[3], m[4], m[1], m.group()), text)
    text = re.sub(_LEFT + r"(\d{1,2})/(\d{1,2})/(\d{4})" + _RIGHT, slashed, text)
    text = re.sub(rf"\b({name})\s(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(\d{{4}}))?\b(?![:%/])", _named_date, text)
    text = re.sub(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?:\sof)?\s({name})(?:,?\s(\d{{4}}))?\b", _day_of_month, text)
    return re.sub(rf"\b({name}),?\s(\d{{4}})\b", lambda m: f"{m[1]} {year(m[2])}", text)


def _named_date(match: re.Match[str]) -> str:
    return f"{match[1]} {ordinal(match[2])}" + (f", {year(match[3])}" if match[3] else "")


def _day_of_month(match: re.Match[str]) -> str:
    return f"the {ordinal(match[1])} of {match[2]}" + (f", {year(match[3])}" if match[3] else "")


def _replace_times(text: str) -> str:
    half = r"(?:\s?([AaPp]\.?[Mm]\b\.?))"
    text = re.sub(rf"(?<=\d)(?:\s?[AaPp]\.?[Mm]\.?)?{_TO}(?=\d{{1,2}}:[0-5]\d)", " to ", text)
    text = re.sub(_LEFT + rf"(\d{{1,2}}):([0-5]\d)(?::([0-5]\d))?{half}?" + _RIGHT, _clock, text)
    text = re.sub(_LEFT + rf"(\d{{1,2}}){_TO}(\d{{1,2}}){half}", lambda m: f"{_words(int(m[1]))} to {m[2]} {m[3]}", text)
    text = re.sub(_LEFT + rf"(\d{{1,2}}){half}", lambda m: f"{_words(int(m[1]))} {m[2][0].upper()}M", text)
    return re.sub(_LEFT + r"(\d+):(\d+)" + _RIGHT, lambda m: f"{cardinal(m[1])} to {cardinal(m[2])}", text)


def _replace_codes(text: str) -> str:
    text = re.sub(
        r"(?<![\w.])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)\s?|\d{2,4}[ -])\d{3,4}[ -]\d{3,4}" + _RIGHT,
        lambda m: ("plus " if m.group().startswith("+") else "") + ", ".join(digits(part) for part in re.findall(r"\d+", m.group())),
        text,
    )
    text = re.sub(_LEFT + r"\d{3}-\d{4}" + _RIGHT, lambda m: ", ".join(digits(part) for part in m.group().split("-")), text)
    text = re.sub(
        r"(?i)\b((?:call|dial|phone|telephone|room|code|pin|flight|extension|zip)(?: number)?(?: is)?:? )(\d{3,})\b(?![.,]\d)",
        lambda m: m[1] + digits(m[2]),
        text,
    )
    text = re.sub(_LEFT + r"\d+(?:-\d+){2,}" + _RIGHT, lambda m: ", ".join(digits(part) for part in m.group().split("-")), text)
    return re.sub(_LEFT + r"\d{10,}(?![\d.,])", lambda m: digits(m.group()), text)


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = _data()["currencies"][match[1]]
    number, scale = match[2].replace(",", ""), match[3]
    if scale:
        return f"{cardinal(number)} {scale} {many}"
    whole, _, decimals = number.partition(".")
    if len(decimals) not in {0, 2}:
        return f"{cardinal(number)} {many}"
    small = int(decimals or "0")
    parts = [f"{cardinal(whole)} {one if int(whole) == 1 else many}"] if int(whole) or not small else []
    parts += [f"{_words(small)} {cent if small == 1 else cents}"] if small else []
    return " and ".join(parts)


def _replace_quantities(text: str) -> str:
    data = _data()
    units: dict[str, list[str]] = data["units"]
    sign = "|".join(map(re.escape, sorted(data["currencies"], key=len, reverse=True)))
    unit = "|".join(map(re.escape, sorted(units, key=len, reverse=True)))
    unit_end = r"(?![A-Za-z²³/])"

    def measured(match: re.Match[str]) -> str:
        one, many = units[match[3]]
        return ("minus " if match[1] else "") + f"{cardinal(match[2])} {one if match[2] == '1' else many}"

    def measured_fraction(match: re.Match[str]) -> str:
        whole = f"{cardinal(match[1])} and " if match[1] else ""
        one, many = units[match[4]]
        return f"{whole}{_fraction(match[2], match[3])} {many if match[1] or int(match[2]) > int(match[3]) else one}"

    text = re.sub(rf"({sign})\s?({_NUMBER})(?:\s({_SCALE})\b)?", _money, text)
    text = re.sub(r"(?:(?<=\s)')?\b(\d{2,4})'?s\b(?<=0s)", lambda m: re.sub(r"y$", "ie", _plain(m[1])) + "s", text)
    text = re.sub(_LEFT + rf"(?:(\d{{1,3}})\s)?(\d{{1,3}})/(\d{{1,3}})\s?({unit}){unit_end}", measured_fraction, text)
    text = re.sub(
        _LEFT + rf"({_NUMBER})\s?(?:{unit})?{_TO}({_NUMBER})\s?({unit}){unit_end}",
        lambda m: f"{cardinal(m[1])} to {cardinal(m[2])} {units[m[3]][1]}",
        text,
    )
    text = re.sub(rf"(?:(?<![\w)])(-))?(?<![\d.,A-Za-z])({_NUMBER})[\s-]?({unit}){unit_end}", measured, text)
    text = re.sub(_LEFT + r"(\d{1,3})\s(\d{1,2})/(\d{1,3})" + _RIGHT, lambda m: f"{cardinal(m[1])} and {_fraction(m[2], m[3])}", text)
    text = re.sub(_LEFT + r"(\d{1,3})/(\d{1,3})(?![\d/])", lambda m: _fraction(m[1], m[2]), text)
    return re.sub(_LEFT + rf"({_NUMBER}){_TO}({_NUMBER})(?![\d-])", lambda m: f"{_plain(m[1])} to {_plain(m[2])}", text)


def _fraction(top: str, bottom: str) -> str:
    if int(top) >= int(bottom):
        return f"{cardinal(top)} {'over' if len(bottom) > 1 else ''} {cardinal(bottom)}".replace("  ", " ")
    part = {2: "half", 4: "quarter"}.get(int(bottom)) or ordinal(bottom)
    return f"{cardinal(top)} {part if int(top) == 1 else 'halves' if part == 'half' else part + 's'}"


def _plain(number: str) -> str:
    return year(number) if re.fullmatch(r"1[1-9]\d\d|20\d\d", number) else cardinal(number)


def _replace_numbers(text: str) -> str:
    text = re.sub(r"\b(\d{1,4})(?:st|nd|rd|th)\b", lambda m: ordinal(m[1]), text)
    text = re.sub(r"(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=[A-Za-z])", " ", text)
    text = re.sub(rf"(?:(?<![\w)])(-)(?=\d))?({_NUMBER})", lambda m: f" {'minus ' if m[1] else ''}{_plain(m[2])} ", text)
    text = re.sub(r"\d", lambda m: f" {_words(int(m.group()))} ", text)
    return re.sub(r" +(?=[,.;:!?…)”])", "", re.sub(r" {2,}", " ", text))


def abbreviations(text: str) -> str:
    """Mr., Dr., e.g. and their like in full; Roman numerals after "chapter", "Henry" and their like."""
    table: dict[str, str] = _data()["abbreviations"]
    pattern = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))

    def full(match: re.Match[str]) -> str:
        ends = match.group().endswith(".") and not text[match.end() :].strip(' "”)')
        return table[match.group()] + ("." if ends else "")

    def saint(match: re.Match[str]) -> str:
        if not text[match.end() :].strip(' "”)'):
            return "Street."
        return "Saint" if text[match.end() :].lstrip()[:1].isupper() else "Street"

    def initials(match: re.Match[str]) -> str:
        ends = not text[match.end() :].strip(' "”)')
        return match.group().replace(".", "") + ("." if ends else "")

    def roman(match: re.Match[str]) -> str:
        value = _ROMAN[match[2]]
        return f"{match[1]} {'the ' + ordinal(str(value)) if match[1].lower() in _data()['regnal'] else _words(value)}"

    text = re.sub(r"\b([A-Z])\.(?= [A-Z])", r"\1", text)
    text = re.sub(r"\b(?:[A-Z]\.){2,}", initials, text)
    text = re.sub(r"\bSt\.(?=[ ,;!?]|$)", saint, text)
    text = re.sub(rf"(?<![A-Za-zÀ-ÿ.])(?<!\d )(?:{pattern})(?![A-Za-z])", full, text)
    heads = "|".join(_data()["roman_after"] + _data()["regnal"])
    numerals = "|".join(sorted(_ROMAN, key=len, reverse=True))
    return re.sub(rf"(?i:\b({heads})) ({numerals})\b(?!')", roman, text)


def symbols(text: str) -> str:
    """Symbols and single Greek letters as words; marks without a name become pauses."""
    names: dict[str, str] = _data()["symbols"]
    greek: dict[str, str] = _data()["greek"]
    text = re.sub(r"(?<=\w)\s?/\s?(?=\w)", ", ", text)
    text = re.sub(r"[/|\\*_^~ªº·]+", " ", text)
    return "".join(f" {names[c]} " if c in names else f" {greek[c.lower()]} " if c.lower() in greek else c for c in text)


def verbalise(text: str, *, day_first: bool = False) -> str:
    """The spoken form of a cleaned English sentence.

    Args:
        text: One sentence or phrase.
        day_first: 11/12/2026 is the eleventh of December (British order).
    """
    text = ADDRESS.sub(lambda m: spell_address(m.group(), names=_data()["web"], number=digits), text)
    text = abbreviations(re.sub(r"\bNo\. ?(?=\d)|№ ?", "number ", text))
    text = re.sub(r"(?:\babout )?(?<![\w~])~ ?(?=\d)", "about ", text)
    text = re.sub(r"(?<=\w)/(?=(?:day|hour|week|month|year|minute|second|dose|person|night)\b)", " per ", text)
    text = _replace_dates(text, day_first=day_first)
    for step in (_replace_times, _replace_codes, _replace_quantities, _replace_numbers, symbols):
        text = step(text)
    return re.sub(r" {2,}", " ", text).strip()
