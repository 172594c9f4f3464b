"""Assembly of weights: every byte verified, built whole or not at all, repaired when damaged."""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import pytest

from hometone_client.models.assembly import MANIFEST, Entry, Source, ensure, verify
from hometone_client.models.catalogue import CATALOGUE, ENTRIES
from hometone_client.models.catalogue import ensure as ensure_named
from hometone_client.models.folder import ENVIRONMENT_VARIABLE, model_folder
from hometone_shared.errors import ModelError, StorageError

FIRST, SECOND = b"first half, ", b"second half"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two real installed distributions, each carrying one half, found through the same metadata as any other."""
    site = tmp_path / "site"
    for number, content in enumerate((FIRST, SECOND), start=1):
        information = site / f"voice_half_{number}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: voice-half-{number}\nVersion: 1.0\n")
        (information / "RECORD").write_text(f"voice_half_{number}/model.bin.part{number},,\n")
        (site / f"voice_half_{number}").mkdir()
        (site / f"voice_half_{number}" / f"model.bin.part{number}").write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    return site


def entry(**changes: object) -> Entry:
    sources = tuple(
        Source(
            distribution=f"voice-half-{number}",
            version="1.0",
            member=f"voice_half_{number}/model.bin.part{number}",
            sha256=digest(content),
        )
        for number, content in enumerate((FIRST, SECOND), start=1)
    )
    values: dict[str, object] = {
        "name": "whole",
        "purpose": "a test",
        "licence": "MIT",
        "origin": "here",
        "sources": sources,
        "recipe": "hometone_client.models.whisper:assemble",
        "results": {"model.bin": digest(FIRST + SECOND)},
    }
    return Entry(**(values | changes))  # type: ignore[arg-type]


def test_halves_become_a_whole(packages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    told: list[str] = []
    path = ensure(entry(), folder=folder, progress=told.append)
    assert path == folder / "whole"
    assert (path / "model.bin").read_bytes() == FIRST + SECOND
    assert told
    assert verify(entry(), folder=folder).state == "ready"
    assert sorted(item.name for item in folder.iterdir()) == ["whole", "whole.lock"]


def test_a_present_result_is_not_built_again(packages: Path, tmp_path: Path) -> None:
    ensure(entry(), folder=tmp_path)
    told: list[str] = []
    ensure(entry(), folder=tmp_path, progress=told.append)
    assert told == []


@pytest.mark.parametrize("damage", ["changed", "shortened", "file gone", "manifest gone", "manifest nonsense", "manifest of other type"])
def test_a_damaged_result_is_built_again(packages: Path, tmp_path: Path, damage: str) -> None:
    path = ensure(entry(), folder=tmp_path)
    model, manifest = path / "model.bin", path / MANIFEST
    if damage == "changed":
        model.write_bytes(b"x" * len(FIRST + SECOND))
    elif damage == "shortened":
        model.write_bytes(FIRST)
    elif damage == "file gone":
        model.unlink()
    elif damage == "manifest gone":
        manifest.unlink()
    else:
        manifest.write_text("[1, 2]" if damage == "manifest of other type" else "{nonsense")
    assert verify(entry(), folder=tmp_path).state == "damaged"
    assert (ensure(entry(), folder=tmp_path) / "model.bin").read_bytes() == FIRST + SECOND


def test_quiet_damage_is_found_by_the_thorough_check(packages: Path, tmp_path: Path) -> None:
    model = ensure(entry(), folder=tmp_path) / "model.bin"
    before = model.stat()
    model.write_bytes(b"x" * before.st_size)
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify(entry(), folder=tmp_path).state == "damaged"


def test_a_copied_model_folder_is_accepted(packages: Path, tmp_path: Path) -> None:
    path = ensure(entry(), folder=tmp_path)
    os.utime(path / "model.bin", ns=(1, 1))
    told: list[str] = []
    ensure(entry(), folder=tmp_path, progress=told.append)
    assert told == []


def test_a_new_recipe_builds_again(packages: Path, tmp_path: Path) -> None:
    ensure(entry(), folder=tmp_path)
    told: list[str] = []
    ensure(entry(recipe_version=2), folder=tmp_path, progress=told.append)
    assert told


def test_a_changed_source_is_refused(packages: Path, tmp_path: Path) -> None:
    (packages / "voice_half_2" / "model.bin.part2").write_bytes(b"something else")
    with pytest.raises(ModelError) as caught:
        ensure(entry(), folder=tmp_path / "models")
    assert "voice-half-2==1.0" in caught.value.hint
    assert not (tmp_path / "models" / "whole").exists()
    assert verify(entry(), folder=tmp_path / "models").state == "no source"


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    absent = entry(sources=(Source(distribution="voice-half-9", version="3.1", member="x", sha256="0"),))
    with pytest.raises(ModelError) as caught:
        ensure(absent, folder=tmp_path)
    assert '--no-deps "voice-half-9==3.1"' in caught.value.hint


def test_another_version_is_refused(packages: Path, tmp_path: Path) -> None:
    newer = entry(sources=(Source(distribution="voice-half-1", version="2.0", member="x", sha256="0"),))
    with pytest.raises(ModelError, match=r"1\.0"):
        ensure(newer, folder=tmp_path)


def test_a_wrong_result_leaves_nothing_behind(packages: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        ensure(entry(results={"model.bin": digest(b"other")}), folder=tmp_path / "models")
    assert [item.name for item in (tmp_path / "models").iterdir()] == ["whole.lock"]


def test_leftovers_of_killed_processes_are_removed(packages: Path, tmp_path: Path) -> None:
    (tmp_path / ".whole-abc" / "fresh").mkdir(parents=True)
    ensure(entry(), folder=tmp_path)
    assert not list(tmp_path.glob(".whole-*"))


def test_a_folder_that_cannot_be_written_is_said(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file stands where the folder should be")
    with pytest.raises(StorageError) as caught:
        ensure(entry(), folder=tmp_path / "models")
    assert str(tmp_path) not in caught.value.message + caught.value.hint


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        ensure_named("gpt", folder=tmp_path)
    assert "whisper-base" in caught.value.hint


def test_every_entry_is_pinned() -> None:
    assert len(CATALOGUE) == len(ENTRIES)
    for known in ENTRIES:
        assert known.purpose
        assert known.licence in {"MIT", "Apache-2.0"}
        for source in known.sources:
            assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
            assert source.version


def test_the_manifest_says_what_it_was_built_from(packages: Path, tmp_path: Path) -> None:
    path = ensure(entry(), folder=tmp_path)
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["fingerprint"] == entry().fingerprint
    assert manifest["files"]["model.bin"]["sha256"] == digest(FIRST + SECOND)


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    assert model_folder() == tmp_path
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, " ")
    assert model_folder().name == "models"
    assert "hometone" in str(model_folder())
