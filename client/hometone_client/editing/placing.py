"""Finds the spoken words that characters of a written text became.

Text is read as a whole, without regard to marks: numbers become words, words get their sounds, tones and links from their neighbours,
exactly as without markup. Afterwards a mark's place is found by reading what stands before it (or behind it) once more on its own: where
that reading is the beginning (or the end) of the whole one, its length says how many letters were spoken before the mark. Where neither is,
the mark lies inside something that is read as one: a number, a date, an abbreviation. That is refused, as is a mark inside a word; inside a
Chinese word it may stand between characters.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from hometone_client.text.characters import is_han
from hometone_client.text.reading import spoken_form
from hometone_client.text.stretches import language_of, within
from hometone_client.text.utterance import Utterance, WordSpan
from hometone_client.text.words import Stretch
from hometone_shared.errors import TextError, UsageError

_TONES: Final = "→↗↓↘"
_VOWELS: Final = "aeiouyæɑɐəɚɛɜɤɨɪɔʊʌø"
_SYLLABLE: Final = {
    coda: re.compile(rf"[^{_VOWELS}{_TONES}]*[{_VOWELS}][{_VOWELS}]*[{_TONES}]?[{_VOWELS}]*{'[nŋɻɹ]?' if coda else ''}[{_TONES}]?")
    for coda in (False, True)
}


class Places:
    """The places of one piece of text, which became one utterance or several."""

    def __init__(self, text: str, utterances: Sequence[Utterance], *, latin: str, stretches: Sequence[Stretch]) -> None:
        """Read the piece.

        Args:
            text: The whole text, readable.
            utterances: What the piece became: they all have its `start` and `stop`.
            latin: The language of Latin words where nothing else is said.
            stretches: What is read otherwise, counted in the whole text.
        """
        first = utterances[0]
        self.start, self.stop = first.start, first.stop
        self._text = text[first.start : first.stop]
        self._stretches = within(stretches, start=first.start, stop=first.stop)
        self._language = first.language
        self._latin = language_of(self._text, self._stretches) or latin
        self._whole = self._letters(0, len(self._text))
        self._words = [(number, word) for number, utterance in enumerate(utterances) for word in utterance.words if _key(word.text)]
        self._counts = [0, *accumulate(len(_key(word.text)) for _, word in self._words)]
        self._utterances = utterances

    def _letters(self, start: int, stop: int) -> str:
        stretches = within(self._stretches, start=start, stop=stop)
        return _key(spoken_form(self._text[start:stop], language=self._language, latin=self._latin, stretches=stretches))

    def _count(self, position: int, where: str) -> int:
        """How many letters are spoken before a character of the whole text."""
        inside = position - self.start
        if not _key(self._text[:inside]):
            return 0
        if not _key(self._text[inside:]):
            return self._counts[-1]
        if len(self._whole) == self._counts[-1]:
            before = self._letters(0, inside)
            if self._whole.startswith(before) and self._at_edge(len(before)):
                return len(before)
            behind = self._letters(inside, len(self._text))
            if self._whole.endswith(behind) and self._at_edge(len(self._whole) - len(behind)):
                return len(self._whole) - len(behind)
        raise UsageError(f"{where} begins or ends inside a word or a number", hint="put it around the whole word, number or date")

    def _at_edge(self, count: int) -> bool:
        """Whether so many letters end with a word, or with a character of a Chinese one."""
        if count in self._counts:
            return True
        index = max(i for i, edge in enumerate(self._counts) if edge < count)
        number, word = self._words[index]
        return syllable_edge(self._utterances[number], word, count - self._counts[index]) is not None

    def begin(self, position: int, where: str) -> tuple[int, int]:
        """Return utterance and token at which something begins that begins at this character.

        Raises:
            UsageError: The character lies inside a word or a number.
        """
        count = self._count(position, where)
        if count >= self._counts[-1]:
            return len(self._utterances) - 1, len(self._utterances[-1].tokens)
        index = max(i for i, edge in enumerate(self._counts) if edge <= count)
        number, word = self._words[index]
        inside = syllable_edge(self._utterances[number], word, count - self._counts[index]) if count > self._counts[index] else word.start
        if count == 0:
            return 0, 0
        return number, word.start if inside is None else inside

    def end(self, position: int, where: str) -> tuple[int, int]:
        """Return utterance and token before which something ends that ends before this character; marks that it holds are in it.

        Raises:
            UsageError: The character lies inside a word or a number.
        """
        count = self._count(position, where)
        if count >= self._counts[-1]:
            return len(self._utterances) - 1, len(self._utterances[-1].tokens)
        if count == 0:
            return 0, 0
        index = max(i for i, edge in enumerate(self._counts) if edge < count)
        number, word = self._words[index]
        if count < self._counts[index + 1]:
            inside = syllable_edge(self._utterances[number], word, count - self._counts[index])
            return number, word.stop if inside is None else inside
        if self._text[: position - self.start].rstrip()[-1:].isalnum():
            return number, word.stop
        later = [behind.start for behind in self._utterances[number].words if behind.start >= word.stop and _key(behind.text)]
        return number, later[0] if later else len(self._utterances[number].tokens)


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def syllable_edge(utterance: Utterance, word: WordSpan, characters: int) -> int | None:
    """Return the token at which a character of a Chinese word begins, or None where that cannot be told.

    Args:
        utterance: Whose word it is.
        word: The word.
        characters: How many of its characters stand before.
    """
    if not all(map(is_han, word.text)):
        return None
    try:
        from hometone_client.text.pronunciation import mandarin

        finals = [syllable.pinyin for part in mandarin.readings(word.text) for syllable in part]
    except TextError:
        return None
    sounds, edges = utterance.phonemes[word.start : word.stop], [0]
    for pinyin in finals:
        found = _SYLLABLE[pinyin.endswith(("n", "g", "r"))].match(sounds, edges[-1])
        if found is None or not found.group():
            return None
        edges.append(found.end())
    if edges[-1] != len(sounds) or len(edges) != len(word.text) + 1:
        return None
    return word.start + edges[characters]
