"""Who this laptop is: three key pairs that belong to the machine and to no speaker.

Ed25519 signs receipts and, later, per-round keys; P-384 is the key by which a coordinator's server knows the node (its format is
OpenSSH's); X25519 is what others seal to (HPKE, RFC 9180). They live sealed in the file of key slots and survive every erasure,
because they say nothing about a speaker.
"""

import base64
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """The private halves. `repr` shows none of them."""

    signing_key: Ed25519PrivateKey = field(repr=False)
    node_key: EllipticCurvePrivateKey = field(repr=False)
    sealing_key: X25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Three new keys from the operating system's random source."""
        return cls(
            signing_key=Ed25519PrivateKey.generate(), node_key=generate_private_key(SECP384R1()), sealing_key=X25519PrivateKey.generate()
        )

    def public_signing_key(self) -> bytes:
        """32 bytes (RFC 8032)."""
        return self.signing_key.public_key().public_bytes_raw()

    def public_sealing_key(self) -> bytes:
        """32 bytes (RFC 7748)."""
        return self.sealing_key.public_key().public_bytes_raw()

    def public_node_key(self) -> bytes:
        """One line in OpenSSH's format, as `flwr supernode register` reads it."""
        return self.node_key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)

    def to_record(self) -> dict[str, str]:
        """For the sealed file of key slots only."""
        node = self.node_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        parts = {"ed25519": self.signing_key.private_bytes_raw(), "p384": node, "x25519": self.sealing_key.private_bytes_raw()}
        return {name: base64.b64encode(part).decode() for name, part in parts.items()}

    @classmethod
    def from_record(cls, record: dict[str, str]) -> Self:
        """Read what `to_record` wrote.

        Raises:
            KeyError: A key is missing.
            ValueError: A key is not one.
        """
        raw = {name: base64.b64decode(record[name], validate=True) for name in ("ed25519", "p384", "x25519")}
        node_key = load_der_private_key(raw["p384"], password=None)
        if not isinstance(node_key, EllipticCurvePrivateKey) or not isinstance(node_key.curve, SECP384R1):
            raise ValueError("the node key is not on P-384")  # noqa: TRY004 - the caller knows one class for a bad record
        return cls(
            signing_key=Ed25519PrivateKey.from_private_bytes(raw["ed25519"]),
            node_key=node_key,
            sealing_key=X25519PrivateKey.from_private_bytes(raw["x25519"]),
        )
