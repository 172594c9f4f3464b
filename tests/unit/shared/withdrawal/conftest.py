"""Makers of the records of a small log: a coordinator, two laptops, speakers, and everything that they can sign."""

from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.cosignature import WitnessKey, cosign
from hometone_shared.log.merkle import inclusion_proof, leaf_hash, nodes_of, root_of
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt, Role
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.tombstone import Tombstone, Withdrawal, coordinator_name
from hometone_shared.withdrawal.receipt_bundle import BundledReceipt, LoggedLeaf, ReceiptBundle
from hometone_shared.withdrawal.recovery import RecoverySecret

NOW = 1_790_000_000


def private(value):
    return Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32)


def raw(key):
    return key.public_key().public_bytes_raw()


@dataclass
class SmallLog:
    """Leaves in their order, and what proves them."""

    coordinator: Ed25519PrivateKey = field(default_factory=lambda: private(1))
    laptop: Ed25519PrivateKey = field(default_factory=lambda: private(2))
    recipient: Ed25519PrivateKey = field(default_factory=lambda: private(3))
    witness_key: Ed25519PrivateKey = field(default_factory=lambda: private(4))
    leaves: list = field(default_factory=list)
    now = NOW

    @property
    def key(self):
        return raw(self.coordinator)

    @property
    def witness(self):
        return WitnessKey("witness.example", raw(self.witness_key))

    @staticmethod
    def speaker(value=0):
        return RecoverySecret(bytes([value]) * 16)

    def append(self, leaf):
        self.leaves.append(leaf)
        return leaf

    def register(self, secret):
        return self.append(SpeakerEntry(withdrawal_key=raw(secret.withdrawal_key())).signed(self.coordinator))

    def tombstone(self, secret, scope=(Purpose.OWN_VOICE,), **changes):
        fields = {"coordinator": coordinator_name(self.key), "sequence": 1, "made": NOW, **changes}
        return Tombstone(pseudonym=secret.pseudonym, scope=frozenset(scope), **fields).signed(secret.withdrawal_key())

    def withdraw(self, tombstone):
        return self.append(Withdrawal(tombstone=tombstone, received=NOW + 1).signed(self.coordinator))

    def receipt(self, tombstone, key, role, **changes):
        who = Tombstone.from_envelope(tombstone).pseudonym
        owner = next(secret for secret in map(self.speaker, range(10)) if secret.pseudonym == who)
        holder = None if role is Role.COORDINATOR else holder_proof(owner.withdrawal_key(), role=role, device=device_id(raw(key)))
        fields = {"tombstone_sha256": tombstone.digest, "pseudonym": who, "role": role, "at": NOW + 2, "holder": holder}
        return HolderReceipt(**fields | changes).signed(key)

    def file(self, receipt):
        return self.append(FiledReceipt(receipt=receipt).signed(self.coordinator))

    def logged(self, leaf):
        hashes = [leaf_hash(each.to_bytes()) for each in self.leaves]
        place = self.leaves.index(leaf)
        return LoggedLeaf(leaf=leaf, index=place, proof=tuple(inclusion_proof(place, len(hashes), node=nodes_of(hashes))))

    def note(self, *, cosigned=True):
        root = root_of(leaf_hash(each.to_bytes()) for each in self.leaves)
        note = Checkpoint(origin=log_origin(self.key), size=len(self.leaves), root=root).signed(self.coordinator)
        return cosign(note, key=self.witness_key, name=self.witness.name, time_s=NOW + 3) if cosigned else note

    def descriptor(self, key=None):
        fields = {"address": "voices.example.org:443", "bundle_sha256": "ab" * 32, "ca_sha256": "cd" * 32, "name": "Village"}
        return CoordinatorDescriptor(**fields).signed(key or self.coordinator)

    def bundle(self, tombstone, withdrawal, receipts=()):
        """Everything that is in the log now; receipts: (receipt, leaf or None)."""
        return ReceiptBundle(
            tombstone=tombstone,
            descriptor=self.descriptor(),
            checkpoint=self.note(),
            withdrawal=None if withdrawal is None else self.logged(withdrawal),
            receipts=tuple(BundledReceipt(receipt=each, filed=None if leaf is None else self.logged(leaf)) for each, leaf in receipts),
        )


@pytest.fixture
def log():
    return SmallLog()


@pytest.fixture
def withdrawn(log):
    """The whole story of one speaker: (log, bundle, tombstone, {role: receipt})."""
    secret = log.speaker()
    log.register(log.speaker(9))
    log.register(secret)
    tombstone = log.tombstone(secret)
    leaf = log.withdraw(tombstone)
    keys = {Role.LAPTOP: log.laptop, Role.RECIPIENT: log.recipient, Role.COORDINATOR: log.coordinator}
    receipts = {role: log.receipt(tombstone, key, role) for role, key in keys.items()}
    filed = [(receipt, log.file(receipt)) for receipt in receipts.values()]
    return log, log.bundle(tombstone, leaf, filed), tombstone, receipts


@pytest.fixture(scope="module")
def story():
    """Two speakers who take back different things: (log, speaker -> her leaves, speaker -> what has ended)."""
    log = SmallLog()
    anna, otto = log.speaker(1), log.speaker(2)
    leaves_of = {anna: [log.register(anna)], otto: [log.register(otto)]}
    leaves_of[anna] += [
        log.withdraw(log.tombstone(anna, [what], sequence=at)) for at, what in ((3, Purpose.ARCHIVE), (4, Purpose.FEDERATED))
    ]
    leaves_of[otto].append(log.withdraw(log.tombstone(otto)))
    return log, leaves_of, {anna: {Purpose.ARCHIVE, Purpose.FEDERATED}, otto: set(Purpose)}
