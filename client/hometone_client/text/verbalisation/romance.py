"""Spanish, French, Italian and Brazilian Portuguese in spoken form; the grammar they share is here, their words are data.

Numbers are written 1.234,5 in all four (1 234,5 in French too); dates put the day first. The rules run in this order:
1. e-mail and web addresses, 2. abbreviations, 3. dates and clock times, 4. telephone numbers and codes, 5. money, units, fractions, ranges,
6. ordinals and remaining numbers, with the gender of the noun that follows, then symbols.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from hometone_client.text.verbalisation.addresses import ADDRESS, spell_address

_NUMBER = r"(?:\d{1,3}(?:\.\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?:[.,]\d+)?"
_LEFT = r"(?<![\d.,A-Za-zÀ-ÿ])"
_TO = r"\s?[-–~]\s?"
_LONGEST_SPELLED = 15
_CENTS = re.compile(r"[.,](\d\d)$")


@cache
def _data(language: str) -> dict[str, Any]:
    text = resources.files("hometone_client.text").joinpath("data", f"verbalise_{language}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


class _Speller:
    """Numbers of one language in words."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.data = _data(language)

    def words(self, number: int, *, to: str = "cardinal") -> str:
        from num2words import num2words

        return str(num2words(number, lang=self.data["num2words"], to=to)).replace("-", " ").replace(",", "")

    def digits(self, number: str) -> str:
        return " ".join(self.words(int(digit)) for digit in number if digit.isdigit())

    def cardinal(self, number: str) -> str:
        """1.234,5 in words; long numbers and leading zeros digit by digit."""
        grouped = re.fullmatch(r"\d{1,3}(?:[. ]\d{3})+(,\d+)?", number)
        plain = re.sub(r"[. ](?=\d{3}(?:\D|$))", "", number) if grouped else number
        whole, _, decimals = plain.replace(".", ",").replace(" ", "").partition(",")
        spelled = len(whole) > _LONGEST_SPELLED or (len(whole) > 1 and whole.startswith("0"))
        spoken = self.digits(whole) if spelled else self.words(int(whole or "0"))
        return f"{spoken} {self.data['decimal']} {self._decimals(decimals)}" if decimals else spoken

    def _decimals(self, decimals: str) -> str:
        return self.digits(decimals) if decimals.startswith("0") or len(decimals) > 2 else self.words(int(decimals))

    def is_feminine(self, noun: str) -> bool:
        """Whether a noun looks feminine."""
        word = noun.lower()
        return word not in self.data["masculine"] and bool(re.search(rf"(?:{self.data['feminine_endings']})$", word))

    def counted(self, number: str, noun: str, *, feminine: bool | None = None) -> str:
        """A number before a noun: un / una, dois / duas, veintiún."""
        spoken = self.cardinal(number)
        if not noun or not re.fullmatch(r"[\d. ]+", number):
            return spoken
        gender = "f" if (self.is_feminine(noun) if feminine is None else feminine) else "m"
        one: dict[str, str] = self.data["one"]
        if spoken == self.data["one_word"]:
            return one[gender]
        if self.language == "es":
            spoken = re.sub(r"veintiuno$", "veintiuna" if gender == "f" else "veintiún", spoken)
            spoken = re.sub(r"\buno$", one[gender], spoken)
            return re.sub(r"cientos\b", "cientas", spoken) if gender == "f" and "mil" not in spoken else spoken
        if self.language == "pt" and gender == "f":
            spoken = re.sub(r"\bdois$", "duas", re.sub(r"\bum$", "uma", spoken))
        if self.language == "fr" and gender == "f":
            spoken = re.sub(r"\bun$", "une", spoken)
        return spoken


@cache
def _speller(language: str) -> _Speller:
    return _Speller(language)


def _dates(text: str, say: _Speller) -> str:
    data = say.data
    months: list[str] = data["months"]

    def day_words(day: str) -> str:
        return str(data["first_day"]) if int(day) == 1 else say.words(int(day))

    def spoken(day: str, month: str, year: str, original: str) -> str:
        if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
            return original
        return str(data["date"]).format(day=day_words(day), month=months[int(month) - 1], year=say.words(int(year)))

    text = re.sub(_LEFT + r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)T?", lambda m: spoken(m[4], m[3], m[1], m.group()) + " ", text)
    text = re.sub(_LEFT + r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)", lambda m: spoken(m[1], m[3], m[4], m.group()), text)
    names = "|".join(months)
    return re.sub(rf"(?i)\b1(?:er|º|°)?(?=(?: de)? (?:{names})\b)", str(data["first_day"]), text)


def _times(text: str, say: _Speller) -> str:
    data = say.data

    def clock(match: re.Match[str]) -> str:
        hour, minute = int(match[1]), int(match[2])
        if hour > 24:
            return match.group()
        hour_words = say.counted(str(hour), "hora", feminine=True) if hour in {1, 2, 21, 22} else say.words(hour)
        word = str(data["hour_word"])
        word = word[:-1] if word and hour == 1 else word
        if say.language in {"es", "it"} and hour == 1:
            hour_words = "una"
        template = str(data["time"] if minute else data["time_full"])
        return template.format(hour=hour_words, minute=say.words(minute), hour_word=word)

    text = re.sub(rf"(?<=\d){_TO}(?=\d{{1,2}}[:h][0-5]\d)", f" {data['to']} ", text)
    text = re.sub(_LEFT + r"(\d{1,2})[:h]([0-5]\d)(?::[0-5]\d)?(?!\d)(?:\s?h\b)?", clock, text)
    return re.sub(_LEFT + r"(\d+):(\d+)(?!\d)", lambda m: f"{say.cardinal(m[1])} {data['ratio_word']} {say.cardinal(m[2])}", text)


def _codes(text: str, say: _Speller) -> str:
    def grouped(match: re.Match[str]) -> str:
        plus = say.data["symbols"]["+"] + " " if match.group().startswith("+") else ""
        return plus + ", ".join(say.digits(part) for part in re.findall(r"\d+", match.group()))

    words = "|".join(map(re.escape, say.data["phone_words"]))
    text = re.sub(r"(?<![\w.,])\+\d{1,3}(?:[ .-]?\d{2,4}){2,5}(?!\d)", grouped, text)
    text = re.sub(r"(?<![\w.,])\(?\d{2,4}\)?[ .-]\d{4,5}[ .-]\d{4}(?!\d)", grouped, text)
    text = re.sub(r"(?<![\w.,])0\d(?:[ .]\d\d){4}(?!\d)", grouped, text)
    text = re.sub(
        rf"(?i)\b((?:{words})(?:\W|al|le|el|o|il|du|au|para| )*?\s?)(\d[\d .-]+\d)(?![\d,%])",
        lambda m: m[1] + ", ".join(say.digits(part) for part in re.findall(r"\d+", m[2])),
        text,
    )
    text = re.sub(_LEFT + r"\d+(?:-\d+){2,}(?!\d)", grouped, text)
    return re.sub(_LEFT + r"\d{10,}(?![\d.,])", lambda m: say.digits(m.group()), text)


def _money(match: re.Match[str], say: _Speller) -> str:
    number, sign = (match[2], match[1]) if match[1] else (match[3], match[4])
    one, many, cent, cents = say.data["currencies"][sign]
    feminine = one in say.data["feminine_units"]
    small = _CENTS.search(number)
    whole = number[: small.start()] if small else number
    amount = f"{say.counted(whole, one, feminine=feminine)} {one if whole == '1' else many}"
    if not small or not int(small[1]):
        return amount
    joiner = f" {say.data['joiner']} " if say.data["joiner"] else " "
    return f"{amount}{joiner}{say.counted(str(int(small[1])), cent, feminine=False)} {cent if int(small[1]) == 1 else cents}"


def _quantities(text: str, say: _Speller) -> str:
    data = say.data
    units: dict[str, list[str]] = data["units"]
    unit = "|".join(map(re.escape, sorted(units, key=len, reverse=True)))
    sign = "|".join(map(re.escape, sorted(data["currencies"], key=len, reverse=True)))
    unit_end = r"(?![A-Za-zÀ-ÿ²³/])"
    fractions: dict[str, str] = data["fractions"]

    def measured(match: re.Match[str]) -> str:
        one, many = units[match[3]]
        minus = f"{data['minus']} " if match[1] else ""
        return f"{minus}{say.counted(match[2], one, feminine=one in data['feminine_units'])} {one if match[2] == '1' else many}"

    def fraction(match: re.Match[str]) -> str:
        return fractions.get(match.group()) or f"{say.cardinal(match[1])} {data['over']} {say.cardinal(match[2])}"

    text = re.sub(rf"(?:({sign})\s?({_NUMBER})|{_LEFT}({_NUMBER})\s?({sign}))", lambda m: _money(m, say), text)
    text = re.sub(
        _LEFT + rf"({_NUMBER})\s?(?:{unit})?{_TO}({_NUMBER})\s?({unit}){unit_end}",
        lambda m: f"{say.cardinal(m[1])} {data['to']} {say.cardinal(m[2])} {units[m[3]][1]}",
        text,
    )
    text = re.sub(rf"(?:(?<![\w)])(-))?{_LEFT}({_NUMBER})\s?({unit}){unit_end}", measured, text)
    text = re.sub(_LEFT + r"(\d{1,3})/(\d{1,3})(?![\d/])", fraction, text)
    return re.sub(_LEFT + rf"({_NUMBER}){_TO}({_NUMBER})(?![\d-])(\s[^\W\d_]+)?", lambda m: _range(m, say), text)


def _range(match: re.Match[str], say: _Speller) -> str:
    noun = (match[3] or "").strip()
    return f"{say.counted(match[1], noun)} {say.data['to']} {say.counted(match[2], noun)}{match[3] or ''}"


def _numbers(text: str, say: _Speller) -> str:
    suffix = say.data["ordinal_suffix"]

    def ordinal(match: re.Match[str]) -> str:
        spoken = say.words(int(match[1]), to="ordinal")
        feminine = match.group().endswith(("ª", "a", "re", "ère", "nde"))
        if say.language == "fr":
            return "première" if feminine and match[1] == "1" else spoken
        if say.language == "es" and match.group().endswith("er"):
            return spoken.removesuffix("o")
        return re.sub(r"o\b", "a", spoken) if feminine else spoken

    def plain(match: re.Match[str]) -> str:
        noun = match[3] or ""
        minus = f"{say.data['minus']} " if match[1] else ""
        return f" {minus}{say.counted(match[2], noun)} {noun}"

    text = re.sub(rf"(?<![\w.,])(\d{{1,3}}){suffix}(?![A-Za-zÀ-ÿ])", ordinal, text)
    text = re.sub(r"(?<=[A-Za-zÀ-ÿ])-(?=\d)|(?<=\d)-(?=[A-Za-zÀ-ÿ])", " ", text)
    text = re.sub(rf"(?:(?<![\w)])(-)(?=\d))?({_NUMBER})(?:\s([^\W\d_]+))?", plain, text)
    text = re.sub(r"\d", lambda m: f" {say.words(int(m.group()))} ", text)
    return re.sub(r" +(?=[,.;:!?…)”])", "", text)


def _abbreviations(text: str, say: _Speller) -> str:
    table: dict[str, str] = say.data["abbreviations"]
    pattern = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))

    def full(match: re.Match[str]) -> str:
        ends = match.group().endswith(".") and not text[match.end() :].strip(' "”)')
        return table[match.group()] + ("." if ends else "")

    return re.sub(rf"(?<![\w.])(?:{pattern})(?!\w)", full, text)


def _symbols(text: str, say: _Speller) -> str:
    names: dict[str, str] = say.data["symbols"]
    greek: dict[str, str] = say.data["greek"]
    text = re.sub(r"(?<=\w)\s?/\s?(?=\w)", ", ", text)
    text = re.sub(r"[/|\\*_^~ªº·]+", " ", text)
    return "".join(f" {names[c]} " if c in names else f" {greek[c.lower()]} " if c.lower() in greek else c for c in text)


def verbalise(text: str, *, language: str) -> str:
    """The spoken form of a cleaned sentence in "es", "fr", "it" or "pt"."""
    say = _speller(language)
    text = ADDRESS.sub(lambda m: spell_address(m.group(), names=say.data["web"], number=say.digits), text)
    for step in (_abbreviations, _dates, _times, _codes, _quantities, _numbers, _symbols):
        text = step(text, say)
    return re.sub(r" {2,}", " ", text).strip()
