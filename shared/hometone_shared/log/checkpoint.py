"""Signed heads of the log: C2SP tlog-checkpoint inside a C2SP signed note (c2sp.org/tlog-checkpoint, c2sp.org/signed-note).

What it may see: the coordinator's private key while it signs. What it must never do: hand out a head whose signature was not checked
against a key that the caller named. Lines of other signers (witnesses) are ignored; extension lines, which nobody could audit, are refused.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hometone_shared.errors import ProtocolError
from hometone_shared.log.merkle import HASH_BYTES
from hometone_shared.records.canonical import b64, checked_b64

LONGEST_NOTE: Final = 128 * 1024
MOST_SIGNATURES: Final = 100
LARGEST_SIZE: Final = 1 << 40
_ED25519: Final = b"\x01"
_DASH: Final = "\u2014 "
_KEY_NAME: Final = re.compile(r"[^\s+]{1,200}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,13}", re.ASCII)


def log_origin(coordinator_key: bytes) -> str:
    """Name of a coordinator's log, from its raw Ed25519 key: it stays the same when the address changes."""
    return "hometone/log/" + hashlib.sha256(coordinator_key).digest()[:16].hex()


def key_id(name: str, key: bytes) -> bytes:
    """Four bytes by which a signature line names its key (signed-note, "Ed25519 signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:4]


def sign_note(text: str, *, name: str, key: Ed25519PrivateKey) -> bytes:
    """A signed note.

    Args:
        text: What is signed, with the line end that closes it.
        name: Name of the key, without spaces or plus signs.
        key: Private key.

    Raises:
        ProtocolError: Such a note could not be read again.
    """
    raw = key.public_key().public_bytes_raw()
    signature = base64.b64encode(key_id(name, raw) + key.sign(text.encode())).decode("ascii")
    note = f"{text}\n{_DASH}{name} {signature}\n".encode()
    verified_note(note, name=name, key=raw)
    return note


def verified_note(data: bytes, *, name: str, key: bytes) -> str:
    """The text of a note, once the signature of this key has been found and checked.

    Args:
        data: The note as it came.
        name: Name of the key.
        key: Raw Ed25519 public key, 32 bytes.

    Raises:
        ProtocolError: It is no note, this key did not sign it, or a signature of this key does not hold.
    """
    text, signatures = note_parts(data)
    wanted = (name, key_id(name, key))
    found = False
    for signer, blob in signatures:
        if (signer, blob[:4]) != wanted:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(blob[4:], text.encode())
        except (InvalidSignature, ValueError) as error:
            raise ProtocolError("a signature on a head of the log does not hold") from error
        found = True
    if not found:
        raise ProtocolError("a head of the log lacks the coordinator's signature")
    return text


def note_parts(data: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """A note taken apart: the text that is signed, and (name, 4 bytes key id and signature) of each line below it; nothing is verified.

    Raises:
        ProtocolError: It is no note (C2SP signed-note).
    """
    unreadable = ProtocolError("a head of the log cannot be read")
    if len(data) > LONGEST_NOTE:
        raise unreadable
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable from error
    text, blank_line, signatures = note.rpartition("\n\n")
    if not blank_line or not signatures.endswith("\n") or any(character < " " and character != "\n" for character in note):
        raise unreadable
    lines = signatures[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise unreadable
    return text + "\n", list(_signatures(lines))


def _signatures(lines: list[str]) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        dash, name_and_rest = line[:2], line[2:]
        name, space, encoded = name_and_rest.partition(" ")
        blob = checked_b64(encoded, name="a signature on a head of the log")
        if dash != _DASH or not space or _KEY_NAME.fullmatch(name) is None or len(blob) < 5:
            raise ProtocolError("a head of the log cannot be read")
        yield name, blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Head of a log.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: Root of the tree over them, 32 bytes.

    Raises:
        ProtocolError: The values are not a head.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Check what would be written."""
        if _KEY_NAME.fullmatch(self.origin) is None or not 0 <= self.size <= LARGEST_SIZE or len(self.root) != HASH_BYTES:
            raise ProtocolError("these values are no head of a log")

    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"

    def signed(self, key: Ed25519PrivateKey) -> bytes:
        """The head as a signed note; the key's name is the origin."""
        return sign_note(self.text(), name=self.origin, key=key)

    @classmethod
    def from_note(cls, data: bytes, *, origin: str, key: bytes) -> Self:
        """Verify and read a head.

        Args:
            data: The note as it came.
            origin: The log that is meant.
            key: Its raw Ed25519 public key, 32 bytes.

        Raises:
            ProtocolError: The key did not sign it, or it is no head of this log.
        """
        lines = verified_note(data, name=origin, key=key).split("\n")
        if len(lines) != 4 or lines[0] != origin or _SIZE.fullmatch(lines[1]) is None:
            raise ProtocolError("a signed note is no head of this log")
        return cls(origin=origin, size=int(lines[1]), root=checked_b64(lines[2], name="the root of the log", size=HASH_BYTES))
