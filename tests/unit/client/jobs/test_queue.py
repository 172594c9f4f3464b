"""The queue: jobs are sealed with their speaker, survive a kill, run as memory allows, and give their permission back."""

import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from tests.unit.client.speakers.test_room import noise_take

from hometone_client.jobs.queue import ATTEMPTS, JobQueue, MemoryGate, Queued, Report, read_job, write_job
from hometone_client.jobs.tiers import Tier
from hometone_client.speakers.consent import give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.errors import ConsentError, DamagedVaultError, ResourceError, UsageError, WrongSecretError

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    monkeypatch.setenv("HOMETONE_CUSTODY", "file")
    with Vault(tmp_path / "home", device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP) as opened:
        yield opened


@pytest.fixture
def queue(vault: Vault, tmp_path: Path) -> JobQueue:
    return JobQueue(vault, home=tmp_path / "home")


def enrolled(vault: Vault, name: str, *, takes: int = 1, consent: bool = True) -> SpeakerRoom:
    room = SpeakerRoom(vault.enroll(name, "1234"))
    if consent:
        room.keep_consent(give_consent(locale="en", now=dt.datetime.now(dt.UTC)))
    for seed in range(takes):
        room.add_take(noise_take(seed), text="", language="en", speech_s=1.0, quality={})
    return room


def silent(name: str, fraction: float, words: str, remaining_s: float | None) -> None:
    """Nobody listens."""


def test_jobs_come_oldest_first_and_need_the_pin_no_more(vault: Vault, queue: JobQueue) -> None:
    for name in ("mei", "otto", "ana"):
        with enrolled(vault, name) as room:
            queue.add(room, tier=Tier.QUICK)
    assert [queued.name for queued in queue.jobs()] == ["mei", "otto", "ana"]
    assert all(entry.work_allowed for entry in vault.speakers())


def test_without_consent_or_takes_there_is_no_job(vault: Vault, queue: JobQueue) -> None:
    with enrolled(vault, "mei", consent=False) as room, pytest.raises(ConsentError):
        queue.add(room, tier=Tier.QUICK)
    with enrolled(vault, "otto", takes=0) as room, pytest.raises(UsageError, match="no takes"):
        queue.add(room, tier=Tier.QUICK)
    assert queue.jobs() == ()
    assert not any(entry.work_allowed for entry in vault.speakers())


def test_removing_a_job_takes_the_permission_back(vault: Vault, queue: JobQueue) -> None:
    with enrolled(vault, "mei") as room:
        queue.add(room, tier=Tier.QUICK)
        speaker_id = room.speaker_id
    queue.remove(speaker_id)
    assert queue.jobs() == ()
    with pytest.raises(WrongSecretError):
        vault.unlock_for_work(speaker_id)
    with pytest.raises(UsageError, match="no job"):
        queue.remove(speaker_id)


def test_forgetting_a_speaker_forgets_her_job(vault: Vault, queue: JobQueue) -> None:
    with enrolled(vault, "mei") as room:
        queue.add(room, tier=Tier.QUICK)
        speaker_id = room.speaker_id
    vault.revoke(speaker_id)
    assert queue.jobs() == ()


def test_a_job_that_cannot_start_for_memory_stays_untouched(vault: Vault, queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hometone_client.jobs.queue.needed_mib", lambda _tier: 1 << 40)
    with enrolled(vault, "mei") as room:
        queue.add(room, tier=Tier.QUICK)
    (outcome,) = queue.run(workers=1, report=silent, patience_s=0.0)
    assert not outcome.done
    assert "MiB" in outcome.error
    assert queue.jobs()[0].job.attempts == 0


def test_a_worker_that_fails_leaves_the_reason_and_is_tried_three_times(
    vault: Vault, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real worker process; it fails because the consent has been withdrawn in the meantime."""
    monkeypatch.setattr("hometone_client.jobs.queue.needed_mib", lambda _tier: 1)
    with enrolled(vault, "mei") as room:
        queue.add(room, tier=Tier.QUICK)
        room.vault.delete("consent", "own-voice")
    for attempt in range(1, ATTEMPTS + 1):
        (outcome,) = queue.run(workers=1, report=silent)
        assert "not consented" in outcome.error
        assert queue.jobs()[0].job.attempts == attempt
    assert queue.run(workers=1, report=silent) == ()
    assert "not consented" in queue.jobs()[0].job.error


def test_a_damaged_job_is_called_so(vault: Vault) -> None:
    with enrolled(vault, "mei") as room:
        assert read_job(room) is None
        room.vault.put_json("adaptation", {"tier": "gold"}, kind="job")
        with pytest.raises(DamagedVaultError, match="job"):
            read_job(room)


def test_a_job_survives_being_written_and_read(vault: Vault, queue: JobQueue) -> None:
    with enrolled(vault, "mei") as room:
        job = queue.add(room, tier=Tier.STANDARD, price_per_hour=0.25)
        assert read_job(room) == job
        write_job(room, job)
        assert read_job(room) == job


def test_the_gate_lets_in_what_fits_and_no_more() -> None:
    gate = MemoryGate(patience_s=0.0, free_mib=lambda: 1000)
    with gate.admitted(600):
        with pytest.raises(ResourceError), gate.admitted(600):
            pass
        with gate.admitted(400):
            pass
    with gate.admitted(1000):
        pass


def test_who_waits_gets_in_when_memory_becomes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hometone_client.jobs.queue._POLL_S", 0.01)
    free = [100]
    gate = MemoryGate(patience_s=30.0, free_mib=lambda: free[0])
    entered = threading.Event()

    def wait() -> None:
        with gate.admitted(500):
            entered.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    assert not entered.is_set()
    free[0] = 600
    waiting.join(timeout=10)
    assert entered.is_set()


def test_a_stopped_gate_lets_nobody_in() -> None:
    gate = MemoryGate(patience_s=60.0, free_mib=lambda: 1000)
    gate.stop()
    with pytest.raises(ResourceError, match="stopped"), gate.admitted(1):
        pass


def test_a_damaged_job_holds_up_nobody_and_can_be_removed(vault: Vault, queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mei", "otto"):
        with enrolled(vault, name) as room:
            queue.add(room, tier=Tier.QUICK)
            if name == "mei":
                room.vault.put_json("adaptation", {"tier": "gold"}, kind="job")
    damaged, whole = queue.jobs()
    assert (damaged.name, whole.name) == ("mei", "otto")
    assert "remove" in damaged.job.error
    monkeypatch.setattr(JobQueue, "_work", lambda *_, **__: ({"tier": "quick"}, ""))
    monkeypatch.setattr("hometone_client.jobs.queue.needed_mib", lambda _tier: 1)
    assert [(outcome.name, outcome.done) for outcome in queue.run(workers=1, report=silent)] == [("otto", True)]
    queue.remove(damaged.speaker_id)
    assert queue.jobs() == ()


def test_a_run_that_is_stopped_is_no_failure_of_its_job(vault: Vault, queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_queue: JobQueue, _queued: Queued, *, gate: MemoryGate, report: Report) -> tuple[dict[str, object], str]:
        assert report is silent
        gate.stop()
        return {}, "the work ended without an answer"

    monkeypatch.setattr(JobQueue, "_work", stopped)
    monkeypatch.setattr("hometone_client.jobs.queue.needed_mib", lambda _tier: 1)
    with enrolled(vault, "mei") as room:
        queue.add(room, tier=Tier.QUICK)
    for _ in range(ATTEMPTS + 1):
        (outcome,) = queue.run(workers=1, report=silent)
        assert "stopped" in outcome.error
    assert (queue.jobs()[0].job.attempts, queue.jobs()[0].job.error) == (0, "")


def test_a_worker_ends_with_the_queue_that_started_it(tmp_path: Path) -> None:
    """It is at work somewhere (here: waiting for the lock of the vault) when the queue is killed; only the end of its input tells it."""
    home = tmp_path / "home"
    (home / "vault").mkdir(parents=True)
    command = [sys.executable, "-m", "hometone_client.jobs.worker", str(home), "spk-nobody"]
    with (
        FileLock(home / "vault" / "lock"),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker,
    ):
        out, _ = worker.communicate()
    assert worker.returncode == ResourceError.exit_code
    assert out == b""
