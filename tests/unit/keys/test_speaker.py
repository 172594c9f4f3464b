"""Artefacts of an unlocked speaker."""

import io
import os

import pytest

from hometone_keys.stream import CHUNK_BYTES
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError, VaultError

PIN = "2580"


@pytest.fixture
def speaker(vault):
    return vault.enroll("王芳", PIN)


def artefact_files(speaker) -> list[str]:
    return sorted(path.name for path in speaker._folder.iterdir() if path.name != "index")


def test_put_read_list_delete(speaker):
    kept = speaker.put("take", "第一句", b"sound", {"snr_db": 21.5})
    speaker.put("voice", "第一句", bytearray(b"weights"))
    speaker.put("take", "b", memoryview(b"more"))
    assert (kept.kind, kept.name, kept.size_bytes, kept.metadata) == ("take", "第一句", 5, {"snr_db": 21.5})
    assert len(speaker.list()) == 3
    assert {artefact.name for artefact in speaker.list("take")} == {"第一句", "b"}
    assert speaker.find("take", "b").size_bytes == 4
    assert speaker.read("voice", "第一句") == b"weights"
    assert speaker.has("take", "b")
    speaker.delete("take", "b")
    assert not speaker.has("take", "b")
    assert len(artefact_files(speaker)) == 2
    for attempt in (speaker.delete, speaker.read, speaker.open, speaker.find):
        with pytest.raises(VaultError, match="no such take"):
            attempt("take", "b")


def test_replacing_leaves_one_file(speaker):
    for content in (b"one", b"two", b"three"):
        speaker.put("take", "1", content)
        assert speaker.read("take", "1") == content
        assert len(artefact_files(speaker)) == 1


def test_streams_in_and_out(speaker):
    content = os.urandom(5 * CHUNK_BYTES + 3)
    speaker.put("take", "long", io.BytesIO(content))
    with speaker.open("take", "long") as reader:
        assert reader.read(10) == content[:10]
        reader.seek(-5, os.SEEK_END)
        assert reader.read() == content[-5:]
        reader.seek(2 * CHUNK_BYTES - 1)
        assert reader.read(3) == content[2 * CHUNK_BYTES - 1 : 2 * CHUNK_BYTES + 2]
    assert speaker.read("take", "long") == content


def test_writing_piece_by_piece(speaker):
    with speaker.create("take", "1", {"a": 1}) as writer:
        assert writer.writable()
        assert writer.write(b"abc") == 3
        assert writer.tell() == 3
        assert not speaker.has("take", "1")
        assert artefact_files(speaker)[0].startswith("t-")
        writer.write(memoryview(bytes(2 * CHUNK_BYTES + 1)))
    assert speaker.read("take", "1") == b"abc" + bytes(2 * CHUNK_BYTES + 1)


def test_an_abandoned_write_leaves_no_trace(speaker):
    speaker.put("take", "1", b"before")
    source = io.BytesIO(bytes(100_000))
    pieces = [source.read(70_000), source, b""]
    with pytest.raises(TypeError), speaker.create("take", "1") as writer:
        writer.writelines(pieces)
    assert speaker.read("take", "1") == b"before"
    assert len(artefact_files(speaker)) == 1


def test_the_same_content_looks_different(speaker):
    speaker.put("take", "1", b"same")
    speaker.put("take", "2", b"same")
    first, second = [(speaker._folder / name).read_bytes() for name in artefact_files(speaker)]
    assert first[8:] != second[8:]


def test_records(speaker):
    speaker.put_json("consent", {"purpose": "own voice", "版本": 1})
    assert speaker.read_json("consent") == {"purpose": "own voice", "版本": 1}
    speaker.put_json("state", [1], kind="job")
    assert speaker.read_json("state", kind="job") == [1]
    with pytest.raises(UsageError):
        speaker.put_json("x", {1, 2})
    speaker.put("record", "no json", b"{")
    with pytest.raises(DamagedVaultError):
        speaker.read_json("no json")


def test_wrong_labels_and_metadata_write_nothing(speaker):
    for kind, name, metadata in (("Take", "1", None), ("take", "", None), ("take", "1", {"x": b""})):
        with pytest.raises(UsageError):
            speaker.put(kind, name, b"", metadata)
    assert artefact_files(speaker) == []


def test_closed(speaker):
    speaker.put("take", "1", b"x")
    speaker.close()
    for attempt in (speaker.list, lambda: speaker.put("take", "2", b""), lambda: speaker.open("take", "1"), lambda: speaker.signing_key):
        with pytest.raises(VaultError, match="locked again"):
            attempt()
    assert len(artefact_files(speaker)) == 1


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: b"", lambda data: data[:20], lambda data: data[:-1] + bytes([data[-1] ^ 1])]
)
@pytest.mark.parametrize("part", ["artefact", "index"])
def test_damage_is_refused_and_left(speaker, vault, part, change):
    speaker.put("take", "1", os.urandom(70_000))
    name = artefact_files(speaker)[0] if part == "artefact" else "index"
    path = speaker._folder / name
    damaged = change(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(DamagedVaultError):
        speaker.read("take", "1")
    assert path.read_bytes() == damaged


def test_exchanged_files_are_refused(speaker):
    speaker.put("take", "1", b"one")
    speaker.put("take", "2", b"two")
    first, second = [speaker._folder / name for name in artefact_files(speaker)]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    for name in ("1", "2"):
        with pytest.raises(DamagedVaultError):
            speaker.read("take", name)


def test_missing_files_are_damage(speaker):
    speaker.put("take", "1", b"one")
    (speaker._folder / artefact_files(speaker)[0]).unlink()
    with pytest.raises(DamagedVaultError, match="a file is missing"):
        speaker.open("take", "1")
    (speaker._folder / "index").unlink()
    with pytest.raises(DamagedVaultError, match="index is missing"):
        speaker.list()


def test_deleted_while_it_is_read(speaker):
    speaker.put("take", "1", os.urandom(3 * CHUNK_BYTES))
    reader = speaker.open("take", "1")
    reader.read(1)
    speaker.delete("take", "1")
    with pytest.raises(VaultError, match="removed while it was being read"):
        reader.read()


def test_damaged_while_it_is_read(speaker):
    speaker.put("take", "1", os.urandom(3 * CHUNK_BYTES))
    reader = speaker.open("take", "1")
    path = speaker._folder / artefact_files(speaker)[0]
    path.write_bytes(path.read_bytes()[:100] + bytes(3 * CHUNK_BYTES))
    with pytest.raises(DamagedVaultError):
        reader.read()


def test_orphans_go_at_unlocking(speaker, vault):
    speaker.put("take", "1", b"x")
    (speaker._folder / ("0" * 32)).write_bytes(b"left over")
    vault.unlock(speaker.speaker_id, PIN)
    assert len(artefact_files(speaker)) == 1
    assert speaker.read("take", "1") == b"x"


def test_a_replaced_file_that_cannot_be_removed_is_no_failure(home, open_vault, failing_disk):
    disk = failing_disk(how="refuse")
    vault = open_vault(disk=disk)
    speaker = vault.enroll("王芳", PIN)
    speaker.put("take", "1", b"one")
    before = disk.count
    speaker.put("take", "1", b"two")
    disk.fail_at = disk.count + (disk.count - before) - 1
    speaker.put("take", "1", b"three")
    assert speaker.read("take", "1") == b"three"
    assert len(artefact_files(speaker)) == 2
    vault.unlock(speaker.speaker_id, PIN)
    assert len(artefact_files(speaker)) == 1


def test_a_temporary_of_this_process_is_safe_from_another_opening(speaker, open_vault):
    with speaker.create("take", "1") as writer:
        writer.write(bytes(200_000))
        open_vault()
        writer.write(b"end")
    assert speaker.read("take", "1")[-3:] == b"end"


def test_two_openings_share_one_speaker(speaker, open_vault):
    other = open_vault().unlock(speaker.speaker_id, PIN)
    other.put("take", "1", b"x")
    speaker.put("take", "2", b"y")
    assert {artefact.name for artefact in other.list()} == {"1", "2"}


def test_a_folder_that_went_away(speaker):
    for path in speaker._folder.iterdir():
        path.unlink()
    speaker._folder.rmdir()
    with pytest.raises(StorageError):
        speaker.put("take", "1", b"x")
