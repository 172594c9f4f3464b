"""The commands, from the card of the village archive to the last refusal; a real voice is spoken with."""

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from tests.opened_laptop import add_person
from tests.unit.client.cli.conftest import Command, hometone, pin_file
from tests.unit.client.lending.conftest import tombstone
from tests.village import PIN

from hometone_client.audio.labels import read_label
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.outbox import Outbox
from hometone_keys import Custody, DeviceSecretSource, Vault
from hometone_shared.records.tombstone import NO_COORDINATOR
from hometone_shared.withdrawal.recovery import RecoverySecret

__all__ = ["hometone", "pin_file"]


@pytest.fixture
def owner(tmp_path: Path) -> Path:
    return tmp_path / "hometone-home"


def opened(home: Path) -> Vault:
    return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE))


@pytest.fixture
def mei(owner: Path, pin_file: Path) -> str:
    pin_file.write_text(PIN)
    with opened(owner) as vault:
        add_person(vault, "mei", purposes=(Purpose.ARCHIVE,))
    return "mei"


@pytest.mark.models
def test_a_voice_is_archived_read_and_taken_back(hometone: Command, mei: str, pin_file: Path, owner: Path, tmp_path: Path) -> None:
    village, card, archive = tmp_path / "village", tmp_path / "village.card", tmp_path / "mei.htheritage"
    pack = tmp_path / "village-pack"
    pack.mkdir()
    (pack / "pack.json").write_text("{}")
    hometone("recipient", "--label", "Village archive", "--out", card, "--home", village)
    make = ("heritage", "make", mei, "--out", archive, "--for", card, "--pin-file", pin_file, "--sample-text", "公园。", "--dialect", pack)
    assert (hometone(*make, "--json").code, archive.exists()) == (2, False), "somebody has to compare the words"
    made = hometone(*make, "--yes", "--json").answer
    assert (made["keeper"], made["bytes"]) == ("Village archive", archive.stat().st_size)

    shown = hometone("heritage", "show", archive, "--home", village, "--json").answer
    assert (shown["archive"], shown["opens"], shown["may_be_opened"]) == (made["archive"], "card", True)
    assert hometone("heritage", "open", archive, "--out", tmp_path / "x", "--home", owner).code == 14, "not the keeper's computer"
    found = hometone("heritage", "open", archive, "--out", tmp_path / "opened", "--home", village, "--json").answer
    assert (found["dialect"], found["consent"]["spoken"]["likeness"]) == ("village-pack", 0.9)
    assert "voice.safetensors" not in found["files"]
    label = read_label((tmp_path / "opened" / "sample-synthetic.flac").read_bytes())
    assert label is not None

    told = tmp_path / "told.wav"
    say = ("heritage", "say", archive, "下雨了。", "--out", told, "--home", village, "--json")
    assert hometone(*say).answer["seconds"] > 0.5
    assert read_label(told.read_bytes()) is not None

    with opened(owner) as vault:
        secret = RecoverySecret(vault.withdrawal_secret(vault.find("mei").speaker_id))
    Outbox(village).add(tombstone(secret, Purpose.ARCHIVE, coordinator=NO_COORDINATOR))
    told.unlink()
    assert (hometone(*say).code, told.exists()) == (3, False)
    assert hometone("heritage", "open", archive, "--out", tmp_path / "again", "--home", village).code == 3
    after = hometone("heritage", "show", archive, "--home", village)
    assert (after.code, "taken the archive back" in after.out) == (0, True)

    assert hometone("revoke", mei, "--yes", "--pin-file", pin_file, "--home", owner).code == 0
    assert not archive.exists(), "the file that was still here went with her"


@pytest.mark.models
def test_no_yes_no_archive(hometone: Command, owner: Path, pin_file: Path, tmp_path: Path) -> None:
    pin_file.write_text(PIN)
    words, archive = tmp_path / "words.txt", tmp_path / "li.htheritage"
    words.write_text("river lantern plum harvest\n")
    with opened(owner) as vault:
        speaker_id = add_person(vault, "li")
    line = ("heritage", "make", "li", "--out", archive, "--passphrase-file", words, "--pin-file", pin_file)
    refused = hometone(*line)
    assert (refused.code, archive.exists()) == (3, False)
    assert "hometone consent NAME --purpose archive" in refused.err
    with opened(owner) as vault, SpeakerRoom(vault.unlock(speaker_id, PIN)) as room:
        assert (room.journal()[-1]["event"], room.journal()[-1]["purpose"]) == ("refused", "archive")


def test_files_that_are_no_archive(hometone: Command, tmp_path: Path) -> None:
    file, empty = tmp_path / "file", tmp_path / "empty"
    file.write_bytes(b"HTONH\x01\x00\x00" + bytes(100))
    empty.write_bytes(b"\n")
    for words in (("show", file), ("open", file, "--out", tmp_path / "out"), ("say", file, "Hello.", "--out", tmp_path / "a.wav")):
        assert hometone("heritage", *words).code == 14
    assert hometone("heritage", "show", tmp_path / "nothing").code == 2
    for bad in (empty, tmp_path / "nothing"):
        assert hometone("heritage", "open", file, "--out", tmp_path / "out", "--passphrase-file", bad).code in {2, 14}


def test_the_readme_says_what_the_format_does(tmp_path: Path) -> None:
    """The kept words tell a stranger how to check the consent without Hometone."""
    import base64
    import json

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from tests.unit.client.lending.conftest import SPOKEN

    from hometone_client.speakers.consent import give_consent, sign_consent

    key = Ed25519PrivateKey.generate()
    consent = give_consent(locale="en", now=dt.datetime.now(dt.UTC), purpose=Purpose.ARCHIVE, spoken=SPOKEN)
    fields = json.loads(sign_consent(consent, key))
    record, signature = base64.b64decode(fields["record"]), base64.b64decode(fields["signature"])
    key.public_key().verify(signature, b"hometone/consent/v1" + b"\x00" + record)
    text = Path(__file__).parents[4] / "client/hometone_client/speakers/data/consent-archive.en.txt"
    assert json.loads(record)["text_sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()
