"""Signed envelopes around documents (DSSE 1.0 pre-authentication encoding, Ed25519 of RFC 8032).

What it may see: a private key while it signs. What it must never do: hand out a payload whose signature was not checked against a key
that the caller named.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64, canonical, parse

LONGEST_PAYLOAD: Final = 1 << 20


def pre_authentication_encoding(kind: str, payload: bytes) -> bytes:
    """What is signed and hashed: type and payload, unambiguously (DSSE 1.0)."""
    name = kind.encode()
    return b" ".join((b"DSSEv1", str(len(name)).encode(), name, str(len(payload)).encode(), payload))


def digest_of(kind: str, payload: bytes) -> str:
    """SHA-256 over type and payload, hexadecimal: the name of a signed document."""
    return hashlib.sha256(pre_authentication_encoding(kind, payload)).hexdigest()


def sign_detached(kind: str, document: Document, key: Ed25519PrivateKey) -> bytes:
    """A signature of 64 bytes over a document that the receiver rebuilds."""
    return sign_payload(kind, canonical(document), key)


def verify_detached(kind: str, document: Document, signature: bytes, *, key: bytes) -> None:
    """Check such a signature under a raw public key of 32 bytes.

    Raises:
        ProtocolError: It does not hold.
    """
    verify_payload(kind, canonical(document), signature, key=key)


def sign_payload(kind: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """A signature of 64 bytes over canonical bytes that the receiver rebuilds."""
    return key.sign(pre_authentication_encoding(kind, payload))


def verify_payload(kind: str, payload: bytes, signature: bytes, *, key: bytes) -> None:
    """Check such a signature under a raw public key of 32 bytes.

    Raises:
        ProtocolError: It does not hold.
    """
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, pre_authentication_encoding(kind, payload))
    except (InvalidSignature, ValueError) as error:
        raise ProtocolError("a signature does not hold") from error


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed document that has not been verified yet.

    Attributes:
        kind: The document's type, such as `hometone/round-plan/v1`.
        payload: Its canonical bytes.
        key: Raw Ed25519 public key, 32 bytes, that the sender says it signed with.
        signature: 64 bytes.
    """

    kind: str
    payload: bytes
    key: bytes
    signature: bytes

    @classmethod
    def sign(cls, kind: str, document: Document, key: Ed25519PrivateKey) -> Self:
        """Sign a document."""
        payload = canonical(document)
        return cls(kind=kind, payload=payload, key=key.public_key().public_bytes_raw(), signature=sign_payload(kind, payload, key))

    @property
    def digest(self) -> str:
        """The document's name, hexadecimal SHA-256."""
        return digest_of(self.kind, self.payload)

    def verified(self, kind: str, *, key: bytes) -> Document:
        """The document, once its type and its signature under this key have been checked.

        Raises:
            ProtocolError: Another type, another key, or a signature that does not hold.
        """
        if self.kind != kind:
            raise ProtocolError(f"a signed document is not of the type {kind}")
        if self.key != key:
            raise ProtocolError("a document was signed with another key")
        verify_payload(kind, self.payload, self.signature, key=key)
        return parse(self.payload)

    def to_document(self) -> Document:
        """For sending."""
        return {"key": b64(self.key), "payload": b64(self.payload), "signature": b64(self.signature), "type": self.kind}

    def to_bytes(self) -> bytes:
        """Canonical bytes, for the log and for files."""
        return canonical(self.to_document())

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read what `to_document` made.

        Raises:
            ProtocolError: It is something else.
        """
        fields = Fields(document)
        envelope = cls(
            kind=fields.text("type", longest=100),
            payload=fields.sized_blob("payload", longest=LONGEST_PAYLOAD),
            key=fields.blob("key", size=32),
            signature=fields.blob("signature", size=64),
        )
        fields.done()
        return envelope

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` made.

        Raises:
            ProtocolError: It is something else.
        """
        return cls.from_document(parse(data))
