"""Cosignatures of witnesses on heads of the log: C2SP tlog-cosignature, `cosignature/v1` (c2sp.org/tlog-cosignature).

A witness says with one that, at that time, this was the newest head of this log that it had seen, and that it follows from all
earlier ones.

What it may see: a witness's private key while it signs. What it must never do: decide whether a head deserves it. Who calls `cosign` has
checked the log's own signature and the proof from the head before.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hometone_shared.errors import ProtocolError
from hometone_shared.log.checkpoint import LONGEST_NOTE, MOST_SIGNATURES, note_parts
from hometone_shared.records.canonical import checked_b64

LATEST_S: Final = 1 << 40
_KEY_TYPE: Final = b"\x04"
_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_BLOB_BYTES: Final = _KEY_ID_BYTES + _TIME_BYTES + 64
_NAME: Final = re.compile(r"[^\s+]{1,200}")


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """Public key of a witness.

    Attributes:
        name: Without spaces or plus signs, such as `witness.example/w1`.
        key: Raw Ed25519 public key, 32 bytes.

    Raises:
        ProtocolError: It is no such key.
    """

    name: str
    key: bytes

    def __post_init__(self) -> None:
        """Check what would be written."""
        if _NAME.fullmatch(self.name) is None or not self.name.isprintable() or len(self.key) != 32:
            raise ProtocolError("these values are no key of a witness")

    @property
    def key_id(self) -> bytes:
        """Four bytes by which a signature line names the key (key type 04)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _KEY_TYPE + self.key).digest()[:_KEY_ID_BYTES]

    def text(self) -> str:
        """`NAME+KEYID+KEY`, a verifier key of C2SP signed-note: the last part is base64 of type and key."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_KEY_TYPE + self.key).decode('ascii')}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` made.

        Raises:
            ProtocolError: It is something else.
        """
        hint = "the witness shows it: a name, eight digits and a key, with plus signs between them"
        name, _, id_and_key = text.partition("+")
        key_id, _, encoded = id_and_key.partition("+")
        try:
            blob = checked_b64(encoded, name="the key of a witness", size=1 + 32)
            witness = cls(name, blob[1:])
        except ProtocolError as error:
            raise ProtocolError("the key of a witness cannot be read", hint=hint) from error
        if blob[:1] != _KEY_TYPE or key_id != witness.key_id.hex():
            raise ProtocolError("the key of a witness has a mistake", hint=hint)
        return witness


def cosign(note: bytes, *, key: Ed25519PrivateKey, name: str, time_s: int) -> bytes:
    """The note with this witness's line below the others; an earlier line of the same key goes.

    Args:
        note: A signed note that the caller has checked.
        key: Private key of the witness.
        name: Its name.
        time_s: When, seconds since 1970.

    Raises:
        ProtocolError: It is no note, is full, or the name or the time cannot be written.
    """
    witness = WitnessKey(name, key.public_key().public_bytes_raw())
    if not 1 <= time_s <= LATEST_S:
        raise ProtocolError("a cosignature needs a time after 1970")
    text, lines = note_parts(note)
    blob = witness.key_id + time_s.to_bytes(_TIME_BYTES, "big") + key.sign(_message(text, time_s))
    return _written(text, [*_without(lines, [(name, witness.key_id)]), (name, blob)])


def with_lines_of(note: bytes, other: bytes) -> bytes:
    """A note with the signature lines of another one on the same text below its own; where both have a line of one key, the other's counts.

    Nothing is verified: a line means something only to whoever knows its key. The first line, which is the log's own, stays as it is.

    Raises:
        ProtocolError: One of them is no note, the texts differ, or there are too many lines.
    """
    text, lines = note_parts(note)
    other_text, other_lines = note_parts(other)
    if text != other_text:
        raise ProtocolError("a cosignature is on another head of the log")
    added = _without(other_lines, [(name, blob[:_KEY_ID_BYTES]) for name, blob in lines[:1]])
    kept = _without(lines[1:], [(name, blob[:_KEY_ID_BYTES]) for name, blob in added])
    return _written(text, [*lines[:1], *kept, *dict.fromkeys(added)])


def cosigned_at(note: bytes, witness: WitnessKey) -> int:
    """When a witness has cosigned this note last, seconds since 1970.

    Raises:
        ProtocolError: It is no note, the witness has not, or a cosignature of its key does not hold.
    """
    text, lines = note_parts(note)
    times = [
        _checked_time(blob, text, witness.key) for name, blob in lines if (name, blob[:_KEY_ID_BYTES]) == (witness.name, witness.key_id)
    ]
    if not times:
        raise ProtocolError("no trusted witness has seen this head of the log")
    return max(times)


def _checked_time(blob: bytes, text: str, key: bytes) -> int:
    time_s = int.from_bytes(blob[_KEY_ID_BYTES : _KEY_ID_BYTES + _TIME_BYTES], "big")
    if len(blob) != _BLOB_BYTES or not 1 <= time_s <= LATEST_S:
        raise ProtocolError("a cosignature of a witness cannot be read")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(blob[_KEY_ID_BYTES + _TIME_BYTES :], _message(text, time_s))
    except (InvalidSignature, ValueError) as error:
        raise ProtocolError("a cosignature of a witness does not hold") from error
    return time_s


def _message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _without(lines: Iterable[tuple[str, bytes]], keys: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, blob) for name, blob in lines if (name, blob[:_KEY_ID_BYTES]) not in keys]


def _written(text: str, lines: list[tuple[str, bytes]]) -> bytes:
    note = (f"{text}\n" + "".join(f"\u2014 {name} {base64.b64encode(blob).decode('ascii')}\n" for name, blob in lines)).encode()
    if len(lines) > MOST_SIGNATURES or len(note) > LONGEST_NOTE:
        raise ProtocolError("a head of the log has no room for another signature")
    return note
