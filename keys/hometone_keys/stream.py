"""STREAM: sealing bytes of any length in chunks, as age does (age-encryption.org/v1, payload; Hoang, Reyhanitabar, Rogaway, Vizár 2015).

(1) The plaintext is cut into chunks of 65,536 bytes; the last may be shorter, and is empty only if the whole plaintext is empty.
(2) Chunk i is ChaCha20-Poly1305 (RFC 8439) with the nonce: i as 11 bytes big-endian, then 0x01 for the last chunk and 0x00 for all others.
(3) The bytes before the first chunk (the file's prefix and salt) are the associated data of every chunk.
(4) A reader first opens the last chunk: a file that was cut short is refused before one byte of it is used.

No chunk is ever returned that did not authenticate; chunks cannot be swapped, dropped, repeated or taken from another file.
Memory: one chunk, whatever the length. The reader seeks, because decoders of sound do.
"""

import io
import os
from collections.abc import Callable
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hometone_keys.damage import damaged
from hometone_keys.disk import storage_refusals
from hometone_shared.errors import DamagedVaultError, UsageError

CHUNK_BYTES = 65_536
TAG_BYTES = 16
_SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES


def chunk_nonce(index: int, *, last: bool) -> bytes:
    """The nonce of a chunk (2)."""
    return index.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


class StreamSealer:
    """Turns plaintext into chunks. It holds at most one chunk, and does no I/O.

    Args:
        key: 32 bytes, used for this stream only.
        associated_data: What every chunk is bound to (3).
    """

    def __init__(self, key: bytes | bytearray, *, associated_data: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._associated_data = associated_data
        self._pending = bytearray()
        self._index = 0

    def update(self, data: bytes | bytearray | memoryview) -> bytes:
        """Take more plaintext; return the chunks that are complete and certainly not the last."""
        self._pending += data
        sealed = []
        start = 0
        while len(self._pending) - start > CHUNK_BYTES:
            sealed.append(self._close_chunk(bytes(self._pending[start : start + CHUNK_BYTES]), last=False))
            start += CHUNK_BYTES
        del self._pending[:start]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """The last chunk. Nothing may follow."""
        sealed = self._close_chunk(bytes(self._pending), last=True)
        self._pending[:] = bytes(len(self._pending))
        return sealed

    def _close_chunk(self, plaintext: bytes, *, last: bool) -> bytes:
        nonce = chunk_nonce(self._index, last=last)
        self._index += 1
        return self._cipher.encrypt(nonce, plaintext, self._associated_data)


class StreamReader(io.RawIOBase):
    """Opens a stream for reading, anywhere, one chunk in memory.

    Args:
        source: A seekable binary file; it is closed with the reader.
        key: 32 bytes.
        associated_data: The bytes in front of the first chunk; the first chunk starts at this length.
        what: The part of the vault in plain words, for the error.
        explain: Called when a chunk does not open; may raise a better error (the file was removed meanwhile).

    Raises:
        DamagedVaultError: From the constructor and every read, when a chunk does not authenticate or is missing.
        StorageError: The disk refuses.
    """

    def __init__(
        self,
        source: BinaryIO,
        key: bytes | bytearray,
        *,
        associated_data: bytes,
        what: str,
        explain: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._source = source
        self._cipher = ChaCha20Poly1305(key)
        self._associated_data = associated_data
        self._what = what
        self._explain = explain
        self._position = 0
        self._cached = (-1, b"")
        with storage_refusals():
            sealed_bytes = source.seek(0, os.SEEK_END) - len(associated_data)
        self._chunks = max(1, -(-sealed_bytes // _SEALED_CHUNK_BYTES))
        self.length = sealed_bytes - self._chunks * TAG_BYTES
        # (1): an empty last chunk is allowed only alone.
        if self.length < 0 or (self._chunks > 1 and self.length <= (self._chunks - 1) * CHUNK_BYTES):
            raise self._refusal()
        self._chunk(self._chunks - 1)  # (4)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Position in the plaintext."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move in the plaintext.

        Raises:
            UsageError: Before the beginning, or an unknown `whence`.
        """
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.length}.get(whence)
        if origin is None or origin + offset < 0:
            raise UsageError("a position outside the file was asked for")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read at most one chunk's rest into `buffer`; 0 at the end."""
        if self._position >= self.length:
            return 0
        index, offset = divmod(self._position, CHUNK_BYTES)
        piece = self._chunk(index)[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close the source too, and forget the plaintext."""
        if not self.closed:
            self._cached = (-1, b"")
            self._source.close()
        super().close()

    def _chunk(self, index: int) -> bytes:
        if self._cached[0] != index:
            last = index == self._chunks - 1
            with storage_refusals():
                self._source.seek(len(self._associated_data) + index * _SEALED_CHUNK_BYTES)
                sealed = self._source.read(_SEALED_CHUNK_BYTES)
            try:
                plaintext = self._cipher.decrypt(chunk_nonce(index, last=last), sealed, self._associated_data)
            except InvalidTag as error:
                raise self._refusal() from error
            self._cached = (index, plaintext)
        return self._cached[1]

    def _refusal(self) -> DamagedVaultError:
        if self._explain is not None:
            self._explain()
        return damaged(self._what)
