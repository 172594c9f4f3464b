"""Requirement 48: a voice that was forgotten or locked is gone from the next question on, also in a server that runs."""

import datetime as dt
from pathlib import Path

import pytest
from tests.unit.client.speakers.conftest import CHEAP
from tests.unit.client.speakers.test_room import a_voice

from hometone_client.speakers.choosing import UnlockedVoices, own_voice
from hometone_client.speakers.consent import give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.voices import VoiceRegistry
from hometone_keys import Custody, DeviceSecretSource, Vault
from hometone_shared.errors import ConsentError, DamagedVaultError, UsageError


def test_a_voice_that_another_process_forgot_is_gone_at_once(vault: Vault, room: SpeakerRoom, home: Path) -> None:
    gone: list[str] = []
    with SpeakerRoom(vault.enroll("li", "5678")) as other:
        for unlocked in (room, other):
            unlocked.keep_voice(a_voice(), record={})
        registry = VoiceRegistry(base_sha256="ab" * 32, own=UnlockedVoices([room, other], on_gone=lambda: gone.append("gone")))
        assert [voice.id for voice in registry.voices() if voice.kind == "own"] == ["mei", "li"]
        registry.get("mei")
        with Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP) as elsewhere:
            elsewhere.revoke(room.speaker_id)
        with pytest.raises(UsageError, match="locked"):
            registry.get("mei")
        assert [voice.id for voice in registry.voices() if voice.kind == "own"] == ["li"]
        assert gone == ["gone"]


def test_a_voice_that_was_locked_is_gone_at_once(room: SpeakerRoom) -> None:
    gone: list[str] = []
    own = UnlockedVoices([room], on_gone=lambda: gone.append("gone"))
    assert [voice.id for voice in own()] == ["mei"]
    room.vault.close()
    assert own() == own() == ()
    assert gone == ["gone"]


def test_damage_is_told_and_not_taken_for_a_locked_voice(room: SpeakerRoom, home: Path) -> None:
    own = UnlockedVoices([room], on_gone=lambda: None)
    (index,) = home.glob("vault/**/index")
    index.write_bytes(b"HTV1" + bytes(40))
    with pytest.raises(DamagedVaultError):
        own()


def test_each_use_is_asked_and_noted_and_a_refusal_is_no_use(room: SpeakerRoom) -> None:
    room.keep_voice(a_voice(), record={})
    now = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)
    voice = own_voice(room, way=Way.SAY, clock=lambda: now)
    assert voice.languages == ("zh",), "of the voice, when there are no takes any more"
    with pytest.raises(ConsentError):
        voice.load()
    assert room.uses() == ()
    room.keep_consent(give_consent(locale="en", now=now))
    voice.load()
    voice.load()
    own_voice(room, way=Way.SERVE, clock=lambda: now).load()
    assert [(use.way, use.count) for use in room.uses()] == [(Way.SAY, 2), (Way.SERVE, 1)]
