"""Who held something of somebody is what her own key says: another device's word settles nothing, in a bundle or a lease."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import check_holder, holder_proof
from hometone_shared.records.lease import Lease, recipient_proof
from hometone_shared.records.receipt import HolderReceipt, Role
from hometone_shared.records.tombstone import NO_COORDINATOR
from hometone_shared.withdrawal.recovery import RecoverySecret

SECRET, STRANGER = RecoverySecret(bytes(16)), RecoverySecret(b"\x01" * 16)
OWNER, OTHER = SECRET.withdrawal_key(), STRANGER.withdrawal_key()
OWNER_KEY = OWNER.public_key().public_bytes_raw()
LAPTOP, FOREIGN = (Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32) for value in (2, 3))
HERE, ELSEWHERE = (device_id(key.public_key().public_bytes_raw()) for key in (LAPTOP, FOREIGN))
PROOF = holder_proof(OWNER, role=Role.LAPTOP, device=HERE)


def test_a_proof_is_about_one_device_in_one_role_of_one_person():
    check_holder(PROOF, withdrawal_key=OWNER_KEY, role="laptop", device=HERE)
    for proof, key, role, device in (
        (PROOF, OWNER_KEY, "laptop", ELSEWHERE),
        (PROOF, OWNER_KEY, "recipient", HERE),
        (PROOF, OTHER.public_key().public_bytes_raw(), "laptop", HERE),
        (PROOF, bytes(31), "laptop", HERE),
        (PROOF[:-1], OWNER_KEY, "laptop", HERE),
        (holder_proof(OTHER, role="laptop", device=HERE), OWNER_KEY, "laptop", HERE),
    ):
        with pytest.raises(ProtocolError, match="nothing proves"):
            check_holder(proof, withdrawal_key=key, role=role, device=device)


def test_a_receipt_carries_its_proof_or_none():
    receipt = HolderReceipt(tombstone_sha256="ab" * 32, pseudonym=SECRET.pseudonym, role=Role.LAPTOP, at=1, holder=PROOF)
    read = HolderReceipt.from_envelope(receipt.signed(LAPTOP))
    assert read.is_proved
    read.check_holder(withdrawal_key=OWNER_KEY, device=HERE)
    with pytest.raises(ProtocolError, match="nothing proves"):
        read.check_holder(withdrawal_key=OWNER_KEY, device=ELSEWHERE)
    without = HolderReceipt.from_envelope(dataclasses.replace(receipt, holder=None).signed(FOREIGN))
    without.check_holder(withdrawal_key=OWNER_KEY, device=ELSEWHERE)
    assert not without.is_proved
    with pytest.raises(ProtocolError):
        dataclasses.replace(receipt, holder=PROOF[1:])


def test_a_lease_says_so_of_its_own_machine_alone():
    fields = {"pseudonym": SECRET.pseudonym, "coordinator": NO_COORDINATOR, "lease": "5a" * 16, "label": "Anna", "issued": 1, "ends": 2}
    for device, holds in ((HERE, True), (ELSEWHERE, False)):
        lease = Lease(**fields, recipient=device, voice_sha256="ab" * 32, holder=recipient_proof(OWNER, HERE))
        if holds:
            assert Lease.from_envelope(lease.signed(OWNER)) == lease
        else:
            with pytest.raises(ProtocolError, match="nothing proves"):
                Lease.from_envelope(lease.signed(OWNER))
