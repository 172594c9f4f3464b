"""A speaker's things come back as they were put in, and only while she is unlocked and has consented."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from hometone_client.audio import Origin, RawTake
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import VoiceParameters
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, UsageError, VaultError

NOW = dt.datetime.now(dt.UTC)


def noise_take(seed: int, *, seconds: float = 1.0) -> RawTake:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(16_000 * seconds)).astype(np.float32)
    return RawTake(samples, 16_000, Origin.FILE)


def a_voice() -> VoiceParameters:
    style = np.random.default_rng(3).standard_normal(256).astype(np.float32)
    return VoiceParameters(
        style=style, base_sha256="ab" * 32, recipe="test-1", created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), languages=("zh",)
    )


def test_without_consent_nothing_goes_on_and_the_refusal_is_noted(room: SpeakerRoom) -> None:
    with pytest.raises(ConsentError):
        room.require(Purpose.OWN_VOICE, now=NOW)
    assert [entry["event"] for entry in room.journal()] == ["refused"]
    room.keep_consent(give_consent(locale="en", now=NOW))
    room.require(Purpose.OWN_VOICE, now=NOW + dt.timedelta(seconds=1))
    with pytest.raises(ConsentError):
        room.require(Purpose.OWN_VOICE, now=NOW + dt.timedelta(days=400))
    assert [entry["event"] for entry in room.journal()] == ["refused", "consented", "refused"]


def test_the_same_refusal_is_noted_once_a_day(room: SpeakerRoom) -> None:
    for purpose in (Purpose.OWN_VOICE, Purpose.ANNOUNCEMENTS, Purpose.OWN_VOICE):
        for _ in range(5):
            with pytest.raises(ConsentError):
                room.require(purpose, now=NOW)
    assert [entry["purpose"] for entry in room.journal()] == ["own-voice", "announcements"]


def test_another_speakers_consent_does_not_count(vault: Vault, room: SpeakerRoom) -> None:
    room.keep_consent(give_consent(locale="en", now=NOW))
    with SpeakerRoom(vault.enroll("otto", "5678")) as other:
        other.vault.put("consent", Purpose.OWN_VOICE.value, room.vault.read("consent", Purpose.OWN_VOICE.value))
        with pytest.raises(ConsentError, match="not signed by this speaker"):
            other.consent()


def test_takes_come_back_in_order_with_sound_and_words(room: SpeakerRoom) -> None:
    takes = [noise_take(seed) for seed in range(12)]
    for number, take in enumerate(takes):
        room.add_take(
            take,
            text=f"第{number}句",
            language="zh",
            speech_s=0.9,
            quality={"snr_db": 30.0},
            passages=((0.1, 0.9, f"第{number}句"),),
            held_out=number >= 10,
        )
    assert [record.name for record in room.takes()] == [f"take-{number:04d}" for number in range(1, 13)]
    learnt = list(room.recordings(held_out=False))
    assert len(learnt) == 10
    assert len(list(room.recordings(held_out=True))) == 2
    record, take = learnt[3]
    assert record.passages == ((0.1, 0.9, "第3句"),)
    np.testing.assert_allclose(take.samples, takes[3].samples, atol=2**-23)


def test_a_record_without_its_take_is_not_a_take(room: SpeakerRoom) -> None:
    """A crash between the two writes leaves a record; numbers are not used twice."""
    room.vault.put_json("take-0001", {"text": "left over"}, kind="take-record")
    record = room.add_take(noise_take(1), text="", language="", speech_s=0.5, quality={})
    assert record.name == "take-0002"
    assert [known.name for known in room.takes()] == ["take-0002"]


def test_voice_and_record_replace_the_checkpoint(room: SpeakerRoom) -> None:
    with pytest.raises(UsageError, match="no voice yet"):
        room.voice()
    room.checkpoint().save(b"half done")
    assert room.checkpoint().load() == b"half done"
    room.keep_voice(a_voice(), record={"tier": "quick"})
    assert room.checkpoint().load() is None
    assert room.voice().digest() == a_voice().digest()
    assert room.voice_record() == {"tier": "quick"}


def test_declaration_and_exports_are_kept(room: SpeakerRoom, tmp_path: Path) -> None:
    assert room.declaration() == Declaration()
    room.keep_declaration(Declaration(gender="女"))
    assert room.declaration().gender == "女"
    room.note_export(tmp_path / "a.wav", data=b"sound")
    assert [export.path for export in room.exports()] == [str(tmp_path / "a.wav")]


def test_a_locked_room_gives_nothing(room: SpeakerRoom) -> None:
    room.add_take(noise_take(1), text="", language="", speech_s=0.5, quality={})
    room.vault.close()
    with pytest.raises(VaultError):
        room.takes()
