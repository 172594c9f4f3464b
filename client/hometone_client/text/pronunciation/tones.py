"""Tone sandhi of standard Mandarin on words whose dictionary tones are known.

1. 不 is bu2 before a fourth tone, neutral inside V不V and V不C (看不看, 来不及), not in 不见不散, 源源不断, 要不是.
2. 一 is yi1 in numerals, ordinals and at the end of a phrase; neutral inside V一V; else yi2 before a fourth tone, yi4 before the others.
3. 个 after a numeral or a demonstrative is neutral (it still counts as fourth tone for 一 and 不).
4. Third tones: the first of two becomes a second tone; inside a word by its halves, then between words from right to left inside numbers
   and where one of the two has a single syllable (Duanmu 2007, The Phonology of Standard Chinese, ch. 11: feet are built from the left
   inside words and single syllables attach to their neighbours). A number with its measure word (五把) and a preposition with its object
   (比我) are such a foot before anything else attaches to them.

Pure functions; the word lists are data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

NUMERALS = frozenset("零一二三四五六七八九十百千万亿两幺〇")
_GE_AFTER = NUMERALS | frozenset("几这那哪每各整半多")
_PREPOSITIONS = frozenset("比把往给")
_NO_OBJECT = NUMERALS | frozenset("小老很")
_COMPLEMENTS = frozenset("到住得了起及下上开出来去过着清动见完惯消多定离懂透成饱准够通转走")
_NO_COMPLEMENT_AFTER = frozenset("要可并决绝从毫都也就还又再若倘莫岂何无只很能会前尚总偏我你您他她它谁人这那")
_NEUTRAL = 5


@dataclass(frozen=True, slots=True)
class Syllable:
    """One character with its reading: `pinyin` without tone ("nv" for nü), `tone` 1-4 or 5 for neutral."""

    character: str
    pinyin: str
    tone: int


SyllableWord = tuple[Syllable, ...]


def _toned(syllable: Syllable, tone: int) -> Syllable:
    return replace(syllable, tone=tone)


def _bu(flat: list[Syllable], *, words: Sequence[SyllableWord]) -> None:
    ends = {start + len(word) - 1 for start, word in zip(_starts(words), words, strict=True)}
    inside = {start + 1 for start, word in zip(_starts(words), words, strict=True) if _has_complement(word)}
    for i, syllable in enumerate(flat):
        if syllable.character != "不":
            continue
        following = flat[i + 1] if i + 1 < len(flat) else None
        redoubled = following is not None and i > 0 and flat[i - 1].character == following.character
        liao = following is not None and i > 0 and i + 1 in ends and (following.character, following.pinyin) == ("了", "liao")
        if redoubled or liao or i in inside:
            flat[i] = _toned(syllable, _NEUTRAL)
        elif following is not None and (following.tone == 4 or following.character == "个"):
            flat[i] = _toned(syllable, 2)


def _has_complement(word: SyllableWord) -> bool:
    """Whether a word is a verb, 不 and what cannot be done (来不及, 舍不得)."""
    text = "".join(syllable.character for syllable in word)
    return len(text) == 3 and text[1] == "不" and text[2] in _COMPLEMENTS and text[0] not in _NO_COMPLEMENT_AFTER


def _starts(words: Sequence[SyllableWord]) -> list[int]:
    return [0, *accumulate(len(word) for word in words)][:-1]


def _yi(flat: list[Syllable], *, ordinal_before: Sequence[str]) -> None:
    text = "".join(syllable.character for syllable in flat)
    for i, syllable in enumerate(flat):
        if syllable.character != "一":
            continue
        before, after = text[i - 1 : i] if i else "", text[i + 1 :]
        counts_on = bool(before) and before in NUMERALS | frozenset("第初周期之点拜")
        if not after or counts_on or (after[0] in NUMERALS and after[0] not in "百千万亿两"):
            tone = 1
        elif before and before == after[0]:
            tone = _NEUTRAL
        elif (after.startswith("点") and after[1:2] in NUMERALS) or _is_ordinal(before, after, ordinal_before):
            tone = 1
        else:
            tone = 2 if flat[i + 1].tone == 4 or after[0] == "个" else 4
        flat[i] = _toned(syllable, tone)


def _is_ordinal(before: str, after: str, ordinal_before: Sequence[str]) -> bool:
    if after.startswith("日"):
        return before == "月"
    return after.startswith(tuple(ordinal_before))


def _ge(flat: list[Syllable]) -> None:
    for i in range(1, len(flat)):
        if flat[i].character == "个" and flat[i - 1].character in _GE_AFTER:
            flat[i] = _toned(flat[i], _NEUTRAL)


def _third_inside(word: list[Syllable], *, halves: int) -> list[Syllable]:
    """Third tones inside one word; `halves` is where its second half begins."""
    if len(word) == 2:
        return _pair(word)
    left, right = word[:halves], word[halves:]
    if len(word) == 3 and all(syllable.tone == 3 for syllable in word):
        return [_toned(word[0], 2 if halves == 2 else 3), _toned(word[1], 2), word[2]]
    left = _third_inside(left, halves=len(left) // 2) if len(left) > 1 else left
    right = _third_inside(right, halves=len(right) // 2) if len(right) > 1 else right
    if left and right and left[-1].tone == 3 and right[0].tone == 3:
        left = [*left[:-1], _toned(left[-1], 2)]
    return left + right


def _pair(word: list[Syllable]) -> list[Syllable]:
    return [_toned(word[0], 2), word[1]] if word[0].tone == 3 and word[1].tone == 3 else word


def apply_sandhi(words: Sequence[SyllableWord], *, ordinal_before: Sequence[str], halves: Sequence[int]) -> list[SyllableWord]:
    """Surface tones of one phrase (no punctuation inside).

    Args:
        words: Words with dictionary tones; 一 as first tone, 不 as fourth.
        ordinal_before: What makes a 一 before it an ordinal ("楼", "号").
        halves: For each word the index where its second half begins.
    """
    flat = [syllable for word in words for syllable in word]
    starts = _starts(words)
    _ge(flat)
    _yi(flat, ordinal_before=ordinal_before)
    _bu(flat, words=words)
    surface = [
        _third_inside(syllables, halves=half) if len(syllables := flat[start : start + len(word)]) > 1 else syllables
        for start, word, half in zip(starts, words, halves, strict=True)
    ]
    flat = [syllable for foot in _between(_feet(surface)) for syllable in foot.syllables]
    return [tuple(flat[start : start + len(word)]) for start, word in zip(starts, words, strict=True)]


class _Foot(NamedTuple):
    """What attaches as a whole; whether its first and its last word have a single syllable, to which neighbours are close."""

    syllables: list[Syllable]
    begins_alone: bool
    ends_alone: bool


def _feet(words: list[list[Syllable]]) -> list[_Foot]:
    """Words, each number with its measure word and each preposition with its object as one foot."""
    feet: list[_Foot] = []
    joins = False  # whether the last foot takes in a single syllable
    for word in words:
        alone = len(word) == 1
        if alone and joins and word[0].character not in _NO_OBJECT:
            last = feet[-1]
            joined = _third_inside([*last.syllables, *word], halves=len(last.syllables))
            feet[-1] = _Foot(joined, last.begins_alone, ends_alone=True)
            joins = False
            continue
        feet.append(_Foot(word, alone, alone))
        number = all(syllable.character in NUMERALS for syllable in word)
        joins = number or (alone and word[0].character in _PREPOSITIONS)
    return feet


def _between(feet: list[_Foot]) -> list[_Foot]:
    """Third tones at the edges of feet."""
    feet = list(feet)
    for i in range(len(feet) - 2, -1, -1):
        before, after = feet[i].syllables, feet[i + 1].syllables
        number = {before[-1].character, after[0].character} <= NUMERALS | {"点"}
        close = number or feet[i].ends_alone or feet[i + 1].begins_alone
        if close and before[-1].tone == 3 and after[0].tone == 3:
            changed = [*before[:-1], _toned(before[-1], 2)]
            feet[i] = feet[i]._replace(syllables=_third_inside(changed, halves=len(changed) // 2) if len(changed) > 1 else changed)
    return feet
