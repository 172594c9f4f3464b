"""What was said: the multilingual Whisper base model through faster-whisper, on this machine only (requirement 4).

1. Where `segmentation` finds no speech nothing is transcribed: Whisper invents sentences for silence ("thanks for watching").
2. One pass at temperature 0 with beam 5, no earlier text as context, so the same take gives the same words and one mistake does not
   breed others.
3. A phrase said four times and more in a row is the model going round in circles: it is kept once, and the transcript is doubtful. So it
   is when the model itself is unsure (mean log probability below -1) or its text compresses like a loop (ratio above 2.4; both bounds
   are Whisper's own, Radford et al. 2022, section 4.5).
4. Chinese comes out in simplified characters.

May see: sound in memory, and a model folder. Never the network: the folder is complete or `ModelError` says so.
"""

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hometone_client.audio.resampling import resample
from hometone_client.takes.agreement import simplified
from hometone_client.takes.segmentation import detect
from hometone_shared.errors import ModelError, UsageError

RATE_HZ: Final = 16_000
_FILES: Final = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
_BEAM: Final = 5
_MIN_LOG_PROBABILITY: Final = -1.0
_MAX_COMPRESSION: Final = 2.4
_NO_SPEECH: Final = 0.6
_LOOP: Final = re.compile(r"(\S(?:.{0,60}?\S)?)(?:[\s,，.。、!！?？]*\1){3,}", re.DOTALL)
_ONE_LETTER: Final = re.compile(r"(.)\1*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its time.

    Attributes:
        text: As written, without spaces around it.
        start_s: Seconds from the beginning of the sound given.
        end_s: Likewise.
        probability: Of the recogniser, 0 to 1.
    """

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the recogniser heard.

    Attributes:
        text: One line; empty when nobody speaks.
        language: ISO 639 code; empty when nobody speaks and none was given.
        language_probability: 1.0 when the language was given.
        doubtful: Whether rule 3 above applies; such words must not be trained on.
        words: With times, when they were asked for; otherwise empty.
    """

    text: str
    language: str
    language_probability: float
    doubtful: bool
    words: tuple[Word, ...] = ()


class Transcriber:
    """The recogniser, loaded once (about 150 MB) and used many times, one transcription at a time."""

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        """Load the model, int8 on the processor.

        Args:
            folder: As `hometone_client.models.catalogue.ensure("whisper-base")` gives it.
            threads: Processor threads to use.

        Raises:
            ModelError: Files are missing or damaged.
        """
        if not all((folder / name).is_file() for name in _FILES):
            raise ModelError("the speech recogniser is not installed completely", hint="run: hometone doctor")
        import faster_whisper

        try:
            self._model: Any = faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except Exception as error:  # ctranslate2 and tokenizers raise bare RuntimeError, ValueError and Exception
            raise ModelError("the speech recogniser is damaged", hint="delete its folder among the models and start again") from error
        self._lock = threading.Lock()

    def transcribe(
        self, samples: npt.NDArray[np.float32], sample_rate_hz: int, *, language: str | None = None, words: bool = False
    ) -> Transcript:
        """Write down what is said.

        Args:
            samples: float32 [n], mono, any length.
            sample_rate_hz: Their rate.
            language: ISO 639 code, or None to let the model tell.
            words: Whether to give the times of words, which costs about a third more.

        Raises:
            UsageError: The model does not know that language.
        """
        if language is not None and language not in self.languages:
            raise UsageError(f"the recogniser does not know the language {language!r}", hint="leave the language out, or name another")
        heard = detect(samples, sample_rate_hz)
        if not heard.speech:
            return Transcript("", language or "", 1.0 if language else 0.0, doubtful=False)
        first, last = heard.speech[0].start_s, heard.speech[-1].end_s
        spoken = samples[round(first * sample_rate_hz) : round(last * sample_rate_hz)]
        at_16k = resample(spoken, from_hz=sample_rate_hz, to_hz=RATE_HZ)
        with self._lock:
            segments, about = self._model.transcribe(
                at_16k,
                language=language,
                beam_size=_BEAM,
                temperature=0.0,
                condition_on_previous_text=False,
                compression_ratio_threshold=_MAX_COMPRESSION,
                log_prob_threshold=_MIN_LOG_PROBABILITY,
                no_speech_threshold=_NO_SPEECH,
                word_timestamps=words,
            )
            parts = list(segments)
        chinese = about.language == "zh"
        text = " ".join("".join(part.text for part in parts).split())
        text = simplified(text) if chinese else text
        once = collapse_loops(text)
        doubtful = once != text or any(
            part.avg_logprob < _MIN_LOG_PROBABILITY or part.compression_ratio > _MAX_COMPRESSION for part in parts
        )
        timed = tuple(
            Word(
                text=simplified(word.word.strip()) if chinese else word.word.strip(),
                start_s=first + float(word.start),
                end_s=first + float(word.end),
                probability=float(word.probability),
            )
            for part in parts
            for word in (part.words or ())
        )
        probability = 1.0 if language is not None else float(about.language_probability)
        return Transcript(once, str(about.language), probability, doubtful=doubtful, words=timed)

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639 codes that the model knows."""
        return frozenset(self._model.supported_languages)


def collapse_loops(text: str) -> str:
    """A phrase that comes four times and more in a row, once; numbers such as "0000" and drawn-out letters stay."""
    return _LOOP.sub(lambda found: found.group() if _ONE_LETTER.fullmatch(found.group(1)) else found.group(1), text)
