"""The only place of the vault that touches the file system.

Every change goes through one method of `Disk`, so a test can stop the machine between any two of them, and every refusal of the
operating system leaves here as a `StorageError`. This module never sees a key and never decides what a file means.

A file appears under its final name only when its bytes are on the disk: create a temporary beside it, write, fsync, `os.replace`,
fsync of the folder. Callers hand in sealed bytes only, so a temporary is as unreadable as the file it becomes.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hometone_shared.errors import StorageError

SMALL_FILE_BYTES = 1 << 28
_OVERWRITE_BLOCK = bytes(1 << 20)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@contextmanager
def storage_refusals() -> Iterator[None]:
    """Turn an `OSError` of the body into a `StorageError` that names no path.

    Raises:
        StorageError: The disk is full, read-only, or refuses for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError("the disk is full", hint="free some space and try again; nothing was lost") from error
        if error.errno in _FORBIDDEN:
            raise StorageError(
                "the data folder cannot be written", hint="check that the disk is not read-only and that the folder belongs to you"
            ) from error
        reason = os.strerror(error.errno) if error.errno else "unknown reason"
        raise StorageError(f"the disk refuses ({reason})", hint="check that the disk is still connected, then try again") from error


class Disk:
    """File operations of the vault, each a single step that either happened or did not.

    Raises:
        StorageError: From every method, when the operating system refuses.
    """

    def make_folder(self, path: Path) -> None:
        """Create a folder (and its parents) readable by its owner only; an existing one is left as it is."""
        with storage_refusals():
            missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
            for folder in reversed(missing):
                folder.mkdir(mode=0o700, exist_ok=True)
                with suppress(StorageError):  # a parent that belongs to somebody else may refuse to be opened
                    self.sync_folder(folder.parent)

    def names(self, folder: Path) -> list[str]:
        """Names inside a folder, sorted; none when the folder is not there."""
        with storage_refusals():
            return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []

    def size(self, path: Path) -> int:
        """Bytes of a file, 0 when it is not there."""
        with storage_refusals():
            return path.stat().st_size if path.exists() else 0

    def exists(self, path: Path) -> bool:
        """Whether something of this name is there."""
        with storage_refusals():
            return path.exists()

    def read(self, path: Path) -> bytes | None:
        """All bytes of a small file, `None` when it is not there; one that was blown up is cut, and will not authenticate."""
        with storage_refusals():
            try:
                with path.open("rb") as file:
                    return file.read(SMALL_FILE_BYTES)
            except FileNotFoundError:
                return None

    def open(self, path: Path) -> BinaryIO | None:
        """Open a file for reading, `None` when it is not there."""
        with storage_refusals():
            try:
                return path.open("rb")
            except FileNotFoundError:
                return None

    def create(self, path: Path) -> BinaryIO:
        """Create a new file (never an existing one) that only its owner may read; unbuffered, so that `write` is the write."""
        with storage_refusals():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
            return os.fdopen(os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR), "wb", buffering=0)

    def write(self, file: BinaryIO, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`."""
        with storage_refusals():
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]

    def sync(self, file: BinaryIO) -> None:
        """Wait until a file's bytes are on the disk."""
        with storage_refusals():
            os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Give a file another name, atomically taking the place of what was there."""
        with storage_refusals():
            source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Wait until a folder's names are on the disk; Windows has no such call and keeps them in its journal."""
        directory_flag = getattr(os, "O_DIRECTORY", None)
        if directory_flag is None:
            return
        with storage_refusals():
            descriptor = os.open(folder, os.O_RDONLY | directory_flag)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def overwrite(self, path: Path) -> None:
        """Write zeros over a file, as far as the disk allows.

        Best effort: a solid-state disk or a copying file system may keep the old blocks. What makes them unreadable is the
        destruction of the keys, not this.
        """
        with storage_refusals(), path.open("r+b", buffering=0) as file:
            left = file.seek(0, os.SEEK_END)
            file.seek(0)
            while left > 0:
                left -= file.write(_OVERWRITE_BLOCK[:left])
            os.fsync(file.fileno())

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is not there is as good as removed."""
        with storage_refusals():
            path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder; one that is not there is as good as removed."""
        with storage_refusals(), suppress(FileNotFoundError):
            path.rmdir()

    def put_file(self, path: Path, data: bytes | bytearray, *, temporary: Path) -> None:
        """Write a small sealed file so that, at any moment, either the old or the new one is there in full.

        Args:
            path: Final name.
            data: Sealed bytes.
            temporary: A free name in the same folder.
        """
        try:
            with self.create(temporary) as file:
                self.write(file, data)
                self.sync(file)
            self.replace(temporary, path)
        except StorageError:
            with suppress(StorageError):
                self.unlink(temporary)
            raise
        self.sync_folder(path.parent)

    def wipe(self, path: Path) -> None:
        """Overwrite, then remove a file; a failing overwrite does not stop the removal."""
        with suppress(StorageError):
            self.overwrite(path)
        self.unlink(path)
