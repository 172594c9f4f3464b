"""Files in somebody's voice are there whole or not at all, and a killed process leaves nothing that is not found again."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hometone_client.speakers.exports import check_place, export, remove_leftovers, unfinished_piece, write_file
from hometone_client.speakers.forgetting import forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import StorageError, VaultError

KILLED = """
import os, signal, sys
from pathlib import Path
from hometone_client.speakers.exports import write_file
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_file(Path(sys.argv[1]), b"speech")
"""
WRITING = """
import sys
from pathlib import Path
from hometone_client.speakers.exports import write_file
def wait(*_):
    print("writing", flush=True)
    sys.stdin.read()
    raise OSError
Path.replace = wait
write_file(Path(sys.argv[1]), b"speech")
"""


def piece_of(path: Path, data: bytes) -> Path:
    return unfinished_piece(path, hashlib.sha256(data).hexdigest())


def killed_while_writing(path: Path) -> Path:
    """Another process is killed before it renames; what it leaves."""
    finished = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert finished.returncode == -signal.SIGKILL
    left = piece_of(path, b"speech")
    assert left.read_bytes() == b"speech"
    return left


def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    for data in (b"old", b"new"):
        write_file(path, data)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "speech.wav").mkdir()
    with pytest.raises(StorageError):
        write_file(tmp_path / "speech.wav", b"speech")
    assert [path.name for path in tmp_path.iterdir()] == ["speech.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_the_next_file_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    left = killed_while_writing(tmp_path / "killed.wav")
    (tmp_path / ".hometone-notes").write_bytes(b"somebody's own")
    write_file(tmp_path / "next.wav", b"more")
    assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hometone-notes", "next.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("keep", [False, True])
def test_forgetting_removes_what_a_killed_process_left(vault: Vault, room: SpeakerRoom, home: Path, tmp_path: Path, *, keep: bool) -> None:
    path = tmp_path / "speech.wav"
    room.note_export(path, data=b"speech")
    left = killed_while_writing(path)
    done = forget(vault, room.speaker_id, home=home, room=room, keep_exports=keep)
    assert not left.exists()
    assert (done.exports_removed, done.exports_missing) == ((0, 0) if keep else (1, 0))


def test_a_piece_that_is_being_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    with subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == b"writing"
        assert remove_leftovers(tmp_path) == 0
        assert piece_of(path, b"speech").exists()
        writer.kill()
    assert remove_leftovers(tmp_path) == 1


def test_the_place_is_noted_before_the_first_byte(room: SpeakerRoom, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "speech.wav"
    with pytest.raises(StorageError):
        export(room, path, b"speech")
    assert [noted.path for noted in room.exports()] == [str(path)]


def test_a_file_of_somebody_who_was_forgotten_meanwhile_is_removed_again(
    vault: Vault, room: SpeakerRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "speech.wav"

    def late(target: Path, data: bytes) -> None:
        vault.revoke(room.speaker_id)
        write_file(target, data)

    monkeypatch.setattr("hometone_client.speakers.exports.write_file", late)
    with pytest.raises(VaultError, match="removed"):
        export(room, path, b"speech")
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes with names")
def test_a_pipe_or_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    os.mkfifo(path)
    with pytest.raises(StorageError):
        write_file(path, b"speech")
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    check_place(tmp_path / "new.wav")
    for place in (tmp_path, tmp_path / "nowhere" / "x.wav", tmp_path / ("x" * 5000)):
        with pytest.raises(StorageError) as caught:
            check_place(place)
        assert caught.value.hint
