"""A coordinator with laptops and speakers, and what each of them signs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.records.store import LogStore
from hometone_server.rounds.journal import Journal
from hometone_server.withdrawal.history import RoundHistory
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.records.device import DeviceEntry, DeviceStatus, device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import HolderReceipt, Removed, Role
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.records.tombstone import SharedModelWish, Tombstone, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Hall:
    """A coordinator."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.db"
        self.journal_path = folder / "rounds.db"
        self.clock = Clock()
        self.secrets = {}
        self.reopen()

    def reopen(self) -> None:
        self.log = LogStore(self.path, signing_key=KEY)
        history = RoundHistory(self.log, journal=self.journal_path)
        self.withdrawals = Withdrawals(self.log, history=history, clock=self.clock, patience_s=0.2)

    def laptop(self) -> SimpleNamespace:
        key = Ed25519PrivateKey.generate()
        laptop = SimpleNamespace(key=key, raw=key.public_key().public_bytes_raw())
        laptop.device = device_id(laptop.raw)
        self.enter(laptop)
        return laptop

    def enter(self, laptop: SimpleNamespace, status: DeviceStatus = DeviceStatus.ACTIVE) -> None:
        self.log.append(DeviceEntry(signing_key=laptop.raw, node_key_sha256=laptop.raw.hex(), status=status).signed(KEY))

    def request(self, secret: RecoverySecret, laptop: SimpleNamespace):
        self.secrets[secret.pseudonym] = secret
        return RegistrationRequest.make(coordinator_key=self.log.key, secret=secret, device_key=laptop.key)

    def speaker(self, laptop: SimpleNamespace) -> RecoverySecret:
        secret = RecoverySecret.generate()
        self.withdrawals.register(self.request(secret, laptop))
        return secret

    def tombstone(self, secret: RecoverySecret, *, sequence: int = 1, scope=frozenset(Purpose), wish=SharedModelWish.LEAVE, coordinator=""):
        tombstone = Tombstone(
            pseudonym=secret.pseudonym,
            coordinator=coordinator or coordinator_name(self.log.key),
            scope=scope,
            sequence=sequence,
            made=NOW - 60,
            shared_model=wish,
        )
        return tombstone.signed(secret.withdrawal_key())

    def receipt(self, filed, laptop: SimpleNamespace, role: Role = Role.LAPTOP, **changes):
        fields = {
            "tombstone_sha256": filed.digest,
            "pseudonym": filed.pseudonym,
            "role": role,
            "at": NOW + 5,
            "removed": {Removed.RECORDINGS: 12},
            "key_destroyed": True,
        }
        if filed.pseudonym in self.secrets and role is not Role.COORDINATOR:
            key = self.secrets[filed.pseudonym].withdrawal_key()
            fields["holder"] = holder_proof(key, role=role, device=laptop.device)
        return HolderReceipt(**fields | changes).signed(laptop.key)

    def journal(self) -> Journal:
        return Journal(self.journal_path, clock=self.clock)


@pytest.fixture
def hall(tmp_path):
    hall = Hall(tmp_path)
    yield hall
    hall.log.close()


@pytest.fixture(scope="session")
def make_hall():
    return Hall
