"""An entry of the directory: a laptop that takes part, or does not any more (docs/protocol.md, section 2)."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/device/v1"
DEVICE_ID_CHARACTERS: Final = 32


class DeviceStatus(StrEnum):
    """Whether the device may take part."""

    ACTIVE = "active"
    REVOKED = "revoked"


def device_id(signing_key: bytes) -> str:
    """Name of a device: the first 16 bytes of SHA-256 of its raw Ed25519 public key, hexadecimal (section 1)."""
    return hashlib.sha256(signing_key).digest()[:16].hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """One entry.

    Attributes:
        signing_key: Raw Ed25519 public key, 32 bytes; the device's id follows from it.
        node_key_sha256: Hash of the OpenSSH text of its P-384 node key, hexadecimal.
        status: Active or revoked.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    signing_key: bytes
    node_key_sha256: str
    status: DeviceStatus = DeviceStatus.ACTIVE

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    @classmethod
    def of(cls, *, signing_key: bytes, node_key: bytes) -> Self:
        """The entry of a device that takes part.

        Args:
            signing_key: Raw Ed25519 public key, 32 bytes.
            node_key: OpenSSH text of its P-384 key.
        """
        return cls(signing_key=signing_key, node_key_sha256=hashlib.sha256(node_key).hexdigest())

    @property
    def device(self) -> str:
        """The device's id, 32 hexadecimal digits."""
        return device_id(self.signing_key)

    @property
    def is_active(self) -> bool:
        """Whether it may take part."""
        return self.status is DeviceStatus.ACTIVE

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "device": self.device,
            "node_key_sha256": self.node_key_sha256,
            "signing_key": b64(self.signing_key),
            "status": self.status.value,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read an entry.

        Raises:
            ProtocolError: It is not one.
        """
        signing_key, node_key_sha256, status = _read(document)
        return cls(signing_key=signing_key, node_key_sha256=node_key_sha256, status=status)

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The entry under the coordinator's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read an entry.

        Raises:
            ProtocolError: Another key signed it, or it is not an entry.
        """
        return cls.from_document(envelope.verified(KIND, key=key))


def _read(document: Document) -> tuple[bytes, str, DeviceStatus]:
    fields = Fields(document)
    named = fields.hexadecimal("device", characters=DEVICE_ID_CHARACTERS)
    signing_key = fields.blob("signing_key", size=32)
    node_key_sha256 = fields.hexadecimal("node_key_sha256")
    status = fields.text("status", longest=20)
    fields.done()
    if named != device_id(signing_key):
        raise ProtocolError("a device is not named after its key")
    if status not in {each.value for each in DeviceStatus}:
        raise ProtocolError("a device has a status that nobody knows")
    return signing_key, node_key_sha256, DeviceStatus(status)
