"""The `hometone` command on a real vault: exit codes, JSON, unattended use, hostile input. Nothing here needs public weights."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.client.cli.conftest import Command

from hometone_client.cli.entrance import command_name, hoisted
from hometone_client.cli.serve import EPILOG
from hometone_client.web.requests import SpeechRequest

COMMANDS = (
    ["doctor"],
    ["enroll"],
    ["take", "add"],
    ["train"],
    ["say"],
    ["voices"],
    ["evaluate"],
    ["queue", "add"],
    ["queue", "list"],
    ["queue", "remove"],
    ["queue", "run"],
    ["serve"],
    ["revoke"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_teaches_itself_with_examples(hometone: Command, command: list[str]) -> None:
    ran = hometone(*command, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert f"  hometone {' '.join(command)}" in ran.out or command[0] == "queue"


def test_options_of_every_command_may_stand_anywhere() -> None:
    assert hoisted(["say", "mei", "--json", "--home", "x", "hi"]) == ["--json", "--home", "x", "say", "mei", "hi"]
    assert hoisted(["say", "mei", "--home=x", "--", "--json"]) == ["--home=x", "say", "mei", "--", "--json"]
    assert command_name(["--home", "x", "--json", "take", "add", "mei"]) == "take add"
    assert command_name(["--debug", "say"]) == "say"
    assert command_name([]) == ""


def test_enrolling_needs_a_yes_that_somebody_gave(hometone: Command, pin_file: Path) -> None:
    ran = hometone("enroll", "mei", "--pin-file", pin_file)
    assert ran.code == 2
    assert "hint: add --yes" in ran.err
    assert hometone("voices", "--json").answer["voices"] == []


def test_enrolling_answers_with_documented_keys(hometone: Command, pin_file: Path) -> None:
    ran = hometone("enroll", "美美", "--pin-file", pin_file, "--yes", "--json", "--gender", "非二元", "--age-band", "70-79")
    assert ran.code == 0
    assert set(ran.answer) == {"ok", "command", "speaker", "speaker_id", "purposes", "expires", "custody"}
    assert ran.answer["speaker"] == "美美"
    assert ran.err == ""


def test_the_consent_is_shown_in_the_chosen_language(hometone: Command, pin_file: Path) -> None:
    assert "同意书" in hometone("enroll", "mei", "--pin-file", pin_file, "--yes", "--lang", "zh").err
    assert "Consent: a synthetic voice" in hometone("enroll", "otto", "--pin-file", pin_file, "--yes", "--lang", "en").err


def test_consent_can_be_renewed_but_a_name_is_taken_once(hometone: Command, mei: str, pin_file: Path) -> None:
    assert hometone("enroll", mei, "--pin-file", pin_file, "--yes").code == 2
    assert hometone("enroll", mei, "--pin-file", pin_file, "--yes", "--renew", "--days", "3").code == 0


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00", b"99"])
def test_bad_pin_files_are_refused(hometone: Command, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    ran = hometone("enroll", "mei", "--pin-file", path, "--yes", "--json")
    assert ran.code == 2
    assert ran.answer["error"]["hint"]


def test_a_wrong_pin_is_exit_code_5_and_shows_no_pin(hometone: Command, mei: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("9876", encoding="utf-8")
    ran = hometone("take", "add", mei, wrong, "--pin-file", wrong)
    assert ran.code == 5
    assert "9876" not in ran.err + ran.out


def test_the_pin_may_come_from_the_environment(hometone: Command, mei: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMETONE_PIN", "1234")
    assert hometone("queue", "add", mei, "--json").answer["error"]["message"] == "this speaker has no takes to learn from"


def test_files_that_are_no_sound_are_exit_code_8(hometone: Command, mei: str, pin_file: Path) -> None:
    ran = hometone("take", "add", mei, pin_file, "--pin-file", pin_file, "--json")
    assert ran.code == 8
    assert ran.answer["error"]["kind"] == "AudioError"
    several = hometone("take", "add", mei, pin_file, "nowhere.wav", "--pin-file", pin_file, "--json")
    assert several.code == 8
    assert [take["stored"] for take in several.answer["takes"]] == [False, False]


@pytest.mark.parametrize(
    "line",
    [
        ["take", "add", "mei"],
        ["take", "add", "mei", "a.wav", "--microphone"],
        ["take", "add", "mei", "a.wav", "b.wav", "--text", "x"],
        ["take", "add", "mei", "a.wav", "--text", "x", "--prompt", "zh:1"],
        ["take", "add", "mei", "a.wav", "--prompt", "zh:9"],
        ["take", "add", "mei", "a.wav", "--prompt", "klingon:1"],
        ["take", "add", "mei", "a.wav", "--texts", "nowhere.csv"],
        ["say", "mei"],
        ["say", "mei", "x", "--text-file", "y"],
        ["say", "mei", "x", "--format", "midi"],
        ["say", "mei", "x", "--format", "pcm"],
        ["say", "mei", "x", "--rate", "12345"],
        ["say", "mei", "x", "--length-scale", "99"],
        ["say", "mei", "x", "--noise-scale", "nan"],
        ["say", "mei", "x", "--out", "-", "--json"],
        ["train", "nobody"],
        ["revoke", "nobody", "--yes"],
        ["queue", "remove", "mei"],
        ["enroll", "x", "--age-band", "ancient", "--yes"],
        ["frobnicate"],
        ["say"],
        ["voices", "--lang", "tlh"],
        ["train", "mei", "--tier", "gold"],
    ],
    ids=" ".join,
)
def test_lines_that_make_no_sense_are_exit_code_2_without_a_traceback(hometone: Command, mei: str, pin_file: Path, line: list[str]) -> None:
    assert mei == "mei"
    needs_pin = line[0] in {"take", "train"} and len(line) > 1
    ran = hometone(*line, *(["--pin-file", pin_file] if needs_pin else []))
    assert ran.code == 2, ran
    last = ran.out + ran.err
    assert "Traceback" not in last
    assert "hint: " in last or '"hint"' in last


def test_an_empty_text_is_a_text_error(hometone: Command) -> None:
    assert hometone("say", "af_heart", "  ", "--json").answer["error"]["kind"] == "TextError"


def test_training_without_takes_or_consent_says_so(hometone: Command, mei: str, pin_file: Path, tmp_path: Path) -> None:
    assert hometone("train", mei, "--pin-file", pin_file, "--json").answer["error"]["message"] == "this speaker has no takes to learn from"
    assert hometone("say", mei, "hello", "--pin-file", pin_file, "--out", tmp_path / "x.wav", "--json").code in {2, 11}
    assert not (tmp_path / "x.wav").exists()


def test_a_home_without_a_vault_says_how_to_begin(hometone: Command) -> None:
    ran = hometone("train", "mei")
    assert ran.code == 2
    assert "hometone enroll" in ran.err


def test_revoking_needs_no_pin_and_leaves_nobody(hometone: Command, mei: str, tmp_path: Path) -> None:
    assert hometone("revoke", mei).code == 2
    receipt = tmp_path / "receipt.json"
    ran = hometone("revoke", mei, "--yes", "--json", "--receipt", receipt)
    assert ran.code == 0
    assert ran.answer["scan"]["clean"] is True
    assert ran.answer["exports"] == {"known": False, "removed": 0, "not_found": 0}
    assert ran.answer["speakers_left"] == 0
    assert json.loads(receipt.read_bytes())["signature"]
    assert mei not in receipt.read_text(encoding="utf-8")
    assert hometone("voices", "--json").answer["voices"] == []


def test_with_the_pin_everything_is_looked_for(hometone: Command, mei: str, pin_file: Path) -> None:
    ran = hometone("revoke", mei, "--yes", "--json", "--pin-file", pin_file)
    assert ran.answer["exports"]["known"] is True


def test_a_read_only_home_is_exit_code_7(hometone: Command, tmp_path: Path, pin_file: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder", encoding="utf-8")
    ran = hometone("enroll", "mei", "--pin-file", pin_file, "--yes", "--home", blocker / "home", "--json")
    assert ran.code == 7
    assert ran.answer["error"]["kind"] == "StorageError"


def test_a_damaged_vault_is_exit_code_6_and_is_left_alone(hometone: Command, mei: str, pin_file: Path) -> None:
    slots = Path(os.environ["HOMETONE_HOME"]) / "vault" / "keyslots"
    damaged = slots.read_bytes()[:-1] + b"\x00"
    slots.write_bytes(damaged)
    ran = hometone("train", mei, "--pin-file", pin_file, "--json")
    assert ran.code == 6
    assert slots.read_bytes() == damaged


def test_no_command_but_the_trainers_loads_torch_and_help_loads_no_framework() -> None:
    """Requirement 56, for the command itself."""
    probe = (
        "import sys; from hometone_client.cli.entrance import run; run(['say', '--help']);"
        "print(sorted({'torch', 'onnxruntime', 'fastapi'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", probe], capture_output=True, encoding="utf-8", check=True)
    assert finished.stdout.splitlines()[-1] == "[]"


def test_the_request_that_serve_shows_is_one_the_api_takes() -> None:
    """A JSON body needs its content type, and a file called .wav needs the format; mp3 is the API's default."""
    shown = " ".join(EPILOG.replace("\\\n", " ").split())
    body = SpeechRequest.model_validate_json(re.findall(r"-d '([^']+)'", shown)[0])
    assert '-H "Content-Type: application/json"' in shown
    assert shown.partition("-o hello.")[2].split()[0] == body.response_format
