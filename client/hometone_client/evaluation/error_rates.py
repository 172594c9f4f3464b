"""Word and character error rates: how well speech is understood by a recogniser.

Errors are the Levenshtein distance (substitutions, deletions, insertions) between the units of the text that was to be said and those
of what was recognised, divided by the number of units that were to be said. For Chinese the units are characters (CER), for languages
with an alphabet words (WER), in mixed sentences both (mixed error rate).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import jiwer

from hometone_client.evaluation.normalisation import NumberReading, units

_READINGS: tuple[NumberReading, NumberReading] = ("whole", "digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    """Errors of one or more sentences.

    Attributes:
        substitutions: Units that were recognised as others.
        deletions: Units that were not recognised.
        insertions: Units that were recognised and not to be said.
        length: Units that were to be said.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    length: int = 0

    @property
    def errors(self) -> int:
        """All errors together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per unit that was to be said; can exceed 1. No units to say: 0 without insertions, else 1."""
        if self.length == 0:
            return float(self.errors > 0)
        return self.errors / self.length

    def __add__(self, other: "ErrorCount") -> "ErrorCount":
        """Pool the errors of two sets of sentences."""
        return ErrorCount(
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
            length=self.length + other.length,
        )


def count_errors(reference: str, recognised: str, language: str) -> ErrorCount:
    """Compare what was to be said with what was recognised.

    Figures are read as whole numbers and digit by digit; the reading with fewer errors counts, because a recogniser may write either.

    Args:
        reference: The text that was spoken.
        recognised: The recogniser's text.
        language: Language of the text (see `normalisation.units`).
    """
    return min((_compare(reference, recognised, language, numbers) for numbers in _READINGS), key=lambda count: count.errors)


def pool(counts: Iterable[ErrorCount]) -> ErrorCount:
    """Add up the errors of many sentences; their rate weighs sentences by length."""
    return sum(counts, start=ErrorCount())


def _compare(reference: str, recognised: str, language: str, numbers: NumberReading) -> ErrorCount:
    wanted = units(reference, language, numbers=numbers)
    heard = units(recognised, language, numbers=numbers)
    if not wanted:
        return ErrorCount(insertions=len(heard))
    if not heard:
        return ErrorCount(deletions=len(wanted), length=len(wanted))
    alignment = jiwer.process_words(" ".join(wanted), " ".join(heard))
    return ErrorCount(
        substitutions=alignment.substitutions,
        deletions=alignment.deletions,
        insertions=alignment.insertions,
        length=len(wanted),
    )
