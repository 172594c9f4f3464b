"""`hometone say` and `take add` with real weights: labelled files, pipes, failures of the disk. Needs the assembled model folder."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.unit.client.cli.conftest import Command

from hometone_client.audio.labels import read_label
from hometone_shared.errors import ResourceError

ROOT = Path(__file__).resolve().parents[4]
SAMPLE = ROOT / "sample" / "allison"
pytestmark = pytest.mark.models


@pytest.mark.parametrize(("name", "rate"), [("x.wav", 22_050), ("x.flac", 24_000), ("x.mp3", 24_000), ("x.opus", 24_000)])
def test_a_stock_voice_speaks_into_a_labelled_file(hometone: Command, tmp_path: Path, name: str, rate: int) -> None:
    out = tmp_path / name
    ran = hometone("say", "af_heart", "Good morning.", "--out", out, "--rate", rate, "--json", "--seed", 1)
    assert ran.code == 0, ran.err
    label = read_label(out.read_bytes())
    assert label is not None
    assert label.produce_id == ran.answer["produce_id"]
    assert 0.5 < ran.answer["seconds"] < 4.0
    assert [path.name for path in tmp_path.iterdir() if path.suffix in {".wav", ".flac", ".mp3", ".opus"}] == [name]


def test_slower_is_longer_and_the_file_says_the_rate(hometone: Command, tmp_path: Path) -> None:
    lengths = []
    for scale in (0.8, 1.4):
        out = tmp_path / f"{scale}.wav"
        assert (
            hometone("say", "stock:af_heart", "Good morning, neighbour.", "--out", out, "--rate", 22_050, "--length-scale", scale).code == 0
        )
        samples, rate = soundfile.read(out)
        assert rate == 22_050
        lengths.append(len(samples))
    assert lengths[1] > 1.4 * lengths[0]


def test_a_text_from_a_pipe_becomes_sound_in_a_pipe() -> None:
    command = [sys.executable, "-m", "hometone_client.cli", "say", "af_heart", "-", "--out", "-"]
    finished = subprocess.run(command, input=b"From a pipe.", capture_output=True, check=True)
    samples, rate = soundfile.read(io.BytesIO(finished.stdout))
    assert rate == 24_000
    assert len(samples) > 12_000
    assert b"hometone: " in finished.stderr


def test_a_folder_that_is_not_there_is_exit_code_7_and_leaves_nothing(hometone: Command, tmp_path: Path) -> None:
    ran = hometone("say", "af_heart", "Good morning.", "--out", tmp_path / "nowhere" / "x.wav", "--json")
    assert ran.code == 7
    assert not (tmp_path / "nowhere").exists()


def test_a_good_take_is_stored_and_a_bad_one_beside_it_is_not(hometone: Command, mei: str, pin_file: Path, tmp_path: Path) -> None:
    """Requirement 6: the reason with figure and aim; the other file of the same line is stored all the same."""
    samples, rate = soundfile.read(SAMPLE / "enrol-02.flac")
    noisy = tmp_path / "吵闹.wav"
    generator = np.random.default_rng(1)
    soundfile.write(noisy, (samples + generator.normal(0, 0.1, len(samples))).clip(-1, 1), rate)
    lines = [
        "take",
        "add",
        mei,
        noisy,
        SAMPLE / "enrol-02.flac",
        "--texts",
        SAMPLE / "takes.csv",
        "--language",
        "en",
        "--pin-file",
        pin_file,
    ]
    ran = hometone(*lines, "--json")
    assert ran.code == 9
    assert [take["stored"] for take in ran.answer["takes"]] == [False, True]
    assert ran.answer["error"]["kind"] == "TakeRejectedError"
    noise = next(finding for finding in ran.answer["takes"][0]["findings"] if finding["code"] == "noisy")
    assert noise["figure"] < noise["aim"]
    assert ran.answer["takes"][1]["take"] == "take-0001"
    assert ran.answer["speech_s"] > 3.0


def test_speaking_loads_no_torch(tmp_path: Path) -> None:
    """Requirement 56: a process in which importing torch fails still speaks."""
    probe = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "onnxscript"}:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, NoTorch())
import socket
def refuse(*_, **__):
    raise OSError("no network")
socket.socket.connect = refuse
from hometone_client.cli.entrance import run
code = run(["say", "af_heart", "No torch, and no network.", "--out", sys.argv[1], "--json"])
assert "torch" not in sys.modules
sys.exit(code)
"""
    finished = subprocess.run([sys.executable, "-c", probe, str(tmp_path / "x.wav")], capture_output=True, encoding="utf-8", check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert read_label((tmp_path / "x.wav").read_bytes()) is not None


def test_a_taken_port_leaves_the_token_of_the_program_that_has_it(
    hometone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: object, **__: object) -> None:
        raise ResourceError("the local API cannot listen there", hint="choose another port")

    monkeypatch.setattr("hometone_client.web.serve", taken)
    token = tmp_path / "token.txt"
    token.write_text("that of the other program", encoding="utf-8")
    assert hometone("serve", "--port", 1, "--token-file", token, "--json").code == 12
    assert token.read_text(encoding="utf-8") == "that of the other program"
