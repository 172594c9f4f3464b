"""The file in which a voice travels to the one machine that may open it (docs/withdrawal.md, section 5).

`HTON L 01 00 00`, u32 length, canonical envelope of the lease, then HPKE (RFC 9180, base mode: DHKEM X25519, HKDF-SHA256,
ChaCha20-Poly1305) of the voice container; `info` is `"hometone/lease/v1" 00` and the 32 bytes of the envelope's digest. What it may see: a
voice in memory. What it must never do: touch a disk, or open a voice without the lease that belongs to it.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hometone_client.voices.container import BYTES_LIMIT
from hometone_shared.errors import ProtocolError
from hometone_shared.records.lease import KIND, Lease
from hometone_shared.records.signing import Envelope

HEADER: Final = b"HTONL\x01\x00\x00"
LONGEST_LEASE: Final = 8192
_LENGTH_BYTES: Final = 4
_OVERHEAD: Final = 32 + 16
LONGEST_PACKAGE: Final = len(HEADER) + _LENGTH_BYTES + LONGEST_LEASE + _OVERHEAD + BYTES_LIMIT
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _info(envelope: Envelope) -> bytes:
    return KIND.encode() + b"\x00" + bytes.fromhex(envelope.digest)


@dataclass(frozen=True, slots=True)
class LentPackage:
    """A lease that was verified, and the voice that it is about, still sealed.

    Attributes:
        envelope: The signed lease.
        lease: The same, read.
        sealed: HPKE's `enc || ciphertext`.
    """

    envelope: Envelope
    lease: Lease
    sealed: bytes

    @classmethod
    def seal(cls, voice: bytes, *, envelope: Envelope, sealing_key: bytes) -> Self:
        """Close a voice for one machine.

        Args:
            voice: The voice container.
            envelope: The signed lease about it.
            sealing_key: Raw X25519 public key of the machine, 32 bytes.

        Raises:
            ProtocolError: The key gives everybody the same secret, or the lease is about another voice.
        """
        lease = Lease.from_envelope(envelope)
        if lease.voice_sha256 != hashlib.sha256(voice).hexdigest():
            raise ProtocolError("a lease is about another voice")
        try:
            sealed = _SUITE.encrypt(voice, X25519PublicKey.from_public_bytes(sealing_key), info=_info(envelope))
        except ValueError as error:
            raise ProtocolError("the key of this card is worthless", hint="ask for a new card") from error
        return cls(envelope, lease, sealed)

    def opened(self, private: X25519PrivateKey) -> bytes:
        """The voice container.

        Raises:
            ProtocolError: It was sealed to another machine, with another lease, or was changed.
        """
        try:
            voice = _SUITE.decrypt(self.sealed, private, info=_info(self.envelope))
        except (InvalidTag, ValueError) as error:
            raise ProtocolError("this lent voice does not open", hint="it was changed on its way; ask for it again") from error
        if hashlib.sha256(voice).hexdigest() != self.lease.voice_sha256:
            raise ProtocolError("this is not the voice that was lent", hint="ask for it again")
        return voice

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        lease = self.envelope.to_bytes()
        return HEADER + len(lease).to_bytes(_LENGTH_BYTES, "big") + lease + self.sealed

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a file; its lease is verified, its voice is not opened.

        Raises:
            ProtocolError: It is not such a file, was cut off, or the lease does not verify.
        """
        start = len(HEADER) + _LENGTH_BYTES
        if data[:5] == HEADER[:5] and data[5:8] > HEADER[5:8]:
            raise ProtocolError("this lent voice was made by a newer Hometone", hint="update Hometone on this computer")
        if not data.startswith(HEADER) or not start < len(data) <= LONGEST_PACKAGE:
            raise ProtocolError("this is not a lent voice", hint="choose the file that hometone lend has written")
        length = int.from_bytes(data[len(HEADER) : start], "big")
        if length > LONGEST_LEASE or len(data) < start + length + _OVERHEAD:
            raise ProtocolError("this lent voice is not complete", hint="copy the file again")
        envelope = Envelope.from_bytes(data[start : start + length])
        return cls(envelope, Lease.from_envelope(envelope), data[start + length :])
