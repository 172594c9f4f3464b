"""Requirements 47 to 50: forgetting removes everything, proves it, and finishes what was interrupted."""

import base64
from pathlib import Path

import pytest
from tests.unit.client.speakers.test_room import a_voice, noise_take

from hometone_client.speakers.canaries import collect_canaries, scan
from hometone_client.speakers.forgetting import finish_forgetting, forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault


def filled(room: SpeakerRoom) -> SpeakerRoom:
    room.add_take(noise_take(1, seconds=3.0), text="a sentence that nobody else says", language="en", speech_s=2.5, quality={})
    room.keep_voice(a_voice(), record={})
    room.checkpoint().save(bytes(range(256)) * 20)
    return room


def test_sealed_files_show_no_canary_before_or_after(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    canaries = collect_canaries(filled(room))
    assert len(canaries) > 100
    before = scan(home, canaries)
    assert before.clean
    assert before.files > 5
    done = forget(vault, room.speaker_id, home=home, room=room)
    assert done.scan.clean
    assert done.scan.canaries == len(canaries)
    assert done.receipt.files_removed > 3
    assert vault.speakers() == ()


@pytest.mark.parametrize("wrapped", [bytes, base64.b64encode], ids=["plain", "base64"])
@pytest.mark.parametrize("offset", [0, 1, 2, (1 << 20) - 30])
def test_the_scan_finds_what_somebody_copied(room: SpeakerRoom, home: Path, wrapped: object, offset: int) -> None:
    """The scan itself is tested with a leak, at every alignment and across the border of two blocks."""
    canaries = collect_canaries(filled(room))
    ((_, take),) = room.recordings()
    leak = take.samples.astype("<f4").tobytes()
    (home / "leak.bin").write_bytes(b"\x01" * offset + wrapped(b"x" * (offset % 3) + leak))  # type: ignore[operator]
    assert scan(home, canaries).found > 0


def test_a_recording_in_the_clear_is_seen_without_canaries(home: Path) -> None:
    home.mkdir()
    (home / "take.flac").write_bytes(b"fLaC" + bytes(100))
    assert scan(home, ()).clear_files == 1


def test_exports_that_are_unchanged_go_and_others_stay(vault: Vault, room: SpeakerRoom, home: Path, tmp_path: Path) -> None:
    kept, changed, gone = (tmp_path / name for name in ("kept.wav", "changed.wav", "gone.wav"))
    for path in (kept, changed):
        room.note_export(path, data=b"speech")
        path.write_bytes(b"speech")
    room.note_export(gone, data=b"speech")
    changed.write_bytes(b"holiday pictures")
    done = forget(vault, room.speaker_id, home=home, room=room)
    assert (done.exports_removed, done.exports_missing) == (1, 2)
    assert not kept.exists()
    assert changed.read_bytes() == b"holiday pictures"


def test_exports_stay_when_asked(vault: Vault, room: SpeakerRoom, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "kept.wav"
    room.note_export(path, data=b"speech")
    path.write_bytes(b"speech")
    forget(vault, room.speaker_id, home=home, room=room, keep_exports=True)
    assert path.exists()


def test_without_the_pin_she_is_forgotten_all_the_same(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    filled(room)
    speaker_id = room.speaker_id
    room.vault.close()
    done = forget(vault, speaker_id, home=home, room=None)
    assert not done.exports_known
    assert vault.speakers() == ()
    assert done.scan.clean


def test_what_was_decided_is_finished_at_the_next_start(vault: Vault, room: SpeakerRoom, tmp_path: Path) -> None:
    """Killed after step 1: the decision is in her vault, and this device may open it."""
    path = tmp_path / "speech.wav"
    room.note_export(path, data=b"speech")
    path.write_bytes(b"speech")
    room.vault.put_json("forget", {"keep_exports": False}, kind="job")
    vault.allow_work(room.vault)
    assert finish_forgetting(vault) == 1
    assert vault.speakers() == ()
    assert not path.exists()


def test_a_job_in_the_queue_is_no_decision(vault: Vault, room: SpeakerRoom) -> None:
    vault.allow_work(room.vault)
    assert finish_forgetting(vault) == 0
    assert len(vault.speakers()) == 1


def file_of(room: SpeakerRoom, home: Path, kind: str) -> Path:
    (artefact,) = room.vault.list(kind)
    (path,) = (home / "vault").glob(f"s-*/{artefact.artefact_id}")
    return path


def test_a_damaged_entry_about_a_file_hides_no_other(vault: Vault, room: SpeakerRoom, home: Path, tmp_path: Path) -> None:
    lost, known = tmp_path / "lost.wav", tmp_path / "known.wav"
    room.note_export(lost, data=b"speech")
    file_of(room, home, "export").write_bytes(b"")
    room.note_export(known, data=b"speech")
    known.write_bytes(b"speech")
    done = forget(vault, room.speaker_id, home=home, room=room)
    assert (done.exports_removed, done.exports_missing) == (1, 1)
    assert not known.exists()


@pytest.mark.parametrize("decided", [True, False])
def test_damage_of_one_speaker_keeps_nobody_else_out(vault: Vault, room: SpeakerRoom, home: Path, *, decided: bool) -> None:
    """Her index is unreadable: she is passed over, and everybody else opens; with only the decision unreadable she is forgotten."""
    room.vault.put_json("forget", {"keep_exports": False}, kind="job")
    vault.allow_work(room.vault)
    (file_of(room, home, "job") if decided else next((home / "vault").glob("s-*/index"))).write_bytes(b"")
    assert finish_forgetting(vault) == int(decided)
    assert len(vault.speakers()) == int(not decided)
