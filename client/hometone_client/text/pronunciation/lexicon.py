"""The English dictionaries Kokoro-82M v1.0 was trained with: misaki's gold and silver lists, with misaki's rules for endings and stress.

Adapted from `misaki.en.Lexicon` (misaki 0.9.4, hexgrad, Apache-2.0), which cannot be imported without spaCy and a model that is not on
the package index. What differs: part-of-speech tags come from the caller's context rules instead of a tagger, numbers are already words.

1. gold list, 2. silver list, 3. the stem of -s, -ed, -ing, 4. letters for initialisms; the caller falls back to espeak-ng.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

PRIMARY, SECONDARY = "ˈ", "ˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ")
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
_US_TAUS = frozenset("AIOWYiuæɑəɛɪɹʊʌ")

Entry = str | dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Context:
    """What follows a word: `vowel` is None before a pause, else whether the next sound is a vowel; `to` whether the next word is "to"."""

    vowel: bool | None = None
    to: bool = False


def apply_stress(phonemes: str, stress: float | None) -> str:  # noqa: PLR0911 - one rule, one return
    """Moves stress marks as misaki does: below 0 weaker, above 0 stronger, None unchanged."""
    if stress is None:
        return phonemes
    has_primary, has_secondary = PRIMARY in phonemes, SECONDARY in phonemes
    if stress < -1:
        return phonemes.replace(PRIMARY, "").replace(SECONDARY, "")
    if stress == -1 or (stress in {0, -0.5} and has_primary):
        return phonemes.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)
    unstressed = not has_primary and not has_secondary
    if unstressed and not any(sound in VOWELS for sound in phonemes):
        return phonemes
    if stress in {0, 0.5, 1} and unstressed:
        return _before_vowel(SECONDARY + phonemes)
    if stress >= 1 and not has_primary and has_secondary:
        return phonemes.replace(SECONDARY, PRIMARY)
    if stress > 1 and unstressed:
        return _before_vowel(PRIMARY + phonemes)
    return phonemes


def _before_vowel(phonemes: str) -> str:
    """A leading stress mark moved to just before the first vowel, where the dictionaries write it."""
    first = next(i for i, sound in enumerate(phonemes) if sound in VOWELS)
    return phonemes[1:first] + phonemes[0] + phonemes[first:]


def _grown(dictionary: dict[str, Entry]) -> dict[str, Entry]:
    extra: dict[str, Entry] = {}
    for word, entry in dictionary.items():
        if len(word) < 2:
            continue
        if word == word.lower():
            extra[word.capitalize()] = entry
        elif word == word.lower().capitalize():
            extra[word.lower()] = entry
    return {**extra, **dictionary}


def _load(name: str) -> dict[str, Entry]:
    dictionary: dict[str, Entry] = json.loads(resources.files("misaki.data").joinpath(name).read_text(encoding="utf-8"))
    return _grown(dictionary)


class Lexicon:
    """Pronunciations of one English: American ("us") or British ("gb")."""

    def __init__(self, *, british: bool) -> None:
        self._british = british
        country = "gb" if british else "us"
        self._gold = _load(f"{country}_gold.json")
        self._silver = _load(f"{country}_silver.json")

    def spell(self, word: str) -> str | None:
        """The word letter by letter, the last letter stressed; None when a character is not a letter of the alphabet."""
        letters = [self._gold.get(letter.upper()) for letter in word if letter.isalpha()]
        if not letters or not all(isinstance(letter, str) for letter in letters):
            return None
        weak = apply_stress("".join(str(letter) for letter in letters), 0)
        return PRIMARY.join(weak.rsplit(SECONDARY, 1))

    def knows(self, word: str) -> bool:
        """Whether a list holds the word itself, without endings."""
        return word in self._gold or word in self._silver

    def lookup(self, word: str, *, tag: str | None, stress: float | None, context: Context) -> str | None:
        """The listed pronunciation, chosen by tag where there are several."""
        entry = self._gold.get(word, self._silver.get(word))
        if isinstance(entry, dict):
            key = "None" if context.vowel is None and "None" in entry else tag if tag in entry else "DEFAULT"
            entry = entry.get(key or "DEFAULT") or entry.get("DEFAULT")
        return apply_stress(entry, stress) if entry else None

    def pronounce(self, word: str, *, tag: str | None = None, context: Context) -> str | None:
        """Phonemes of one word; None when neither lists nor endings know it.

        Args:
            word: One word as written, apostrophes inside.
            tag: "VERB", "NOUN", "ADJ", "VBD" or "DT" where the dictionary has several readings.
            context: What follows.
        """
        special = self._special(word, tag=tag, context=context)
        if special is not None:
            return special
        stress = None if word == word.lower() else 2.0 if word == word.upper() else 0.5
        for form in dict.fromkeys((word, word.lower())):
            found = (
                self.lookup(form, tag=tag, stress=stress, context=context)
                or self._possessive(form, tag=tag, stress=stress, context=context)
                or self._stem_s(form, tag=tag, stress=stress, context=context)
                or self._stem_ed(form, tag=tag, stress=stress, context=context)
                or self._stem_ing(form, tag=tag, stress=0.5 if stress is None else stress, context=context)
            )
            if found:
                return found
        return None

    def _special(self, word: str, *, tag: str | None, context: Context) -> str | None:  # noqa: PLR0911 - one rule, one return
        lower = word.lower()
        if word in {"a", "A"}:
            return "ˈA" if tag == "LETTER" else "ɐ"
        if lower == "am" and word != "AM":
            return self.lookup("am", tag=None, stress=None, context=context) if context.vowel is None else "ɐm"
        if lower == "an":
            return "ɐn"
        if word == "I":
            return f"{SECONDARY}I"
        if lower == "to":
            if context.vowel is None:
                return self.lookup("to", tag=None, stress=None, context=context)
            return "tʊ" if context.vowel else "tə"
        if lower == "in":
            return ("" if context.vowel is not None else PRIMARY) + "ɪn"
        if lower == "the":
            return "ði" if context.vowel else "ðə"
        if lower == "used" and context.to and tag == "VBD":
            return self.lookup("used", tag="VBD", stress=None, context=context)
        return None

    def _possessive(self, word: str, *, tag: str | None, stress: float | None, context: Context) -> str | None:
        if word.endswith("s'"):
            listed = self.lookup(f"{word[:-2]}'s", tag=tag, stress=stress, context=context)
            if listed:
                return listed
        return self.lookup(word[:-1], tag=tag, stress=stress, context=context) if word.endswith("'") else None

    def _stem_s(self, word: str, *, tag: str | None, stress: float | None, context: Context) -> str | None:
        # https://en.wiktionary.org/wiki/-s
        if len(word) < 3 or not word.endswith("s"):
            return None
        if not word.endswith("ss") and self.knows(word[:-1]):
            stem = word[:-1]
        elif (word.endswith("'s") or (len(word) > 4 and word.endswith("es") and not word.endswith("ies"))) and self.knows(word[:-2]):
            stem = word[:-2]
        elif len(word) > 4 and word.endswith("ies") and self.knows(word[:-3] + "y"):
            stem = word[:-3] + "y"
        else:
            return None
        return self.plural(self.lookup(stem, tag=tag, stress=stress, context=context))

    def plural(self, stem: str | None) -> str | None:
        """The sounds of a stem with -s."""
        if not stem:
            return None
        if stem[-1] in "ptkfθ":
            return stem + "s"
        return stem + (("ɪ" if self._british else "ᵻ") if stem[-1] in "szʃʒʧʤ" else "") + "z"

    def _stem_ed(  # noqa: PLR0911 - one rule, one return
        self, word: str, *, tag: str | None, stress: float | None, context: Context
    ) -> str | None:
        # https://en.wiktionary.org/wiki/-ed
        if len(word) < 4 or not word.endswith("d"):
            return None
        if not word.endswith("dd") and self.knows(word[:-1]):
            stem = word[:-1]
        elif len(word) > 4 and word.endswith("ed") and not word.endswith("eed") and self.knows(word[:-2]):
            stem = word[:-2]
        else:
            return None
        sounds = self.lookup(stem, tag=tag, stress=stress, context=context)
        if not sounds:
            return None
        if sounds[-1] in "pkfθʃsʧ":
            return sounds + "t"
        if sounds[-1] == "d":
            return sounds + ("ɪ" if self._british else "ᵻ") + "d"
        if sounds[-1] != "t":
            return sounds + "d"
        if self._british or len(sounds) < 2:
            return sounds + "ɪd"
        return sounds[:-1] + "ɾᵻd" if sounds[-2] in _US_TAUS else sounds + "ᵻd"

    def _stem_ing(self, word: str, *, tag: str | None, stress: float | None, context: Context) -> str | None:
        # https://en.wiktionary.org/wiki/-ing
        if len(word) < 5 or not word.endswith("ing"):
            return None
        if len(word) > 5 and self.knows(word[:-3]):
            stem = word[:-3]
        elif self.knows(word[:-3] + "e"):
            stem = word[:-3] + "e"
        elif len(word) > 5 and re.search(r"([bcdgklmnprstvxz])\1ing$|cking$", word) and self.knows(word[:-4]):
            stem = word[:-4]
        else:
            return None
        sounds = self.lookup(stem, tag=tag, stress=stress, context=context)
        if not sounds or (self._british and sounds[-1] in "əː"):
            return None
        if not self._british and len(sounds) > 1 and sounds[-1] == "t" and sounds[-2] in _US_TAUS:
            return sounds[:-1] + "ɾɪŋ"
        return sounds + "ɪŋ"


@cache
def lexicon(*, british: bool) -> Lexicon:
    """The dictionaries, loaded once."""
    return Lexicon(british=british)
