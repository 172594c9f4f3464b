"""The recording of a spoken yes: the phrase of a consent, through the laptop's microphone, in memory until it was checked.

The microphone is one person's at a time (`enrolling.studio`). What it may see: sound in memory. What it must never do: write it anywhere,
or go on when the person who records is locked.
"""

import logging
import threading
from typing import Final

from hometone_client.audio import RawTake
from hometone_client.enrolling.loudness import Loudmeter
from hometone_client.enrolling.studio import Studio
from hometone_shared.errors import AudioError, HometoneError, UsageError

LONGEST_S: Final = 30.0
_PATIENCE_S: Final = 20.0
"""How long the end may take, the last half second included."""
_LOG: Final = logging.getLogger(__name__)


class _Running:
    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self.stop = threading.Event()
        self.done = threading.Event()
        self.meter = Loudmeter()
        self.take: RawTake | None = None
        self.failure: HometoneError | None = None


class PhraseRecording:
    """What one session records; it ends without a take when its person is locked."""

    def __init__(self, studio: Studio) -> None:
        """Nothing is recorded yet."""
        self._studio = studio
        self._lock = threading.Lock()
        self._now: _Running | None = None

    @property
    def purpose(self) -> str:
        """What the phrase is for; empty when nothing is recorded."""
        now = self._now
        return "" if now is None else now.purpose

    @property
    def is_over(self) -> bool:
        """Whether it has ended by itself, well or not, and waits for `end`."""
        now = self._now
        return now is not None and now.done.is_set()

    @property
    def meter(self) -> Loudmeter:
        """How loud it is."""
        now = self._now
        return Loudmeter() if now is None else now.meter

    def begin(self, purpose: str) -> None:
        """Open the microphone.

        Raises:
            UsageError: This session records already.
            ResourceError: Somebody else does.
        """
        with self._lock:
            if self._now is not None:
                raise UsageError("a recording is going on already", hint="end it first")
            self._studio.take_turn()
            now = self._now = _Running(purpose)
        threading.Thread(target=self._run, args=(now,), name="phrase", daemon=True).start()

    def end(self) -> RawTake:
        """End the recording, and give what was recorded; it is kept nowhere else.

        Raises:
            UsageError: Nothing is recorded.
            AudioError: The microphone refused, or only silence came.
        """
        with self._lock:
            now, self._now = self._now, None
        if now is None:
            raise UsageError("there is no recording to be kept", hint="record the sentence first")
        now.stop.set()
        ended = now.done.wait(_PATIENCE_S)
        if now.failure is not None:
            raise now.failure
        if not ended or now.take is None:
            raise _failed()
        return now.take

    def close(self) -> None:
        """End it, and forget what was recorded."""
        with self._lock:
            now, self._now = self._now, None
        if now is not None:
            now.stop.set()

    def _run(self, now: _Running) -> None:
        try:
            now.take = self._studio.microphone.record(stop=now.stop, device=None, on_level=now.meter.add, max_duration_s=LONGEST_S)
        except HometoneError as error:
            now.failure = error
        except Exception as error:
            _LOG.error("a recording failed: %s", type(error).__name__)  # never what was said
            now.failure = _failed()
        finally:
            self._studio.end_turn()
            now.done.set()


def _failed() -> AudioError:
    return AudioError("the recording failed", hint="try again; if it fails again, restart Hometone")
