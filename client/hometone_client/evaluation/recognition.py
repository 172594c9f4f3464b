"""The recogniser that judges intelligibility: Whisper base on this machine, always with the same settings.

A judge has other needs than a helper that writes down free speech: no voice activity filter, no earlier text as context, no random
sampling after a failed search, one language given. Same sound, same text.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from hometone_client.embedding.mel import Floats
from hometone_shared.errors import ModelError

Transcriber = Callable[[Floats, int, str], str]
"""Called with samples, their rate in Hz, and a language; returns the text."""

_SAMPLE_RATE_HZ = 16000
_BEAM_SIZE = 5
_CHINESE_PROMPT = "以下是普通话的句子。"  # simplified characters and punctuation
_SPOKEN_AS = {"mixed": "zh"}


class WhisperTranscriber:
    """Whisper base, loaded once; call it like a function."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load the recogniser with 8-bit weights.

        Args:
            folder: The catalogue's `whisper-base` folder.
            threads: Threads inside one operation.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        from faster_whisper import WhisperModel

        try:
            self._model: Any = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError("the speech recogniser cannot be loaded", hint="run `hometone doctor`") from error

    def __call__(self, samples: Floats, rate: int, language: str) -> str:
        """Return the recognised text.

        Args:
            samples: float32 [n], mono, in [-1, 1].
            rate: Sample rate, Hz.
            language: Language of the speech; `mixed` is heard as Chinese.
        """
        signal = np.asarray(samples, dtype=np.float32)
        if rate != _SAMPLE_RATE_HZ:
            signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
        heard_as = _SPOKEN_AS.get(language, language)
        segments, _ = self._model.transcribe(
            signal,
            language=heard_as,
            beam_size=_BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            vad_filter=False,
            initial_prompt=_CHINESE_PROMPT if heard_as == "zh" else None,
        )
        return "".join(segment.text for segment in segments).strip()
