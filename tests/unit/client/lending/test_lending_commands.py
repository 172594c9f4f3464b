"""The commands about consent, lent voices and retention, from the card to the last refusal."""

import datetime as dt
import hashlib
import json
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.client.cli.conftest import Command, hometone, mei, pin_file
from tests.unit.client.lending.conftest import SPOKEN, tombstone
from tests.unit.client.speakers.test_room import a_voice, noise_take
from tests.unit.client.speakers.test_spoken_phrase import PHRASE

from hometone_client.models import model_folder
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speaking import Sessions
from hometone_client.voices import VoiceParameters, stock_parameters
from hometone_client.withdrawal.outbox import Outbox
from hometone_keys import Custody, DeviceSecretSource, Vault
from hometone_shared.records.tombstone import NO_COORDINATOR
from hometone_shared.withdrawal.recovery import RecoverySecret

__all__ = ["hometone", "mei", "pin_file"]
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def owner(tmp_path: Path) -> Path:
    return tmp_path / "hometone-home"


@pytest.fixture
def borrower(tmp_path: Path) -> Path:
    return tmp_path / "borrower-home"


def opened(home: Path) -> Vault:
    return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE))


def give(home: Path, voice: VoiceParameters, *, announcements: bool = True) -> None:
    """Mei gets a voice, and says yes to announcements, as `consent --spoken` would write it."""
    with opened(home) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, "1234")) as room:
        room.keep_voice(voice, record={})
        if announcements:
            room.keep_consent(give_consent(locale="en", now=NOW, purpose=Purpose.ANNOUNCEMENTS, spoken=SPOKEN))


def test_from_the_card_to_the_guest(hometone: Command, mei: str, pin_file: Path, owner: Path, borrower: Path, tmp_path: Path) -> None:
    give(owner, a_voice())
    card, package = tmp_path / "sunrise.card", tmp_path / "mei.htvoice"
    made = hometone("recipient", "--label", "Sunrise home", "--out", card, "--home", borrower, "--json").answer
    assert (made["label"], len(made["check_words"].split())) == ("Sunrise home", 4)
    lend = ("lend", mei, "--to", card, "--out", package, "--pin-file", pin_file)
    shown = hometone(*lend, "--json")
    assert (shown.code, package.exists()) == (2, False), "somebody has to compare the words"
    lent = hometone(*lend, "--days", 7, "--yes", "--json").answer
    assert (lent["check_words"], lent["label"], lent["lease_days"]) == (made["check_words"], "Sunrise home", 7)
    registry = hometone("lent", mei, "--pin-file", pin_file, "--json").answer
    assert [copy["lease"] for copy in registry["copies"]] == [lent["lease"]]
    assert hometone("borrow", package).code == 2, "not on the owner's computer"
    taken = hometone("borrow", package, "--as", "announcer", "--home", borrower, "--json").answer
    assert (taken["voice"], taken["lease"]) == ("announcer", lent["lease"])
    (line,) = hometone("voices", "--home", borrower, "--json").answer["voices"]
    assert (line["id"], line["kind"]) == ("announcer", "lent")
    assert line["until"] == dt.datetime.fromtimestamp(lent["issued"] + 7 * 86_400, dt.UTC).isoformat()
    assert "announcer" in hometone("voices", "--home", borrower).out
    for words in (("lent",), ("train",), ("take", "list")):
        refused = hometone(*words, "announcer", "--pin-file", pin_file, "--home", borrower)
        assert (refused.code, "lent copy" in refused.err) == (2, True)
    overview = hometone("consent", mei, "--pin-file", pin_file, "--json").answer
    assert [use["way"] for use in overview["uses"]] == ["lent"]


def test_without_a_yes_to_announcements_nothing_is_lent(
    hometone: Command, mei: str, pin_file: Path, owner: Path, borrower: Path, tmp_path: Path
) -> None:
    give(owner, a_voice(), announcements=False)
    card, package = tmp_path / "card", tmp_path / "mei.htvoice"
    hometone("recipient", "--out", card, "--home", borrower)
    refused = hometone("lend", mei, "--to", card, "--out", package, "--pin-file", pin_file, "--yes")
    assert (refused.code, package.exists()) == (3, False)
    assert "hometone consent NAME --purpose announcements" in refused.err


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 5000])
def test_rubbish_is_no_card_and_no_voice(hometone: Command, mei: str, pin_file: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert hometone("lend", mei, "--to", file, "--out", tmp_path / "x", "--pin-file", pin_file, "--yes").code in {2, 14}
    assert hometone("borrow", file).code == 14
    assert hometone("borrow", tmp_path / "nothing").code == 2


def test_what_she_agreed_to_is_shown_and_the_date_is_known(hometone: Command, mei: str, pin_file: Path, owner: Path) -> None:
    answer = hometone("consent", mei, "--pin-file", pin_file, "--json").answer
    assert {line["purpose"]: line["allowed"] for line in answer["purposes"]} == {
        "own-voice": True,
        "federated-learning": False,
        "announcements": False,
        "archive": False,
        "listening-test": False,
    }
    assert "a voice of her own" in hometone("consent", mei, "--pin-file", pin_file).out
    with opened(owner) as vault:
        date = vault.find("mei").erase_after_ms
    expires = dt.datetime.fromisoformat(answer["purposes"][0]["expires"])
    assert date == int((expires + dt.timedelta(days=30)).timestamp() * 1000)


def test_a_phrase_is_given_once_a_day_in_the_language_of_the_messages(hometone: Command, mei: str, pin_file: Path) -> None:
    first = hometone("consent", mei, "--phrase", "--pin-file", pin_file, "--json").answer
    assert len(first["phrase"].split()) == 6
    assert hometone("consent", mei, "--phrase", "--pin-file", pin_file, "--json").answer["phrase"] == first["phrase"]
    chinese = hometone("consent", mei, "--phrase", "--pin-file", pin_file, "--json", "--lang", "zh").answer
    assert (len(chinese["phrase"]), chinese["language"]) == (8, "zh")


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (("--purpose", "announcements", "--yes"), 2, "aloud"),
        (("--purpose", "archive", "--yes"), 2, "aloud"),
        (("--purpose", "announcements", "--withdraw"), 2, "hometone revoke mei --scope announcements"),
        (("--withdraw",), 2, "hometone revoke mei"),
        (("--microphone",), 2, "--purpose"),
        (("--purpose", "archive", "--microphone", "--spoken", "x.wav"), 2, "once"),
        (("--purpose", "own-voice"), 2, "--yes"),
        (("--purpose", "singing"), 2, "singing"),
    ],
)
def test_lines_that_ask_for_too_much(hometone: Command, mei: str, pin_file: Path, line: tuple[str, ...], code: int, words: str) -> None:
    refused = hometone("consent", mei, *line, "--pin-file", pin_file)
    assert refused.code == code
    assert words in refused.err


def test_another_year_and_the_shared_model_need_no_phrase(hometone: Command, mei: str, pin_file: Path) -> None:
    answer = hometone("consent", mei, "--purpose", "own-voice", "--days", 5, "--yes", "--pin-file", pin_file, "--json").answer
    assert (answer["purpose"], answer["spoken"]) == ("own-voice", None)
    assert hometone("consent", mei, "--purpose", "federated-learning", "--yes", "--pin-file", pin_file).code == 0
    assert hometone("ledger", mei, "--pin-file", pin_file, "--json").answer["budget"]["epsilon"] == 8.0


def test_a_purpose_that_was_taken_back_is_refused_for_ever(hometone: Command, mei: str, pin_file: Path, owner: Path) -> None:
    with opened(owner) as vault:
        secret = RecoverySecret(vault.withdrawal_secret(vault.find("mei").speaker_id))
    Outbox(owner).add(tombstone(secret, Purpose.FEDERATED, coordinator=NO_COORDINATOR))
    refused = hometone("consent", mei, "--purpose", "federated-learning", "--yes", "--pin-file", pin_file)
    assert (refused.code, "for good" in refused.err) == (3, True)


def test_dropping_is_chosen_at_enrolment_and_can_be_changed(hometone: Command, pin_file: Path) -> None:
    line = ("enroll", "li", "--yes", "--pin-file", pin_file, "--json")
    assert hometone(*line, "--drop-takes-after-training").answer["drops_takes"] is True
    assert hometone(*line, "--renew").answer["drops_takes"] is True
    assert hometone(*line, "--renew", "--keep-takes").answer["drops_takes"] is False


def test_a_sweep_says_what_it_did(hometone: Command, mei: str, pin_file: Path, owner: Path) -> None:
    assert hometone("sweep", "--json").answer["due"] is True
    assert "nothing is over" in hometone("sweep", "--dry-run").out
    with opened(owner) as vault:
        vault.set_erase_after(vault.find(mei).speaker_id, erase_after_ms=1)
    assert "run it again tomorrow" in hometone("sweep").out
    yesterday = {"seen": int(NOW.timestamp()) - 90_000, "trusted_from": 0}
    (owner / "retention" / "sweep.json").write_text(json.dumps(yesterday, separators=(",", ":")))
    report = hometone("sweep", "--json").answer
    assert (report["consents"], report["due"], len(report["receipts"])) == (["mei"], False, 1)
    assert hometone("voices", "--json").answer["voices"] == []


def test_a_sweep_makes_no_vault(hometone: Command, owner: Path) -> None:
    assert hometone("sweep", "--json").code == 0
    assert not owner.exists()


@pytest.mark.models
def test_a_guest_speaks_without_a_pin_until_it_is_taken_back(
    hometone: Command, mei: str, pin_file: Path, owner: Path, borrower: Path, tmp_path: Path
) -> None:
    give(owner, stock_parameters("af_heart", base_sha256=Sessions(model_folder()).base_sha256))
    card, package, spoken = tmp_path / "card", tmp_path / "mei.htvoice", tmp_path / "supper.wav"
    hometone("recipient", "--out", card, "--home", borrower)
    assert hometone("lend", mei, "--to", card, "--out", package, "--pin-file", pin_file, "--yes").code == 0
    assert hometone("borrow", package, "--home", borrower).code == 0
    say = ("say", "mei", "Supper is ready.", "--out", spoken, "--home", borrower, "--json")
    assert hometone(*say).answer["kind"] == "lent"
    assert spoken.stat().st_size > 10_000
    with opened(owner) as vault:
        secret = RecoverySecret(vault.withdrawal_secret(vault.find("mei").speaker_id))
    Outbox(borrower).add(tombstone(secret, Purpose.ANNOUNCEMENTS, coordinator=NO_COORDINATOR))
    spoken.unlink()
    assert hometone(*say).code != 0
    assert not spoken.exists()
    assert hometone("voices", "--home", borrower, "--json").answer["voices"] == []
    assert hometone("borrow", package, "--home", borrower).code == 3


@pytest.mark.models
def test_another_voice_is_no_consent(hometone: Command, mei: str, pin_file: Path, owner: Path, tmp_path: Path) -> None:
    with opened(owner) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, "1234")) as room:
        room.add_take(noise_take(1, seconds=3), text="", language="en", speech_s=3.0, quality={})
    line = ("consent", mei, "--purpose", "announcements", "--yes", "--pin-file", pin_file)
    recording = Path(__file__).parents[4] / "sample" / "carlo" / "enrol-00.flac"
    assert "no phrase waits" in hometone(*line, "--spoken", recording).err
    hometone("consent", mei, "--phrase", "--pin-file", pin_file)
    refused = hometone(*line, "--spoken", recording)
    assert (refused.code, "understood wrongly" in refused.err) == (3, True)
    assert not hometone("consent", mei, "--pin-file", pin_file, "--json").answer["purposes"][2]["allowed"]


@pytest.mark.slow
@pytest.mark.models
def test_the_phrase_in_her_own_voice_is_a_consent_and_the_recording_is_not_kept(
    hometone: Command, mei: str, pin_file: Path, owner: Path, tmp_path: Path
) -> None:
    def speak(text: str, name: str) -> Path:
        file = tmp_path / name
        assert hometone("say", "af_heart", text, "--out", file, "--seed", 1).code == 0
        return file

    sentence = "The weather is lovely today, so let us walk slowly around the lake and talk about old times."
    take = speak(sentence, "take.wav")
    assert hometone("take", "add", mei, take, "--text", sentence, "--language", "en", "--pin-file", pin_file).code == 0
    phrase = PHRASE.text  # a fixed one, drawn a moment ago: what a recogniser makes of any other is not what is tested here
    with opened(owner) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, "1234")) as room:
        room.vault.put_json("spoken", replace(PHRASE, made=NOW).to_record(), kind="phrase")
    assert hometone("consent", mei, "--phrase", "--pin-file", pin_file, "--json").answer["phrase"] == phrase
    recording = speak(phrase.replace(" ", ", ") + ".", "phrase.wav")
    line = ("consent", mei, "--purpose", "announcements", "--spoken", recording, "--yes", "--pin-file", pin_file, "--json")
    marked = hometone(*line)
    assert (marked.code, "machine" in marked.answer["error"]["message"]) == (3, True)
    with wave.open(str(recording)) as said:
        form, frames = said.getparams(), said.readframes(said.getnframes())
    with wave.open(str(recording), "wb") as unmarked:
        unmarked.setparams(form)
        unmarked.writeframes(frames)
    answer = hometone(*line).answer
    assert answer["ok"], answer
    assert answer["spoken"]["phrase_sha256"] == hashlib.sha256(phrase.encode()).hexdigest()
    assert answer["spoken"]["likeness"] >= 0.75
    assert hometone("consent", mei, "--pin-file", pin_file, "--json").answer["purposes"][2]["allowed"]
    with opened(owner) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, "1234")) as room:
        assert room.take_names() == ("take-0001",)
        assert not room.vault.list("phrase")
    assert "no phrase waits" in hometone(*line).answer["error"]["message"], "a phrase counts once"
