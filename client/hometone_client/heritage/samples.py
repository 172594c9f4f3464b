"""The sample of an archive: a few sentences that a machine speaks in the voice, marked as such (requirement 58). Never a recording.

What it may see: sentences and sound in memory. What it must never do: make a sound without its label.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from hometone_client.audio.encoding import NATIVE_RATE_HZ, encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.heritage.contents import LONGEST_RECORD
from hometone_client.speaking import SpokenSentence, Synthesizer
from hometone_client.voices import VoiceParameters
from hometone_shared.errors import TextError, UsageError

LONGEST_TEXT: Final = 2000
"""Characters: about five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is heard first when an archive is opened.

    Attributes:
        flac: The sound, with its label.
        text: What it says.
        language: What it is spoken in.
    """

    flac: bytes = field(repr=False)
    text: str = field(repr=False)
    language: str


@cache
def sample_sentences() -> dict[str, str]:
    """What is spoken where nothing else was wished for, by language."""
    text = resources.files("hometone_client.heritage").joinpath("data", "sample_sentences.json").read_text(encoding="utf-8")
    return {str(language): str(sentence) for language, sentence in json.loads(text).items()}


def checked_text(text: str | None, *, language: str) -> str:
    """The text of a sample.

    Args:
        text: What was wished for, if anything.
        language: What the voice speaks.

    Raises:
        UsageError: It is too long, or nothing was wished for and there is no sentence in that language.
    """
    found = sample_sentences().get(language.partition("-")[0]) if text is None else text.strip()
    if not found:
        raise UsageError("there is no sample sentence in this language", hint="give one with --sample-text")
    if len(found) > LONGEST_TEXT or len(found.encode()) > LONGEST_RECORD:
        raise UsageError(f"a sample has at most {LONGEST_TEXT} characters", hint="a few sentences are enough to hear how somebody speaks")
    return found


def spoken_sample(sentences: Iterable[SpokenSentence], *, text: str, language: str) -> Sample:
    """Put the sentences of a synthesis together.

    Args:
        sentences: As `Synthesizer.speak` gives them.
        text: What they say.
        language: What they are spoken in.

    Raises:
        TextError: There is nothing in it that can be read aloud.
    """
    pieces = [sentence.samples for sentence in sentences]
    if not pieces:
        raise TextError("there is nothing in this text that can be read aloud", hint="give at least one word")
    flac = encode(pieces, fmt="flac", sample_rate_hz=NATIVE_RATE_HZ, label=SyntheticLabel.fresh())
    return Sample(flac=flac, text=text, language=language)


def machine_sample(voice: VoiceParameters, *, models: Path, text: str | None = None, language: str | None = None) -> Sample:
    """Speak a sample in a voice.

    Args:
        voice: Whose.
        models: The model folder.
        text: What to say; the sentences of the language otherwise.
        language: What to speak; what the voice was recorded in first otherwise.

    Raises:
        UsageError: As `checked_text`.
        TextError: It cannot be read aloud.
        ModelError: The base is missing, or the voice belongs to another one.
    """
    spoken = language or next(iter(voice.languages), "en")
    words = checked_text(text, language=spoken)
    sentences = Synthesizer(models, voice).speak(words, language=None if spoken.partition("-")[0] == "zh" else spoken)
    return spoken_sample(sentences, text=words, language=spoken)
