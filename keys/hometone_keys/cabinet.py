"""The vault's folder: its lock, its device key, its register, and what may be thrown away.

Knows how things are stored and in which order; knows nothing about who may do what (`vault`) or what is inside an artefact (`speaker`).

    vault/
      lock               held during every change, by any process
      key-<id>           device key, or where to find it (custody)
      keyslots           register: identity, speakers, slots; sealed under the device key
      attempts           wrong PINs; sealed under the device key; only there after a failure
      intent             an erasure that was begun; only there until it is finished
      w-<id>             held while a process writes artefacts
      s-<random>/        one speaker, or the house
        index            sealed list of artefacts
        <random>         artefacts
        t-<writer>-<id>  artefact being written
      n-<random>         small file being written, here or in a speaker's folder

Rotation of the device key: (1) store the new key under a new id, (2) replace `keyslots` by one that is sealed under it - this is the
commit -, (3) reseal `attempts`, (4) destroy the old key. Killed before (2): the old key still opens everything and the new one is
an orphan. Killed after: the other way round. Orphans are destroyed at the next opening.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hometone_keys.attempts import AttemptBook
from hometone_keys.custody import Custodian
from hometone_keys.damage import damaged
from hometone_keys.device import DeviceIdentity
from hometone_keys.disk import Disk, storage_refusals
from hometone_keys.register import KEY_ID_BYTES, PREFIX_BYTES, Register, key_id_of, seal_register, unseal_register
from hometone_keys.sealing import KEY_BYTES, FileKind, context, header, seal, unseal, wipe
from hometone_shared.errors import DamagedVaultError, StorageError, VaultError

LOCK_TIMEOUT_S = 60.0
INTENT = "intent"
_SPEAKER_PREFIX = "s-"
_SMALL_TEMPORARY = "n-"
_ARTEFACT_TEMPORARY = "t-"
_WRITER_PREFIX = "w-"


@dataclass(frozen=True, slots=True)
class Removed:
    """What tidying took away from folders that belong to nobody.

    Args:
        files: Files removed.
        size_bytes: Their length on the disk.
        pending: Files that another program holds open; removed at the next opening.
    """

    files: int = 0
    size_bytes: int = 0
    pending: int = 0


class Cabinet:
    """The folder of a vault.

    Args:
        folder: Where it is.
        disk: How to reach it.
        custodian: Who keeps the device key.
        clock: Seconds since 1970.
    """

    def __init__(self, folder: Path, *, disk: Disk, custodian: Custodian, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.disk = disk
        self.custodian = custodian
        self._clock = clock
        self._keys: dict[bytes, bytearray] = {}
        self._writer_guard = threading.Lock()
        self._writer: tuple[str, FileLock] | None = None
        disk.make_folder(folder)
        self._lock = _file_lock(folder / "lock")

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process and thread out; may be nested.

        Raises:
            VaultError: Another process has kept the lock for a minute.
            StorageError: The folder cannot be written.
        """
        if not _acquired(self._lock, timeout_s=LOCK_TIMEOUT_S):
            raise VaultError("another Hometone program is using the vault", hint="wait until it is done, or close it, then try again")
        try:
            yield
        finally:
            self._lock.release()

    # What follows expects the lock to be held.

    def begin(self) -> None:
        """Make a new vault here, unless there is one.

        Raises:
            DamagedVaultError: There are speakers' folders but no file of key slots.
        """
        if self.disk.exists(self.folder / "keyslots"):
            return
        names = self.disk.names(self.folder)
        if holds_somebody(names):
            raise damaged("the vault (its key slots are missing)")
        for orphan in self.custodian.held():
            self.custodian.destroy(orphan)
        key_id, key = secrets.token_bytes(KEY_ID_BYTES), bytearray(secrets.token_bytes(KEY_BYTES))
        self.custodian.store(self.custodian.choose(), key_id, key)
        self._keys[key_id] = key
        self._replace("keyslots", seal_register(Register(DeviceIdentity.generate()), key_id=key_id, device_key=key))

    def key_id(self) -> bytes:
        """Id of the device key that the register needs now."""
        return key_id_of(self._register_bytes())

    def device_key(self) -> bytearray:
        """The device key that the register needs now."""
        key_id = self.key_id()
        if key_id not in self._keys:
            self.forget_keys()
            self._keys[key_id] = self.custodian.load(key_id)
        return self._keys[key_id]

    def register(self) -> Register:
        """Read the register; another process may have changed it, or rotated the device key."""
        return unseal_register(self._register_bytes(), device_key=self.device_key())

    def write(self, register: Register) -> None:
        """Replace the register. For additions; whatever takes a slot away must `rotate`."""
        self._replace("keyslots", seal_register(register, key_id=self.key_id(), device_key=self.device_key()))

    def rotate(self, register: Register, *, custodian: Custodian | None = None) -> None:
        """Replace the register and the device key, so that every older copy of the register is unreadable.

        Args:
            register: New content, with slots as they are under the old key.
            custodian: Who is to keep the new key, and all later ones, in the custody it chooses; default: as the old one.
        """
        old_id, old_key = self.key_id(), self.device_key()
        book = self.attempts()
        keeper = custodian or self.custodian
        new_id, new_key = secrets.token_bytes(KEY_ID_BYTES), bytearray(secrets.token_bytes(KEY_BYTES))
        rewrapped = register.rewrapped(old_device_key=old_key, new_device_key=new_key)
        keeper.store(self.custodian.custody_of(old_id) if custodian is None else keeper.choose(), new_id, new_key)
        self._keys[new_id] = new_key
        self._replace("keyslots", seal_register(rewrapped, key_id=new_id, device_key=new_key))
        self.custodian = keeper
        self.write_attempts(book.only({record.speaker_id for record in register.speakers}))
        self.custodian.destroy(old_id)
        wipe(self._keys.pop(old_id))

    def attempts(self) -> AttemptBook:
        """The book of wrong PINs; an empty one when there is none that the current device key opens."""
        data = self.disk.read(self.folder / "attempts")
        if data is None:
            return AttemptBook()
        key_id = self.key_id()
        try:
            what = "the book of attempts"
            info = context("hometone/attempts/v1", key_id)
            if data[:PREFIX_BYTES] != header(FileKind.ATTEMPTS) + key_id:
                raise damaged(what)
            return AttemptBook.from_bytes(unseal(self.device_key(), data, prefix_bytes=PREFIX_BYTES, info=info, what=what))
        except DamagedVaultError:
            return AttemptBook()

    def write_attempts(self, book: AttemptBook) -> None:
        """Replace the book of wrong PINs; an empty one has no file."""
        if not book.failures:
            self.disk.unlink(self.folder / "attempts")
            self.disk.sync_folder(self.folder)
            return
        key_id = self.key_id()
        prefix, info = header(FileKind.ATTEMPTS) + key_id, context("hometone/attempts/v1", key_id)
        self._replace("attempts", seal(self.device_key(), book.to_bytes(), prefix=prefix, info=info))

    def new_speaker_folder(self) -> str:
        """Make a folder of a random name."""
        name = f"{_SPEAKER_PREFIX}{secrets.token_hex(16)}"
        self.disk.make_folder(self.folder / name)
        return name

    def replace_in(self, folder: Path, name: str, data: bytes) -> None:
        """Replace a small sealed file."""
        self.disk.put_file(folder / name, data, temporary=folder / f"{_SMALL_TEMPORARY}{secrets.token_hex(8)}")

    def artefact_temporary(self, artefact_id: str) -> str:
        """Name for an artefact while it is written; it is safe from tidying as long as this process lives."""
        with self._writer_guard:
            if self._writer is None:
                writer_id = secrets.token_hex(8)
                lock = _file_lock(self.folder / f"{_WRITER_PREFIX}{writer_id}")
                _acquired(lock, timeout_s=0)  # nobody else knows this name
                self._writer = (writer_id, lock)
            return f"{_ARTEFACT_TEMPORARY}{self._writer[0]}-{artefact_id}"

    def tidy(self) -> Removed:
        """Remove whatever a killed process left: temporaries, stale device keys, folders of nobody. Everything else stays."""
        register, key_id = self.register(), self.key_id()
        speaker_ids = {record.speaker_id for record in register.speakers}
        folders = {record.folder for record in register.places}
        book = self.attempts()
        if self.disk.exists(self.folder / "attempts") and (not book.failures or book != book.only(speaker_ids)):
            self.write_attempts(book.only(speaker_ids))
        for stale in self.custodian.held():
            if stale != key_id:
                self.custodian.destroy(stale)
        removed = Removed()
        for name in self.disk.names(self.folder):
            if name.startswith(_SPEAKER_PREFIX) and name not in folders:
                removed = self._remove_folder(self.folder / name, so_far=removed)
        live_writers = self._live_writers()
        for folder in (self.folder, *(self.folder / name for name in folders)):
            for name in self.disk.names(folder):
                writer = name.split("-")[1] if name.startswith(_ARTEFACT_TEMPORARY) else None
                if name.startswith(_SMALL_TEMPORARY) or (writer is not None and writer not in live_writers):
                    self.disk.wipe(folder / name)
        return removed

    def close(self) -> None:
        """Forget the device key and end this process's right to write."""
        self.forget_keys()
        with self._writer_guard:
            if self._writer is not None:
                writer_id, lock = self._writer
                self._writer = None
                lock.release()
                with suppress(StorageError):
                    self.disk.unlink(self.folder / f"{_WRITER_PREFIX}{writer_id}")

    def forget_keys(self) -> None:
        """Overwrite the device keys in memory."""
        while self._keys:
            wipe(self._keys.popitem()[1])

    def _register_bytes(self) -> bytes:
        data = self.disk.read(self.folder / "keyslots")
        if data is None:
            raise damaged("the vault (its key slots are missing)")
        return data

    def _replace(self, name: str, data: bytes) -> None:
        self.replace_in(self.folder, name, data)

    def _live_writers(self) -> set[str]:
        live = set()
        for name in self.disk.names(self.folder):
            if not name.startswith(_WRITER_PREFIX):
                continue
            lock = _file_lock(self.folder / name)
            if not _acquired(lock, timeout_s=0):
                live.add(name.removeprefix(_WRITER_PREFIX))
                continue
            lock.release()
            self.disk.unlink(self.folder / name)
        return live

    def _remove_folder(self, path: Path, *, so_far: Removed) -> Removed:
        files, size_bytes, pending = so_far.files, so_far.size_bytes, so_far.pending
        for name in self.disk.names(path):
            size = self.disk.size(path / name)
            try:
                self.disk.wipe(path / name)
            except StorageError:
                pending += 1  # Windows keeps a file that a reader holds open; its keys are gone already
                continue
            files += 1
            size_bytes += size
        if pending == so_far.pending:
            self.disk.remove_folder(path)
            self.disk.sync_folder(self.folder)
        return Removed(files=files, size_bytes=size_bytes, pending=pending)


def holds_somebody(names: Iterable[str]) -> bool:
    """Whether these names in a vault's folder tell that there are, or were, speakers in it, with or without key slots."""
    return any(name == INTENT or name.startswith(_SPEAKER_PREFIX) for name in names)


def _file_lock(path: Path) -> FileLock:
    # Never the soft fall-back: a lock that outlives its process would keep a laptop out of its own vault.
    return FileLock(path, mode=0o600, thread_local=path.name == "lock", fallback_to_soft=False, poll_interval=0.01, preserve_lock_file=True)


def _acquired(lock: FileLock, *, timeout_s: float) -> bool:
    with storage_refusals():
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:  # an OSError, but no refusal of the disk
            return False
    return True
