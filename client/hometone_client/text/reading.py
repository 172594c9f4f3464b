"""One cleaned sentence or clause to its spoken form, and to words with sounds: each run of characters by the rules of its language."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from hometone_client.text.characters import is_han, is_latin
from hometone_client.text.stretches import pieces
from hometone_client.text.words import MARKS, Stretch, Word
from hometone_shared.errors import TextError

LONGEST_WORD = 80
_CHINESE_MARKS = str.maketrans(
    {"，": ",", "、": ",", "。": ".", "！": "!", "？": "?", "；": ";", "：": ":", "（": "(", "）": ")", "·": " "}
)


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


def spoken_form(text: str, *, language: str, latin: str, stretches: Sequence[Stretch] = ()) -> str:
    """Return a sentence or a part of one as its words are said: no digits, no symbols.

    Args:
        text: Cleaned text.
        language: "zh" when the sentence holds Chinese characters, else the same as `latin`.
        latin: The language of its Latin words.
        stretches: What is read otherwise, counted in this text.
    """
    return "".join(
        piece
        if stretch is not None and stretch.phonemes is not None
        else _spoken(piece, language=_language_in(language, stretch), latin=_latin_in(latin, stretch))
        for piece, stretch in pieces(text, stretches)
    )


def pronounce(text: str, *, language: str, latin: str, stretches: Sequence[Stretch] = ()) -> list[Word]:
    """Words and marks of one cleaned sentence or clause.

    Args:
        text: Cleaned text.
        language: "zh" when it may hold Chinese characters, else the same as `latin`.
        latin: The language of its Latin words.
        stretches: What is read otherwise, counted in this text.
    """
    words: list[Word] = []
    cut = list(pieces(text, stretches))
    for i, (piece, stretch) in enumerate(cut):
        if stretch is not None and stretch.phonemes is not None:
            words.append(Word(text=piece.strip(), phonemes=stretch.phonemes))
            continue
        followed = any(map(str.isalnum, "".join(later for later, _ in cut[i + 1 :])))
        words.extend(_pronounced(piece, language=_language_in(language, stretch), latin=_latin_in(latin, stretch), followed=followed))
    if any(len(word.text) > LONGEST_WORD and " " not in word.text for word in words):
        raise TextError("a word is too long to be read aloud", hint=f"write words of at most {LONGEST_WORD} letters")
    return words


def _latin_in(latin: str, stretch: Stretch | None) -> str:
    return latin if stretch is None or stretch.language is None else stretch.language


def _language_in(language: str, stretch: Stretch | None) -> str:
    """Stretches in another language hold no Chinese characters (`stretches.pieces`)."""
    return language if stretch is None or stretch.language is None else stretch.language


def _spoken(text: str, *, language: str, latin: str) -> str:
    return _punctuated(_joined_han(_verbalise(text, language=language, latin=latin)))


def _pronounced(text: str, *, language: str, latin: str, followed: bool) -> list[Word]:
    words: list[Word] = []
    runs = list(_runs(_spoken(text, language=language, latin=latin)))
    for i, (is_chinese, run) in enumerate(runs):
        if is_chinese:
            from hometone_client.text.pronunciation import mandarin

            words.extend(mandarin.pronounce(run))
        elif not any(map(is_latin, run)):
            words.extend(Word(text=mark, phonemes=mark) for mark in run if mark in MARKS)
        else:
            words.extend(_latin_words(run, latin=latin, followed=followed or i + 1 < len(runs)))
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
