"""`hometone doctor --base-from` and `--fetch-base`; a small file stands in for the published one, and nothing reaches a network."""

import dataclasses
import hashlib
import json
from pathlib import Path

import huggingface_hub
import pytest
from tests.unit.client.cli.conftest import Command

from hometone_client.models import catalogue
from hometone_client.models.assembly import MANIFEST
from hometone_client.models.catalogue import BASE, OFFICIAL_BASE
from hometone_client.models.hub import REPOSITORY, REVISION

CONTENT = b"numbers"
NAME = "kokoro-v1_0.pth"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model folder, and an official base that is copied instead of converted."""
    pin = dataclasses.replace(OFFICIAL_BASE.files[0], sha256=hashlib.sha256(CONTENT).hexdigest(), size_bytes=len(CONTENT))
    recipe = "hometone_client.models.assembly:copy_sources"
    monkeypatch.setattr(catalogue, "OFFICIAL_BASE", dataclasses.replace(OFFICIAL_BASE, sources=(), files=(pin,), recipe=recipe))
    monkeypatch.setenv("HOMETONE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def doctor(hometone: Command, models: Path, *options: object) -> tuple[int, dict[str, object], str]:
    ran = hometone("doctor", "--no-assemble", "--json", "--models", models, *options)
    return ran.code, json.loads(ran.out), ran.err


def test_a_file_becomes_the_base_in_use(hometone: Command, models: Path, tmp_path: Path) -> None:
    assert doctor(hometone, models)[1]["base"] == "packages"
    (tmp_path / NAME).write_bytes(CONTENT)
    code, answer, _ = doctor(hometone, models, "--base-from", tmp_path / NAME)
    assert code == 11  # the other weights are missing here
    assert answer["base"] == "official"
    found = {finding["name"]: finding["state"] for finding in answer["findings"]}  # type: ignore[attr-defined]
    assert found[OFFICIAL_BASE.name] == "ok"
    assert found[BASE] == "missing"
    assert (models / OFFICIAL_BASE.name / MANIFEST).is_file()
    assert catalogue.ensure(BASE, folder=models) == models / OFFICIAL_BASE.name


@pytest.mark.parametrize(("language", "words"), [("en", "train it again"), ("zh", "须重新训练")])
def test_the_switch_says_what_it_means_for_voices(hometone: Command, models: Path, tmp_path: Path, language: str, words: str) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    ran = hometone("doctor", "--no-assemble", "--lang", language, "--models", models, "--base-from", tmp_path / NAME)
    assert words in ran.err


def test_a_wrong_file_is_refused_and_nothing_made(hometone: Command, models: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"NUMBERS")
    code, answer, _ = doctor(hometone, models, "--base-from", tmp_path / NAME)
    assert code == 11
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["kind"] == "ModelError"
    assert error["hint"]
    assert not models.exists()


def test_both_ways_at_once_make_no_sense(hometone: Command, models: Path, tmp_path: Path) -> None:
    assert doctor(hometone, models, "--base-from", tmp_path / NAME, "--fetch-base")[0] == 2
    assert not models.exists()


def test_fetching_asks_the_hub_for_one_pinned_file_without_an_account(
    hometone: Command, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def download(repository: str, name: str, *, revision: str, local_dir: Path, token: bool) -> str:
        asked.append((repository, name, revision, token))
        (local_dir / name).write_bytes(CONTENT)
        return str(local_dir / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert doctor(hometone, models, "--fetch-base")[1]["base"] == "official"
    assert asked == [(REPOSITORY, NAME, REVISION, False)]
    assert sorted(path.name for path in models.iterdir() if path.suffix != ".lock") == [OFFICIAL_BASE.name]
    assert doctor(hometone, models, "--fetch-base")[1]["base"] == "official"
    assert len(asked) == 1  # what is there is not downloaded again


@pytest.mark.parametrize("arrives", [b"NUMBERS", None], ids=["another file", "no connection"])
def test_a_failed_download_leaves_nothing(hometone: Command, models: Path, monkeypatch: pytest.MonkeyPatch, arrives: bytes | None) -> None:
    def download(_repository: str, name: str, *, local_dir: Path, **_: object) -> str:
        if arrives is None:
            raise ConnectionError("the cable is out")
        (local_dir / name).write_bytes(arrives)
        return str(local_dir / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    code, answer, _ = doctor(hometone, models, "--fetch-base")
    assert code == 11
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["hint"]
    assert list(models.iterdir()) == []


def test_the_real_library_offline_is_a_model_error(hometone: Command, models: Path) -> None:
    """Sockets are blocked in every test: what the library raises then is wrapped."""
    code, answer, _ = doctor(hometone, models, "--fetch-base")
    error = answer["error"]
    assert code == 11
    assert isinstance(error, dict)
    assert "--base-from" in error["hint"]
    assert list(models.iterdir()) == []


def test_without_being_asked_nothing_is_downloaded(hometone: Command, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: pytest.fail("a connection nobody asked for"))
    assert doctor(hometone, models)[1]["base"] == "packages"
