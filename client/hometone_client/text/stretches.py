"""Cuts a text at the stretches that are read otherwise than the rest: words of another language, words whose sounds are given.

Chinese characters are always read in Chinese, together with their neighbours, so that segmentation and tone sandhi do not notice where
another language was declared: a stretch in a language is its Latin words only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hometone_client.text.characters import is_latin
from hometone_client.text.words import Stretch

_WITHOUT_HAN = re.compile(r"[^\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af]+")


def within(stretches: Sequence[Stretch], *, start: int, stop: int) -> tuple[Stretch, ...]:
    """Return what of the stretches lies in `[start, stop)`, counted from `start`."""
    return tuple(
        replace(stretch, start=max(stretch.start, start) - start, stop=min(stretch.stop, stop) - start)
        for stretch in stretches
        if stretch.start < stop and stretch.stop > start
    )


def language_of(text: str, stretches: Sequence[Stretch]) -> str | None:
    """Return the language that all Latin words of a sentence were declared to be in, or None."""
    declared = {_language_at(i, stretches) for i, character in enumerate(text) if is_latin(character)} if stretches else set()
    return declared.pop() if len(declared) == 1 else None


def _language_at(position: int, stretches: Sequence[Stretch]) -> str | None:
    return next((stretch.language for stretch in stretches if stretch.start <= position < stretch.stop), None)


def pieces(text: str, stretches: Sequence[Stretch]) -> Iterator[tuple[str, Stretch | None]]:
    """Yield the text in pieces: what is read as usual, and the stretches that are not."""
    end = 0
    for stretch in _without_han(text, stretches):
        if stretch.start > end:
            yield text[end : stretch.start], None
        yield text[stretch.start : stretch.stop], stretch
        end = stretch.stop
    if end < len(text):
        yield text[end:], None


def _without_han(text: str, stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    for stretch in stretches:
        if stretch.phonemes is not None:
            yield stretch
            continue
        for run in _WITHOUT_HAN.finditer(text, stretch.start, stretch.stop):
            if any(map(str.isalnum, run.group())):
                begins = run.start() + len(run.group()) - len(run.group().lstrip())
                yield replace(stretch, start=begins, stop=begins + len(run.group().strip()))
