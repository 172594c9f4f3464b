"""What a laptop sends when it joins: its public keys, signed by itself (docs/formats.md, "Joining").

The signature covers the invitation and the coordinator's key, so that nobody can take the request to another coordinator, or use the
invitation of another laptop with it. What it may see: the device's signing key while it signs. What it must never do: hold another
private key.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64
from hometone_shared.records.device import DeviceEntry, device_id
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/join/v1"
LONGEST_NODE_KEY: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """A request, self-signed.

    Attributes:
        coordinator_key: The coordinator's raw Ed25519 key, 32 bytes.
        node_key: P-384 public key as OpenSSH writes it: one line, no comment, no line end.
        sealing_key: Raw X25519 public key for HPKE, 32 bytes.
        signing_key: The device's raw Ed25519 public key, 32 bytes.
        token_sha256: Hash of the invitation's token, hexadecimal.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    coordinator_key: bytes
    node_key: bytes
    sealing_key: bytes
    signing_key: bytes
    token_sha256: str

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    @property
    def device(self) -> str:
        """Id of the device that asks."""
        return device_id(self.signing_key)

    def entry(self) -> DeviceEntry:
        """The entry that this request asks for."""
        return DeviceEntry.of(signing_key=self.signing_key, node_key=self.node_key)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "coordinator_key": b64(self.coordinator_key),
            "node_key": self.node_key.decode("ascii", errors="replace"),
            "sealing_key": b64(self.sealing_key),
            "signing_key": b64(self.signing_key),
            "token_sha256": self.token_sha256,
        }

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The request under the device's own signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """Verify and read a request; it must be signed by the very key that it brings.

        Raises:
            ProtocolError: It is not one, or the signature does not hold.
        """
        request = cls(**_read(envelope.verified(KIND, key=envelope.key)))
        if request.signing_key != envelope.key:
            raise ProtocolError("a request to join was signed with another key")
        return request


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    read = {
        "coordinator_key": fields.blob("coordinator_key", size=32),
        "node_key": _checked_node_key(fields.text("node_key", longest=LONGEST_NODE_KEY)),
        "sealing_key": fields.blob("sealing_key", size=32),
        "signing_key": fields.blob("signing_key", size=32),
        "token_sha256": fields.hexadecimal("token_sha256"),
    }
    fields.done()
    return read


def _checked_node_key(text: str) -> bytes:
    line = text.encode()
    try:
        key = load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProtocolError("a node key cannot be read") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise ProtocolError("a node key is not on P-384")
    if key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) != line:
        raise ProtocolError("a node key is not in its canonical form")
    return line
