"""Sentences that no campaign asks anybody to read, for judging voices by what they were not adapted to."""

import json
from functools import cache
from importlib import resources

from hometone_shared.errors import UsageError


def held_out_sentences(language: str) -> tuple[str, ...]:
    """Return ten sentences of a language.

    Args:
        language: `zh`, `en`, `es`, `fr`, `it`, `pt`, or `mixed` (Chinese with English words).

    Raises:
        UsageError: There are none in that language.
    """
    table = _table()
    if language not in table:
        raise UsageError(f"there are no sentences to judge by in the language {language!r}", hint="choose one of " + ", ".join(table))
    return table[language]


def languages() -> tuple[str, ...]:
    """Return the languages that have sentences."""
    return tuple(_table())


@cache
def _table() -> dict[str, tuple[str, ...]]:
    text = resources.files("hometone_client.evaluation").joinpath("data", "held_out_sentences.json").read_text(encoding="utf-8")
    return {language: tuple(sentences) for language, sentences in json.loads(text).items() if language != "about"}
