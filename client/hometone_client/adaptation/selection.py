"""Chooses how much of what was learnt a voice keeps: as much likeness as the words can bear.

For every strength the voice speaks the same sentences of the enrolment; the recogniser writes them down; likeness is measured against the
centroid of the enrolment. The near mixture of stock voices, which has learnt nothing, is the standard for intelligibility.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hometone_client.adaptation.analysis import Floats
from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.takes.agreement import error_rate, units

# More errors than the mixture makes, in characters (words of five letters: about one word in a hundred).
ALLOWED_ERRORS = 0.006


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a trial speaks."""

    text: str
    language: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One strength and what came of it.

    Attributes:
        strength: Share of the learnt change that was kept.
        likeness: Mean GE2E cosine of the utterances to the centroid of the enrolment.
        errors: Character error rate by the recogniser, or None where there is none for the language.
        sounds: float32 at 24 kHz, one for each sentence.
    """

    strength: float
    likeness: float
    errors: float | None
    sounds: list[Floats]


def character_errors(sentences: Sequence[Sentence], heard: Sequence[str]) -> float:
    """Errors over all sentences, characters as units."""
    wrong = total = 0.0
    for sentence, text in zip(sentences, heard, strict=True):
        count = max(1, len("".join(units(sentence.text, sentence.language))))
        wrong += count * min(
            1.0,
            error_rate(" ".join("".join(units(sentence.text, sentence.language))), " ".join("".join(units(text, sentence.language))), "en"),
        )
        total += count
    return wrong / max(total, 1.0)


def likeness(encoder: SpeakerEncoder, sounds: Sequence[Floats], centroid: Floats) -> float:
    """Mean cosine of the sounds' embeddings to a unit centroid."""
    return float(np.mean([encoder.embed(sound, SAMPLE_RATE_HZ) @ centroid for sound in sounds]))


def choose(trials: Sequence[Trial], standard: float | None) -> Trial:
    """The most alike of those within the allowed errors; if there is none, the one with the fewest errors."""
    if standard is None or any(trial.errors is None for trial in trials):
        return max(trials, key=lambda trial: trial.likeness)
    fitting = [trial for trial in trials if trial.errors is not None and trial.errors <= standard + ALLOWED_ERRORS]
    if fitting:
        return max(fitting, key=lambda trial: trial.likeness)
    return min(trials, key=lambda trial: (trial.errors, -trial.likeness))
