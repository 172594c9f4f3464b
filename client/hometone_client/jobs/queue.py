"""The queue: many speakers, unattended, one after the other or a few at once, as memory allows; resumable (requirements 26, 31).

A job is a sealed record in the speaker's own vault, together with a work slot that her PIN allowed. So the list of jobs is nowhere in the
clear, and forgetting a speaker forgets her jobs.

1. `add` needs the speaker unlocked: it writes the job, then allows the work.
2. `run` takes jobs oldest first. Each runs in a process of its own: its memory returns to the system, and what kills it kills nothing else.
3. Before a job starts there must be memory for it; otherwise it waits, and after `patience_s` it stays in the queue for the next run.
4. A finished job is removed and its work slot ended (which rotates the device key), unless she contributes to a shared model. A failed
   one stays with its reason, and is tried three times.
5. A run that is stopped or killed loses nothing, and is no failure of its jobs: they are still there, and the adaptation goes on from its
   sealed checkpoint.
"""

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from hometone_client.jobs.tiers import Tier, needed_mib
from hometone_client.jobs.usage import available_mib
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import DamagedVaultError, ResourceError, UsageError

ATTEMPTS: Final = 3
_KIND: Final = "job"
_NAME: Final = "adaptation"
_POLL_S: Final = 2.0
_STOPPED: Final = "the queue was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A voice that waits to be made.

    Attributes:
        tier: How much care.
        added: When, ISO 8601.
        price_per_hour: For the record of its cost.
        attempts: How often it failed.
        error: Why it failed the last time; empty if it did not.
    """

    tier: Tier
    added: str
    price_per_hour: float | None = None
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A job and whose it is."""

    speaker_id: str
    name: str
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a job.

    Attributes:
        name: Whose.
        done: Whether there is a voice now.
        record: How it was made (time, memory, cost, figures); empty if it was not.
        error: Why not; empty if it was.
    """

    name: str
    done: bool
    record: dict[str, Any]
    error: str


Report = Callable[[str, float, str, float | None], None]
"""Called with the speaker's name, the fraction done, what is being done, and the seconds still to go, if known."""


def read_job(room: SpeakerRoom) -> Job | None:
    """The job in an unlocked speaker's vault, if there is one.

    Raises:
        DamagedVaultError: It is not what was written.
    """
    if not room.vault.has(_KIND, _NAME):
        return None
    try:
        fields = room.vault.read_json(_NAME, kind=_KIND)
        return Job(**{**fields, "tier": Tier(fields["tier"])})
    except (TypeError, ValueError, KeyError) as error:
        raise DamagedVaultError("a job of the queue cannot be read", hint="remove it and add it again: hometone queue remove") from error


def write_job(room: SpeakerRoom, job: Job) -> None:
    """Store a job."""
    room.vault.put_json(_NAME, asdict(job), kind=_KIND)


class JobQueue:
    """The jobs of one vault."""

    def __init__(self, vault: Vault, *, home: Path) -> None:
        """Look into this vault.

        Args:
            vault: The open vault.
            home: Its home, for the processes that do the work.
        """
        self._vault = vault
        self._home = home

    def add(self, room: SpeakerRoom, *, tier: Tier, price_per_hour: float | None = None) -> Job:
        """(1) Put an unlocked speaker's voice into the queue; an earlier job of hers is replaced.

        Raises:
            ConsentError: She did not consent to having a voice made.
            UsageError: She has no takes.
        """
        now = dt.datetime.now(dt.UTC)
        room.require(Purpose.OWN_VOICE, now=now)
        if not any(not record.held_out for record in room.takes()):
            raise UsageError("this speaker has no takes to learn from", hint=f"add some: hometone take add {room.name} FILE")
        job = Job(tier=tier, added=now.isoformat(timespec="microseconds"), price_per_hour=price_per_hour)
        write_job(room, job)
        self._vault.allow_work(room.vault)
        return job

    def jobs(self) -> tuple[Queued, ...]:
        """Everything that waits, oldest first; a job that is damaged is first of all, and will not be tried."""
        found: list[Queued] = []
        for entry in self._vault.speakers():
            if not entry.work_allowed:
                continue
            try:
                with SpeakerRoom(self._vault.unlock_for_work(entry.speaker_id)) as room:
                    job = read_job(room)
            except DamagedVaultError as error:  # the jobs of others go on
                job = Job(tier=Tier.STANDARD, added="", attempts=ATTEMPTS, error=f"{error.message}; remove the job and add it again")
            if job is not None:
                found.append(Queued(speaker_id=entry.speaker_id, name=entry.name, job=job))
        return tuple(sorted(found, key=lambda queued: queued.job.added))

    def remove(self, speaker_id: str) -> None:
        """Take a job out of the queue; a checkpoint of it stays for `train`.

        Raises:
            UsageError: There is no job of that speaker.
        """
        if all(queued.speaker_id != speaker_id for queued in self.jobs()):
            raise UsageError("this speaker has no job in the queue", hint="hometone queue list shows what waits")
        self._finish(speaker_id)

    def run(
        self, *, workers: int, report: Report, patience_s: float = 600.0, only: str | None = None, gate: "MemoryGate | None" = None
    ) -> tuple[Outcome, ...]:
        """(2) Do everything that waits.

        Args:
            workers: Jobs at once, if memory allows.
            report: Told about progress, from several threads.
            patience_s: How long a job waits for memory.
            only: Pseudonym of the one speaker whose job is to be done; all of them if not given.
            gate: Lets whoever has it break the run off; its own patience counts.

        Returns:
            What became of each job, in the order of the queue.
        """
        waiting = [queued for queued in self.jobs() if queued.job.attempts < ATTEMPTS and only in {None, queued.speaker_id}]
        admission = gate or MemoryGate(patience_s=patience_s)
        with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
            futures = [pool.submit(self._one, queued, gate=admission, report=report) for queued in waiting]
            try:
                return tuple(future.result() for future in futures)
            except BaseException:
                admission.stop()
                for future in futures:
                    future.cancel()
                raise

    def _one(self, queued: Queued, *, gate: "MemoryGate", report: Report) -> Outcome:
        """One job from its start to its record (3, 4)."""
        try:
            with gate.admitted(needed_mib(queued.job.tier)):
                record, error = self._work(queued, gate=gate, report=report)
        except ResourceError as refused:
            return Outcome(name=queued.name, done=False, record={}, error=refused.message)
        if error and gate.stopped:
            return Outcome(name=queued.name, done=False, record={}, error=_STOPPED)
        if error:
            self._note(queued, attempts=queued.job.attempts + 1, error=error)
            return Outcome(name=queued.name, done=False, record={}, error=error)
        self._finish(queued.speaker_id)
        return Outcome(name=queued.name, done=True, record=record, error="")

    def _finish(self, speaker_id: str) -> None:
        """Remove a job, and the permission that came with it unless she allowed other work, too."""
        with SpeakerRoom(self._vault.unlock_for_work(speaker_id)) as room:
            room.vault.delete(_KIND, _NAME)
            still_needed = room.needs_unattended_work
        if not still_needed:
            self._vault.end_work(speaker_id)

    def _note(self, queued: Queued, *, attempts: int, error: str) -> None:
        with SpeakerRoom(self._vault.unlock_for_work(queued.speaker_id)) as room:
            write_job(room, replace(queued.job, attempts=attempts, error=error))

    def _work(self, queued: Queued, *, gate: "MemoryGate", report: Report) -> tuple[dict[str, Any], str]:
        """Run the worker process and read its lines; (record, "") or ({}, why)."""
        command = [sys.executable, "-m", "hometone_client.jobs.worker", str(self._home), queued.speaker_id]
        record: dict[str, Any] = {}
        error = "the work ended without an answer"
        # Nothing is ever written to its input: that it ends tells the worker that this process is gone.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, encoding="utf-8", env=_environment()) as running:  # noqa: S603
            gate.watch(running)
            for line in running.stdout or ():
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                if "fraction" in message:
                    report(queued.name, message["fraction"], message["words"], message["remaining_s"])
                elif "record" in message:
                    record, error = message["record"], ""
                elif "error" in message:
                    error = message["error"]
        return record, error


def _environment() -> dict[str, str]:
    """The worker opens the vault by its work slot; it gets no PIN."""
    return {**{name: value for name, value in os.environ.items() if name != "HOMETONE_PIN"}, "PYTHONUTF8": "1"}


class MemoryGate:
    """(3) Lets jobs start while memory lasts, and ends them all when the run is broken off."""

    def __init__(self, *, patience_s: float, free_mib: Callable[[], int] = available_mib) -> None:
        """Open the gate.

        Args:
            patience_s: How long a job waits.
            free_mib: Measures free memory.
        """
        self._patience_s = patience_s
        self._free_mib = free_mib
        self._reserved = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._running: list[subprocess.Popen[str]] = []

    def watch(self, running: "subprocess.Popen[str]") -> None:
        """Remember a process, to end it when the run is broken off; at once, if it was just now."""
        with self._lock:
            self._running.append(running)
            if self._stopped.is_set():
                running.terminate()

    def stop(self) -> None:
        """Let nobody in any more and end what runs; checkpoints keep what was done."""
        self._stopped.set()
        with self._lock:
            for running in self._running:
                running.terminate()

    @property
    def stopped(self) -> bool:
        """Whether the run was broken off."""
        return self._stopped.is_set()

    @contextmanager
    def admitted(self, needed_mib_: int) -> Iterator[None]:
        """Wait for memory, then hold it.

        A job that has just started has not taken its memory yet, so what was promised counts as taken.

        Raises:
            ResourceError: It did not become free in time, or the run was broken off.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            with self._lock:
                if self._free_mib() - self._reserved >= needed_mib_:
                    self._reserved += needed_mib_
                    break
            if self._stopped.is_set() or time.monotonic() >= deadline:
                raise ResourceError(
                    f"there were never {needed_mib_} MiB of memory free", hint="close other programs and run the queue again"
                )
            self._stopped.wait(_POLL_S)
        try:
            if self._stopped.is_set():
                raise ResourceError(_STOPPED, hint="run it again; nothing is lost")
            yield
        finally:
            with self._lock:
                self._reserved -= needed_mib_
