"""Mei, with a voice, recordings and everything agreed to; and forms as browsers send them."""

import datetime as dt
from typing import Any

import numpy as np
from tests.unit.client.speakers.test_room import noise_take
from visitor import Visitor

from hometone_client.enrolling.agreeing import agree
from hometone_client.pages.house import House
from hometone_client.speakers.consent import Purpose, SpokenCheck
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import VoiceParameters

BASE = "ab" * 32
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
SPOKEN = SpokenCheck(phrase_sha256="ab" * 32, word_errors=0.0, likeness=0.9, at=NOW)


def a_voice() -> VoiceParameters:
    style = np.random.default_rng(3).standard_normal(256).astype(np.float32)
    return VoiceParameters(style=style, base_sha256=BASE, recipe="test-1", created=NOW, languages=("zh",))


def with_everything(house: House, place: str, pin: str = "2468") -> None:
    """Give somebody a voice, two recordings and consents to rounds and announcements."""
    with SpeakerRoom(house.vault().unlock(place, pin)) as room:
        agree(room, house.vault(), purpose=Purpose.FEDERATED, locale="en")
        agree(room, house.vault(), purpose=Purpose.ANNOUNCEMENTS, locale="en", spoken=SPOKEN)
        room.keep_voice(a_voice(), record={})
        for seed in range(2):
            room.add_take(noise_take(seed), text="secret words", language="en", speech_s=1.0, quality={})


def unlock(visitor: Visitor, place: str, pin: str = "2468") -> None:
    visitor.get(f"/unlock/{place}")
    answer = visitor.post(f"/unlock/{place}", {"pin": pin})
    assert answer.headers["location"] == "/me", answer.text


def a_file(name: str, content: bytes) -> dict[str, Any]:
    """A chosen file, for `Visitor.post(files=...)`."""
    return {name: ("file.bin", content)}
