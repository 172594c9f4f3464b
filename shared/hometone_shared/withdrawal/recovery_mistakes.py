"""What is wrong with a recovery code as somebody typed it, so exactly that she finds it on her sheet.

A message of an error never holds a word of the code. `Mistake` may: the words of the list that are nearest to one that is not on it can
be the very ones. It is for the page or the screen of the person who typed, and for nothing that is kept.

What it may see: what was typed. What it must never do: put it, or what is near to it, into a message or a `repr`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from hometone_shared.errors import ProtocolError

_MOST_NEAR: Final = 3
_LIKENESS: Final = 0.65


class Flaw(StrEnum):
    """What kind of mistake."""

    NOTHING = "nothing"
    """Nothing was typed."""
    LONG = "long"
    """Far too much was typed."""
    INVITATION = "invitation"
    """It is the code of an invitation."""
    SIGN = "sign"
    """A sign that is neither in a code nor between words."""
    SYMBOL = "symbol"
    """Characters that no code holds; `places` are their groups."""
    LENGTH = "length"
    """Characters are missing, or there are too many: `found`; `places` are groups of a wrong length, if they can be told apart."""
    CHECK = "check"
    """The check does not hold; if one character is wrong or two neighbours changed places, that is in one of the groups `places`."""
    COUNT = "count"
    """There are `found` words, not twelve; `places` are those that are not on the list."""
    WORD = "word"
    """Words that are not on the list; `places` are their numbers."""
    TOGETHER = "together"
    """Twelve words of the list that are no code together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A mistake.

    Attributes:
        flaw: What kind.
        places: Groups after the beginning of the code, or words, counted from 1.
        found: How many characters or words there are.
        typed: What stands at each of `places`; not shown by `repr`.
        near: For each of `places`, words of the list that are like the one there, likeliest first; not shown by `repr`.
    """

    flaw: Flaw
    places: tuple[int, ...] = ()
    found: int = 0
    typed: tuple[str, ...] = field(default=(), repr=False)
    near: tuple[tuple[str, ...], ...] = field(default=(), repr=False)


class RecoveryMistakeError(ProtocolError):
    """A recovery code that cannot be read."""

    def __init__(self, message: str, *, mistake: Mistake, hint: str = "") -> None:
        """Keep the mistake beside the texts, which hold nothing of the code."""
        super().__init__(message, hint=hint)
        self.mistake = mistake


def near_words(typed: str, known: Sequence[str]) -> tuple[str, ...]:
    """Words of a list that are like what was typed: up to three, likeliest first."""
    return tuple(get_close_matches(typed, known, n=_MOST_NEAR, cutoff=_LIKENESS))
