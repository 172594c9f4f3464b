"""A sentence that is not understood is said again with another seed, at most twice; then it is reported, never silently wrong.

1. Say it, hear it. Understood, or a language that is not checked: done.
2. Say it again: another seed, and at the last attempt without noise, which is the safest reading (`attempt_settings`).
3. Of all attempts the one with the fewest errors is kept, the earlier one of equals. If none was understood, the verdict says so, and the
   caller tells the person.

Users of such systems ask for it (RVC-Boss/GPT-SoVITS, issue 964). What it may see: sentences in memory. What it must never do: keep or
log what was heard.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np

from hometone_client.prooflistening.listener import ProofListener
from hometone_client.speaking import SpeakingSettings, SpokenSentence

ATTEMPTS: Final = 3
"""Once, and at most twice again."""
_CALM: Final = 0.5
"""Share of the wished noise that the second attempt keeps."""


class Verdict(StrEnum):
    """What came of listening."""

    UNDERSTOOD = "understood"
    NOT_UNDERSTOOD = "not understood"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Proof:
    """A sentence after listening.

    Attributes:
        sentence: The attempt that is kept.
        attempts: How often it was said, 1 to 3.
        error_rate: Errors per sound of the attempt that is kept; None where nothing was checked.
        verdict: What came of it.
        heard: What was heard, for the person who listens; never in a log, never kept. Empty where nothing was checked.
    """

    sentence: SpokenSentence
    attempts: int
    error_rate: float | None
    verdict: Verdict
    heard: str = field(default="", repr=False)


def attempt_settings(settings: SpeakingSettings, attempt: int) -> SpeakingSettings:
    """How a sentence is said at an attempt: as wished, then with half the noise, then with none; each with a seed of its own.

    Args:
        settings: The listener's wishes.
        attempt: 0 is the first.
    """
    if attempt == 0:
        return settings
    seed = None if settings.seed is None else int(np.random.SeedSequence([settings.seed, attempt]).generate_state(1, np.uint64)[0] >> 1)
    noise = 0.0 if attempt == ATTEMPTS - 1 else settings.noise_scale * _CALM
    return replace(settings, seed=seed, noise_scale=noise)


def proof_heard(speak: Callable[[int], SpokenSentence], listener: ProofListener, *, attempts: int = ATTEMPTS) -> Proof:
    """Say one sentence until it is understood, at most three times.

    Args:
        speak: Says the sentence; called with the number of the attempt, from 0 (`attempt_settings`).
        listener: Who hears it.
        attempts: At most how often it is said, from 1.

    Returns:
        The best attempt, and what came of it.
    """
    kept = _heard(listener, speak(0), attempts=1)  # (1)
    for attempt in range(1, attempts):
        if kept.verdict is not Verdict.NOT_UNDERSTOOD:
            break
        other = _heard(listener, speak(attempt), attempts=attempt + 1)  # (2)
        better = other.verdict is Verdict.UNDERSTOOD or (other.error_rate or 0.0) < (kept.error_rate or 0.0)
        kept = other if better else replace(kept, attempts=attempt + 1)  # (3)
    return kept


def _heard(listener: ProofListener, sentence: SpokenSentence, *, attempts: int) -> Proof:
    hearing = listener.hear(sentence)
    if hearing is None:
        return Proof(sentence=sentence, attempts=attempts, error_rate=None, verdict=Verdict.NOT_CHECKED)
    verdict = Verdict.UNDERSTOOD if hearing.understood else Verdict.NOT_UNDERSTOOD
    return Proof(sentence=sentence, attempts=attempts, error_rate=hearing.error_rate, verdict=verdict, heard=hearing.text)


@dataclass(slots=True)
class ProofSummary:
    """What came of listening to a whole text, for an answer or a log: counts, never words.

    Attributes:
        sentences: How many were said.
        repeated: How many were said more than once.
        not_understood: Numbers, from 1, of those that were not understood at any attempt.
        not_checked: How many were in a language that is not checked.
    """

    sentences: int = 0
    repeated: int = 0
    not_understood: list[int] = field(default_factory=list)
    not_checked: int = 0

    def add(self, proof: Proof) -> None:
        """Count one more sentence."""
        self.sentences += 1
        self.repeated += proof.attempts > 1
        if proof.verdict is Verdict.NOT_UNDERSTOOD:
            self.not_understood.append(self.sentences)
        self.not_checked += proof.verdict is Verdict.NOT_CHECKED

    def to_record(self) -> dict[str, int | list[int]]:
        """Plain JSON."""
        return {
            "sentences": self.sentences,
            "repeated": self.repeated,
            "not_understood": list(self.not_understood),
            "not_checked": self.not_checked,
        }


class Proofreader:
    """What `Synthesizer.speak` hands every sentence to: it is said, heard, said again where it has to be, and counted."""

    def __init__(self, listener: ProofListener, *, attempts: int = ATTEMPTS) -> None:
        """Begin with nothing said.

        Args:
            listener: Who hears the sentences.
            attempts: At most how often each is said.
        """
        self._listener = listener
        self._attempts = attempts
        self.summary = ProofSummary()

    def __call__(self, say: Callable[[SpeakingSettings], SpokenSentence], settings: SpeakingSettings) -> SpokenSentence:
        """Say one sentence until it is understood; the best attempt comes back, and `summary` knows what came of it.

        Args:
            say: Says it with some settings.
            settings: The listener's wishes.
        """
        proof = proof_heard(lambda attempt: say(attempt_settings(settings, attempt)), self._listener, attempts=self._attempts)
        self.summary.add(proof)
        return proof.sentence
