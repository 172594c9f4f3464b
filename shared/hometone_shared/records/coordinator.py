"""Who the coordinator is: the self-signed descriptor that laptops pin when they join (docs/protocol.md, section 2)."""

import binascii
import hashlib
import ipaddress
import re
import ssl
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/coordinator/v1"
LONGEST_CERTIFICATE: Final = 16 * 1024
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?P<host>\[(?P<ipv6>[0-9a-f:.]{{2,45}})\]|{_LABEL}(?:\.{_LABEL})*):(?P<port>[1-9][0-9]{{0,4}})")
_LONGEST_HOST: Final = 253


def certificate_sha256(pem: bytes) -> str:
    """SHA-256 of a certificate's DER bytes, hexadecimal: how a descriptor names the coordinator's authority.

    Raises:
        ProtocolError: These bytes are not exactly one certificate in PEM.
    """
    if len(pem) > LONGEST_CERTIFICATE:
        raise ProtocolError("a certificate is too long")
    try:
        der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())
    except (ValueError, binascii.Error) as error:
        raise ProtocolError("a certificate cannot be read") from error
    if pem.count(b"BEGIN") != 1 or not der:
        raise ProtocolError("a certificate cannot be read")
    return hashlib.sha256(der).hexdigest()


def checked_address(value: str) -> str:
    """The value if it is `host:port`, in small letters; an IPv6 host stands in brackets.

    Raises:
        ProtocolError: It is not.
    """
    match = _ADDRESS.fullmatch(value)
    if match is None or len(match["host"]) > _LONGEST_HOST or int(match["port"]) > 65535 or not _is_ipv6(match["ipv6"] or "::"):
        raise ProtocolError("an address is not of the form host:port")
    return value


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorDescriptor:
    """A descriptor.

    Attributes:
        address: `host:port` at which laptops reach the coordinator.
        bundle_sha256: Hash of its application bundle, hexadecimal.
        ca_sha256: Hash of the certificate (DER) of its own authority, hexadecimal.
        name: What it calls itself, such as the name of a community centre.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    address: str
    bundle_sha256: str
    ca_sha256: str
    name: str

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {"address": self.address, "bundle_sha256": self.bundle_sha256, "ca_sha256": self.ca_sha256, "name": self.name}

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read a descriptor.

        Raises:
            ProtocolError: It is not one.
        """
        return cls(**_read(document))

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The descriptor under the coordinator's own signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a descriptor.

        Args:
            envelope: What came.
            key: The coordinator's raw key: the pinned one, or, while joining, the envelope's own after it was compared with the invitation.

        Raises:
            ProtocolError: Another key signed it, or it is not a descriptor.
        """
        return cls.from_document(envelope.verified(KIND, key=key))


def _read(document: Document) -> dict[str, str]:
    fields = Fields(document)
    read = {
        "address": checked_address(fields.text("address", longest=300)),
        "bundle_sha256": fields.hexadecimal("bundle_sha256"),
        "ca_sha256": fields.hexadecimal("ca_sha256"),
        "name": fields.text("name", longest=200),
    }
    fields.done()
    if not read["name"].isprintable() or not read["name"].strip():
        raise ProtocolError("a coordinator's name is empty or cannot be shown")
    return read
