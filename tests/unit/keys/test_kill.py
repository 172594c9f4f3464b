"""Real processes: killed with SIGKILL at random moments, and several at work on one speaker."""

import os
import random
import subprocess
import sys
import time

import pytest

from hometone_keys import Custody, DeviceSecretSource
from hometone_shared.errors import HometoneError

BUSY = """
import os, sys
from pathlib import Path
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
source = DeviceSecretSource(custody=Custody.FILE)
with Vault(Path(sys.argv[1]), device_secret_source=source, cost=Argon2Cost(memory_kib=8, iterations=1, lanes=1)) as vault:
    survivor = vault.unlock(vault.find("survivor").speaker_id, "1111")
    house = vault.house()
    print("ready", flush=True)
    turn = 0
    while True:
        turn += 1
        with vault.enroll(f"{os.getpid()}-{turn}", "2222") as speaker:
            speaker.put("take", "1", bytes(300_000))
            survivor.put("take", "changing", str(turn).encode() * 50_000)
            vault.set_erase_after(survivor.speaker_id, erase_after_ms=turn)
            guest = vault.admit_guest(f"guest-{os.getpid()}-{turn}")
            guest.put("voice", "1", bytes(100_000))
            vault.revoke(guest.speaker_id)
            vault.change_secret(speaker.speaker_id, old="2222", new="3333")
            speaker.delete("take", "1")
            house.put("reminder", "changing", str(turn).encode() * 50_000)
            vault.revoke(speaker.speaker_id)
"""

COUNTING = """
import sys
from pathlib import Path
from hometone_keys import Custody, DeviceSecretSource, Vault
with Vault(Path(sys.argv[1]), device_secret_source=DeviceSecretSource(custody=Custody.FILE)) as vault:
    with vault.unlock(vault.find("survivor").speaker_id, "1111") as speaker:
        for turn in range(10):
            speaker.put("take", f"{sys.argv[2]}-{turn}", sys.argv[2].encode() * 1000)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=environment)


def test_killed_at_random_moments(quick_path, open_vault):
    home = quick_path / "home"
    with open_vault(home=home) as vault:
        vault.enroll("survivor", "1111").put("take", "kept", b"kept")
        vault.house().put("reminder", "kept", b"kept")
        secret = vault.withdrawal_secret(vault.find("survivor").speaker_id)
    moments = random.Random(20)
    for _ in range(8):
        process = start(BUSY, str(home))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.25))
        process.kill()
        process.wait()
        process.stdout.close()
        with open_vault(home=home) as vault:
            assert vault.withdrawal_secret(vault.find("survivor").speaker_id) == secret
            with vault.unlock(vault.find("survivor").speaker_id, "1111") as survivor:
                assert survivor.read("take", "kept") == b"kept"
                for artefact in survivor.list():
                    assert len(survivor.read("take", artefact.name)) == artefact.size_bytes
            with vault.house() as house:
                assert house.read("reminder", "kept") == b"kept"
                for artefact in house.list():
                    assert len(house.read("reminder", artefact.name)) == artefact.size_bytes
            for entry in vault.speakers():
                if entry.name != "survivor":
                    vault.revoke(entry.speaker_id)
            folder = home / "vault"
            assert len([path for path in folder.iterdir() if path.name.startswith("s-")]) == 2  # the survivor's, and the house
            assert not (folder / "intent").exists()
            assert len(list(folder.glob("key-*"))) == 1
            assert not list(folder.rglob("[nt]-*"))


def test_two_processes_lose_nothing_of_each_other(quick_path, open_vault):
    home = quick_path / "home"
    vault = open_vault(home=home, source=DeviceSecretSource(custody=Custody.FILE))
    speaker = vault.enroll("survivor", "1111")
    processes = [start(COUNTING, str(home), name) for name in ("a", "b")]
    rotations = 0
    while any(process.poll() is None for process in processes):
        vault.revoke(vault.enroll("somebody", "2222").speaker_id)
        rotations += 1
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
        assert process.returncode == 0
    assert rotations > 0
    assert {artefact.name for artefact in speaker.list()} == {f"{name}-{turn}" for name in "ab" for turn in range(10)}
    assert all(speaker.read("take", artefact.name) == artefact.name[:1].encode() * 1000 for artefact in speaker.list())


def test_threads_share_an_unlocked_speaker(vault):
    from concurrent.futures import ThreadPoolExecutor

    speaker = vault.enroll("survivor", "1111")

    def work(number: int) -> bytes:
        speaker.put("take", str(number), str(number).encode() * 1000)
        return speaker.read("take", str(number))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(12))) == [str(number).encode() * 1000 for number in range(12)]
    assert len(speaker.list()) == 12
    with pytest.raises(HometoneError):
        speaker.read("take", "12")
