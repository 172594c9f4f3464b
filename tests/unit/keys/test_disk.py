"""The real file system: refusals in plain words, atomic replacement, best-effort overwriting."""

import errno
import os
import sys
from pathlib import Path

import pytest

from hometone_keys.disk import Disk, storage_refusals
from hometone_shared.errors import StorageError

DISK = Disk()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
        (errno.EIO, "refuses"),
        (None, "unknown reason"),
    ],
)
def test_refusals_name_no_path(number, words):
    with pytest.raises(StorageError, match=words) as caught, storage_refusals():
        raise OSError(number, "text", "/home/somebody/secret") if number else OSError("text")
    assert "somebody" not in caught.value.message + caught.value.hint
    assert caught.value.hint


def test_put_file_replaces(tmp_path):
    for content in (b"one", b"two"):
        DISK.put_file(tmp_path / "file", content, temporary=tmp_path / "n-1")
        assert DISK.read(tmp_path / "file") == content
    assert DISK.names(tmp_path) == ["file"]
    if os.name == "posix":
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_failed_put_leaves_the_old_file_and_no_temporary(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        DISK.put_file(tmp_path / "folder", b"x", temporary=tmp_path / "n-1")
    assert DISK.names(tmp_path) == ["folder"]


def test_missing_things(tmp_path):
    gone = tmp_path / "gone"
    assert DISK.read(gone) is None
    assert DISK.open(gone) is None
    assert DISK.size(gone) == 0
    assert not DISK.exists(gone)
    assert DISK.names(gone) == []
    DISK.unlink(gone)
    DISK.remove_folder(gone)
    DISK.wipe(gone)


def test_wipe_overwrites_then_removes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"secret" * 400_000)
    other_name = tmp_path / "other"
    os.link(path, other_name)
    DISK.wipe(path)
    assert not path.exists()
    assert other_name.read_bytes() == bytes(2_400_000)


def test_create_never_takes_an_existing_file(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StorageError):
        DISK.create(tmp_path / "file")


def test_folders_are_private_and_made_with_their_parents(tmp_path):
    DISK.make_folder(tmp_path / "a" / "b")
    DISK.make_folder(tmp_path / "a" / "b")
    if os.name == "posix":
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        DISK.make_folder(tmp_path / "file" / "below")


def test_the_root_needs_no_making():
    DISK.make_folder(Path(Path.cwd().anchor))


def test_a_path_without_a_beginning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DISK.make_folder(Path("below"))
    assert (tmp_path / "below").is_dir()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        DISK.remove_folder(tmp_path / "file")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's own")
def test_a_full_disk_for_real():
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(StorageError, match="full"):  # noqa: PTH123
        DISK.write(file, b"x")


def test_systems_without_folder_sync(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    DISK.sync_folder(tmp_path / "not even there")
