"""Laptops that have joined a coordinator with its real gateway, without a socket between them."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.unit.client.federation.records.conftest import Coordinator

from hometone_client.audio import Origin, RawTake
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.federation.membership import Membership, join
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.delivery import Contact, Courier
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.reconciliation import reconcile
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_keys.disk import Disk
from hometone_shared.withdrawal.recovery import RecoverySecret

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
NOW = 1_800_000_000.0
PIN = "1234"


def opened(home: Path, disk: Disk | None = None) -> Vault:
    return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP, disk=disk)


@dataclass
class Laptop:
    """One laptop."""

    home: Path
    vault: Vault
    coordinator: Coordinator
    now_s: float = NOW

    def enrol(self, name: str, *, contributes: bool = False) -> str:
        with SpeakerRoom(self.vault.enroll(name, PIN)) as room:
            samples = np.random.default_rng(list(name.encode())).uniform(-0.3, 0.3, 800).astype(np.float32)
            room.add_take(RawTake(samples, 8_000, Origin.FILE), text="", language="en", speech_s=0.1, quality={})
            if contributes:
                PrivacyLedger(room.vault).set_budget(8.0)
                room.keep_consent(give_consent(locale="en", now=dt.datetime.now(dt.UTC), purpose=Purpose.FEDERATED))
                self.vault.allow_work(room.vault)
            return room.speaker_id

    def join(self) -> None:
        code = self.coordinator.invitations.issue(address=self.coordinator.descriptor.address).to_text()
        join(code, home=self.home, identity=self.vault.device, transport=self.coordinator.bridge)

    def secret(self, speaker_id: str) -> RecoverySecret:
        return RecoverySecret(self.vault.withdrawal_secret(speaker_id))

    @property
    def membership(self) -> Membership:
        found = Membership.load(self.home)
        assert found is not None
        return found

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.home)

    def contact(self) -> Contact:
        courier = Courier(self.home, self.vault, self.membership, clock=lambda: self.now_s, transport=self.coordinator.bridge)
        return courier.contact()

    def reconcile(self) -> int:
        return reconcile(self.home, self.vault, clock=lambda: self.now_s)

    def names(self) -> set[str]:
        return {entry.name for entry in self.vault.speakers()}


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    made = Coordinator(tmp_path / "coordinator")
    yield made
    made.log.close()


@pytest.fixture
def laptops(tmp_path: Path, coordinator: Coordinator) -> Iterator[Callable[..., Laptop]]:
    """Makes laptops; `laptops(joins=False)` has joined nobody."""
    made: list[Laptop] = []

    def make(*, joins: bool = True) -> Laptop:
        home = tmp_path / f"home-{len(made)}"
        laptop = Laptop(home, opened(home), coordinator)
        made.append(laptop)
        if joins:
            laptop.join()
        return laptop

    yield make
    for laptop in made:
        laptop.vault.close()


@pytest.fixture
def laptop(laptops: Callable[..., Laptop]) -> Laptop:
    return laptops()
