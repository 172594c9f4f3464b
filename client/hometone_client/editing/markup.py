"""What a marked-up text says, apart from its words: which characters are changed how, and where pauses stand.

A `Script` is the text as `text.characters.readable` leaves it, with marks on its characters; `placing` finds the spoken words of them.
"""

from dataclasses import dataclass

from hometone_client.editing.expression import Expression
from hometone_client.text.words import Stretch


@dataclass(frozen=True, slots=True)
class Span:
    """Characters that an element encloses, and what it changes.

    Attributes:
        start: First character.
        stop: One behind the last.
        expression: What changes.
        where: The element and its line, for errors.
    """

    start: int
    stop: int
    expression: Expression
    where: str


@dataclass(frozen=True, slots=True)
class Break:
    """A pause.

    Attributes:
        at: The character before which it stands.
        seconds: 0 to 10.
        where: The element and its line, for errors.
    """

    at: int
    seconds: float
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A text with marks.

    Attributes:
        text: Its words, readable; a line end wherever an element ends a sentence or a paragraph.
        language: How Latin words are read; None when the markup does not say.
        stretches: What is read otherwise.
        spans: From the outermost to the innermost.
        breaks: In order.
        soft_ends: Characters at which a sentence ends that no paragraph ends with.
    """

    text: str
    language: str | None = None
    stretches: tuple[Stretch, ...] = ()
    spans: tuple[Span, ...] = ()
    breaks: tuple[Break, ...] = ()
    soft_ends: frozenset[int] = frozenset()
