"""Federated learning is a switch of its own: asked for by its own text, kept beside the other, and withdrawn without a trace of doubt."""

import datetime as dt
import hashlib

import pytest
from tests import plans

from hometone_client.federation.ledger import EntryState, PrivacyLedger
from hometone_client.federation.willing import CHECKPOINTS, opened_for_round, stop_contributing, willing_speakers
from hometone_client.speakers.canaries import collect_canaries
from hometone_client.speakers.consent import Purpose, consent_text, give_consent, require_purpose, sign_consent, verify_consent
from hometone_client.speakers.forgetting import forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, UsageError, VaultError

NOW = dt.datetime.now(dt.UTC)
PLAN = plans.a_plan()


@pytest.mark.parametrize(
    ("locale", "words"), [("en", ("--stop", "hometone ledger", "recordings")), ("zh", ("--stop", "hometone ledger", "录音"))]
)
def test_the_text_says_what_leaves_and_how_to_stop(locale: str, words: tuple[str, ...]) -> None:
    text = consent_text(Purpose.FEDERATED, locale)  # type: ignore[arg-type]
    assert all(word in text for word in words)
    assert text != consent_text(Purpose.OWN_VOICE, locale)  # type: ignore[arg-type]


def test_each_purpose_has_a_record_of_its_own(room: SpeakerRoom) -> None:
    room.keep_consent(give_consent(locale="en", now=NOW))
    with pytest.raises(ConsentError, match="federated-learning"):
        room.require(Purpose.FEDERATED, now=NOW)
    federated = give_consent(locale="zh", now=NOW, days=30, purpose=Purpose.FEDERATED)
    assert federated.text_sha256 == hashlib.sha256(consent_text(Purpose.FEDERATED, "zh").encode()).hexdigest()
    room.keep_consent(federated)
    room.require(Purpose.FEDERATED, now=NOW)
    room.require(Purpose.OWN_VOICE, now=NOW)
    with pytest.raises(ConsentError, match="ended"):
        room.require(Purpose.FEDERATED, now=NOW + dt.timedelta(days=31))
    room.require(Purpose.OWN_VOICE, now=NOW + dt.timedelta(days=31))


def test_a_record_for_one_purpose_is_worth_nothing_for_another(room: SpeakerRoom) -> None:
    room.vault.put("consent", Purpose.FEDERATED.value, sign_consent(give_consent(locale="en", now=NOW), room.vault.signing_key))
    with pytest.raises(ConsentError, match="federated-learning") as refused:
        room.require(Purpose.FEDERATED, now=NOW)
    assert "hometone contribute" in refused.value.hint


def test_records_from_before_still_verify(room: SpeakerRoom) -> None:
    key = room.vault.signing_key
    consent = verify_consent(sign_consent(give_consent(locale="en", now=NOW), key), key.public_key())
    require_purpose(consent, Purpose.OWN_VOICE, now=NOW)


def contribute(vault: Vault, room: SpeakerRoom) -> None:
    room.vault.put("take", "take-0001", b"not a recording, but a name")
    PrivacyLedger(room.vault).set_budget(8.0)
    room.keep_consent(give_consent(locale="en", now=NOW, purpose=Purpose.FEDERATED))
    vault.allow_work(room.vault)


def test_who_contributes_is_looked_up_anew(vault: Vault, room: SpeakerRoom) -> None:
    assert willing_speakers(vault) == ()
    contribute(vault, room)
    assert [entry.name for entry in willing_speakers(vault)] == ["mei"]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=366)
    assert willing_speakers(vault, now=lambda: later) == ()
    vault.end_work(room.speaker_id)
    assert willing_speakers(vault) == ()
    with pytest.raises(VaultError), opened_for_round(vault, room.speaker_id):
        pass
    vault.revoke(room.speaker_id)
    with pytest.raises(UsageError), opened_for_round(vault, room.speaker_id):
        pass


def test_a_job_in_the_queue_is_no_consent_and_leaves_no_notes(vault: Vault, room: SpeakerRoom) -> None:
    room.vault.put("take", "take-0001", b"x")
    vault.allow_work(room.vault)
    assert willing_speakers(vault) == ()
    assert room.journal() == ()


def test_stopping_gives_back_what_is_reserved_and_drops_what_was_prepared(vault: Vault, room: SpeakerRoom) -> None:
    contribute(vault, room)
    ledger = PrivacyLedger(room.vault)
    ledger.reserve(PLAN, digest="ab" * 32)
    for name in CHECKPOINTS:
        room.checkpoint(name).save(b"personal")
    room.checkpoint().save(b"her own adaptation")
    assert room.needs_unattended_work
    assert stop_contributing(room)
    assert not stop_contributing(room)
    assert not room.needs_unattended_work
    assert room.consent(Purpose.FEDERATED) is None
    assert [artefact.name for artefact in room.vault.list("checkpoint")] == ["adaptation"]
    assert [entry.state for entry in PrivacyLedger(room.vault).entries] == [EntryState.RELEASED]
    assert room.journal()[-1]["event"] == "withdrew"
    assert willing_speakers(vault) == ()


def test_a_damaged_ledger_keeps_nobody_from_stopping(vault: Vault, room: SpeakerRoom) -> None:
    contribute(vault, room)
    room.vault.put_json("00000009-00000000", {"nonsense": 1}, kind="ledger")
    assert stop_contributing(room)


def test_removing_a_recording_removes_what_was_prepared_from_it(room: SpeakerRoom) -> None:
    room.vault.put("take", "take-0001", b"x")
    for name in (*CHECKPOINTS, "adaptation"):
        room.checkpoint(name).save(b"personal")
    room.remove_take("take-0001")
    assert not room.vault.list("checkpoint")


def test_forgetting_takes_consent_ledger_and_prepared_work_with_it(vault: Vault, room: SpeakerRoom, tmp_path: object) -> None:
    PrivacyLedger(room.vault).set_budget(8.0)
    room.keep_consent(give_consent(locale="en", now=NOW, purpose=Purpose.FEDERATED))
    room.checkpoint(CHECKPOINTS[0]).save(bytes(range(256)) * 20)
    vault.allow_work(room.vault)
    assert collect_canaries(room), "what was prepared is looked for afterwards"
    done = forget(vault, room.speaker_id, home=vault._cabinet.folder.parent, room=room)
    assert done.scan.clean
    assert done.scan.canaries > 0
    assert willing_speakers(vault) == ()
    assert vault.speakers() == ()
