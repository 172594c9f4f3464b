"""Takes on their way into the vault: what is expected to be said, the gate, the sealed take. The same for the command and the pages.

What it may see: recordings in memory, her unlocked things. What it must never do: store a take that the gate refused.
"""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hometone_client.models import ensure
from hometone_client.speakers.entries import TakeRecord
from hometone_client.speakers.room import SpeakerRoom

if TYPE_CHECKING:
    from hometone_client.audio import RawTake
    from hometone_client.takes import AssessedTake, Transcriber


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a take is expected to say.

    Attributes:
        text: The sentence that is read; None for free speech.
        language: ISO 639 code; None lets the recogniser tell.
    """

    text: str | None
    language: str | None


class Recogniser:
    """The speech recogniser, loaded with the first take that needs it and shared by everybody after."""

    def __init__(self, models: Path, *, progress: Callable[[str], None] | None = None) -> None:
        """Nothing is loaded yet.

        Args:
            models: The model folder.
            progress: Told what is being done when the model is put together for the first time.
        """
        self._models = models
        self._progress = progress
        self._lock = threading.Lock()
        self._loaded: Transcriber | None = None

    def __call__(self) -> "Transcriber":
        """It.

        Raises:
            ModelError: It is not installed.
        """
        from hometone_client.takes import Transcriber

        with self._lock:
            if self._loaded is None:
                self._loaded = Transcriber(ensure("whisper-base", progress=self._progress, folder=self._models))
            return self._loaded


def assess(take: "RawTake", *, spoken: Spoken, recogniser: Recogniser) -> "AssessedTake":
    """Measure a take and write down what is heard.

    Raises:
        ModelError: Public weights are missing.
        UsageError: The recogniser does not know the language.
    """
    from hometone_client.takes import intake

    return intake(take, prompt=spoken.text, language=spoken.language, transcriber=recogniser())


def plain_figures(assessed: "AssessedTake") -> dict[str, Any]:
    """The figures of a take as plain JSON, without words."""
    figures = dataclasses.asdict(assessed.report)
    figures.pop("findings")
    figures["error_rate"] = assessed.error_rate
    figures["verdict"] = assessed.verdict.value
    return figures


def keep(room: SpeakerRoom, assessed: "AssessedTake", *, spoken: Spoken, held_out: bool = False, language: str = "en") -> TakeRecord:
    """Store a take that the gate let pass, sealed.

    Args:
        room: Her things, unlocked.
        assessed: The take.
        spoken: What it was expected to say.
        held_out: Keep it for judging the voice; do not learn from it.
        language: In which a refusal is worded.

    Raises:
        TakeRejectedError: The gate refused it; with figure and aim.
        StorageError: The disk refuses; nothing was added.
    """
    assessed.accepted(language=language)
    heard = assessed.transcript.text if assessed.transcript is not None else ""
    return room.add_take(
        assessed.take,
        text=spoken.text or heard,
        language=assessed.language or "",
        speech_s=assessed.report.speech_s,
        quality=plain_figures(assessed),
        passages=tuple((passage.segment.start_s, passage.segment.end_s, passage.text) for passage in assessed.passages),
        held_out=held_out,
    )
