"""Tone sandhi of standard Mandarin on words whose dictionary tones are known.

1. 不 is bu2 before a fourth tone, neutral inside V不V and V不C.
2. 一 is yi1 in numerals, ordinals and at the end of a phrase; neutral inside V一V; else yi2 before a fourth tone, yi4 before the others.
3. 个 after a numeral or a demonstrative is neutral (it still counts as fourth tone for 一 and 不).
4. Third tones: the first of two becomes a second tone; inside a word by its halves, then between words from right to left inside numbers
   and where one of the two has a single syllable (Duanmu 2007, The Phonology of Standard Chinese, ch. 11: feet are built from the left
   inside words and single syllables attach to their neighbours).

Pure functions; the word lists are data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

NUMERALS = frozenset("零一二三四五六七八九十百千万亿两幺〇")
_GE_AFTER = NUMERALS | frozenset("几这那哪每各整半多")
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


def _bu(flat: list[Syllable], *, starts: set[int]) -> None:
    for i, syllable in enumerate(flat):
        if syllable.character != "不":
            continue
        following = flat[i + 1] if i + 1 < len(flat) else None
        inside = i not in starts and i + 1 not in starts and following is not None
        if inside and following is not None and i > 0 and (flat[i - 1].character == following.character or i + 2 in starts | {len(flat)}):
            flat[i] = _toned(syllable, _NEUTRAL)
        elif following is not None and (following.tone == 4 or following.character == "个"):
            flat[i] = _toned(syllable, 2)


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
    starts: set[int] = set()
    position = 0
    for word in words:
        starts.add(position)
        position += len(word)
    _ge(flat)
    _yi(flat, ordinal_before=ordinal_before)
    _bu(flat, starts=starts)
    surface: list[list[Syllable]] = []
    position = 0
    for word, half in zip(words, halves, strict=True):
        syllables = flat[position : position + len(word)]
        position += len(word)
        surface.append(_third_inside(syllables, halves=half) if len(syllables) > 1 else syllables)
    for i in range(len(surface) - 2, -1, -1):
        number = {surface[i][-1].character, surface[i + 1][0].character} <= NUMERALS | {"点"}
        close = number or len(surface[i]) == 1 or len(surface[i + 1]) == 1
        if close and surface[i][-1].tone == 3 and surface[i + 1][0].tone == 3:
            surface[i][-1] = _toned(surface[i][-1], 2)
            surface[i] = _third_inside(surface[i], halves=len(surface[i]) // 2) if len(surface[i]) > 1 else surface[i]
    return [tuple(word) for word in surface]
