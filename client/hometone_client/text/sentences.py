"""Cuts a text into sentences, one at a time, without looking further than the sentence at hand.

1. A line end ends a sentence and a paragraph.
2. 。！？ and their ASCII forms end a sentence together with the quotes and brackets that close after them; a full stop does not after an
   abbreviation, an initial, a list number, inside a number or an address, or before a small letter.
3. What never ends is cut at the last comma or space within `LONGEST` characters, so that a stream without full stops still streams.
4. Clauses: a sentence cut after commas, colons and semicolons; none inside a number or a date.

Abbreviations are data (`data/sentences.json`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hometone_client.text.characters import is_han

LONGEST = 1200
_CANDIDATE = re.compile(r"\n|[。！？!?.…]+[\"”’')）]*")
_CLAUSE_END = re.compile(r"(?<=[，、；：])|(?<=[,;:—…])(?=\D)(?! ?\d{4}\b)(?!//)")
_SPACE = re.compile(r"\s")
_LIST_NUMBER = re.compile(r"[(]?\d{1,3}")
_LAST_TOKEN = re.compile(r"[A-Za-z\u00c0-\u024fªº.]+$|(?<![^\s(])\d+$|$")


@cache
def _abbreviations() -> tuple[frozenset[str], frozenset[str]]:
    data = json.loads(resources.files("hometone_client.text").joinpath("data", "sentences.json").read_text(encoding="utf-8"))
    return frozenset(data["never"]), frozenset(data["sometimes"])


@dataclass(frozen=True, slots=True)
class Sentence:
    """One written sentence, or a piece of an endless one.

    Attributes:
        text: Without the white space around it.
        ends_paragraph: A line end follows, or the end of the text.
        complete: False for a piece that `LONGEST` cut off before the sentence ended.
    """

    text: str
    ends_paragraph: bool
    complete: bool = True


def _ends_sentence(text: str, *, start: int, match: re.Match[str]) -> bool:  # noqa: PLR0911 - one rule, one return
    marks, after = match.group(), text[match.end() : match.end() + 1]
    if any(mark in marks for mark in "。！？"):
        return True
    closed = not after or after.isspace() or is_han(after) or len(marks.rstrip("\"”’')）")) < len(marks)
    if "!" in marks or "?" in marks:
        return closed
    following = text[match.end() : match.end() + 8].lstrip(" \"“‘'(（")
    if not closed or following[:1].islower():
        return False
    if "…" in marks or marks.startswith(".."):
        return not following or following[:1] == "\n" or (after.isspace() and following[:1].isupper())
    token = _LAST_TOKEN.search(text, start, match.start())
    word = token.group() if token else ""
    never, sometimes = _abbreviations()
    if word.lower() in never:
        return not following
    if word.lower() in sometimes:
        return not following or following[:1].isupper() or following[:1] == "\n"
    if len(word) == 1 and word.isupper() and word.isascii() and word != "I":
        return not following or following[:1] == "\n"
    return not (_LIST_NUMBER.fullmatch(word) and not text[start : match.start() - len(word)].strip())


def sentences(text: str) -> Iterator[Sentence]:
    """Sentences of a cleaned text, in order, each without the white space around it."""
    start = position = 0
    while start < len(text):
        match = _CANDIDATE.search(text, position, start + LONGEST)
        if match is None:
            end, paragraph = _soft_end(text, start=start), False
        elif match.group() != "\n" and not _ends_sentence(text, start=start, match=match):
            position = match.end()
            continue
        else:
            end = match.end()
            paragraph = match.group() == "\n" or text[end:].startswith("\n") or not text[end : end + 1]
        if text[start:end].strip():
            yield Sentence(
                text[start:end].strip(), ends_paragraph=paragraph or end == len(text), complete=match is not None or end == len(text)
            )
        start = position = end


def _soft_end(text: str, *, start: int) -> int:
    if len(text) - start <= LONGEST:
        return len(text)
    pauses = [match.end() for match in _CLAUSE_END.finditer(text, start + LONGEST // 2, start + LONGEST)]
    spaces = [match.end() for match in _SPACE.finditer(text, start + 1, start + LONGEST)]
    return pauses[-1] if pauses else spaces[-1] if spaces else len(text)


def clauses(sentence: str) -> list[str]:
    """A sentence cut after its commas, semicolons, colons and dashes."""
    return [part for part in _CLAUSE_END.split(sentence) if part.strip()]
