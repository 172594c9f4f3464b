"""The `hometone` command on a real vault: exit codes, JSON, unattended use, hostile input. Nothing here needs public weights."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.client.cli.conftest import Command

from hometone_client.cli.entrance import run
from hometone_client.cli.say import LONGEST_TEXT, read_text
from hometone_client.cli.serve import EPILOG
from hometone_client.cli.session import read_pin_file
from hometone_client.cli.take import read_texts
from hometone_client.speakers.consent import Consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.web.requests import SpeechRequest
from hometone_keys import Vault
from hometone_shared.errors import StorageError, TextError, UsageError

COMMANDS = (
    ["doctor"],
    ["enroll"],
    ["take", "add"],
    ["take", "list"],
    ["take", "remove"],
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


def test_enrolling_needs_a_yes_that_somebody_gave(hometone: Command, pin_file: Path) -> None:
    ran = hometone("enroll", "mei", "--pin-file", pin_file)
    assert ran.code == 2
    assert "hint: add --yes" in ran.err
    assert hometone("voices", "--json").answer["voices"] == []


def test_enrolling_answers_with_documented_keys(hometone: Command, pin_file: Path) -> None:
    ran = hometone("enroll", "美美", "--pin-file", pin_file, "--yes", "--json", "--gender", "非二元", "--age-band", "70-79")
    assert ran.code == 0
    assert set(ran.answer) == {"ok", "command", "speaker", "speaker_id", "purposes", "expires", "custody", "drops_takes"}
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


def test_a_pin_is_one_line_of_whatever_it_comes_from(tmp_path: Path) -> None:
    long = tmp_path / "long.txt"
    long.write_bytes(b"1234\n" + bytes(1 << 20))
    assert read_pin_file(long) == "1234"


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pin_may_come_from_a_pipe_that_stays_open() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"1234\n")
    try:
        assert read_pin_file(Path(f"/dev/fd/{reader}")) == "1234"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_text_file_is_read_no_further_than_may_be_spoken(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a" * (4 * LONGEST_TEXT + 1))
    with pytest.raises(TextError, match="more than"):
        read_text(None, path)


def test_a_table_of_texts_is_read_no_further_than_it_may_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("file,text\na.wav,good\n", encoding="utf-8")
    assert read_texts(path)["a.wav"].text == "good"
    monkeypatch.setattr("hometone_client.cli.take._LONGEST_TABLE_BYTES", 8)
    with pytest.raises(UsageError, match="too long"):
        read_texts(path)


def test_ctrl_c_is_answered_like_everything_else(hometone: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(_home: Path) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Vault, "exists", pressed)
    ran = hometone("voices", "--json")
    assert ran.code == 130
    assert ran.answer["error"]["kind"] == "Interrupted"
    assert ran.answer["error"]["hint"]


def test_what_a_library_makes_of_ctrl_c_is_still_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def half_loaded(_home: Path) -> bool:
        raise ImportError

    monkeypatch.setattr(Vault, "exists", half_loaded)
    assert run(["voices", "--json"]) == 70
    assert run(["voices", "--json"], interrupted=lambda: True) == 130


def test_enrolling_that_was_broken_off_is_finished_by_the_same_line(
    hometone: Command, pin_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("enroll", "mei", "--yes", "--json", "--pin-file")
    other = tmp_path / "other.txt"
    other.write_text("9876", encoding="utf-8")

    def full(_room: SpeakerRoom, _consent: Consent) -> None:
        raise StorageError("the disk is full", hint="free some space")

    with monkeypatch.context() as broken:
        broken.setattr(SpeakerRoom, "keep_consent", full)
        assert hometone(*line, pin_file).code == 7
    assert "already" in hometone(*line, other).answer["error"]["message"]
    assert hometone(*line, pin_file).code == 0
    assert "already" in hometone(*line, pin_file).answer["error"]["message"]


def test_nobody_can_take_the_address_of_a_stock_voice(hometone: Command, pin_file: Path) -> None:
    ran = hometone("enroll", "stock:af_heart", "--pin-file", pin_file, "--yes", "--json")
    assert ran.code == 2
    assert ran.answer["error"]["hint"]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_receipt_that_cannot_be_written_is_in_the_answer(hometone: Command, mei: str, tmp_path: Path, *, as_json: bool) -> None:
    ran = hometone("revoke", mei, "--yes", "--receipt", tmp_path / "nowhere" / "receipt.json", *(["--json"] if as_json else []))
    assert ran.code == 7
    receipt = ran.answer["receipt"] if as_json else json.loads(ran.out.splitlines()[0])
    assert receipt["signature"]
    assert "forgotten" in ran.out + ran.err


def test_damage_keeps_nobody_from_being_forgotten(hometone: Command, mei: str, pin_file: Path) -> None:
    (index,) = (Path(os.environ["HOMETONE_HOME"]) / "vault").glob("s-*/index")
    index.write_bytes(b"")
    ran = hometone("revoke", mei, "--yes", "--json", "--pin-file", pin_file)
    assert ran.code == 0
    assert ran.answer["exports"]["known"] is False
    assert hometone("voices", "--json").answer["voices"] == []


def test_a_vault_without_its_key_slots_is_damaged_and_not_empty(hometone: Command, mei: str) -> None:
    assert mei == "mei"
    (Path(os.environ["HOMETONE_HOME"]) / "vault" / "keyslots").unlink()
    assert hometone("voices", "--json").code == 6


def test_a_home_that_cannot_be_looked_at_is_exit_code_7(hometone: Command) -> None:
    assert hometone("voices", "--home", "x" * 5000, "--json").code == 7
