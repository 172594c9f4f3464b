"""The owner of a voice on her laptop, a village archive with another, and what the coordinator's log says."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.client.lending.conftest import COORDINATOR, COORDINATOR_KEY, NOW, SPOKEN, open_vault, tombstone
from tests.unit.client.speakers.conftest import CHEAP
from tests.unit.client.speakers.test_room import a_voice

from hometone_client.audio.encoding import encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.heritage.making import Keeper, make_archive
from hometone_client.heritage.registry import ArchiveEntry
from hometone_client.heritage.samples import Sample
from hometone_client.heritage.sealing import SealedArchive
from hometone_client.lending.giving import checked_card, recipient_card
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.exports import export
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import VoiceParameters
from hometone_keys import Vault
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Withdrawal, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.tombstones import TombstoneBook

PASSPHRASE = "river lantern plum harvest"


@cache
def beep() -> bytes:
    """A sound with its label, for tests that are not about how it sounds."""
    tone = (0.1 * np.sin(np.arange(12_000) * 0.05)).astype(np.float32)
    return encode(tone, fmt="flac", label=SyntheticLabel.fresh())


def a_sample(voice: VoiceParameters) -> Sample:
    return Sample(flac=beep(), text="今天天气很好。", language=voice.languages[0])


@dataclass
class House:
    """Everybody."""

    owner: Vault
    room: SpeakerRoom
    village: Vault
    folder: Path
    entries: list[Envelope] = field(default_factory=list)

    @property
    def secret(self) -> RecoverySecret:
        return RecoverySecret(self.owner.withdrawal_secret(self.room.speaker_id))

    @property
    def log(self) -> KnownLog:
        return KnownLog(coordinator_name(COORDINATOR_KEY), TombstoneBook.from_entries(self.entries, COORDINATOR_KEY))

    def register(self) -> None:
        key = self.secret.withdrawal_key().public_key().public_bytes_raw()
        self.entries.append(SpeakerEntry(withdrawal_key=key).signed(COORDINATOR))

    def withdraw(self, *scope: Purpose) -> None:
        word = tombstone(self.secret, *scope)
        self.entries.append(Withdrawal(tombstone=word, received=int(NOW.timestamp())).signed(COORDINATOR))

    def keeper(self, *, passphrase: str | None = None, log: KnownLog | None = None) -> Keeper:
        if passphrase is not None:
            return Keeper(passphrase=passphrase, cost=CHEAP)
        known = self.log if log is None else log
        return Keeper(card=checked_card(recipient_card(self.village, coordinator=known.coordinator, label="Village"), log=known))

    def make(
        self,
        *,
        keeper: Keeper | None = None,
        log: KnownLog | None = None,
        now: dt.datetime = NOW,
        dialect: dict[str, bytes] | None = None,
        name: str = "mei.htheritage",
    ) -> tuple[ArchiveEntry, bytes]:
        entry, data = make_archive(
            self.room,
            self.owner,
            keeper=keeper or self.keeper(log=log),
            path=self.folder / name,
            speak=a_sample,
            log=self.log if log is None else log,
            register=self.register,
            now=now,
            dialect=dialect,
            dialect_name="guanzhong" if dialect else "",
        )
        export(self.room, self.folder / name, data)
        return entry, data

    def sealed(self, **wishes: Any) -> SealedArchive:
        return SealedArchive.from_bytes(self.make(**wishes)[1])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    folder = tmp_path / "out"
    folder.mkdir()
    with (
        open_vault(tmp_path / "owner") as owner,
        open_vault(tmp_path / "village") as village,
        SpeakerRoom(owner.enroll("mei", "1234")) as room,
    ):
        room.keep_consent(give_consent(locale="zh", now=NOW))
        room.keep_consent(give_consent(locale="zh", now=NOW, days=300, purpose=Purpose.ARCHIVE, spoken=SPOKEN))
        room.keep_voice(a_voice(), record={})
        yield House(owner=owner, room=room, village=village, folder=folder)
