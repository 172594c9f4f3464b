"""The file that carries a lent voice: opens on one machine, with its own lease, or not at all."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.client.lending.conftest import World

from hometone_client.lending.package import LentPackage
from hometone_client.speakers.room import OWN
from hometone_shared.errors import ProtocolError
from hometone_shared.records.lease import Lease, recipient_proof
from hometone_shared.records.tombstone import NO_COORDINATOR
from hometone_shared.withdrawal.recovery import RecoverySecret

SECRET = RecoverySecret(bytes(range(16)))
VOICE = b"the numbers that make a voice" * 40


def a_lease(voice: bytes = VOICE, **changes: object) -> Lease:
    fields = {
        "pseudonym": SECRET.pseudonym,
        "coordinator": NO_COORDINATOR,
        "recipient": "cd" * 16,
        "lease": "ef" * 16,
        "label": "mei",
        "issued": 1000,
        "ends": 100_000,
        "voice_sha256": hashlib.sha256(voice).hexdigest(),
        "holder": recipient_proof(SECRET.withdrawal_key(), "cd" * 16),
    }
    return Lease(**(fields | changes))  # type: ignore[arg-type]


def test_the_bytes_are_those_of_the_specification() -> None:
    private = X25519PrivateKey.generate()
    envelope = a_lease().signed(SECRET.withdrawal_key())
    data = LentPackage.seal(VOICE, envelope=envelope, sealing_key=private.public_key().public_bytes_raw()).to_bytes()
    assert data[:8] == b"HTON" + b"L" + b"\x01\x00\x00"
    length = int.from_bytes(data[8:12], "big")
    assert data[12 : 12 + length] == envelope.to_bytes()
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    info = b"hometone/lease/v1\x00" + bytes.fromhex(envelope.digest)
    assert suite.decrypt(data[12 + length :], private, info=info) == VOICE
    again = LentPackage.from_bytes(data)
    assert again.lease == a_lease()
    assert again.opened(private) == VOICE


def test_another_machine_cannot_open_it() -> None:
    envelope = a_lease().signed(SECRET.withdrawal_key())
    package = LentPackage.seal(VOICE, envelope=envelope, sealing_key=X25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(ProtocolError, match="does not open"):
        package.opened(X25519PrivateKey.generate())


def test_another_lease_of_the_same_owner_does_not_open_it() -> None:
    private = X25519PrivateKey.generate()
    short, long = (a_lease(ends=ends).signed(SECRET.withdrawal_key()) for ends in (2000, 1 << 33))
    package = LentPackage.seal(VOICE, envelope=short, sealing_key=private.public_key().public_bytes_raw())
    stretched = LentPackage(long, Lease.from_envelope(long), package.sealed)
    with pytest.raises(ProtocolError, match="does not open"):
        stretched.opened(private)


def test_a_lease_about_another_voice_is_not_sealed_with_this_one() -> None:
    envelope = a_lease(b"another voice").signed(SECRET.withdrawal_key())
    with pytest.raises(ProtocolError, match="another voice"):
        LentPackage.seal(VOICE, envelope=envelope, sealing_key=bytes(range(32)))


def test_another_voice_under_the_right_lease_is_refused() -> None:
    private = X25519PrivateKey.generate()
    envelope = a_lease().signed(SECRET.withdrawal_key())
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    info = b"hometone/lease/v1\x00" + bytes.fromhex(envelope.digest)
    package = LentPackage(envelope, a_lease(), suite.encrypt(b"forged", private.public_key(), info=info))
    with pytest.raises(ProtocolError, match="not the voice that was lent"):
        package.opened(private)


def test_a_worthless_key_is_refused() -> None:
    envelope = a_lease().signed(SECRET.withdrawal_key())
    with pytest.raises(ProtocolError, match="worthless"):
        LentPackage.seal(VOICE, envelope=envelope, sealing_key=bytes(32))


def test_every_flipped_bit_and_every_shorter_file_is_refused(world: World) -> None:
    data = world.package()
    private = world.borrower.device.sealing_key
    assert LentPackage.from_bytes(data).opened(private) == world.room.vault.read("voice", OWN)
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        with pytest.raises(ProtocolError):
            LentPackage.from_bytes(bytes(changed)).opened(private)
    for length in range(0, len(data), 13):
        with pytest.raises(ProtocolError):
            LentPackage.from_bytes(data[:length]).opened(private)
    with pytest.raises(ProtocolError):
        LentPackage.from_bytes(data + b"\x00").opened(private)


def test_a_newer_version_says_so() -> None:
    with pytest.raises(ProtocolError, match="newer Hometone"):
        LentPackage.from_bytes(b"HTONL\x02\x00\x00" + bytes(100))


@settings(max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_foreign_bytes_are_a_protocol_error_and_nothing_else(data: bytes, headed: bool) -> None:
    with pytest.raises(ProtocolError):
        LentPackage.from_bytes((b"HTONL\x01\x00\x00" if headed else b"") + data)


def test_the_package_shows_no_pseudonym_of_the_vault(world: World) -> None:
    data = world.package(label="announcer")
    assert world.room.speaker_id.encode() not in data
    assert b"mei" not in data
