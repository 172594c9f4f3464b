"""Small files of `<home>/federation`: replaced as a whole, or grown by whole lines, and on the disk before anybody relies on them.

What it may see: bytes that are not secret. What it must never do: leave half a file under its name, or say that something is written before
it is.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from hometone_keys.disk import Disk, storage_refusals
from hometone_shared.errors import StorageError

LONGEST_BYTES: Final = 1 << 26
_DISK: Final = Disk()


def read_small_file(path: Path) -> bytes | None:
    """All bytes of a file, `None` when it is not there.

    Raises:
        StorageError: The disk refuses, or the file is too long to be one of ours.
    """
    data = _DISK.read(path)
    if data is not None and len(data) > LONGEST_BYTES:
        raise StorageError("a file of the federation is too long", hint="something outside Hometone wrote to it; look there")
    return data


def replace_small_file(path: Path, data: bytes) -> None:
    """Write a file so that at any moment the old or the new one is there in full; fsynced.

    Raises:
        StorageError: The disk refuses.
    """
    _DISK.make_folder(path.parent)
    _DISK.put_file(path, data, temporary=path.with_name(f".{path.name}.{secrets.token_hex(4)}"))


def append_line(path: Path, line: bytes, *, whole_bytes: int) -> int:
    """Add one line to a file and wait until it is on the disk.

    Args:
        path: The file; made where there is none.
        line: Without its end.
        whole_bytes: Length of the whole lines that are there; what a killed process left behind them is cut off first.

    Returns:
        The length afterwards.

    Raises:
        StorageError: The disk refuses.
    """
    _DISK.make_folder(path.parent)
    with storage_refusals():
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            file.truncate(whole_bytes)
            file.seek(whole_bytes)
            rest = memoryview(line + b"\n")
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
    if is_new:
        _DISK.sync_folder(path.parent)
    return whole_bytes + len(line) + 1
