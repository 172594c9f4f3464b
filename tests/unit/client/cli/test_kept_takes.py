"""What is stored of a speaker's recordings can be looked at and taken out again, even when a file was damaged."""

from pathlib import Path

import numpy as np
import pytest
from tests.unit.client.cli.conftest import Command

from hometone_client.audio import Origin, RawTake
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import DamagedVaultError


@pytest.fixture
def damaged(mei: str, tmp_path: Path) -> Path:
    """Three takes, the sound of the second and the record of the third of which are not what was written."""
    home = tmp_path / "hometone-home"
    with Vault(home) as vault, SpeakerRoom(vault.unlock(vault.find(mei).speaker_id, "1234")) as room:
        for seed in range(3):
            noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 16_000).astype(np.float32)
            take = RawTake(noise, 16_000, Origin.FILE)
            room.add_take(take, text="secret words", language="en", speech_s=0.9, quality={}, held_out=seed == 0)
        room.checkpoint().save(b"half a voice")
        broken = [room.vault.find("take", "take-0002"), room.vault.find("take-record", "take-0003")]
    for artefact in broken:
        (path,) = home.rglob(artefact.artefact_id)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    return home


def test_the_list_has_figures_and_no_words(hometone: Command, damaged: Path, mei: str, pin_file: Path) -> None:
    ran = hometone("take", "list", mei, "--pin-file", pin_file, "--json")
    assert ran.code == 0
    assert [take["readable"] for take in ran.answer["takes"]] == [True, False, False]
    assert ran.answer["takes"][0]["held_out"]
    assert "recording 2 is damaged" in ran.answer["takes"][1]["error"]
    shown = hometone("take", "list", mei, "--pin-file", pin_file)
    assert "recording 3 is damaged" in shown.out
    assert "secret" not in ran.out + shown.out + shown.err


def test_a_damaged_take_can_be_given_up(hometone: Command, damaged: Path, mei: str, pin_file: Path) -> None:
    refused = hometone("train", mei, "--pin-file", pin_file)
    assert refused.code == DamagedVaultError.exit_code
    assert "take remove" in refused.err
    assert hometone("take", "remove", mei, 2, 3, "--pin-file", pin_file).code == 2  # nobody said yes
    assert hometone("take", "remove", mei, 2, 3, 3, "--yes", "--pin-file", pin_file).code == 0
    home = damaged
    with Vault(home) as vault, SpeakerRoom(vault.unlock(vault.find(mei).speaker_id, "1234")) as room:
        assert room.checkpoint().load() is None  # it may have learnt from what was given up
    (left,) = hometone("take", "list", mei, "--pin-file", pin_file, "--json").answer["takes"]
    assert (left["number"], left["readable"]) == (1, True)


def test_a_take_that_is_not_there_removes_none_of_the_others(hometone: Command, damaged: Path, mei: str, pin_file: Path) -> None:
    ran = hometone("take", "remove", mei, 1, 9, "--yes", "--pin-file", pin_file)
    assert ran.code == 2
    assert "hint: hometone take list" in ran.err
    assert len(hometone("take", "list", mei, "--pin-file", pin_file, "--json").answer["takes"]) == 3
