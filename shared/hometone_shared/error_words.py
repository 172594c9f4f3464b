"""Errors in the reader's language.

Whoever raises an error says it in English; that sentence is also its identifier. Here it is looked up for people who read Chinese:

1. `data/error-words.zh.json` is {English: Chinese}. Where a sentence holds values, both have numbered places for them: `{0}`, `{1}`.
2. A sentence without values is looked up as it is. Otherwise, of the templates that fit, the one with the most letters of its own counts.
   What stands in its places is looked up in turn (the purpose in "this speaker has not consented to archive").
3. Code also joins sentences: "morning.wav: this file is empty". A template that is hardly more than a joint (`{0}: {1}`) counts only if
   at least one of its two sides is known.
4. What nobody knows is returned as it was: an English sentence is better than none.

What it may see: sentences for people, and what the other side of a connection put into them: so nothing goes back to try again, and what is
too long or too deep is left as it is. What it must never do: keep a sentence, or lose a part of one.
"""

import heapq
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Self

from hometone_shared.command_line import Language

_PLACE: Final = re.compile(r"\{\d+\}")
_LONGEST_TEXT: Final = 2000
"""In characters; longer texts are no sentences."""
_BEGINNING: Final = 8
"""Characters by which templates are found."""
_DEEPEST: Final = 8
_MOST_SEAMS: Final = 6
"""At so many places of a text at most a joint is looked for."""
_FEWEST_LETTERS: Final = 6
"""A template between two values needs as many letters of its own to be more than a joint."""


@dataclass(frozen=True, slots=True)
class _Template:
    """One sentence with places for values.

    Attributes:
        pieces: What stands before, between and after the places, in English.
        chinese: The sentence in Chinese, for `format`.
        letters: How many letters its pieces have: the more, the more it says.
    """

    pieces: tuple[str, ...]
    chinese: str
    letters: int

    @classmethod
    def of(cls, english: str, chinese: str) -> Self:
        pieces = tuple(_PLACE.split(english))
        return cls(pieces, chinese, sum(letter.isalpha() for letter in "".join(pieces)))

    @property
    def is_joint(self) -> bool:
        return self.letters < _FEWEST_LETTERS and [bool(piece) for piece in self.pieces] == [False, True, False]

    def values(self, text: str) -> list[str] | None:
        """What stands in the places, at least a character each; nothing if the text is another sentence.

        Each piece is taken where it comes first. That finds a way wherever there is one, without ever going back.
        """
        first, last = self.pieces[0], self.pieces[-1]
        if not (text.startswith(first) and text.endswith(last)):
            return None
        end = len(text) - len(last)
        at = len(first)
        found = []
        for piece in self.pieces[1:-1]:
            here = text.find(piece, at + 1, end)
            if here < 0:
                return None
            found.append(text[at:here])
            at = here + len(piece)
        return [*found, text[at:end]] if at < end else None


def _first_the_most_telling(template: _Template) -> int:
    return -template.letters


@dataclass(frozen=True, slots=True)
class _Table:
    """All sentences.

    Attributes:
        exact: Those without values.
        beginning: Templates by how they begin, the most telling first; under nothing those that begin with a value, or nearly so.
        joints: In the order of the file.
    """

    exact: Mapping[str, str]
    beginning: Mapping[str, Sequence[_Template]]
    joints: Sequence[_Template]

    @classmethod
    def of(cls, words: Mapping[str, str]) -> Self:
        templates = [_Template.of(english, chinese) for english, chinese in words.items() if _PLACE.search(english)]
        beginning: dict[str, list[_Template]] = defaultdict(list)
        for each in sorted((each for each in templates if not each.is_joint), key=_first_the_most_telling):
            first = each.pieces[0]
            beginning[first[:_BEGINNING] if len(first) >= _BEGINNING else ""].append(each)
        return cls(
            exact={english: chinese for english, chinese in words.items() if not _PLACE.search(english)},
            beginning=dict(beginning),
            joints=[each for each in templates if each.is_joint],
        )

    def chinese(self, text: str, depth: int = 0) -> str:
        """A text in Chinese, as far as it is known (2, 3, 4)."""
        if depth > _DEEPEST:
            return text
        known = self._sentence(text, depth)
        return known if known is not None else self._joined(text, depth)

    def _sentence(self, text: str, depth: int) -> str | None:
        if text in self.exact:
            return self.exact[text]
        some, others = self.beginning.get(text[:_BEGINNING], ()), self.beginning.get("", ())
        for template in heapq.merge(some, others, key=_first_the_most_telling):
            values = template.values(text)
            if values is not None:
                return template.chinese.format(*(self.chinese(value, depth + 1) for value in values))
        return None

    def _joined(self, text: str, depth: int) -> str:
        for joint in self.joints:
            seam = joint.pieces[1]
            at = 0
            for _ in range(_MOST_SEAMS):
                at = text.find(seam, at + 1)
                if at < 0:
                    break
                left, right = text[:at], text[at + len(seam) :]
                told = self._sentence(left, depth + 1), self._sentence(right, depth + 1)
                if told != (None, None):
                    sides = (
                        known if known is not None else self.chinese(side, depth + 1)
                        for side, known in zip((left, right), told, strict=True)
                    )
                    return joint.chinese.format(*sides)
        return text


@cache
def _table() -> _Table:
    text = resources.files("hometone_shared").joinpath("data", "error-words.zh.json").read_text(encoding="utf-8")
    words: dict[str, str] = json.loads(text)
    return _Table.of(words)


def in_language(text: str, language: Language) -> str:
    """A message or a hint of an error in a language.

    Args:
        text: The message or hint as it was raised, in English.
        language: The reader's.

    Returns:
        The same for the reader; unchanged where it is English that is asked for, or the sentence is not known.
    """
    return text if language == "en" or len(text) > _LONGEST_TEXT else _table().chinese(text)
