"""A founded coordinator, and campaigns among virtual laptops."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server import founding
from hometone_server.home import CoordinatorHome
from hometone_server.records.store import LogStore
from hometone_server.rounds.campaign import CampaignRunner
from hometone_server.rounds.journal import Journal
from hometone_server.rounds.order import Order
from hometone_server.simulation.cohort import VirtualExchange, VirtualLaptop
from hometone_shared.records.device import DeviceEntry, DeviceStatus
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.shared_model import SharedModel


@pytest.fixture(scope="session")
def founded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = CoordinatorHome(tmp_path_factory.mktemp("coordinator"))
    founding.found(home, name="Village hall", address="127.0.0.1:8443")
    return home.root


@pytest.fixture
def home(founded_once: Path, tmp_path: Path) -> CoordinatorHome:
    import shutil

    root = tmp_path / "coordinator"
    shutil.copytree(founded_once, root)
    return CoordinatorHome(root)


@pytest.fixture
def make_order() -> Callable[..., Order]:
    model = SharedModel.of_this_version()

    def make(**changes: object) -> Order:
        fields: dict[str, object] = {
            "purpose": RoundPurpose.MODEL,
            "rounds": 2,
            "dimension": 6,
            "clip_norm": 1.0,
            "noise_multiplier": 0.01,
            "epsilon": 8.0,
            "delta": 1e-5,
            "minimum_cohort": 3,
            "gather_s": 0.0,
            "base_sha256": model.base_sha256,
            "basis_sha256": model.basis_sha256,
        }
        return Order(**{**fields, **changes})  # type: ignore[arg-type]

    return make


class Village:
    """A coordinator with laptops in its directory."""

    def __init__(self, home: CoordinatorHome, laptops: int) -> None:
        self.home = home
        self.log = LogStore.open(home)
        self.journal = Journal(home.rounds_db)
        self.laptops = [VirtualLaptop(Ed25519PrivateKey.generate()) for _ in range(laptops)]
        for number, laptop in enumerate(self.laptops):
            key = laptop.signing_key.public_key().public_bytes_raw()
            entry = DeviceEntry(signing_key=key, node_key_sha256=f"{number:064x}", status=DeviceStatus.ACTIVE)
            self.log.append(entry.signed(home.signing_key()))
        self.told: list[str] = []

    def exchange(self, contribution: Callable[[int], np.ndarray]) -> VirtualExchange:
        return VirtualExchange(self.laptops, coordinator_key=self.log.key, contribution=contribution)

    @property
    def runner(self) -> CampaignRunner:
        return CampaignRunner(home=self.home, journal=self.journal, log=self.log, bundle_sha256="b" * 64, told=self.told.append)

    def close(self) -> None:
        self.journal.close()
        self.log.close()


@pytest.fixture
def make_village(home: CoordinatorHome, founded_once: Path, tmp_path: Path) -> "object":
    """Makes villages; `elsewhere` gives one with a coordinator's folder of its own."""
    import shutil

    made: list[Village] = []

    def make(laptops: int, *, elsewhere: bool = False) -> Village:
        place = home
        if elsewhere:
            place = CoordinatorHome(tmp_path / f"coordinator-{len(made)}")
            shutil.copytree(founded_once, place.root)
        made.append(Village(place, laptops))
        return made[-1]

    yield make
    for village in made:
        village.close()
