"""The queue in the background of a program that goes on with other things: one voice after the other, in the worker's own process.

1. `begin` hands in somebody whose job is in the queue already; a thread works them off, oldest first, and ends when there are none.
2. `pause` ends her worker; the job stays in the queue and its checkpoint in her vault, so that `begin` goes on there.
3. `close` ends the worker in the same way: when the program ends, nothing is lost.

What it may see: pseudonyms, and how far the work is. What it must never do: open anybody; the worker does, by her work slot.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hometone_client.jobs.queue import JobQueue, MemoryGate
from hometone_keys import Vault
from hometone_shared.errors import HometoneError, ResourceError

_LOG: Final = logging.getLogger(__name__)
_MEMORY_PATIENCE_S: Final = 120.0
_ENDING_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """How far somebody's voice is.

    Attributes:
        started: Whether her work has begun; otherwise it waits for others, or for memory.
        fraction: Done, 0 to 1.
        stage: What is being done; empty before the first word of it.
        remaining_s: Seconds to go, if known.
    """

    started: bool = False
    fraction: float = 0.0
    stage: str = ""
    remaining_s: float | None = None


class Workshop:
    """Makes voices one after the other; safe to use from several threads."""

    def __init__(self, vault: Callable[[], Vault], *, home: Path, on_change: Callable[[], None] = lambda: None) -> None:
        """Nothing is made yet.

        Args:
            vault: Gives the open vault.
            home: Its home, for the worker.
            on_change: Called when a voice was made, so that whoever has loaded the old one drops it.
        """
        self._vault = vault
        self._home = home
        self._on_change = on_change
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._current: str | None = None
        self._gate: MemoryGate | None = None
        self._working = Working()
        self._failures: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, speaker_id: str) -> None:
        """Make a voice whose job is in the queue (1); nothing happens if it is being made.

        Raises:
            ResourceError: The program is ending.
        """
        with self._changed:
            if self._closed:
                raise ResourceError("Hometone is being closed", hint="open it again")
            self._failures.pop(speaker_id, None)
            if speaker_id == self._current or speaker_id in self._waiting:
                return
            self._waiting.append(speaker_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="workshop", daemon=True)
                self._thread.start()

    def pause(self, speaker_id: str) -> None:
        """Stop making a voice (2); returns when it has stopped."""
        with self._changed:
            if speaker_id in self._waiting:
                self._waiting.remove(speaker_id)
            if speaker_id == self._current and self._gate is not None:
                self._gate.stop()
            self._changed.wait_for(lambda: self._current != speaker_id, timeout=_ENDING_S)

    def working(self, speaker_id: str) -> Working | None:
        """How far somebody's voice is; None when nothing is being done about it."""
        with self._changed:
            if speaker_id == self._current:
                return self._working
            return Working() if speaker_id in self._waiting else None

    def failure(self, speaker_id: str) -> str:
        """Why a voice was not made the last time; empty if it was, or was never tried."""
        with self._changed:
            return self._failures.get(speaker_id, "")

    def close(self) -> None:
        """Stop everything (3)."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            if self._gate is not None:
                self._gate.stop()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=_ENDING_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    return
                speaker_id = self._current = self._waiting.pop(0)
                gate = self._gate = MemoryGate(patience_s=_MEMORY_PATIENCE_S)
                self._working = Working()
            failure = self._made(speaker_id, gate)
            with self._changed:
                self._current = self._gate = None
                if failure and not gate.stopped:
                    self._failures[speaker_id] = failure
                self._changed.notify_all()

    def _made(self, speaker_id: str, gate: MemoryGate) -> str:
        """Why not, or nothing."""
        try:
            outcomes = JobQueue(self._vault(), home=self._home).run(workers=1, report=self._report, only=speaker_id, gate=gate)
        except HometoneError as error:
            return error.message  # forgotten meanwhile, say
        except Exception as error:
            _LOG.error("a voice was not made: %s", type(error).__name__)
            return "something went wrong that should not have"
        if any(outcome.done for outcome in outcomes):
            self._on_change()
        return next((outcome.error for outcome in outcomes if not outcome.done), "")

    def _report(self, _name: str, fraction: float, stage: str, remaining_s: float | None) -> None:
        with self._changed:
            self._working = Working(started=True, fraction=fraction, stage=stage, remaining_s=remaining_s)
