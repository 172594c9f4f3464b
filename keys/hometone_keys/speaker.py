"""A speaker's own part of the vault, unlocked: put, open, list, delete.

Everything here is sealed under the speaker's data key: artefacts as streams (a recording of three hours passes through one chunk of
memory), the index as a whole. Every call looks into the register first, so a voice that was removed - by this process or another - is
refused from that moment on (requirement 48). Several processes may use one speaker at once.

Order of `put`: (1) write and fsync the sealed temporary, (2) under the lock, make sure that the speaker is still there, (3) give the
file its name, (4) replace the index - this is the commit -, (5) remove what it replaced. A file without an entry is a left-over.
"""

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_keys.cabinet import Cabinet
from hometone_keys.damage import damaged
from hometone_keys.disk import Disk, storage_refusals
from hometone_keys.erasure import transaction
from hometone_keys.index import Artefact, Index, check_label, checked_metadata
from hometone_keys.register import Register, SpeakerRecord
from hometone_keys.sealing import HEADER_BYTES, SALT_BYTES, FileKind, canonical_json, context, derive, expect_kind, header, parse_json, wipe
from hometone_keys.stream import CHUNK_BYTES, StreamReader, StreamSealer
from hometone_shared.errors import StorageError, UsageError, VaultError

INDEX = "index"
RECORD = "record"
_PART = "a sealed file"


def artefact_key(data_key: bytes | bytearray, *, salt: bytes, speaker_id: str, artefact_id: str, kind: str) -> bytearray:
    """Key of one artefact's stream: HKDF-SHA256 of the data key, bound to speaker, artefact, kind and version."""
    info = context("hometone/artefact/v1", speaker_id.encode(), bytes.fromhex(artefact_id), kind.encode())
    return derive(data_key, salt=salt, info=info)


def speaker_signing_key(data_key: bytes | bytearray, *, speaker_id: str) -> Ed25519PrivateKey:
    """A speaker's Ed25519 key, derived from the data key, so that it ends with it."""
    seed = derive(data_key, salt=b"", info=context("hometone/speaker-signing/v1", speaker_id.encode()))
    key = Ed25519PrivateKey.from_private_bytes(bytes(seed))
    wipe(seed)
    return key


class SealedWriter(io.RawIOBase):
    """A file object to write an artefact to; what it passes on is sealed. `close` does not commit."""

    def __init__(self, disk: Disk, file: BinaryIO, sealer: StreamSealer) -> None:
        super().__init__()
        self._disk = disk
        self._file = file
        self._sealer = sealer
        self.length = 0

    def writable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Bytes written so far."""
        return self.length

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Seal and write all of `data`.

        Raises:
            StorageError: The disk refuses.
        """
        view = memoryview(data).cast("B")
        for start in range(0, len(view), CHUNK_BYTES):
            self._disk.write(self._file, self._sealer.update(view[start : start + CHUNK_BYTES]))
        self.length += len(view)
        return len(view)

    def finish(self) -> None:
        """Write the last chunk and wait until everything is on the disk."""
        self._disk.write(self._file, self._sealer.finish())
        self._disk.sync(self._file)


class SpeakerVault:
    """An unlocked speaker, or the house; use it as a context manager, leaving it forgets the key.

    Args:
        cabinet: The vault's folder.
        record: The speaker in the register.
        data_key: 32 bytes; owned by this object from now on.
    """

    def __init__(self, cabinet: Cabinet, record: SpeakerRecord, data_key: bytearray) -> None:
        self._cabinet = cabinet
        self._folder: Path = cabinet.folder / record.folder
        self._key: bytearray | None = data_key
        self.speaker_id = record.speaker_id
        self.name = record.name

    def __repr__(self) -> str:
        return f"SpeakerVault({self.speaker_id}, {'closed' if self._key is None else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Overwrite the data key in memory. Readers that are open stay open."""
        if self._key is not None:
            wipe(self._key)
            self._key = None

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        """The speaker's own signature, for consent records."""
        return speaker_signing_key(self.data_key(), speaker_id=self.speaker_id)

    def data_key(self) -> bytearray:
        """The speaker's data key itself; only the vault needs it (new slots).

        Raises:
            VaultError: This object was closed.
        """
        if self._key is None:
            raise VaultError("this voice is locked again", hint="unlock it with the PIN or phrase")
        return self._key

    def put(
        self, kind: str, name: str, data: bytes | bytearray | memoryview | BinaryIO, metadata: dict[str, Any] | None = None
    ) -> Artefact:
        """Keep something, in the place of anything of the same kind and name.

        Args:
            kind: What it is: a short lower-case word.
            name: Any printable name, unique within the kind.
            data: Bytes, or a binary file object that is read to its end in pieces.
            metadata: Small JSON object, sealed in the index.

        Raises:
            UsageError: Kind, name or metadata are not such.
            StorageError: The disk refuses; what was there before is still there.
            VaultError: The speaker was removed or this object closed.
        """
        with self.create(kind, name, metadata) as writer:
            if isinstance(data, bytes | bytearray | memoryview):
                writer.write(data)
            else:
                while piece := data.read(CHUNK_BYTES):
                    writer.write(piece)
        return self.find(kind, name)

    @contextmanager
    def create(self, kind: str, name: str, metadata: dict[str, Any] | None = None) -> Iterator[SealedWriter]:
        """Write something piece by piece: it exists when the `with` ends well, and leaves no trace when it does not.

        Args and errors as of `put`.
        """
        check_label(kind, name)
        details = checked_metadata(metadata)
        artefact_id, salt = secrets.token_hex(16), secrets.token_bytes(SALT_BYTES)
        key = artefact_key(self.data_key(), salt=salt, speaker_id=self.speaker_id, artefact_id=artefact_id, kind=kind)
        with transaction(self._cabinet) as register:
            self._require(register)
            temporary = self._folder / self._cabinet.artefact_temporary(artefact_id)
            file = self._cabinet.disk.create(temporary)
        start = header(FileKind.ARTEFACT) + salt
        try:
            with file:
                self._cabinet.disk.write(file, start)
                writer = SealedWriter(self._cabinet.disk, file, StreamSealer(key, associated_data=start))
                yield writer
                writer.finish()  # (1)
            artefact = Artefact(kind, name, artefact_id, writer.length, self._cabinet.now_ms, details)
            self._commit(temporary, artefact)
        except BaseException:
            with suppress(StorageError):
                self._cabinet.disk.unlink(temporary)
            raise
        finally:
            wipe(key)

    def open(self, kind: str, name: str) -> io.BufferedReader:
        """Open something for reading: a seekable binary file object whose bytes are opened chunk by chunk.

        Raises:
            VaultError: There is no such thing, or the speaker was removed.
            DamagedVaultError: Now or while reading: the file is not what was written.
        """
        with self._locked_index() as index:
            artefact = _require_artefact(index, kind, name)
            source = self._cabinet.disk.open(self._folder / artefact.artefact_id)
        if source is None:
            raise damaged("the vault (a file is missing)")
        try:
            with storage_refusals():
                start = source.read(HEADER_BYTES + SALT_BYTES)
            expect_kind(start, FileKind.ARTEFACT, what=_PART)
            key = artefact_key(
                self.data_key(),
                salt=start[HEADER_BYTES:],
                speaker_id=self.speaker_id,
                artefact_id=artefact.artefact_id,
                kind=kind,
            )
            reader = StreamReader(source, key, associated_data=start, what=_PART, explain=lambda: self._explain(artefact))
            wipe(key)
        except BaseException:
            source.close()
            raise
        return io.BufferedReader(reader, CHUNK_BYTES)

    def read(self, kind: str, name: str) -> bytes:
        """All bytes of something. Errors as of `open`."""
        with self.open(kind, name) as reader:
            return reader.read()

    def list(self, kind: str | None = None) -> tuple[Artefact, ...]:
        """What is kept, oldest first; of one kind, or of all."""
        with self._locked_index() as index:
            found = [artefact for artefact in index.artefacts.values() if kind in {None, artefact.kind}]
        return tuple(sorted(found, key=lambda artefact: (artefact.created_ms, artefact.kind, artefact.name)))

    def has(self, kind: str, name: str) -> bool:
        """Whether this is kept."""
        with self._locked_index() as index:
            return (kind, name) in index.artefacts

    def find(self, kind: str, name: str) -> Artefact:
        """The entry of something, without opening it.

        Raises:
            VaultError: There is no such thing.
        """
        with self._locked_index() as index:
            return _require_artefact(index, kind, name)

    def delete(self, kind: str, name: str) -> None:
        """Remove something: its entry first, then its bytes are overwritten as far as the disk allows.

        Raises:
            VaultError: There is no such thing.
        """
        with self._locked_index() as index:
            artefact = _require_artefact(index, kind, name)
            self._write_index(index.without(kind, name))
            self._cabinet.disk.wipe(self._folder / artefact.artefact_id)

    def put_json(self, name: str, value: object, *, kind: str = RECORD) -> Artefact:
        """Keep a JSON value as canonical JSON.

        Raises:
            UsageError: It is not JSON.
        """
        try:
            data = canonical_json(value)
        except (TypeError, ValueError) as error:
            raise UsageError("a record must be plain JSON") from error
        return self.put(kind, name, data)

    def read_json(self, name: str, *, kind: str = RECORD) -> Any:
        """A JSON value that `put_json` kept. Errors as of `open`."""
        try:
            return parse_json(self.read(kind, name))
        except ValueError as error:
            raise damaged("a record") from error

    def tidy(self) -> None:
        """Remove files the index does not name. The vault calls it at unlocking."""
        with self._locked_index() as index:
            keep = index.file_names() | {INDEX}
            for name in self._cabinet.disk.names(self._folder):
                if name not in keep and "-" not in name:  # temporaries are the cabinet's business
                    self._cabinet.disk.wipe(self._folder / name)

    def _commit(self, temporary: Path, artefact: Artefact) -> None:
        with self._locked_index() as index:  # (2)
            replaced = index.artefacts.get((artefact.kind, artefact.name))
            self._cabinet.disk.replace(temporary, self._folder / artefact.artefact_id)  # (3)
            self._cabinet.disk.sync_folder(self._folder)
            self._write_index(index.with_artefact(artefact))  # (4)
            if replaced is not None:
                with suppress(StorageError):  # (5): Windows keeps a file a reader holds open; the next unlocking removes it
                    self._cabinet.disk.unlink(self._folder / replaced.artefact_id)

    @contextmanager
    def _locked_index(self) -> Iterator[Index]:
        with transaction(self._cabinet) as register:
            self._require(register)
            data = self._cabinet.disk.read(self._folder / INDEX)
            if data is None:
                raise damaged("the vault (a speaker's index is missing)")
            yield Index.unseal(data, self.data_key(), speaker_id=self.speaker_id)

    def _write_index(self, index: Index) -> None:
        self._cabinet.replace_in(self._folder, INDEX, index.seal(self.data_key(), speaker_id=self.speaker_id))

    def _require(self, register: Register) -> None:
        if not register.holds(self.speaker_id):
            raise VaultError("this voice was removed", hint="it cannot be brought back; a new voice can be enrolled")

    def _explain(self, artefact: Artefact) -> None:
        with transaction(self._cabinet) as register:
            self._require(register)
            if not self._cabinet.disk.exists(self._folder / artefact.artefact_id):
                raise VaultError("this was removed while it was being read", hint="try again")


def _require_artefact(index: Index, kind: str, name: str) -> Artefact:
    artefact = index.artefacts.get((kind, name))
    if artefact is None:
        raise VaultError(f"there is no such {kind} in this voice", hint="list what there is, and check the name")
    return artefact
