"""A vault with cheap PINs and real speech in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP) as opened:
        yield opened


@pytest.fixture
def room(vault: Vault) -> Iterator[SpeakerRoom]:
    with SpeakerRoom(vault.enroll("mei", "1234")) as unlocked:
        yield unlocked
