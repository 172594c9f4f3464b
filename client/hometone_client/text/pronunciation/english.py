"""English to the phonemes Kokoro-82M v1.0 was trained on (misaki's symbols: A I O W Y for the diphthongs, T for the flap).

1. Words and punctuation are told apart; compounds (iPhone, WeChat, well-known) are tried whole, then by their parts.
2. Every word is looked up from the last to the first, because "the", "a" and "to" depend on the sound after them.
3. Words with several readings are decided by the words around them (`data/english.json`), in the place of misaki's spaCy tagger.
4. Initialisms are spelled; what no list knows goes to espeak-ng, its IPA mapped as misaki's `EspeakFallback` maps it.
"""

import json
import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Any

from hometone_client.text.pronunciation import espeak
from hometone_client.text.pronunciation.lexicon import CONSONANTS, VOWELS, Context, Lexicon, lexicon
from hometone_client.text.words import MARKS, Word
from hometone_shared.errors import TextError

_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?|[;:,.!?—…()“”]")
_SUBWORD = re.compile(r"[A-Z]{2,}s\b|[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z\d_]+(?:'[^\W\d_]+)*|[^\W\d_]+")
_LONGEST_INITIALISM = 5

# misaki.espeak.EspeakFallback.E2M (misaki 0.9.4, Apache-2.0), longest first.
_FROM_ESPEAK = sorted(
    {
        "ʔˌn\u0329": "ʔn", "ʔn\u0329": "ʔn", "a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "e": "A", "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
        "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə", "ɬ": "l", "\u0303": "",
    }.items(),
    key=lambda pair: -len(pair[0]),
)  # fmt: skip
_BRITISH = (("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"))
_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))


@cache
def _data() -> dict[str, Any]:
    text = resources.files("hometone_client.text").joinpath("data", "english.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def from_espeak(ipa: str, *, british: bool) -> str:
    """espeak-ng's IPA (tie "^") in misaki's symbols, as `misaki.espeak.EspeakFallback` does for version 1."""
    for old, new in _FROM_ESPEAK:
        ipa = ipa.replace(old, new)
    ipa = re.sub(r"(\S)\u0329", r"ᵊ\1", ipa).replace("\u0329", "")
    for old, new in _BRITISH if british else _AMERICAN:
        ipa = ipa.replace(old, new)
    return ipa.replace("o", "ɔ").replace("^", "").replace("-", "")


def _plain_letters(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def _tag(words: list[str], i: int) -> str | None:  # noqa: PLR0911 - one rule, one return
    """The reading of a heteronym from its neighbours, in the dictionary's tags; None for the usual one."""
    data = _data()
    word = words[i].lower()
    before, after = words[i - 1].lower() if i else "", words[i + 1].lower() if i + 1 < len(words) else ""
    if word == "a":
        return "LETTER" if (before in data["letter_a_after"] or not after or after in MARKS) else None
    if word == "used":
        return "VBD" if after == "to" and before not in {"is", "are", "was", "were", "be", "been", "being"} else None
    if word == "that":
        alone = after in {"is", "was", "", "one"} or after in MARKS
        return "DT" if alone or before in {"like", "of", "at", "by", "in", "for", "after", "with"} else None
    if word == "read":
        past = before in data["participle_after"] or any(w.lower() in data["past_words"] for w in words)
        return "VBD" if past and before not in data["verb_after_strict"][:17] else None
    if word == "wound":
        return "VBD" if after == "up" else None
    if word == "live":
        return "VERB" if before in data["verb_after"] or after in data["live_verb_before"] else None
    if word == "lives":
        return "VERB" if before in data["verb_s_after"] or after in data["live_verb_before"] else None
    if word in {"close", "closer"} and before in data["noun_after"]:
        return "NOUN" if after == "of" else None
    if before in data["verb_after_strict"] or (before in data["verb_after"] and after in data["object_starts"]):
        return "VERB"
    if word.endswith("s") and before in data["verb_s_after"]:
        return "VERB"
    if (not before or before in MARKS) and after in data["object_starts"]:
        return "VERB"
    return "NOUN" if before in data["noun_after"] else None


class _Reader:
    def __init__(self, *, british: bool) -> None:
        self._british = british
        self._lexicon: Lexicon = lexicon(british=british)

    def word(self, word: str, *, tag: str | None, context: Context) -> str:
        """Phonemes of one token; raises TextError when nothing can be made of it."""
        whole = self._known(word, tag=tag, context=context)
        if whole:
            return whole
        parts = [part for piece in word.split("-") for part in _SUBWORD.findall(piece)]
        if len(parts) > 1:
            return " ".join(self._known(part, tag=None, context=context) or self._guess(part) for part in parts)
        return self._guess(word)

    def _known(self, word: str, *, tag: str | None, context: Context) -> str | None:  # noqa: PLR0911 - one rule, one return
        data = _data()
        names: dict[str, str] = {**data["names"], **data["british"]} if self._british else data["names"]
        if word.lower() in names:
            return names[word.lower()]
        stem = re.fullmatch(r"(.+?)'?s", word.lower())
        if stem and stem[1] in names and not self._lexicon.knows(word.lower()):
            return self._lexicon.plural(names[stem[1]])
        if word in data["letters"]:
            return self._lexicon.spell(word)
        if len(word) == 1 and word not in "AaI":
            return self._lexicon.spell(word)
        initialism = re.fullmatch(r"([A-Z]{2,})(?:'?s)", word)
        if initialism and not self._lexicon.knows(word.lower()) and not self._is_word(initialism[1]):
            return self._lexicon.plural(self._lexicon.spell(initialism[1]))
        for form in dict.fromkeys((word, _plain_letters(word))):
            found = self._lexicon.pronounce(form, tag=tag, context=context)
            if found:
                return found
        vowels = sum(letter in "AEIOUY" for letter in word)
        if word.isascii() and word.isupper() and (len(word) <= _LONGEST_INITIALISM or not vowels):
            return self._lexicon.spell(word)
        return None

    def _is_word(self, word: str) -> bool:
        """Whether capitals are said as a word (NASA) and not letter by letter."""
        return word not in _data()["letters"] and (self._lexicon.knows(word) or self._lexicon.knows(word.lower()))

    def _guess(self, word: str) -> str:
        sounds = from_espeak(espeak.phonemes(word.lower(), voice="en-gb" if self._british else "en-us"), british=self._british)
        sounds = sounds or self._lexicon.spell(_plain_letters(word)) or ""
        if not any(sound in VOWELS or sound in CONSONANTS for sound in sounds):
            raise TextError(f"no English pronunciation is known for a word with {word[:1]}", hint="write it in another way")
        return sounds


@cache
def _reader(*, british: bool) -> _Reader:
    return _Reader(british=british)


def _before(phonemes: str, context: Context) -> Context:
    """What the word before these phonemes has after it."""
    for sound in phonemes:
        if sound in MARKS and sound not in "“”()":
            return Context(vowel=None)
        if sound in VOWELS or sound in CONSONANTS:
            return Context(vowel=sound in VOWELS)
    return context


def pronounce(text: str, *, british: bool = False, followed: bool = False) -> list[Word]:
    """Words and punctuation of a text in spoken form.

    Args:
        text: Letters and punctuation, no digits.
        british: British instead of American English.
        followed: Another language follows without a pause, so the last word is not at the end of the phrase.

    Raises:
        TextError: A word that cannot be pronounced.
    """
    tokens = _TOKEN.findall(text)
    reader = _reader(british=british)
    context = Context(vowel=False) if followed else Context()
    words: list[Word] = []
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if token in MARKS:
            words.append(Word(text=token, phonemes=token))
            context = _before(token, context)
            continue
        following_to = i + 1 < len(tokens) and tokens[i + 1].lower() == "to"
        sounds = reader.word(token, tag=_tag(tokens, i), context=Context(vowel=context.vowel, to=following_to))
        sounds = sounds.replace("ɾ", "T").replace("ʔ", "t")
        words.append(Word(text=token, phonemes=sounds))
        context = _before(sounds, context)
    return words[::-1]
