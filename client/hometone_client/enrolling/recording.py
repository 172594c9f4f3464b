"""One recording of one person, from the first key to the sealed take: it exists in memory only, until she keeps it.

    idle -> recording -> listening -> judged -> (kept or dropped) -> idle
    recording, listening -> failed -> idle

1. Recording and listening go on in a thread of their own; whoever asks meanwhile is told how far it is.
2. The microphone is one person's at a time (`Studio.take_turn`); it is free again as soon as the recording has ended.
3. `close` drops everything: she was locked, or went away. What a thread brings afterwards is dropped as well.

What it may see: the take. What it must never do: store one that was not kept, or that the gate refused.
"""

import logging
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hometone_client.enrolling.intake import Spoken, assess, keep
from hometone_client.enrolling.loudness import Loudmeter, Loudness
from hometone_client.enrolling.studio import Studio
from hometone_client.speakers.entries import TakeRecord
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import AudioError, HometoneError, UsageError

if TYPE_CHECKING:
    from hometone_client.takes import AssessedTake

SENTENCE_S: Final = 60.0
FREE_SPEECH_S: Final = 180.0
_LOG: Final = logging.getLogger(__name__)


class State(StrEnum):
    """How far a recording is."""

    IDLE = "idle"
    RECORDING = "recording"
    LISTENING = "listening"
    JUDGED = "judged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be recorded.

    Attributes:
        place: Where it belongs, for whoever shows it: a campaign and a number, or free speech.
        spoken: What is expected to be said.
        longest_s: It ends by itself after so long.
    """

    place: str
    spoken: Spoken
    longest_s: float = SENTENCE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A recording at one moment.

    Attributes:
        state: How far it is.
        place: Where it belongs; empty when idle.
        elapsed_s: Seconds recorded so far.
        loudness: How loud she speaks.
        percent: The same on a scale from 0 to 100.
        assessed: The take, when it was judged.
        error: Why it failed.
    """

    state: State
    place: str = ""
    elapsed_s: float = 0.0
    loudness: Loudness = Loudness.NOTHING
    percent: int = 0
    assessed: "AssessedTake | None" = None
    error: HometoneError | None = None


@dataclass(slots=True, eq=False)
class _Running:
    """One recording; a later one is another object, so that a thread never speaks for somebody else's."""

    task: Task
    state: State = State.RECORDING
    stop: threading.Event = field(default_factory=threading.Event)
    meter: Loudmeter = field(default_factory=Loudmeter)
    assessed: "AssessedTake | None" = None
    error: HometoneError | None = None


class Recording:
    """What one person records; safe to use from several threads."""

    def __init__(self, studio: Studio) -> None:
        """Nothing is recorded yet."""
        self._studio = studio
        self._lock = threading.Lock()
        self._now: _Running | None = None
        self._closed = False
        self.device: int | None = None
        """Which microphone she chose; None is the system's choice."""

    @property
    def status(self) -> Status:
        """How far it is."""
        with self._lock:
            now = self._now
            if now is None:
                return Status(state=State.IDLE)
            return Status(
                state=now.state,
                place=now.task.place,
                elapsed_s=now.meter.elapsed_s,
                loudness=now.meter.loudness,
                percent=now.meter.percent,
                assessed=now.assessed,
                error=now.error,
            )

    def start(self, task: Task) -> None:
        """Begin; a take that was neither kept nor dropped is dropped.

        Raises:
            UsageError: A recording is going on already.
            ResourceError: Somebody else records at this moment.
        """
        with self._lock:
            if self._closed:
                raise UsageError("this voice is locked again", hint="unlock it with the PIN or phrase")
            if self._now is not None and self._now.state in {State.RECORDING, State.LISTENING}:
                raise UsageError("a recording is going on already", hint="end it first")
            self._studio.take_turn()
            now = self._now = _Running(task)
        threading.Thread(target=self._run, args=(now,), name="recording", daemon=True).start()

    def stop(self) -> None:
        """End the recording; it is listened to then. Nothing happens if none is going on."""
        with self._lock:
            if self._now is not None:
                self._now.stop.set()

    def again(self) -> None:
        """Drop what was recorded."""
        with self._lock:
            if self._now is not None:
                self._now.stop.set()
            self._now = None

    def keep(self, room: SpeakerRoom, *, language: str) -> TakeRecord:
        """Store the take, sealed, once.

        Args:
            room: Her things.
            language: In which a refusal is worded.

        Raises:
            UsageError: There is none.
            TakeRejectedError: The gate refused it; it is still there to be listened to.
            StorageError: The disk refuses; it is still there.
        """
        with self._lock:
            now = self._now
            if now is None or now.assessed is None:
                raise UsageError("there is no recording to be kept", hint="record the sentence first")
            record = keep(room, now.assessed, spoken=now.task.spoken, language=language)
            self._now = None
            return record

    def close(self) -> None:
        """Drop everything (3)."""
        with self._lock:
            self._closed = True
            if self._now is not None:
                self._now.stop.set()
            self._now = None

    def _run(self, now: _Running) -> None:
        """The thread (1)."""
        try:
            try:
                take = self._studio.microphone.record(
                    stop=now.stop, device=self.device, on_level=now.meter.add, max_duration_s=now.task.longest_s
                )
            finally:
                self._studio.end_turn()  # (2)
            with self._lock:
                if self._now is not now:
                    return
                now.state = State.LISTENING
            assessed = assess(take, spoken=now.task.spoken, recogniser=self._studio.recogniser)
            with self._lock:
                if self._now is now:
                    now.assessed, now.state = assessed, State.JUDGED
        except HometoneError as error:
            self._failed(now, error)
        except Exception as error:
            _LOG.error("a recording failed: %s", type(error).__name__)  # never what was said
            self._failed(now, AudioError("the recording failed", hint="try again; if it fails again, restart Hometone"))

    def _failed(self, now: _Running, error: HometoneError) -> None:
        with self._lock:
            now.error, now.state = error.alone(), State.FAILED
