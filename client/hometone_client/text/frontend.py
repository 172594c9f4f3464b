"""Text to utterances, sentence by sentence.

1. Characters that cannot be read are refused at once, before anything is spoken (`characters`).
2. Sentences are cut lazily (`sentences`).
3. A sentence with Chinese characters is Mandarin; its Latin words are English, or the language asked for. All runs stay in one utterance,
   so that pitch and rhythm run through (requirement 22).
4. Numbers, dates, units, symbols become words (`verbalisation`), words become phonemes (`pronunciation`), phonemes become tokens.
5. A sentence above `TOKEN_BUDGET` tokens is cut after commas; a clause above it, between words; never inside a word.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from hometone_client.text.characters import is_han, is_latin, readable
from hometone_client.text.sentences import LONGEST, Sentence, clauses, sentences
from hometone_client.text.utterance import MAX_TOKENS, Utterance, encode
from hometone_client.text.words import MARKS, Word, join_phonemes, join_text, word_spans
from hometone_shared.errors import TextError, UsageError

LANGUAGES = ("zh", "en", "en-gb", "es", "fr", "it", "pt")

# Kokoro hurries through utterances of more than about 400 tokens and its style tables are thin there; 300 is some twenty seconds.
TOKEN_BUDGET = 300
LONGEST_WORD = 80
PAUSE_AFTER_SENTENCE_S = 0.2
PAUSE_AFTER_PARAGRAPH_S = 0.5
PAUSE_INSIDE_SENTENCE_S = 0.05

_CHINESE_MARKS = str.maketrans(
    {"，": ",", "、": ",", "。": ".", "！": "!", "？": "?", "；": ";", "：": ":", "（": "(", "）": ")", "·": " "}
)
_ENDINGS = frozenset(".!?…")
_LIST_MARK = re.compile(r"^\s*(?:[-*+>#~=_—·–]+\s+|[(]?(\d{1,3})[.)、]\s+)")


def _joined_han(text: str) -> str:
    """Spaces between Chinese characters are layout, not words."""
    return re.sub(r"(?<=[\u3400-\u9fff]) +(?=[\u3400-\u9fff])", "", text)


def _punctuated(text: str) -> str:
    """ASCII and doubled punctuation as the marks the base knows."""
    opening = True
    characters = []
    for character in text.translate(_CHINESE_MARKS):
        if character == '"':
            characters.append("“" if opening else "”")
            opening = not opening
        else:
            characters.append(character)
    text = "".join(characters)
    text = re.sub(r"\.{2,}|…+", "…", text)
    text = re.sub(r"\s*(?:—+|–|(?<=\s)-+(?=\s)|--+)\s*", " — ", text)
    text = re.sub(r"([(“”)])(?:\s*\1)+", r"\1", text)
    text = re.sub(r"([!?])[!?]+", lambda m: "?" if "?" in m.group() else "!", text)
    text = re.sub(r"([,;:.])[,;:.]+", lambda m: m.group()[-1] if m.group()[-1] == "." else m[1], text)
    return re.sub(r"(?<![A-Za-zÀ-ɏ])'|'(?![A-Za-zÀ-ɏ])", lambda m: m.group() if m.start() and text[m.start() - 1] in "sS" else " ", text)


class Frontend:
    """Reads text aloud on paper: text in, utterances of the base voice out.

    Dictionaries are loaded when the first sentence of their language comes, once a process; a `Frontend` itself holds nothing.
    """

    def utterances(self, text: str, *, language: str | None = None) -> Iterator[Utterance]:
        """Utterances of a text, computed one at a time as they are asked for.

        Args:
            text: Any length, any line breaks.
            language: One of `LANGUAGES` for the Latin words; None and "zh" read them as American English. Chinese characters are always
                Mandarin.

        Raises:
            TextError: At once for characters that cannot be read or a text without words; while iterating for a word without sounds.
            UsageError: The language is not one of `LANGUAGES`.
        """
        if language is not None and language not in LANGUAGES:
            raise UsageError(f"the language {language!r} is not supported", hint=f"choose one of {', '.join(LANGUAGES)}")
        latin = "en" if language in {None, "zh"} else str(language)
        return self._read(readable(text), latin=latin)

    def _read(self, text: str, *, latin: str) -> Iterator[Utterance]:
        spoken = False
        for sentence in sentences(text):
            for utterance in self._sentence(sentence, latin=latin):
                spoken = True
                yield utterance
        if not spoken:
            raise TextError("there is nothing to read aloud in this text", hint="write at least one word or number")

    def _sentence(self, sentence: Sentence, *, latin: str) -> Iterator[Utterance]:
        pause_s = PAUSE_AFTER_SENTENCE_S if sentence.complete else PAUSE_INSIDE_SENTENCE_S
        pause_s = PAUSE_AFTER_PARAGRAPH_S if sentence.ends_paragraph else pause_s
        listed = _LIST_MARK.match(sentence.text)
        text = _LIST_MARK.sub(lambda m: f"{m[1]}, " if m[1] else "", sentence.text) if listed else sentence.text
        language = "zh" if any(map(is_han, text)) else latin
        parts = self._parts(text, language=language, latin=latin)
        previous: tuple[str, list[Word]] | None = None
        for part in parts:
            if previous is not None:
                yield _utterance(*previous, language=language, pause_s=PAUSE_INSIDE_SENTENCE_S)
            previous = part
        if previous is not None:
            written, words = previous
            yield _utterance(written, _closed(words) if sentence.complete else words, language=language, pause_s=pause_s)

    def _parts(self, text: str, *, language: str, latin: str) -> Iterator[tuple[str, list[Word]]]:
        """A sentence as parts within the token budget: written text and words."""
        if len(text) <= LONGEST:
            words = pronounce(text, language=language, latin=latin)
            if not _has_words(words):
                return
            if _tokens(words) <= TOKEN_BUDGET:
                yield text, words
                return
        packed_text, packed = "", list[Word]()
        for clause in self._clauses(text):
            words = pronounce(clause, language=language, latin=latin)
            if _has_words(packed) and _tokens(packed + words) > TOKEN_BUDGET:
                yield packed_text.strip(), packed
                packed_text, packed = "", []
            if _tokens(words) > TOKEN_BUDGET:
                yield from ((join_text(part), part) for part in _between_words(words))
                continue
            packed_text, packed = packed_text + clause, packed + words
        if _has_words(packed):
            yield packed_text.strip(), packed

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


def _utterance(text: str, words: list[Word], *, language: str, pause_s: float) -> Utterance:
    phonemes = join_phonemes(words)
    tokens = encode(phonemes)
    if len(tokens) > MAX_TOKENS:
        raise TextError("a word is too long to be read aloud", hint=f"write words of at most {LONGEST_WORD} letters")
    return Utterance(text=text, language=language, phonemes=phonemes, tokens=tokens, pause_after_s=pause_s, words=word_spans(words))


def pronounce(text: str, *, language: str, latin: str) -> list[Word]:
    """Words and marks of one cleaned sentence or clause.

    Args:
        text: Cleaned text.
        language: "zh" when it may hold Chinese characters, else the same as `latin`.
        latin: The language of its Latin words.
    """
    spoken = _punctuated(_joined_han(_verbalise(text, language=language, latin=latin)))
    words: list[Word] = []
    runs = list(_runs(spoken))
    for i, (is_chinese, run) in enumerate(runs):
        if is_chinese:
            from hometone_client.text.pronunciation import mandarin

            words.extend(mandarin.pronounce(run))
        elif not any(map(is_latin, run)):
            words.extend(Word(text=mark, phonemes=mark) for mark in run if mark in MARKS)
        else:
            words.extend(_latin_words(run, latin=latin, followed=i + 1 < len(runs)))
    if any(len(word.text) > LONGEST_WORD and " " not in word.text for word in words):
        raise TextError("a word is too long to be read aloud", hint=f"write words of at most {LONGEST_WORD} letters")
    return words


def _verbalise(text: str, *, language: str, latin: str) -> str:
    if language != "zh":
        return _verbalise_latin(text, latin=latin)
    from hometone_client.text.verbalisation import english, mandarin

    in_english = latin in {"en", "en-gb"}
    return mandarin.verbalise(
        english.abbreviations(text) if in_english else text,
        phrase=lambda phrase: _verbalise_latin(phrase, latin=latin) if in_english else phrase,
    )


def _verbalise_latin(text: str, *, latin: str) -> str:
    if latin in {"en", "en-gb"}:
        from hometone_client.text.verbalisation import english

        return english.verbalise(text, day_first=latin == "en-gb")
    from hometone_client.text.verbalisation import romance

    return romance.verbalise(text, language=latin)


def _latin_words(run: str, *, latin: str, followed: bool) -> list[Word]:
    if latin in {"en", "en-gb"}:
        from hometone_client.text.pronunciation import english

        return english.pronounce(run, british=latin == "en-gb", followed=followed and not run.rstrip().endswith(tuple(MARKS)))
    from hometone_client.text.pronunciation import romance

    return romance.pronounce(run, language=latin)


def _runs(text: str) -> Iterable[tuple[bool, str]]:
    """Runs of Chinese characters, and of everything between them."""
    for is_chinese, run in groupby(text, key=is_han):
        characters = "".join(run)
        if is_chinese or any(is_latin(character) or character in MARKS for character in characters):
            yield is_chinese, characters
