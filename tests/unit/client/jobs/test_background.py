"""Voices that are made beside other things: one after the other, paused, ended; nobody who is unlocked meanwhile is locked out."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.client.speakers.test_room import noise_take

from hometone_client.jobs.background import Workshop
from hometone_client.jobs.queue import JobQueue, read_job
from hometone_client.jobs.tiers import Tier
from hometone_client.speakers.consent import give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.errors import ResourceError, VaultError

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


def opened(home: Path) -> Vault:
    return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMETONE_CUSTODY", "file")
    monkeypatch.setattr("hometone_client.jobs.queue.needed_mib", lambda _tier: 1)
    return tmp_path / "home"


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with opened(home) as found:
        yield found


@pytest.fixture
def workshop(vault: Vault, home: Path) -> Iterator[Workshop]:
    made = Workshop(lambda: vault, home=home)
    yield made
    made.close()


def queued(vault: Vault, home: Path, name: str) -> SpeakerRoom:
    room = SpeakerRoom(vault.enroll(name, "2468"))
    room.keep_consent(give_consent(locale="en", now=dt.datetime.now(dt.UTC)))
    room.add_take(noise_take(1), text="", language="en", speech_s=1.0, quality={})
    JobQueue(vault, home=home).add(room, tier=Tier.QUICK)
    return room


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_one_after_the_other_and_a_failure_is_told(vault: Vault, home: Path, workshop: Workshop) -> None:
    """The real worker; both fail because their consent is gone."""
    rooms = [queued(vault, home, name) for name in ("mei", "otto")]
    for room in rooms:
        room.vault.delete("consent", "own-voice")
        workshop.begin(room.speaker_id)
        workshop.begin(room.speaker_id)  # twice is once
    assert all(workshop.working(room.speaker_id) is not None for room in rooms)
    for room in rooms:
        until(lambda room=room: workshop.working(room.speaker_id) is None)
        assert "not consented" in workshop.failure(room.speaker_id)
        job = read_job(room)
        assert job is not None
        assert job.attempts == 1
    assert workshop.working("nobody") is None
    assert workshop.failure("nobody") == ""


def test_a_pause_is_no_failure_and_others_go_on(vault: Vault, home: Path, workshop: Workshop) -> None:
    mei, otto = queued(vault, home, "mei"), queued(vault, home, "otto")
    otto.vault.delete("consent", "own-voice")
    workshop.begin(mei.speaker_id)
    workshop.begin(otto.speaker_id)
    workshop.pause(mei.speaker_id)
    assert workshop.working(mei.speaker_id) is None
    assert workshop.failure(mei.speaker_id) == ""
    job = read_job(mei)
    assert job is not None
    assert job.attempts == 0
    until(lambda: workshop.working(otto.speaker_id) is None)
    assert workshop.failure(otto.speaker_id)


def test_whoever_waits_can_be_taken_out(vault: Vault, home: Path, workshop: Workshop) -> None:
    mei, otto = queued(vault, home, "mei"), queued(vault, home, "otto")
    workshop.begin(mei.speaker_id)
    workshop.begin(otto.speaker_id)
    workshop.pause(otto.speaker_id)
    assert workshop.working(otto.speaker_id) is None
    assert workshop.working(mei.speaker_id) is not None


def test_the_end_leaves_the_job(vault: Vault, home: Path) -> None:
    mei = queued(vault, home, "mei")
    workshop = Workshop(lambda: vault, home=home)
    workshop.begin(mei.speaker_id)
    workshop.close()
    assert not any(thread.name == "workshop" for thread in threading.enumerate())
    job = read_job(mei)
    assert job is not None
    assert job.attempts == 0
    with pytest.raises(ResourceError, match="closed"):
        workshop.begin(mei.speaker_id)


def test_somebody_who_is_forgotten_is_left_out(vault: Vault, home: Path, workshop: Workshop) -> None:
    mei = queued(vault, home, "mei")
    vault.revoke(mei.speaker_id)
    workshop.begin(mei.speaker_id)
    until(lambda: workshop.working(mei.speaker_id) is None)


def test_an_open_vault_and_an_unlocked_speaker_survive_a_new_device_key(vault: Vault, home: Path) -> None:
    """The end of a job rotates the device key: here by another process's vault, while she is unlocked in this one."""
    mei = queued(vault, home, "mei")
    with opened(home) as elsewhere:
        JobQueue(elsewhere, home=home).remove(mei.speaker_id)
    assert len(mei.takes()) == 1
    mei.add_take(noise_take(2), text="", language="en", speech_s=1.0, quality={})
    assert len(mei.takes()) == 2
    with pytest.raises(VaultError):
        vault.unlock_for_work(mei.speaker_id)
    vault.unlock(mei.speaker_id, "2468").close()
