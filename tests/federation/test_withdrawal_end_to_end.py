"""A withdrawal from one end to the other: the real commands as processes, a coordinator over TLS, three laptops, a borrower that is off.

Wilhelmine has recordings, a voice, a file in her voice, a part in a round, and a copy at a care home. She says stop. Everything that
anybody holds is then searched for pieces of what she had, in every encoding; what was copied before is opened with what is left.
"""

import base64
import datetime as dt
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.village import CHEAP, PIN, Laptop, Village, free_port, together, until, write_name_of_base

from hometone_client.audio import Origin, RawTake
from hometone_client.speakers.canaries import collect_canaries, scan
from hometone_client.speakers.consent import Purpose, SpokenCheck, give_consent
from hometone_client.speakers.exports import export
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import VoiceParameters
from hometone_keys import Custody, DeviceSecretSource, Vault
from hometone_shared.errors import HometoneError
from hometone_shared.records.canonical import canonical
from hometone_shared.withdrawal.recovery import RecoverySecret

pytestmark = pytest.mark.federation

OWNER, OTHER = "Wilhelmine Oberhauser", "Friedolin Oberhauser"
TEXT = "Die Kirschen am alten Bahndamm werden erst im Juli reif."
EPSILON = 0.5
ORDER = ("--purpose", "balance", "--speakers", 4, "--laptops", 3, "--epsilon", EPSILON, "--minimum-cohort", 3, "--prepare-s", 60)


def a_voice() -> VoiceParameters:
    style = np.random.default_rng(11).standard_normal(256).astype(np.float32)
    return VoiceParameters(
        style=style, base_sha256="ab" * 32, recipe="test-1", created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), languages=("en",)
    )


def put_everything(room: SpeakerRoom) -> None:
    """Takes with a text, a voice, consent to announcements as if the phrase had been spoken."""
    for seed in range(3):
        samples = np.random.default_rng([7, seed]).uniform(-0.4, 0.4, 8_000).astype(np.float32)
        room.add_take(RawTake(samples, 8_000, Origin.FILE), text=TEXT, language="en", speech_s=1.0, quality={})
    now = dt.datetime.now(dt.UTC)
    room.keep_consent(give_consent(locale="en", now=now))
    spoken = SpokenCheck(phrase_sha256="cd" * 32, word_errors=0.0, likeness=0.9, at=now.replace(microsecond=0))
    room.keep_consent(give_consent(locale="en", now=now, purpose=Purpose.ANNOUNCEMENTS, spoken=spoken))
    room.keep_voice(a_voice(), record={})


@dataclass
class Stage:
    """Everybody, and what must not be found afterwards."""

    village: Village
    owner: Laptop
    second: Laptop
    third: Laptop
    announcer: Laptop
    canaries: frozenset[bytes]
    secret: RecoverySecret
    sound: Path
    copies: Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Before the withdrawal: a round was run, a voice was lent, everything was copied, the announcer is off."""
    folder = tmp_path_factory.mktemp("village")
    with Village(folder, port=free_port(), models=write_name_of_base(folder / "models")) as village:
        owner, second, third, announcer = (village.laptop(name) for name in ("laptop-1", "laptop-2", "laptop-3", "announcer"))
        owner.enrol(OWNER, takes=put_everything, age_band="70-79")
        owner.enrol(OTHER, age_band="70-79")
        second.enrol("Concetta Malaspina", age_band="70-79")
        third.enrol("Agnieszka Wojciechowska", age_band="70-79")
        with announcer.vault():
            pass
        village.found()
        village.settle(*village.laptops, minimum_cohort=3)
        village.laptops.remove(announcer)  # takes part in no round
        lend(village, owner, announcer)
        village.everybody_here()
        village.order(*ORDER).ok()
        sound = folder / "park.wav"
        with owner.vault() as vault, SpeakerRoom(vault.unlock(vault.find(OWNER).speaker_id, PIN)) as room:
            export(room, sound, np.random.default_rng(5).bytes(20_000))
            canaries = collect_canaries(room) | {TEXT.encode(), OWNER.encode(), OWNER.partition(" ")[0].encode()}
            secret = RecoverySecret(vault.withdrawal_secret(room.speaker_id))
        copies = folder / "copies"
        for place in (*(each.home for each in village.laptops), announcer.home, village.root):
            shutil.copytree(place, copies / place.name)
        yield Stage(village, owner, second, third, announcer, canaries, secret, sound, copies)


def lend(village: Village, owner: Laptop, announcer: Laptop) -> None:
    """The borrower's card, the lending, the borrowing."""
    card, package = village.folder / "sunrise.card", village.folder / "wilhelmine.htvoice"
    shown = announcer.command("recipient", "--label", "Sunrise home", "--out", card).ok()
    lent = owner.command("lend", OWNER, "--to", card, "--out", package, "--label", "announcer", "--pin-file", village.pin, "--yes").ok()
    assert lent["check_words"] == shown["check_words"]
    assert announcer.command("borrow", package).ok()["voice"] == "announcer"
    package.unlink()
    assert "announcer" in json.dumps(announcer.command("voices").ok())


@pytest.fixture(scope="module")
def withdrawn(stage: Stage) -> dict:
    """She says stop while the nodes run; those who are on hear of it."""
    receipt = stage.village.folder / "receipt.json"
    answer = stage.owner.command("revoke", OWNER, "--pin-file", stage.village.pin, "--yes", "--bundle", receipt).ok()
    together(*(lambda laptop=laptop: laptop.command("sync").ok() for laptop in (stage.second, stage.third)))
    return {"answer": answer, "receipt": receipt}


def test_her_own_laptop_is_clean_and_the_coordinator_knows(stage: Stage, withdrawn: dict) -> None:
    answer = withdrawn["answer"]
    assert answer["withdrawal"]["delivered"]
    assert answer["withdrawal"]["pseudonym"] == stage.secret.pseudonym
    assert answer["scan"]["clean"]
    assert not stage.sound.exists()
    listed = stage.village.coordinator("withdrawals").ok()
    assert stage.secret.pseudonym in json.dumps(listed)
    no = stage.village.folder / "no.wav"
    assert stage.owner.command("say", OWNER, "hello", "--pin-file", stage.village.pin, "--out", no).code != 0


def test_the_machine_that_was_off_is_clean_before_its_first_answer(stage: Stage, withdrawn: dict) -> None:
    said = stage.announcer.command("say", "announcer", "Supper is ready.", "--out", stage.village.folder / "supper.wav")
    assert said.code != 0
    assert not (stage.village.folder / "supper.wav").exists()
    assert "announcer" not in {each["id"] for each in stage.announcer.command("voices").ok()["voices"]}
    with stage.announcer.vault() as vault:
        assert vault.speakers() == ()


def test_nothing_of_hers_is_in_any_file_of_anybody(stage: Stage, withdrawn: dict) -> None:
    for laptop in stage.village.laptops:
        laptop.stop()
    copies = stage.village.folder.parent / f"{stage.village.folder.name}-copies"
    stage.copies.rename(copies)
    try:
        report = scan(stage.village.folder, stage.canaries)
        assert report.canaries > 100
        assert report.clean, report
        row = scan_for_device(stage)
        assert row == [], "the coordinator still knows which laptop was hers"
        in_copies = scan(copies, stage.canaries)
        assert in_copies.found == 0, "a backup shows her in the clear"
    finally:
        copies.rename(stage.copies)


def scan_for_device(stage: Stage) -> list[str]:
    """Files of the coordinator in which her pseudonym stands close to her laptop's id."""
    found = []
    pseudonym, device = stage.secret.pseudonym.encode(), stage.owner.device.encode()
    for path in stage.village.root.rglob("records.db*"):
        data = path.read_bytes()
        at = data.find(pseudonym)
        while at >= 0:
            around = data[max(0, at - 40) : at + len(pseudonym) + 40]
            if device in around:
                found.append(path.name)
            at = data.find(pseudonym, at + 1)
    return found


def test_the_receipt_is_complete_once_the_borrower_has_answered(stage: Stage, withdrawn: dict) -> None:
    stage.announcer.command("sync").ok()
    newer = stage.village.folder / "newer.json"
    fetched = stage.owner.command("receipt", "fetch", "--file", withdrawn["receipt"], "--out", newer).ok()
    roles = {each["role"] for each in fetched["answers"]}
    assert {"laptop", "recipient", "coordinator"} <= roles, fetched
    checked = stage.second.command("receipt", "verify", newer).ok()
    assert checked["complete"], checked
    assert checked["pending"] == []
    damaged = stage.village.folder / "damaged.json"
    bundle = json.loads(newer.read_bytes())
    said = json.loads(base64.b64decode(bundle["receipts"][0]["receipt"]["payload"]))
    said["removed"] = {"recordings": 99}
    bundle["receipts"][0]["receipt"]["payload"] = base64.b64encode(canonical(said)).decode()
    damaged.write_bytes(canonical(bundle))
    assert stage.second.command("receipt", "verify", damaged).code != 0


def test_the_others_go_on(stage: Stage, withdrawn: dict) -> None:
    stage.village.everybody_here()
    done = stage.village.order(*ORDER).ok()
    attempts = stage.village.attempts(done["run"])
    assert attempts[-1]["figures"]["speakers"] == 3
    with stage.owner.vault() as vault, SpeakerRoom(vault.unlock(vault.find(OTHER).speaker_id, PIN)) as room:
        assert [room.whole_take(name).seconds for name in room.take_names()]


def test_a_vault_from_a_backup_is_clean_before_its_first_answer(stage: Stage, withdrawn: dict) -> None:
    stage.owner.stop()
    for place in (stage.owner, stage.announcer):
        shutil.rmtree(place.home / "vault")
        shutil.copytree(stage.copies / place.home.name / "vault", place.home / "vault")
    names = {each["id"] for each in stage.owner.command("voices").ok()["voices"]}
    assert OWNER not in names
    assert OTHER in names
    assert "announcer" not in {each["id"] for each in stage.announcer.command("voices").ok()["voices"]}
    stage.owner.start()


def test_a_whole_home_from_a_backup_is_clean_after_one_contact(stage: Stage, withdrawn: dict) -> None:
    stage.owner.stop()
    shutil.rmtree(stage.owner.home)
    shutil.copytree(stage.copies / stage.owner.home.name, stage.owner.home)
    assert stage.owner.command("sync").ok()["erased"] == 1
    assert OWNER not in {each["id"] for each in stage.owner.command("voices").ok()["voices"]}
    until(lambda: scan(stage.owner.home, stage.canaries).clean, "the scan")


def test_the_copied_disks_open_nothing_with_the_keys_that_are_left(stage: Stage, withdrawn: dict) -> None:
    """The device key is what a copy of the disk does not have where a keyring or a passphrase keeps it; here it is taken out by hand."""
    for place in (stage.owner, stage.announcer):
        copy = stage.village.folder / f"opened-{place.home.name}"
        shutil.copytree(stage.copies / place.home.name, copy)
        for key in (copy / "vault").glob("key-*"):
            key.unlink()
        for key in (place.home / "vault").glob("key-*"):
            shutil.copy(key, copy / "vault")
        source = DeviceSecretSource(custody=Custody.FILE)
        with pytest.raises(HometoneError), Vault(copy, device_secret_source=source, cost=CHEAP) as vault:
            vault.speakers()
        shutil.rmtree(copy)
