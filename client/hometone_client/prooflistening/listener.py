"""The recogniser as a listener: was one spoken sentence understood?

1. It hears the sentence in its language, on this machine (`takes.Transcriber`). Where the words are the ones of the text, that is all.
2. Otherwise sounds are compared (`sounds`): errors per sound, stretches that are missing, stretches too much, each with a bound of its own
   (`BOUNDS`; how they were measured: docs/proof-listening.md).
3. A sentence with two languages is heard in the other one, too, because the recogniser writes foreign words in the script of the language
   that it was told, or translates them; a sound that either hearing has was said.
4. A recogniser that goes round in circles says so: then nothing was understood, whatever the words are.
5. Languages for which no bounds were measured are not checked, and said so: dialects above all.

What it may see: sound and text of one sentence, in memory. What it must never do: keep either, or write them to a log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hometone_client.evaluation.error_rates import count_errors
from hometone_client.models import ensure
from hometone_client.prooflistening.sounds import SoundErrors, sound_errors, sounds
from hometone_client.speaking import SpokenSentence
from hometone_client.speaking.finishing import SAMPLE_RATE_HZ
from hometone_client.takes import Transcriber
from hometone_client.text import Frontend, Utterance
from hometone_client.text.characters import is_han, is_latin
from hometone_shared.errors import TextError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a sentence that was understood keeps below, in one language.

    Attributes:
        rate: Errors per sound, at most.
        missing: Sounds in a row that may be missing.
        extra: Sounds in a row that may be too much.
    """

    rate: float
    missing: int
    extra: int


_LATIN: Final = Bounds(rate=0.2, missing=2, extra=2)
BOUNDS: Final = {
    "en": _LATIN,
    "es": _LATIN,
    "fr": _LATIN,
    "it": _LATIN,
    "pt": _LATIN,
    "zh": Bounds(rate=0.28, missing=2, extra=2),
    "mixed": Bounds(rate=0.28, missing=3, extra=2),
}
"""Chosen where stock voices' good sentences stay below and a swallowed word does not: benchmarks/proof_listening.py."""
_LATIN_OF_MIXED: Final = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What one hearing of one sentence found.

    Attributes:
        understood: Whether the sentence passes for understood.
        errors: In sounds.
        language: As the bounds name it: a language, or "mixed".
        doubtful: Whether the recogniser doubts what it wrote (4).
        text: What was heard. It is what somebody had said aloud: never in a log, never kept.
    """

    understood: bool
    errors: SoundErrors
    language: str
    doubtful: bool
    text: str = field(repr=False)

    @property
    def error_rate(self) -> float:
        """Errors per sound; 0 is as it was to be."""
        return self.errors.rate


class ProofListener:
    """A recogniser that listens to what this program says; loaded once (about 150 MB), safe to use from one thread at a time."""

    def __init__(
        self, models: Path, *, threads: int = 1, progress: Callable[[str], None] | None = None, transcriber: Transcriber | None = None
    ) -> None:
        """Load the recogniser.

        Args:
            models: The model folder.
            threads: Threads within one operation.
            progress: Told what is being done where the weights are put together for the first time.
            transcriber: One that is loaded already.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        self._transcriber = transcriber or Transcriber(ensure("whisper-base", progress=progress, folder=models), threads=threads)
        self._frontend = Frontend()

    def checks(self, utterance: Utterance) -> bool:
        """Whether sentences of this language are listened to at all (5)."""
        return checked_language(utterance) is not None

    def hear(self, sentence: SpokenSentence) -> Hearing | None:
        """Listen to a sentence; None where its language is not checked.

        Args:
            sentence: What was spoken, and what was to be spoken.
        """
        utterance = sentence.utterance
        language = checked_language(utterance)
        if language is None:
            return None
        found = judged(utterance, [self._heard(sentence, utterance.language.partition("-")[0])], language=language, frontend=self._frontend)
        if language == "mixed" and not found.understood:  # (3)
            texts = [Heard(found.text, found.doubtful), self._heard(sentence, _LATIN_OF_MIXED)]
            return judged(utterance, texts, language=language, frontend=self._frontend)
        return found

    def _heard(self, sentence: SpokenSentence, language: str) -> "Heard":
        transcript = self._transcriber.transcribe(sentence.samples, SAMPLE_RATE_HZ, language=language)  # (1)
        return Heard(transcript.text, transcript.doubtful)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the recogniser wrote.

    Attributes:
        text: Never in a log, never kept.
        doubtful: Whether it doubts itself (4).
    """

    text: str = field(repr=False)
    doubtful: bool = False


def checked_language(utterance: Utterance) -> str | None:
    """The language whose bounds hold for a sentence; None where there are none."""
    if utterance.language == "zh" and any(map(is_latin, utterance.text)) and any(map(is_han, utterance.text)):
        return "mixed"
    plain = "en" if utterance.language == "en-gb" else utterance.language
    return plain if plain in BOUNDS else None


def judged(utterance: Utterance, texts: Sequence[Heard], *, language: str, frontend: Frontend) -> Hearing:
    """Hold what was heard against what was to be said.

    Args:
        utterance: What was to be said.
        texts: What the recogniser wrote, in one language or in two.
        language: As `checked_language` gives it.
        frontend: Reads what was heard.
    """
    wanted = sounds(utterance.phonemes)
    doubtful = all(heard.doubtful for heard in texts)
    exactly = next((heard for heard in texts if not heard.doubtful and exact(utterance, heard.text, language=language)), None)
    if exactly is not None:
        none = SoundErrors(len(wanted), 0, 0, 0, (True,) * len(wanted))
        return Hearing(understood=True, errors=none, language=language, text=exactly.text, doubtful=False)
    found = [sound_errors(wanted, _read(heard.text, utterance.language, frontend=frontend)) for heard in texts]  # (2)
    errors = found[0] if len(found) == 1 else found[0].together_with(found[1])  # (3)
    bounds = BOUNDS[language]
    within = errors.rate <= bounds.rate and errors.missing <= bounds.missing and errors.extra <= bounds.extra
    heard_any = any(heard.text for heard in texts)
    return Hearing(
        understood=within and heard_any and not doubtful, errors=errors, language=language, text=texts[0].text, doubtful=doubtful
    )


def exact(utterance: Utterance, heard: str, *, language: str) -> bool:
    """Whether the words are the ones of the text, as written or as spoken."""
    if count_errors(utterance.text, heard, language).errors == 0:
        return True
    spoken = ("" if language == "zh" else " ").join(word.text for word in utterance.words)
    return count_errors(spoken, heard, language).errors == 0


def _read(heard: str, language: str, *, frontend: Frontend) -> tuple[str, ...]:
    """The sounds of what was heard; characters that nobody can read are left out."""
    latin = None if language == "zh" else language
    try:
        return tuple(sound for part in frontend.utterances(heard, language=latin) for sound in sounds(part.phonemes))
    except TextError:
        kept = "".join(character if character.isascii() or is_han(character) or is_latin(character) else " " for character in heard)
    try:
        return tuple(sound for part in frontend.utterances(kept, language=latin) for sound in sounds(part.phonemes))
    except TextError:
        return ()
