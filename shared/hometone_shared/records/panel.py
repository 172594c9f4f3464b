"""What a coordinator asks people to listen to: a panel (docs/listening.md, section 2).

A panel holds sentences and numbers, no sound. Every laptop makes its own clips of the voices on it whose owners agreed, and people take
the test there, so that neither a recording nor a voice travels. What it may see: what whoever made it wrote. What it must never do: name a
person.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/listening-panel/v1"
NUMBER_CHARACTERS: Final = 16
MIXED: Final = "mixed"
"""In the place of a language: sentences in Chinese with words of another one in them."""
LONGEST_TITLE: Final = 100
LONGEST_SENTENCE: Final = 200
MOST_SENTENCES: Final = 20
MOST_LANGUAGES: Final = 20
LEAST_TRIALS: Final = 8
MOST_TRIALS: Final = 120
LEAST_TRAPS: Final = 2
MOST_TRAPS: Final = 10
_LATEST: Final = 1 << 40
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_STOCK: Final = re.compile(r"[a-z]{2}_[a-z0-9]{1,30}")


class Scale(StrEnum):
    """What listeners are asked.

    * `naturalness`: how natural a clip sounds, absolute category rating, 1 bad to 5 excellent (ITU-T P.800, annex B);
    * `similarity`: whether two clips are of one person, 1 certainly not to 5 certainly, the first a known recording of hers;
    * `preference`: how much better the second of two clips is, comparison category rating, -3 to 3 (P.800, annex E);
    * `dialect`: how genuine the dialect sounds to people who grew up with it, 1 to 5.
    """

    NATURALNESS = "naturalness"
    SIMILARITY = "similarity"
    PREFERENCE = "preference"
    DIALECT = "dialect"

    @property
    def lowest(self) -> int:
        """The worst answer."""
        return -3 if self is Scale.PREFERENCE else 1

    @property
    def highest(self) -> int:
        """The best answer."""
        return 3 if self is Scale.PREFERENCE else 5

    @property
    def width(self) -> int:
        """Distance of the two."""
        return self.highest - self.lowest


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel.

    Attributes:
        number: 16 hexadecimal digits, random; its name everywhere.
        title: What people read above it.
        sentences: Language, or `MIXED` -> what is spoken; at least one language of one's own.
        scales: What is asked; naturalness always, preference exactly where there are mixed sentences.
        trials: How many questions a session has, beside the traps.
        traps: How many clips that say themselves what is to be answered.
        baseline: Name of the stock voice that mixed sentences are compared with, such as `zf_xiaobei`.
        made: Seconds since 1970; the newest counts.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    number: str
    title: str
    sentences: dict[str, tuple[str, ...]]
    scales: frozenset[Scale]
    trials: int
    traps: int
    baseline: str
    made: int

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that voices are asked to speak in, `MIXED` left out."""
        return tuple(language for language in self.sentences if language != MIXED)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "baseline": self.baseline,
            "made": self.made,
            "number": self.number,
            "scales": sorted(scale.value for scale in self.scales),
            "sentences": {language: list(spoken) for language, spoken in self.sentences.items()},
            "title": self.title,
            "traps": self.traps,
            "trials": self.trials,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read a panel.

        Raises:
            ProtocolError: It is not one.
        """
        return cls(**_read(document))

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The panel under the coordinator's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a panel.

        Raises:
            ProtocolError: Another key signed it, or it is not a panel.
        """
        return cls.from_document(envelope.verified(KIND, key=key))


def _shown(text: str, *, what: str) -> str:
    """A text that can be shown in one line."""
    if not text.isprintable() or not text.strip():
        raise ProtocolError(f"{what} is empty or cannot be shown")
    return text


def _stock_voice(name: str) -> str:
    if _STOCK.fullmatch(name) is None:
        raise ProtocolError("the baseline of a panel is not a stock voice")
    return name


def _sentences(mapping: Document) -> dict[str, tuple[str, ...]]:
    read: dict[str, tuple[str, ...]] = {}
    for language, spoken in sorted(mapping.items()):
        if language != MIXED and _LANGUAGE.fullmatch(language) is None:
            raise ProtocolError("a panel names a language that is none")
        if not isinstance(spoken, list) or not 1 <= len(spoken) <= MOST_SENTENCES:
            raise ProtocolError(f"a panel has 1 to {MOST_SENTENCES} sentences in each language")
        if not all(isinstance(sentence, str) and len(sentence) <= LONGEST_SENTENCE for sentence in spoken):
            raise ProtocolError(f"a sentence of a panel has at most {LONGEST_SENTENCE} characters")
        if len(set(spoken)) != len(spoken):
            raise ProtocolError("a panel has a sentence twice")
        read[language] = tuple(_shown(sentence, what="a sentence of a panel") for sentence in spoken)
    if not read.keys() - {MIXED}:
        raise ProtocolError("a panel has no language")
    return read


def _scales(values: list[Any], *, has_mixed: bool) -> frozenset[Scale]:
    known = {scale.value: scale for scale in Scale}
    if not all(isinstance(value, str) and value in known for value in values) or values != sorted(set(values)):
        raise ProtocolError("scales is not a sorted list of scales")
    scales = frozenset(known[value] for value in values)
    if Scale.NATURALNESS not in scales:
        raise ProtocolError("a panel asks at least for naturalness, by which listeners are checked")
    if (Scale.PREFERENCE in scales) is not has_mixed:
        raise ProtocolError("a panel asks for a preference exactly where it has mixed sentences")
    return scales


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    sentences = _sentences(fields.mapping("sentences", most=MOST_LANGUAGES))
    read = {
        "baseline": _stock_voice(fields.text("baseline", longest=40)),
        "made": fields.integer("made", low=0, high=_LATEST),
        "number": fields.hexadecimal("number", characters=NUMBER_CHARACTERS),
        "scales": _scales(fields.items("scales", most=len(Scale)), has_mixed=MIXED in sentences),
        "sentences": sentences,
        "title": _shown(fields.text("title", longest=LONGEST_TITLE), what="the title of a panel"),
        "traps": fields.integer("traps", low=LEAST_TRAPS, high=MOST_TRAPS),
        "trials": fields.integer("trials", low=LEAST_TRIALS, high=MOST_TRIALS),
    }
    fields.done()
    return read
