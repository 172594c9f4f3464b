"""Text to utterances, sentence by sentence.

1. Characters that cannot be read are refused at once, before anything is spoken (`characters`).
2. Sentences are cut lazily (`sentences`).
3. A sentence with Chinese characters is Mandarin; its Latin words are English, or the language asked for. All runs stay in one utterance,
   so that pitch and rhythm run through (requirement 22).
4. Numbers, dates, units, symbols become words (`verbalisation`), words become phonemes (`pronunciation`), phonemes become tokens.
5. A sentence above `TOKEN_BUDGET` tokens is cut after commas; a clause above it, between words; never inside a word.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hometone_client.text.characters import is_han, readable
from hometone_client.text.reading import LONGEST_WORD, pronounce
from hometone_client.text.sentences import LONGEST, Sentence, clauses, sentences
from hometone_client.text.stretches import language_of, within
from hometone_client.text.utterance import MAX_TOKENS, Utterance, encode
from hometone_client.text.words import MARKS, Stretch, Word, join_phonemes, join_text, word_spans
from hometone_shared.errors import TextError, UsageError

LANGUAGES = ("zh", "en", "en-gb", "es", "fr", "it", "pt")

# Kokoro hurries through utterances of more than about 400 tokens and its style tables are thin there; 300 is some twenty seconds.
TOKEN_BUDGET = 300
PAUSE_AFTER_SENTENCE_S = 0.2
PAUSE_AFTER_PARAGRAPH_S = 0.5
PAUSE_INSIDE_SENTENCE_S = 0.05

_ENDINGS = frozenset(".!?…")
_LIST_MARK = re.compile(r"^\s*(?:[-*+>#~=_—·–]+\s+|[(]?(\d{1,3})[.)、]\s+)")


class _Part(NamedTuple):
    """A sentence or a part of it: what was written, its words, and where it begins and ends in the sentence."""

    text: str
    words: list[Word]
    start: int
    stop: int


class Frontend:
    """Reads text aloud on paper: text in, utterances of the base voice out.

    Dictionaries are loaded when the first sentence of their language comes, once a process; a `Frontend` itself holds nothing.
    """

    def utterances(self, text: str, *, language: str | None = None, stretches: Sequence[Stretch] = ()) -> Iterator[Utterance]:
        """Utterances of a text, computed one at a time as they are asked for.

        Args:
            text: Any length, any line breaks.
            language: One of `LANGUAGES` for the Latin words; None and "zh" read them as American English. Chinese characters are always
                Mandarin.
            stretches: What is read otherwise than the rest, in order and apart from each other; the text is then one that `readable` has
                been over, so that they count the same characters.

        Raises:
            TextError: At once for characters that cannot be read or a text without words; while iterating for a word without sounds.
            UsageError: The language is not one of `LANGUAGES`.
        """
        if language is not None and language not in LANGUAGES:
            raise UsageError(f"the language {language!r} is not supported", hint=f"choose one of {', '.join(LANGUAGES)}")
        latin = "en" if language in {None, "zh"} else str(language)
        return self._read(readable(text), latin=latin, stretches=stretches)

    def _read(self, text: str, *, latin: str, stretches: Sequence[Stretch]) -> Iterator[Utterance]:
        spoken, start = False, 0
        for sentence in sentences(text):
            start = text.index(sentence.text, start)
            stop = start + len(sentence.text)
            for utterance in self._sentence(sentence, latin=latin, start=start, stretches=within(stretches, start=start, stop=stop)):
                spoken = True
                yield utterance
            start = stop
        if not spoken:
            raise TextError("there is nothing to read aloud in this text", hint="write at least one word or number")

    def _sentence(self, sentence: Sentence, *, latin: str, start: int, stretches: Sequence[Stretch]) -> Iterator[Utterance]:
        pause_s = PAUSE_AFTER_SENTENCE_S if sentence.complete else PAUSE_INSIDE_SENTENCE_S
        pause_s = PAUSE_AFTER_PARAGRAPH_S if sentence.ends_paragraph else pause_s
        listed = _LIST_MARK.match(sentence.text)
        text = _LIST_MARK.sub(lambda m: f"{m[1]}, " if m[1] else "", sentence.text) if listed else sentence.text
        before = len(sentence.text) - len(text)  # what a list mark lost
        stretches = within(stretches, start=before, stop=len(sentence.text))
        latin = language_of(text, stretches) or latin
        language = "zh" if any(map(is_han, text)) else latin
        parts = self._parts(text, language=language, latin=latin, stretches=stretches)
        previous: _Part | None = None
        for part in parts:
            if previous is not None:
                yield _utterance(previous, language=language, pause_s=PAUSE_INSIDE_SENTENCE_S, start=start + before)
            previous = part
        if previous is not None:
            last = previous._replace(words=_closed(previous.words)) if sentence.complete else previous
            yield _utterance(last, language=language, pause_s=pause_s, start=start + before)

    def _parts(self, text: str, *, language: str, latin: str, stretches: Sequence[Stretch]) -> Iterator[_Part]:
        """A sentence as parts within the token budget."""
        if len(text) <= LONGEST:
            words = pronounce(text, language=language, latin=latin, stretches=stretches)
            if not _has_words(words):
                return
            if _tokens(words) <= TOKEN_BUDGET:
                yield _Part(text, words, 0, len(text))
                return
        packed_text, packed, start, stop = "", list[Word](), 0, 0
        for clause in self._clauses(text):
            begins = text.index(clause, stop)
            ends = begins + len(clause)
            words = pronounce(clause, language=language, latin=latin, stretches=within(stretches, start=begins, stop=ends))
            if _has_words(packed) and _tokens(packed + words) > TOKEN_BUDGET:
                yield _Part(packed_text.strip(), packed, start, stop)
                packed_text, packed = "", []
            start, stop = start if packed_text else begins, ends
            if _tokens(words) > TOKEN_BUDGET:
                yield from (_Part(join_text(part), part, begins, ends) for part in _between_words(words))
                continue
            packed_text, packed = packed_text + clause, packed + words
        if _has_words(packed):
            yield _Part(packed_text.strip(), packed, start, stop)

    def _clauses(self, text: str) -> Iterator[str]:
        for clause in clauses(text):
            rest = clause
            while len(rest) > LONGEST:
                end = _word_end(rest)
                yield rest[:end]
                rest = rest[end:]
            yield rest


def _word_end(text: str) -> int:
    """Where a run of more than `LONGEST` Chinese characters can be cut: after a word, near that length."""
    if not is_han(text[LONGEST - 1]) or not is_han(text[LONGEST]):
        return LONGEST
    from hometone_client.text.pronunciation import mandarin

    tail = text[LONGEST - 40 : LONGEST + 20]
    end = LONGEST - 40
    for word in mandarin.segment(tail):
        if end + len(word) > LONGEST:
            break
        end += len(word)
    return end


def _has_words(words: list[Word]) -> bool:
    return any(not word.is_mark for word in words)


def _tokens(words: list[Word]) -> int:
    return len(join_phonemes(words))


def _between_words(words: list[Word]) -> Iterator[list[Word]]:
    """A clause without commas cut between words, each part within the budget, the marks with the word they follow."""
    part: list[Word] = []
    for word in words:
        if _has_words(part) and not word.is_mark and _tokens([*part, word]) > TOKEN_BUDGET:
            yield part
            part = []
        part.append(word)
    if _has_words(part):
        yield part


def _closed(words: list[Word]) -> list[Word]:
    """A full stop where a sentence has no end mark: the base lets its voice fall there."""
    last = next((word.phonemes for word in reversed(words) if word.phonemes not in '”)"'), "")
    if last in _ENDINGS:
        return words
    if last in MARKS:
        words = words[: max(i for i, word in enumerate(words) if word.phonemes not in MARKS or word.phonemes in '”)"') + 1]
    return [*words, Word(text=".", phonemes=".")]


def _utterance(part: _Part, *, language: str, pause_s: float, start: int) -> Utterance:
    phonemes = join_phonemes(part.words)
    tokens = encode(phonemes)
    if len(tokens) > MAX_TOKENS:
        raise TextError("a word is too long to be read aloud", hint=f"write words of at most {LONGEST_WORD} letters")
    return Utterance(
        text=part.text,
        language=language,
        phonemes=phonemes,
        tokens=tokens,
        pause_after_s=pause_s,
        words=word_spans(part.words),
        start=start + part.start,
        stop=start + part.stop,
    )
