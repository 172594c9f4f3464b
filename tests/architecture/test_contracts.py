"""The import contracts cover the whole tree: a new room cannot be forgotten."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "client" / "hometone_client"
ROOMS = sorted(path.name for path in CLIENT.iterdir() if path.is_dir() and any(path.glob("*.py")))
TORCH_ROOMS = {"adaptation", "torchbase"}
"""Rooms whose work is training."""
CONVERTING_ROOMS = {"models": ("convert_",), "evaluation": ("distillmos",), "sharedmodel": ("training", "errors", "heads")}
"""Rooms where single modules may load torch, by how their names begin."""


def contracts() -> dict[str, dict[str, Any]]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract for contract in table["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_stands_in_a_contract_about_torch(room: str) -> None:
    free = set(contracts()["no-torch-where-people-speak"]["source_modules"])
    behind = set(contracts()["torch-behind-adaptation"]["source_modules"])
    decided = {name.removeprefix("hometone_client.") for name in free | behind} | TORCH_ROOMS | set(CONVERTING_ROOMS)
    assert room in decided, f"{room} is in no contract of pyproject.toml about torch"


@pytest.mark.parametrize("room", sorted(CONVERTING_ROOMS))
def test_torch_in_converting_rooms_stays_in_named_modules(room: str) -> None:
    allowed = CONVERTING_ROOMS[room]
    importers = {path.name for path in (CLIENT / room).rglob("*.py") if "import torch" in path.read_text(encoding="utf-8")}
    assert {name for name in importers if not name.startswith(allowed)} == set()


def test_contracts_name_the_four_packages() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {path.parent.parent.name: path.parent.name for path in ROOT.glob("*/hometone_*/py.typed")}
    assert packages == {folder: f"hometone_{folder}" for folder in ("shared", "keys", "client", "server")}
    assert set(table["tool"]["importlinter"]["root_packages"]) == set(packages.values())
