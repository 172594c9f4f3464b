"""Files that leave the vault because somebody asked for them: written whole or not at all, and found again when she is forgotten.

0. Make sure that it may be there: a folder is there, and nothing of that name but perhaps an earlier file.
1. Note where the file will be and its hash in her vault.
2. Remove what killed processes left in that folder.
3. Write to a hidden name beside the file, `.hometone-<hash>.part`, and hold its lock.
4. Rename.
5. If she was forgotten in the meantime, remove the file again.

The hidden name follows from the file's own hash, so that what is noted in (1) finds the file and the unfinished piece of it. A piece
belongs to a living process as long as its lock is held (Windows: as long as it is open); it dies with the process.
"""

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import StorageError, VaultError

if sys.platform != "win32":
    import fcntl

PREFIX: Final = ".hometone-"
SUFFIX: Final = ".part"
_HASH_CHARACTERS: Final = 32
_ATTEMPTS: Final = 5


def unfinished_piece(path: Path, sha256: str) -> Path:
    """Where a file is while it is being written.

    Args:
        path: Where it will be.
        sha256: Hash of its bytes, hexadecimal.
    """
    return path.parent / f"{PREFIX}{sha256[:_HASH_CHARACTERS]}{SUFFIX}"


def remove_unfinished(piece: Path) -> bool:
    """Remove an unfinished piece unless somebody is writing it.

    Returns:
        Whether there was one and it is gone.
    """
    try:
        handle = os.open(piece, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        _lock(handle)
        if sys.platform != "win32":
            piece.unlink()
    except OSError:
        return False
    finally:
        os.close(handle)
    if sys.platform == "win32":  # an open file cannot be removed there, neither by us nor under its writer
        try:
            piece.unlink()
        except OSError:
            return False
    return True


def remove_leftovers(folder: Path) -> int:
    """(2) Remove every unfinished piece in a folder that nobody is writing.

    Returns:
        How many were removed.
    """
    try:
        pieces = [path for path in folder.iterdir() if path.name.startswith(PREFIX) and path.name.endswith(SUFFIX)]
    except OSError:
        return 0
    return sum(map(remove_unfinished, pieces))


def check_place(path: Path) -> None:
    """(0) Make sure that a file may appear there, before work is spent on what will be in it.

    Raises:
        StorageError: There is no such folder, or a folder, device or pipe of that name, which no file may take the place of.
    """
    try:
        suitable = path.parent.is_dir() and (path.is_file() or not path.exists())
    except OSError as error:
        raise _cannot_be_written() from error
    if not suitable:
        raise _cannot_be_written()


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        StorageError: The disk refuses, or no file may appear there.
    """
    check_place(path)  # (0)
    piece = unfinished_piece(path, hashlib.sha256(data).hexdigest())
    remove_leftovers(path.parent)  # (2)
    try:
        handle = _create(piece)  # (3)
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(data)
                target.flush()
                if sys.platform != "win32":
                    piece.replace(path)  # (4), still locked
            if sys.platform == "win32":
                piece.replace(path)
        except BaseException:
            with suppress(OSError):
                piece.unlink()
            raise
    except OSError as error:
        raise _cannot_be_written() from error


def export(room: SpeakerRoom, path: Path, data: bytes) -> None:
    """Write a file with speech in somebody's voice.

    Args:
        room: Whose voice.
        path: Where.
        data: All of it.

    Raises:
        StorageError: The disk refuses.
        VaultError: She was forgotten or locked meanwhile; the file is not there.
    """
    room.note_export(path, data=data)  # (1)
    write_file(path, data)
    if not room.is_open:  # (5)
        with suppress(OSError):
            path.unlink()
        raise VaultError("this voice was removed or locked meanwhile", hint="the file was removed again")


def _cannot_be_written() -> StorageError:
    return StorageError("the file cannot be written", hint="check its name, the folder and its permissions, and the room on the disk")


def _create(piece: Path) -> int:
    """A new file, locked; made anew if somebody took it for a leftover before it was locked.

    Raises:
        OSError: The disk refuses.
    """
    for _ in range(_ATTEMPTS):
        handle = os.open(piece, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
        with suppress(OSError):  # some network folders know no locks
            _lock(handle)
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)
    message = "the unfinished file was removed again and again"
    raise OSError(message)


def _lock(handle: int) -> None:
    """Take the lock of an open file, or fail at once.

    Raises:
        OSError: Somebody else holds it, or the folder knows no locks.
    """
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
