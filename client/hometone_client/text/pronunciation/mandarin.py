"""Mandarin to the phonemes Kokoro-82M v1.0 was trained on: misaki's IPA with tone arrows, one space between words.

1. Traditional characters are folded to simplified ones (OpenCC), because the word list is simplified.
2. jieba cuts the phrase into words. Its dictionary is read from the package; its cache file in the shared temporary folder is neither
   read (it would be unmarshalled) nor written.
3. Readings: the reviewed list in `data/mandarin.json`, CC-CEDICT (which marks neutral tones), then pypinyin; single characters with
   several readings are decided by their neighbours.
4. Tone sandhi (`tones`), 儿化, then misaki's IPA (`ZHG2P.py2ipa`: → ↗ ↓ ↘ for the four tones).
5. Where only the word makes a tone neutral (先生, 头发) the phonemes carry the character's own tone: the base was trained on readings
   that write it, says such syllables lightly by itself, and is understood better so (docs/text.md).
"""

import json
import warnings
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from hometone_client.text.pronunciation.tones import NUMERALS, Syllable, SyllableWord, apply_sandhi
from hometone_client.text.words import Word
from hometone_shared.errors import TextError

_CONTEXTUAL = frozenset("得地长还只量种数为里")
_ALWAYS_NEUTRAL = frozenset("的了子们着么吗呢吧啊儿得地个一不")


@cache
def _data() -> dict[str, Any]:
    text = resources.files("hometone_client.text").joinpath("data", "mandarin.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@cache
def _segmenter() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba imports pkg_resources, which warns that it is deprecated
        import jieba
    tokenizer = jieba.Tokenizer()
    # What Tokenizer.initialize() does, without its cache file (2) and its log lines.
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    for word in _data()["apart"]:
        tokenizer.FREQ[word] = 0
    for word in _data()["readings"]:
        if len(word) > 1 and not tokenizer.FREQ.get(word):
            tokenizer.add_word(word)
    return tokenizer


@cache
def _to_simplified() -> Callable[[str], str]:
    import opencc

    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


@cache
def _py2ipa() -> Callable[[str], str]:
    _segmenter()  # imports jieba quietly; misaki.zh imports it again
    from misaki.zh import ZHG2P

    def ipa(pinyin: str) -> str:
        # The non-syllabic mark under the second half of a diphthong is not a symbol of the base (misaki.zh.ZHG2P.legacy_call drops it too).
        return str(ZHG2P.py2ipa(pinyin)).replace("\u032f", "")

    return lru_cache(maxsize=None)(ipa)


@cache
def _cedict() -> dict[str, list[list[str]]]:
    from pypinyin_dict.phrase_pinyin_data import cc_cedict

    phrases: dict[str, list[list[str]]] = cc_cedict.phrases_dict
    return phrases


def simplified(text: str) -> str:
    """The text in simplified characters; unchanged, and OpenCC not loaded, when every character is in GB 2312."""
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        folded = _to_simplified()(text)
        if len(folded) != len(text):
            return text
        # Simplified forms outside the basic block are rarer than the traditional ones, and have no reading.
        return "".join(new if ord(new) < 0x10000 else old for old, new in zip(text, folded, strict=True))
    return text


def segment(text: str) -> list[str]:
    """Words of a run of Chinese characters; pairs that jieba only guessed are taken apart when one of them changes its reading alone."""
    frequency = _segmenter().FREQ
    words: list[str] = []
    for word in _segmenter().lcut(text):
        guessed = len(word) == 2 and not frequency.get(word) and any(character in _CONTEXTUAL for character in word)
        words.extend(word if guessed else [str(word)])
    return words


@lru_cache(maxsize=65536)
def _reading(word: str) -> tuple[str, ...]:
    """Dictionary reading of a word, one "pinyin + tone" per character."""
    from pypinyin import Style, lazy_pinyin
    from pypinyin.constants import PHRASES_DICT
    from pypinyin.contrib.tone_convert import to_tone3

    readings: dict[str, str] = _data()["readings"]
    if word in readings:
        return tuple(readings[word].split())
    cedict = _cedict()
    if len(word) > 1 and word in cedict and len(cedict[word]) == len(word):
        return tuple(to_tone3(syllable[0], neutral_tone_with_five=True) for syllable in cedict[word])
    if len(word) > 1 and word not in PHRASES_DICT:
        for length in range(len(word) - 1, 0, -1):
            if length == 1 or word[:length] in readings or word[:length] in cedict:
                return _reading(word[:length]) + _reading(word[length:])
    syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
    if len(syllables) != len(word) or not all(syllable[-1:].isdigit() and syllable[:-1].isascii() for syllable in syllables):
        raise TextError(f"no reading is known for the character {word[:1]} (U+{ord(word[0]):04X})", hint="write it with another character")
    return tuple(syllables)


def _single(word: str, *, before: str, after: str) -> str | None:
    """Reading of a character that stands as a word of its own and depends on its neighbours; None for the dictionary's."""
    data = _data()
    if word == "得":
        follows_subject = before in data["pronouns"] and after and after[0] not in "很太不多更好最挺真非这那可像"
        return "dei3" if follows_subject else None
    if word == "地":
        return "de5" if len(before) > 1 and after and before[-1] not in "的在这那此该本" else None
    contexts: dict[str, tuple[bool, str]] = {
        "长": (after.startswith(("得", "着", "出", "了", "胖", "高", "大")) and before not in {"", "很", "太"}, "zhang3"),
        "还": (after.startswith(tuple(data["repay_objects"])) and not before.endswith("了"), "huan2"),
        "只": (before[-1:] in NUMERALS | set("几这那哪每半") and bool(before), "zhi1"),
        "量": (after.startswith(tuple(data["measured_by_liang"])), "liang2"),
        "种": (after.startswith(tuple(data["planted"])) and before[-1:] not in NUMERALS | set("几这那哪每各"), "zhong4"),
        "数": (after[:1] in NUMERALS | set("数") and bool(after), "shu3"),
        "为": (after[:1] in NUMERALS | set("上下每早晚") and bool(after), "wei2"),
        "里": (len(before) > 1, "li5"),
    }
    applies, reading = contexts.get(word, (False, ""))
    return reading if applies else None


def _halves(word: str) -> int:
    """Where the second half of a word begins: after its first two characters unless they only make a word with the third."""
    reviewed: dict[str, int] = _data()["halves"]
    if word in reviewed:
        return reviewed[word]
    if len(word) == 3:
        if set(word[:2]) <= NUMERALS | set("几好哪"):
            return 2
        frequency = _segmenter().FREQ
        return 2 if (frequency.get(word[:2]) or 0) >= (frequency.get(word[1:]) or 0) else 1
    return len(word) // 2


def _syllables(words: list[str]) -> list[SyllableWord]:
    result: list[SyllableWord] = []
    for i, word in enumerate(words):
        before, after = words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else ""
        contextual = _single(word, before=before, after=after) if len(word) == 1 else None
        readings = (contextual,) if contextual else _reading(word)
        if word == "等等" and after and (not before or before in _data()["wait_after"]):
            readings = ("deng2", "deng5")  # "wait", not "and so on"
        syllables = []
        for character, reading in zip(word, readings, strict=True):
            tone = {"一": 1, "不": 4}.get(character, int(reading[-1]))
            syllables.append(Syllable(character=character, pinyin=reading[:-1], tone=tone))
        if len(word) > 1 and word[-1] == "们":
            syllables[-1] = Syllable(character="们", pinyin="men", tone=5)
        result.append(tuple(syllables))
    return result


def _merge_er(words: list[str]) -> list[str]:
    """A 儿 that jieba left alone belongs to the word before it."""
    merged: list[str] = []
    for word in words:
        if word == "儿" and merged and merged[-1][-1] not in "的我你他她一" and merged[-1] + word not in _data()["full_er"]:
            merged[-1] += word
        else:
            merged.append(word)
    return merged


def readings(text: str) -> list[SyllableWord]:
    """Words of one phrase with surface readings: what the phonemes are made from.

    Args:
        text: Chinese characters only.

    Raises:
        TextError: A character has no known reading.
    """
    words = _merge_er(segment(simplified(text)))
    full_er: list[str] = _data()["full_er"]
    dictionary = _syllables(words)
    for i, word in enumerate(words):
        if len(word) > 1 and word[-1] == "儿" and word not in full_er and word[-2:] not in full_er:
            dictionary[i] = (*dictionary[i][:-1], Syllable(character="儿", pinyin="er", tone=5))
    return apply_sandhi(dictionary, ordinal_before=_data()["ordinal_one_before"], halves=[_halves(word) for word in words])


def pronounce(text: str) -> list[Word]:
    """Words of a run of Chinese characters with their phonemes.

    Raises:
        TextError: A character has no known reading.
    """
    ipa = _py2ipa()
    return [_word(word, ipa) for word in readings(text)]


@lru_cache(maxsize=4096)
def _own_tone(syllable: Syllable) -> int:
    """Tone of the character by itself, if it is read with the same sounds then; else the tone given."""
    from pypinyin import Style, lazy_pinyin

    alone = lazy_pinyin(syllable.character, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)[0]
    return int(alone[-1]) if alone[:-1] == syllable.pinyin and alone[-1].isdigit() else syllable.tone


def _word(word: Iterable[Syllable], ipa: Callable[[str], str]) -> Word:
    syllables = list(word)
    sounds = []
    for i, syllable in enumerate(syllables):
        redoubled = i > 0 and syllables[i - 1].character == syllable.character
        light = syllable.tone == 5 and not redoubled and i > 0 and syllable.character not in _ALWAYS_NEUTRAL
        own = _own_tone(syllable) if light else syllable.tone
        # Two third tones in a row (耳朵) would be heard as sandhi.
        tone = syllable.tone if light and own == syllables[i - 1].tone == 3 else own
        sounds.append(ipa(f"{syllable.pinyin}{tone}"))
    return Word(text="".join(syllable.character for syllable in syllables), phonemes="".join(sounds))
