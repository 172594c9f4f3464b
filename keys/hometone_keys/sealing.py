"""What all sealed files have in common: their first eight bytes, their keys, and how a small one is closed and opened.

A sealed file is `prefix ‖ salt ‖ STREAM`. The prefix starts with `HTON`, one letter for the kind of file, one byte for the version and
two zero bytes; it and the salt are authenticated with every chunk. The key of the stream is HKDF-SHA256 (RFC 5869) of a parent key
with that salt and an `info` that spells out whose file it is, so a file moved to another place or another speaker does not open.
docs/formats.md is the specification.
"""

import io
import json
import secrets
from enum import Enum
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hometone_keys.damage import damaged
from hometone_keys.stream import StreamReader, StreamSealer
from hometone_shared.errors import DamagedVaultError

KEY_BYTES = 32
SALT_BYTES = 32
HEADER_BYTES = 8
_MAGIC = b"HTON"
_ONE_TIME_NONCE = bytes(12)


class FileKind(Enum):
    """The fifth byte of a file: what it is."""

    ARTEFACT = b"A"
    INDEX = b"I"
    KEY_SLOTS = b"S"
    INTENT = b"E"
    ATTEMPTS = b"T"
    FILE_KEY = b"F"
    PASSPHRASE_KEY = b"P"
    KEYRING_KEY = b"R"

    @property
    def version(self) -> int:
        """The version that is written; older ones, from 1, are still read."""
        return 3 if self is FileKind.KEY_SLOTS else 1


def header(kind: FileKind) -> bytes:
    """The eight bytes that open a file of this kind, in the version that is written."""
    return _MAGIC + kind.value + bytes([kind.version, 0, 0])


def kind_of(data: bytes, *, what: str) -> FileKind:
    """Read the kind from a file's first bytes.

    Raises:
        DamagedVaultError: These are not the first bytes of a sealed file, or of one that this version understands.
    """
    if len(data) < HEADER_BYTES or data[:4] != _MAGIC:
        raise damaged(what)
    kind = next((known for known in FileKind if known.value == data[4:5]), None)
    version = version_of(data)
    if version > (1 if kind is None else kind.version):
        raise DamagedVaultError(f"{what} was written by a newer Hometone", hint="install the newer version on this machine")
    if kind is None or version < 1 or data[6:HEADER_BYTES] != bytes(2):
        raise damaged(what)
    return kind


def version_of(data: bytes) -> int:
    """The version in a file's first bytes; `kind_of` says whether it is one that can be read."""
    return data[5]


def expect_kind(data: bytes, kind: FileKind, *, what: str) -> None:
    """Check that a file is of one kind.

    Raises:
        DamagedVaultError: It is not.
    """
    if kind_of(data, what=what) is not kind:
        raise damaged(what)


def context(label: str, *fields: bytes) -> bytes:
    """An unambiguous byte string from a label and fields: each preceded by its length as two bytes, big-endian."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in (label.encode(), *fields))


def derive(key: bytes | bytearray, *, salt: bytes, info: bytes) -> bytearray:
    """HKDF-SHA256 (RFC 5869), 32 bytes, in memory that the caller can wipe."""
    out = bytearray(KEY_BYTES)
    HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=info).derive_into(key, out)
    return out


def wipe(key: bytearray) -> None:
    """Overwrite a key in memory; best effort, copies inside libraries and the swap file are out of reach."""
    key[:] = bytes(len(key))


def wrap(key: bytes | bytearray, payload: bytes | bytearray, *, associated_data: bytes) -> bytes:
    """Close one small secret under a key that is used for this one message only (hence the zero nonce)."""
    return ChaCha20Poly1305(key).encrypt(_ONE_TIME_NONCE, payload, associated_data)


def unwrap(key: bytes | bytearray, sealed: bytes, *, associated_data: bytes) -> bytearray | None:
    """Open what `wrap` closed; `None` when the key or the data are not the ones."""
    if len(sealed) < 16:
        return None
    out = bytearray(len(sealed) - 16)
    try:
        ChaCha20Poly1305(key).decrypt_into(_ONE_TIME_NONCE, sealed, associated_data, out)
    except InvalidTag:
        return None
    return out


def seal(key: bytes | bytearray, plaintext: bytes | bytearray, *, prefix: bytes, info: bytes, salt: bytes | None = None) -> bytes:
    """Close a small file.

    Args:
        key: Parent key, 32 bytes.
        plaintext: What to close.
        prefix: Header and whatever must be readable before the key is known.
        info: `context(...)` that says whose file this is.
        salt: 32 bytes; only the makers of test vectors give it, everybody else takes the operating system's random bytes.
    """
    start = prefix + (secrets.token_bytes(SALT_BYTES) if salt is None else salt)
    stream_key = derive(key, salt=start[len(prefix) :], info=info)
    sealer = StreamSealer(stream_key, associated_data=start)
    wipe(stream_key)
    return start + sealer.update(plaintext) + sealer.finish()


def unseal(key: bytes | bytearray, data: bytes, *, prefix_bytes: int, info: bytes, what: str) -> bytes:
    """Open a small file that `seal` closed.

    Raises:
        DamagedVaultError: Any bit differs from what was written, or it belongs elsewhere.
    """
    start = data[: prefix_bytes + SALT_BYTES]
    if len(start) < prefix_bytes + SALT_BYTES:
        raise damaged(what)
    stream_key = derive(key, salt=start[prefix_bytes:], info=info)
    try:
        with StreamReader(io.BytesIO(data), stream_key, associated_data=start, what=what) as reader:
            return reader.readall()
    finally:
        wipe(stream_key)


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8 and no NaN: one value, one byte string.

    Raises:
        TypeError: The value holds something JSON does not have.
        ValueError: The value holds NaN, infinity or itself.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parse_json(data: bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: The bytes are not JSON in UTF-8.
    """
    return json.loads(data.decode())
