"""What there is of somebody's recordings, so that she can go on days later."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.client.speakers.test_room import noise_take

from hometone_client.enrolling.collected import AIM_S, LEAST_S, kept_takes, sentences_read, speech_s
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.takes import campaign
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[SpeakerRoom]:
    source = DeviceSecretSource(custody=Custody.FILE)
    with Vault(tmp_path / "home", device_secret_source=source, cost=CHEAP) as vault, SpeakerRoom(vault.enroll("mei", "2468")) as opened:
        yield opened


def read(room: SpeakerRoom, text: str, *, speech: float = 10.0, held_out: bool = False) -> None:
    room.add_take(noise_take(len(text)), text=text, language="zh", speech_s=speech, quality={}, held_out=held_out)


def test_sentences_are_known_by_their_words(room: SpeakerRoom) -> None:
    sentences = campaign("zh").sentences
    for text in (sentences[2], "something else", sentences[0], sentences[2]):
        read(room, text)
    read(room, sentences[4], held_out=True)
    found = sentences_read(kept_takes(room), sentences)
    assert {number: take.number for number, take in found.items()} == {1: 3, 3: 4}


def test_speech_counts_where_a_voice_can_be_learnt_from_it(room: SpeakerRoom) -> None:
    assert speech_s(kept_takes(room)) == 0
    read(room, "a", speech=20.5)
    read(room, "b", speech=10.0, held_out=True)
    assert speech_s(kept_takes(room)) == pytest.approx(20.5)
    assert (LEAST_S, AIM_S) == (30.0, 60.0)


@pytest.mark.parametrize("kind", ["take", "take-record"])
def test_a_damaged_take_is_listed_and_counts_nothing(room: SpeakerRoom, kind: str) -> None:
    read(room, "a", speech=20.0)
    read(room, "b", speech=5.0)
    room.vault.put(kind, "take-0001", b"no such thing")
    first, second = kept_takes(room)
    assert first.record is None
    assert second.record is not None
    assert speech_s((first, second)) == pytest.approx(5.0)
