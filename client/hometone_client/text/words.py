"""What a pronunciation gives back: words with their sounds, and the punctuation between them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hometone_client.text.utterance import WordSpan

# The marks the base voice knows (vocabulary of Kokoro-82M): they shape pauses and melody.
MARKS = frozenset(';:,.!?—…"()“”')
_OPENING = frozenset("(“")


@dataclass(frozen=True, slots=True)
class Word:
    """One pronounced word, or one punctuation mark (`phonemes` is then that mark).

    Attributes:
        text: The word in spoken form ("eight", "八点").
        phonemes: Symbols of the base; never empty.
    """

    text: str
    phonemes: str

    @property
    def is_mark(self) -> bool:
        """Whether this is punctuation."""
        return self.phonemes in MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of a text that is read otherwise than the rest of it.

    Attributes:
        start: Its first character, counted in the text as `characters.readable` leaves it.
        stop: One behind its last.
        language: How its Latin words are read.
        phonemes: Its sounds, symbols of the base; then it is one word.
    """

    start: int
    stop: int
    language: str | None = None
    phonemes: str | None = None


def join_phonemes(words: Sequence[Word]) -> str:
    """One phoneme string: single spaces between words, punctuation on the side it belongs to."""
    joined = ""
    for word in words:
        joined += (" " if _spaced(joined, word) else "") + word.phonemes
    return joined


def word_spans(words: Sequence[Word]) -> tuple[WordSpan, ...]:
    """Where each word lies in `join_phonemes` of them."""
    joined, spans = "", []
    for word in words:
        joined += " " if _spaced(joined, word) else ""
        spans.append(WordSpan(text=word.text, start=len(joined), stop=len(joined) + len(word.phonemes)))
        joined += word.phonemes
    return tuple(spans)


def _spaced(joined: str, word: Word) -> bool:
    closing = word.is_mark and word.phonemes not in _OPENING and word.phonemes != "—"
    return bool(joined) and not closing and joined[-1] not in _OPENING


def join_text(words: list[Word]) -> str:
    """The spoken form as text: spaces between Latin words, none between Chinese ones."""
    joined = ""
    for word in words:
        latin_meets_latin = bool(joined) and joined[-1].isascii() and word.text[:1].isascii() and not word.is_mark
        joined += (" " if latin_meets_latin else "") + word.text
    return joined
