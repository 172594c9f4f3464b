"""Mandarin sentences in spoken form: every digit and symbol becomes Chinese characters, Latin words stay as they are.

The rules run in this order, because each leaves fewer digits to the next (GB/T 15835-2011 for the choice of numerals, common usage for
两 and 幺):
1. e-mail and web addresses
2. whole English phrases inside the sentence, which keep English numbers
3. dates, years, clock times
4. telephone numbers, codes and rooms, digit by digit
5. money, percentages, fractions, scores, ranges, quantities with units
6. remaining numbers, then symbols
"""

import json
import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from hometone_client.text.verbalisation.addresses import ADDRESS, spell_address

_DIGITS = "零一二三四五六七八九"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_TO = r"\s?(?:-|~|—|–|至|到)\s?"
_LEFT = r"(?<![\d.A-Za-z])"
_RIGHT = r"(?![\d])"
_CN2AN_LIMIT = 16


@cache
def _data() -> dict[str, Any]:
    text = resources.files("hometone_client.text").joinpath("data", "verbalise_zh.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def digits(number: str, *, telephone: bool = False) -> str:
    """A number digit by digit; on the telephone 一 is said 幺."""
    spoken = "".join(_DIGITS[int(digit)] for digit in number if digit.isdigit())
    return spoken.replace("一", "幺") if telephone else spoken


def cardinal(number: str) -> str:
    """A whole or decimal number in words; thousands separators allowed, leading zeros and very long numbers digit by digit."""
    import cn2an

    whole, _, decimals = number.replace(",", "").partition(".")
    if len(whole) > _CN2AN_LIMIT or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole)
    else:
        spoken = str(cn2an.an2cn(int(whole or "0"), "low"))
        spoken = re.sub(r"^二(?=[千万亿])|(?<=[万亿])二(?=千)", "两", spoken)
    return f"{spoken}点{digits(decimals)}" if decimals else spoken


def quantity(number: str, counted: str) -> str:
    """A number before what it counts: 2 is 两 before measure words, 二 elsewhere."""
    spoken = cardinal(number)
    data = _data()
    if spoken == "二" and not counted.startswith(tuple(data["liang_never"])):
        takes_liang = counted[:1] in data["liang_before"] or counted.startswith(tuple(data["liang_before_words"]))
        return "两" if counted and takes_liang else spoken
    return spoken


def _year(number: str) -> str:
    return digits(number) if len(number) in {2, 4} else cardinal(number)


def _date(year: str, month: str, day: str) -> str:
    return f"{_year(year)}年{cardinal(str(int(month)))}月{cardinal(str(int(day)))}日"


def _is_date(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _clock(hour: str, minute: str, second: str | None = None) -> str:
    spoken = f"{'两' if int(hour) == 2 else cardinal(str(int(hour)))}点"
    if int(minute) or second:
        spoken += ("零" if int(minute) < 10 else "") + (cardinal(str(int(minute))) if int(minute) else "") + "分"
    return spoken + (f"{cardinal(str(int(second)))}秒" if second and int(second) else "")


def _with_half_of_day(clock: str, half: str | None, hour: int) -> str:
    if not half:
        return clock
    if half.lower().startswith("a"):
        return ("凌晨" if hour < 6 else "上午") + clock
    return ("中午" if hour == 12 else "下午" if hour < 6 else "晚上") + clock


def _replace_dates(text: str) -> str:
    def ymd(match: re.Match[str]) -> str:
        year, month, day = match.group(1), match.group(2), match.group(3)
        return _date(year, month, day) + (" " if match.group(4) else "") if _is_date(month, day) else match.group()

    def other_order(match: re.Match[str]) -> str:
        first, second, year = match.group(1), match.group(2), match.group(3)
        month, day = (second, first) if int(first) > 12 else (first, second)
        return _date(year, month, day) if _is_date(month, day) else match.group()

    text = re.sub(_LEFT + r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})([T ](?=\d{1,2}:))?" + _RIGHT, lambda m: ymd(_regroup(m)), text)
    text = re.sub(_LEFT + r"(\d{1,2})/(\d{1,2})/(\d{4})" + _RIGHT, other_order, text)
    text = re.sub(_LEFT + r"(\d{4})" + _TO + r"(\d{4})(?=年)", lambda m: f"{digits(m[1])}到{digits(m[2])}", text)
    text = re.sub(_LEFT + r"(\d{4})\s?(?=年(?!前|后|来|内|间))", lambda m: digits(m[1]), text)
    text = re.sub(_LEFT + r"(\d0)(?=后|年代)", lambda m: digits(m[1]) if text[m.end() : m.end() + 1] == "后" else cardinal(m[1]), text)
    return re.sub(r"(\d{1,2})\s?月\s?(\d{1,2})\s?(?=[日号])", lambda m: f"{cardinal(str(int(m[1])))}月{cardinal(str(int(m[2])))}", text)


def _regroup(match: re.Match[str]) -> re.Match[str]:
    return re.match(r"(\d{4}).(\d{1,2}).(\d{1,2})(.)?", match.group()) or match


def _replace_times(text: str) -> str:
    clock = r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?"

    def one(match: re.Match[str]) -> str:
        if int(match[1]) > 24 or re.search(r"比[例分]?[是为]?$", text[: match.start()]):
            return match.group()
        return _with_half_of_day(_clock(match[1], match[2], match[3]), match[4], int(match[1]))

    text = re.sub(rf"(?<=\d)({_TO})(?=\d{{1,2}}:[0-5]\d)", "到", text)
    text = re.sub(_LEFT + clock + r"(?:\s?([AaPp]\.?[Mm](?![A-Za-z])\.?))?" + _RIGHT, one, text)
    text = re.sub(
        _LEFT + r"(\d{1,2})\s?([AaPp]\.?[Mm](?![A-Za-z])\.?)",
        lambda m: _with_half_of_day(_clock(m[1], "0"), m[2], int(m[1])) if int(m[1]) <= 12 else m.group(),
        text,
    )
    text = re.sub(
        _LEFT + r"(\d{1,2})点(\d{1,2})(?=分)",
        lambda m: f"{quantity(m[1], '点')}点{'零' if int(m[2]) < 10 else ''}{cardinal(str(int(m[2])))}",
        text,
    )
    return re.sub(_LEFT + r"(\d+):(\d+)" + _RIGHT, lambda m: f"{cardinal(m[1])}比{cardinal(m[2])}", text)


def _replace_codes(text: str) -> str:
    before = "|".join(map(re.escape, _data()["digitwise_before"]))
    after = "|".join(map(re.escape, _data()["digitwise_after"]))
    text = re.sub(_LEFT + r"(?:\+?86[- ]?)?1\d{2}([- ]?)\d{4}\1\d{4}" + _RIGHT, lambda m: _telephone(m.group()), text)
    text = re.sub(_LEFT + r"[(]?0\d{2,3}[)]?[- ]?\d{7,8}" + _RIGHT, lambda m: _telephone(m.group()), text)
    text = re.sub(_LEFT + r"[48]00-?\d{3,4}-?\d{3,4}" + _RIGHT, lambda m: _telephone(m.group()), text)
    text = re.sub(
        rf"({before})((?:号码?|是|为|:|：|\s|到)*)(\+?\d[\d -]{{1,}}\d)(?!\s?[\d.:/%元块个年月点分秒次人岁])",
        lambda m: m[1] + m[2] + _telephone(m[3]),
        text,
    )
    text = re.sub(_LEFT + rf"(\d{{3,4}})(?={after})", lambda m: digits(m[1], telephone=True), text)
    text = re.sub(_LEFT + r"(\d+(?:-\d+){2,})" + _RIGHT, lambda m: "杠".join(digits(part) for part in m[1].split("-")), text)
    return re.sub(_LEFT + r"(\d{9,})(?![\d.,]|\s?[元块个年人])", lambda m: digits(m[1]), text)


def _telephone(number: str) -> str:
    plus = "加" if number.startswith("+") else ""
    return plus + "，".join(digits(part, telephone=True) for part in re.split(r"[^\d+]+", number) if part)


def _replace_quantities(text: str) -> str:
    data = _data()
    signs: dict[str, str] = data["currency_signs"]
    units: dict[str, str] = data["units"]
    sign = "|".join(map(re.escape, sorted(signs, key=len, reverse=True)))
    unit = "|".join(map(re.escape, sorted(units, key=len, reverse=True)))
    unit_end = r"(?![A-Za-z²³])"

    def money(match: re.Match[str]) -> str:
        amount = re.sub(r"(\.\d)0$|\.00$", r"\1", match[2])
        return f"{quantity(amount, match[3] or signs[match[1]])}{match[3] or ''}{signs[match[1]]}"

    def below(sign: str | None, name: str) -> str:
        return "" if not sign else "零下" if "氏度" in name else "负"

    def measured(match: re.Match[str]) -> str:
        name = units[match[3]]
        return f"{below(match[1], name)}{quantity(match[2], name)}{name}"

    def measured_range(match: re.Match[str]) -> str:
        name = units[match[5]]
        return f"{below(match[1], name)}{quantity(match[2], name)}到{below(match[3], name)}{quantity(match[4], name)}{name}"

    def fraction(match: re.Match[str]) -> str:
        return _fraction(match) + (units[match[3]] if match[3] else "")

    minus = r"(?:(?<![A-Za-z0-9)])(-))?"
    text = re.sub(rf"({sign})\s?({_NUMBER})\s?([万亿千百]*)", money, text)
    text = re.sub(_LEFT + rf"({_NUMBER})%?{_TO}({_NUMBER})%", lambda m: f"百分之{cardinal(m[1])}到百分之{cardinal(m[2])}", text)
    text = re.sub(minus + _LEFT + rf"({_NUMBER})\s?%", lambda m: f"{'负' if m[1] else ''}百分之{cardinal(m[2])}", text)
    text = re.sub(minus + _LEFT + rf"({_NUMBER})\s?‰", lambda m: f"{'负' if m[1] else ''}千分之{cardinal(m[2])}", text)
    text = re.sub(
        _LEFT + r"(\d{1,3})\s(\d{1,2})/(\d{1,3})" + _RIGHT,
        lambda m: f"{cardinal(m[1])}又{cardinal(m[3])}分之{cardinal(m[2])}",
        text,
    )
    text = re.sub(_LEFT + rf"(\d{{1,3}})/(\d{{1,4}})(?![\d/])(?:\s?({unit}){unit_end})?", fraction, text)
    text = re.sub(rf"{minus}{_LEFT}({_NUMBER})\s?(?:{unit})?{_TO}(-)?({_NUMBER})\s?({unit}){unit_end}", measured_range, text)
    text = re.sub(minus + _LEFT + rf"({_NUMBER})\s?({unit}){unit_end}", measured, text)
    return re.sub(_LEFT + rf"({_NUMBER}){_TO}({_NUMBER})([万亿千百]?\w?)" + _RIGHT, _range, text)


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match[1], match[2]
    if int(top) < int(bottom):
        return f"{cardinal(bottom)}分之{cardinal(top)}"
    return f"{cardinal(top)}比{cardinal(bottom)}"


def _range(match: re.Match[str]) -> str:
    counted = match[3]
    return f"{quantity(match[1], counted)}到{quantity(match[2], counted)}{counted}"


def _replace_numbers(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        counted = text[match.end() : match.end() + 3].lstrip()
        ordinal = text[: match.start()].endswith("第")
        attached = bool(re.search(r"[A-Za-z]-?$", text[: match.start()]))
        spoken = cardinal(match[2]) if ordinal or attached else quantity(match[2], counted)
        return ("负" if match[1] else "") + spoken

    text = re.sub(r"(?<=[A-Za-z])-(?=\d)", " ", text)
    text = re.sub(rf"(?:(?<![A-Za-z0-9)])(-)(?=\d))?({_NUMBER})", plain, text)
    return re.sub(r"\d", lambda m: _DIGITS[int(m.group())], text)


def _replace_symbols(text: str) -> str:
    data = _data()
    greek: dict[str, str] = data["greek"]
    symbols: dict[str, str] = data["symbols"]
    text = re.sub(r"(?<=[零一二三四五六七八九十百千万亿])\s?[*x]\s?(?=[零一二三四五六七八九十百千万亿])", "乘", text)
    text = re.sub(r"(?<=[零一二三四五六七八九十百千万亿])\s?-\s?(?=[零一二三四五六七八九十百千万亿])", "减", text)
    text = re.sub(r"[/|\\]", "、", text)
    text = re.sub(r"[*_^~]+", " ", text)
    text = re.sub(r"[º ª]", " ", text)
    return "".join(symbols.get(character, greek.get(character.lower(), character)) for character in text)


def _english_phrases(text: str, english: Callable[[str], str]) -> str:
    """A run of at least three Latin words with an English function word among them keeps English numbers (step 2)."""
    function_words = frozenset(_data()["english_words"])

    def phrase(match: re.Match[str]) -> str:
        words = re.findall(r"[A-Za-z][A-Za-z']*", match.group())
        is_phrase = len(words) >= 3 and any(word.lower() in function_words for word in words)
        return english(match.group()) if is_phrase and re.search(r"\d", match.group()) else match.group()

    return re.sub(r"[A-Za-z$€£][A-Za-z0-9 ,.'$€£%:/&-]*[A-Za-z0-9%]", phrase, text)


def verbalise(text: str, *, phrase: Callable[[str], str]) -> str:
    """The spoken form of a cleaned sentence that holds Chinese.

    Args:
        text: One sentence.
        phrase: Verbaliser for English phrases inside it.
    """
    data = _data()
    text = ADDRESS.sub(lambda m: spell_address(m.group(), names=data["web"], number=digits), text)
    text = _english_phrases(text, phrase)
    text = re.sub(r"№|(?<![A-Za-z])No\.(?=\s?\d)", "第", text)
    text = re.sub(r"约?(?<![\d~A-Za-z])~\s?(?=\d)", "约", text)
    text = re.sub(r"(?<=[A-Za-z])\s?&\s?(?=[A-Za-z])", " and ", text)
    text = re.sub(rf"(?<=[{data['per_after']}A-Za-z])/(?={'|'.join(data['per_before'])})", "每", text)
    for step in (_replace_dates, _replace_times, _replace_codes, _replace_quantities, _replace_numbers, _replace_symbols):
        text = step(text)
    return text
