"""What is over goes by itself: takes after training, places whose consent ended, lapsed copies, old post; never by a wrong clock."""

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.unit.client.lending.conftest import NOW, consent_to_everything, open_vault
from tests.unit.client.speakers.test_room import a_voice, noise_take

from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import checked_card, lend, recipient_card
from hometone_client.lending.known_log import KnownLog
from hometone_client.retention.consent_end import GRACE, erase_after_ms, keep_consent, keep_end_up_to_date
from hometone_client.retention.sweeping import DELAY, FOLDER, LONGEST_GAP, STATE, SweepReport, plain, sweep
from hometone_client.retention.takes import choose_dropping, drop_takes, drops_takes, speaker_encoder, takes_to_drop
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.exports import export
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.spoken_phrase import Floats, own_embedding
from hometone_client.withdrawal.outbox import Outbox
from hometone_keys import Vault
from hometone_shared.errors import DamagedVaultError, UsageError
from hometone_shared.withdrawal.recovery import RecoverySecret

DAY = dt.timedelta(days=1)
START = dt.datetime.now(dt.UTC).replace(microsecond=0)


class Flat:
    """An encoder without weights."""

    def embed_many(self, utterances: Sequence[tuple[Floats, int]]) -> list[Floats]:
        return [np.full(256, 1 / 16, dtype=np.float32) for _ in utterances]


def swept_daily(vault: Vault, home: Path, *, until: dt.datetime, start: dt.datetime = START) -> SweepReport:
    """A service that runs every day: the report of the last sweep."""
    report, now = SweepReport(), start
    while now <= until:
        report, now = sweep(vault, home=home, now=now), now + DAY
    return report


def trusted(vault: Vault, home: Path, now: dt.datetime) -> SweepReport:
    """A sweep of a machine that swept two days and one day before, too."""
    for days in (2, 1):
        sweep(vault, home=home, now=now - days * DAY)
    return sweep(vault, home=home, now=now)


def test_a_place_is_erased_thirty_days_after_its_consent_and_not_a_day_earlier(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=10))
    pseudonym = RecoverySecret(vault.withdrawal_secret(room.speaker_id)).pseudonym
    assert swept_daily(vault, home, until=START + 39 * DAY).consents == ()
    assert [entry.name for entry in vault.speakers()] == ["mei"]
    report = sweep(vault, home=home, now=START + 40 * DAY)
    assert (report.consents, report.receipts, report.due) == (("mei",), (pseudonym,), False)
    assert vault.speakers() == ()
    (item,) = Outbox(home).items(pseudonym)
    assert item.tombstone.ends(Purpose.OWN_VOICE)
    assert item.receipt is not None, "a signed receipt says what went"
    assert sweep(vault, home=home, now=START + 41 * DAY) == SweepReport()


def test_a_renewal_moves_the_date(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=10))
    keep_consent(room, vault, give_consent(locale="en", now=START + 20 * DAY, days=10))
    assert vault.find("mei").erase_after_ms == int((START + 30 * DAY + GRACE).timestamp() * 1000)
    assert swept_daily(vault, home, until=START + 59 * DAY).consents == ()
    assert sweep(vault, home=home, now=START + 60 * DAY).consents == ("mei",)


def test_a_shorter_renewal_moves_it_forward(vault: Vault, room: SpeakerRoom) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=300))
    shorter = give_consent(locale="en", now=START, days=20)
    keep_consent(room, vault, shorter)
    assert vault.find("mei").erase_after_ms == erase_after_ms(shorter)


def test_a_renewal_that_is_killed_never_brings_the_date_forward(vault: Vault, room: SpeakerRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    old = give_consent(locale="en", now=START, days=300)
    keep_consent(room, vault, old)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SpeakerRoom, "keep_consent", killed)
    for days in (20, 365):
        with pytest.raises(KeyboardInterrupt):
            keep_consent(room, vault, give_consent(locale="en", now=START, days=days))
        date = vault.find("mei").erase_after_ms
        assert date is not None
        assert date >= erase_after_ms(old)
    keep_end_up_to_date(room, vault)
    assert vault.find("mei").erase_after_ms == erase_after_ms(old)


def test_other_purposes_have_no_date_and_a_vault_from_before_gets_one(vault: Vault, room: SpeakerRoom) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, purpose=Purpose.FEDERATED))
    assert vault.find("mei").erase_after_ms is None
    consent = give_consent(locale="en", now=START)
    room.keep_consent(consent)
    keep_end_up_to_date(room, vault)
    assert vault.find("mei").erase_after_ms == erase_after_ms(consent)
    room.vault.put("consent", Purpose.OWN_VOICE.value, b"{}")
    keep_end_up_to_date(room, vault)
    assert vault.find("mei").erase_after_ms == erase_after_ms(consent)


def test_a_place_without_a_consent_has_no_date_and_stays(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    keep_end_up_to_date(room, vault)
    assert swept_daily(vault, home, until=START + 3 * DAY) == SweepReport()
    assert vault.find(room.name).erase_after_ms is None


def test_what_unattended_work_may_open_takes_its_exports_with_it(vault: Vault, room: SpeakerRoom, home: Path, tmp_path: Path) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=1))
    spoken = tmp_path / "spoken.wav"
    export(room, spoken, b"RIFF something")
    vault.allow_work(room.vault)
    assert trusted(vault, home, START + 31 * DAY).consents == ("mei",)
    assert not spoken.exists()


def test_a_dry_run_says_and_does_nothing(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=1))
    choose_dropping(room, drop=True)
    room.add_take(noise_take(1), text="", language="en", speech_s=1.0, quality={})
    room.keep_voice(a_voice(), record={})
    vault.allow_work(room.vault)
    report = sweep(vault, home=home, now=START + 31 * DAY, dry_run=True)
    assert (report.takes, report.consents, report.due) == (1, ("mei",), True)
    assert room.take_names() == ("take-0001",)
    assert not (home / FOLDER).exists()


@pytest.mark.parametrize("leap", [LONGEST_GAP + DAY, dt.timedelta(days=20_000)])
def test_a_clock_that_leapt_erases_nobody_before_a_day_is_over(vault: Vault, room: SpeakerRoom, home: Path, leap: dt.timedelta) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=1))
    swept_daily(vault, home, until=START + 3 * DAY)
    leapt = START + 3 * DAY + leap
    report = sweep(vault, home=home, now=leapt)
    assert (report.consents, report.due) == (("mei",), True)
    assert sweep(vault, home=home, now=leapt + DELAY - dt.timedelta(seconds=1)).due
    assert sweep(vault, home=home, now=START + 4 * DAY).consents == (), "somebody has set the clock right"
    assert [entry.name for entry in vault.speakers()] == ["mei"]
    assert swept_daily(vault, home, start=START + 5 * DAY, until=START + 31 * DAY).consents == ("mei",)
    assert vault.speakers() == ()


def test_the_first_sweep_of_all_only_says_what_is_due(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=1))
    assert sweep(vault, home=home, now=START + 31 * DAY).due
    assert sweep(vault, home=home, now=START + 31 * DAY + DELAY).consents == ("mei",)
    assert vault.speakers() == ()


@pytest.mark.parametrize("note", [b"", b"{}", b'{"seen":-1,"trusted_from":0}', b"\xff\x00"])
def test_a_damaged_note_trusts_nothing(vault: Vault, room: SpeakerRoom, home: Path, note: bytes) -> None:
    keep_consent(room, vault, give_consent(locale="en", now=START, days=1))
    trusted(vault, home, START + 3 * DAY)
    (home / FOLDER / STATE).write_bytes(note)
    assert sweep(vault, home=home, now=START + 31 * DAY).due
    assert [entry.name for entry in vault.speakers()] == ["mei"]


def with_takes(room: SpeakerRoom, *, drop: bool = True) -> None:
    consent_to_everything(room, now=START)
    choose_dropping(room, drop=drop)
    for seed in (1, 2):
        room.add_take(noise_take(seed), text="secret words", language="en", speech_s=1.0, quality={}, held_out=seed == 2)


def test_takes_go_once_a_voice_was_made_from_them(room: SpeakerRoom) -> None:
    with_takes(room)
    assert drops_takes(room)
    assert takes_to_drop(room) == ()
    room.checkpoint("shared-training").save(b"prepared from her takes")
    room.keep_voice(a_voice(), record={})
    assert drop_takes(room, encoder=Flat) == 2
    assert room.takes() == ()
    assert {artefact.kind for artefact in room.vault.list()} & {"take", "take-record", "checkpoint"} == set()
    assert room.has_voice
    assert own_embedding(room, Flat()).shape == (256,), "she can still consent aloud"
    assert room.journal()[-1]["event"] == "dropped-takes"
    assert drop_takes(room, encoder=Flat) == 0


def test_a_take_that_came_after_the_voice_keeps_all(room: SpeakerRoom) -> None:
    with_takes(room)
    room.keep_voice(a_voice(), record={})
    voice = room.vault.find("voice", "own")
    room.add_take(noise_take(3), text="", language="en", speech_s=1.0, quality={})
    newest = max(take.created_ms for take in room.vault.list("take"))
    if newest == voice.created_ms:  # within one millisecond
        pytest.skip("the clock is too coarse")
    assert drop_takes(room, encoder=Flat) == 0


def test_who_did_not_choose_it_keeps_her_takes(room: SpeakerRoom) -> None:
    with_takes(room, drop=False)
    room.keep_voice(a_voice(), record={})
    assert drop_takes(room, encoder=Flat) == 0
    assert len(room.take_names()) == 2


def test_a_damaged_take_goes_like_the_others(room: SpeakerRoom) -> None:
    with_takes(room)
    room.vault.put_json("take-0001", {"nonsense": 1}, kind="take-record")
    room.keep_voice(a_voice(), record={})
    assert drop_takes(room, encoder=Flat) == 2
    with pytest.raises(UsageError):
        own_embedding(room, Flat())


def test_without_the_encoder_takes_go_all_the_same(room: SpeakerRoom, tmp_path: Path) -> None:
    with_takes(room)
    room.keep_voice(a_voice(), record={})
    blocked = tmp_path / "models"
    blocked.write_bytes(b"not a folder")
    assert drop_takes(room, encoder=speaker_encoder(blocked)) == 2


def test_the_sweep_drops_what_a_killed_training_left(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    with_takes(room)
    room.keep_voice(a_voice(), record={})
    assert sweep(vault, home=home, now=START).takes == 0, "only where this computer may open her things"
    vault.allow_work(room.vault)
    assert sweep(vault, home=home, now=START, encoder=Flat).takes == 2
    assert room.take_names() == ()


def test_somebody_whose_things_are_damaged_stops_nobody_else(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    with_takes(room)
    room.keep_voice(a_voice(), record={})
    vault.allow_work(room.vault)
    with SpeakerRoom(vault.enroll("li", "5678")) as other:
        with_takes(other)
        other.keep_voice(a_voice(), record={})
        vault.allow_work(other.vault)
        other.vault.put("policy", "retention", b"not json")
        report = sweep(vault, home=home, now=START)
        assert report.takes == 2
        (failed,) = report.failed
        assert failed.startswith("li: ")


def test_lent_copies_lapse_and_unfinished_ones_go(tmp_path: Path) -> None:
    home = tmp_path / "borrower"
    with open_vault(tmp_path / "owner") as owner, open_vault(home) as vault, SpeakerRoom(owner.enroll("mei", "1234")) as room:
        consent_to_everything(room)
        room.keep_voice(a_voice(), record={})
        card = checked_card(recipient_card(vault, coordinator=KnownLog().coordinator), log=KnownLog())
        _, package = lend(room, owner, card=card, log=KnownLog(), register=lambda: None, now=NOW, lease_days=3)
        borrow(vault, package, log=KnownLog(), now=NOW)
        vault.admit_guest("half").close()
        assert trusted(vault, home, NOW + 6 * DAY).lapsed == ()
        assert [entry.name for entry in vault.speakers()] == ["mei"], "what never arrived has gone"
        report = sweep(vault, home=home, now=NOW + 7 * DAY)
        assert report.lapsed == ("mei",)
        assert vault.speakers() == ()


def test_the_report_is_plain_json() -> None:
    report = SweepReport(takes=1, consents=("mei",), lapsed=("li",), receipts=("ab" * 16,))
    assert json.loads(json.dumps(plain(report))) == {
        field.name: list(value) if isinstance(value := getattr(report, field.name), tuple) else value
        for field in dataclasses.fields(report)
    }


def test_damage_of_the_policy_is_told(room: SpeakerRoom) -> None:
    room.vault.put("policy", "retention", b"not json")
    with pytest.raises(DamagedVaultError):
        drops_takes(room)
