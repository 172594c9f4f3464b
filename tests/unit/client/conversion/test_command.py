"""`hometone convert`: labelled files that go when she goes, refusals in plain words, and nothing left of the recording."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hometone_client.audio.labels import read_label
from hometone_client.base.parameters import base_hash
from hometone_client.cli.entrance import run
from hometone_client.conversion.converting import Converter
from hometone_client.models import BASE, ensure
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.voices import stock_parameters
from hometone_keys import Custody, DeviceSecretSource, Vault

SAMPLE = Path(__file__).resolve().parents[4] / "sample" / "allison" / "enrol-03.flac"


@pytest.fixture
def hometone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HOMETONE_CUSTODY", "file")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def command(*arguments: object) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run([*(str(argument) for argument in arguments), "--json"])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, answer

    return command


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A bit more than a second of her."""
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    path = tmp_path / "vorlage.flac"
    soundfile.write(path, samples[: rate * 5 // 4], rate)
    return path


@pytest.mark.models
def test_a_recording_becomes_a_labelled_file_of_the_same_length(hometone: Any, short: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "converted.wav"
    out.parent.mkdir()
    code, answer = hometone("convert", short, "--voice", "am_michael", "--out", out, "--rate", 22_050, "--seed", 1)
    assert code == 0
    label = read_label(out.read_bytes())
    assert label is not None
    assert label.produce_id == answer["produce_id"]
    samples, rate = soundfile.read(out)
    assert rate == 22_050
    assert len(samples) == pytest.approx(1.25 * rate, abs=2)
    assert answer["seconds"] == pytest.approx(1.25)
    assert 0.3 < answer["speech_s"] <= 1.5
    assert os.listdir(out.parent) == ["converted.wav"]  # noqa: PTH208 - everything, hidden files as well
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path not in {short, out}]
    assert written == []  # nothing of the recording is kept, not even a journal


@pytest.mark.models
def test_converting_is_speaking_in_a_voice_with_consent_and_the_file_goes_when_she_goes(hometone: Any, short: Path, tmp_path: Path) -> None:
    """Requirements 47, 48, 52: her PIN, her consent, one use in her account, and an export that revoking finds."""
    pin, home, out = tmp_path / "pin.txt", tmp_path / "hometone-home", tmp_path / "mei.mp3"
    pin.write_text("1234", encoding="utf-8")
    assert hometone("enroll", "mei", "--pin-file", pin, "--yes")[0] == 0
    secret = DeviceSecretSource(custody=Custody.FILE)
    with Vault(home, device_secret_source=secret) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, "1234")) as room:
        room.keep_voice(stock_parameters("am_michael", base_sha256=base_hash(ensure(BASE))), record={})
    line = ("convert", short, "--voice", "mei", "--out", out, "--seed", 1)
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("4321", encoding="utf-8")
    assert hometone(*line, "--pin-file", wrong)[0] == 5
    assert not out.exists()
    code, answer = hometone(*line, "--pin-file", pin)
    assert (code, answer["kind"]) == (0, "own")
    assert read_label(out.read_bytes()) is not None
    with Vault(home, device_secret_source=secret) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, "1234")) as room:
        assert [Path(export.path).name for export in room.exports()] == ["mei.mp3"]
        assert [(use.way, use.count) for use in room.uses()] == [(Way.SAY, 1)]
    assert hometone("revoke", "mei", "--yes", "--pin-file", pin)[0] == 0
    assert not out.exists()
    assert hometone(*line, "--pin-file", pin)[0] == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("convert", "--voice", "am_michael"), 2),
        (("convert", "x.wav", "--live", "--voice", "am_michael"), 2),
        (("convert", "x.wav"), 2),
        (("convert", "--live", "--voice", "am_michael"), 2),  # nobody is there to press Enter
        (("convert", "x.wav", "--voice", "am_michael", "--format", "pcm"), 2),
        (("convert", "x.wav", "--voice", "am_michael", "--noise-scale", "9"), 2),
        (("convert", "x.wav", "--voice", "am_michael", "--out", "nowhere/at/all.wav"), 7),
    ],
)
def test_lines_that_make_no_sense_are_refused_before_any_work(
    hometone: Any, line: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    got, answer = hometone(*line)
    assert got == code
    assert answer["error"]["hint"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.models
def test_a_recording_without_speech_leaves_no_file(hometone: Any, tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    soundfile.write(noise, np.random.default_rng(1).normal(0, 0.02, 32_000), 16_000)
    code, answer = hometone("convert", noise, "--voice", "am_michael", "--out", tmp_path / "x.wav")
    assert code == 8
    assert "no speech" in answer["error"]["message"]
    assert not (tmp_path / "x.wav").exists()


@pytest.mark.models
def test_ctrl_c_leaves_no_file(hometone: Any, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Converter, "spoken", pressed)
    code, _ = hometone("convert", short, "--voice", "am_michael", "--out", tmp_path / "x.wav")
    assert code == 130
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [short.name]
