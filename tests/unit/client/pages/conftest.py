"""A laptop served as pages, with a vault whose PINs are cheap to check, and a browser that has come in."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clock import Clock
from visitor import Visitor

import hometone_client.withdrawal.opening as opening
from hometone_client.models import model_folder
from hometone_client.pages.app import create_pages
from hometone_client.pages.house import House
from hometone_client.speakers.consent import give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _cheap_vaults(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheap(home: Path, *, device_secret_source: DeviceSecretSource) -> Vault:
        del device_secret_source
        return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP)

    monkeypatch.setattr(opening, "Vault", cheap)


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    with House(tmp_path / "home", models=model_folder(), clock=clock) as opened:
        yield opened


@pytest.fixture
def visitor(house: House) -> Visitor:
    """A browser that has come in."""
    found = Visitor(create_pages(house), house)
    found.enter()
    return found


@pytest.fixture
def mei(house: House) -> str:
    """Somebody who has enrolled, with the PIN 2468; her place."""
    with SpeakerRoom(house.vault(create=True).enroll("Mei", "2468")) as room:
        room.keep_consent(give_consent(locale="en", now=House.now()))
        return room.speaker_id
