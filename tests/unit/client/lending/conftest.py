"""Two laptops: one whose owner lends a voice, one that borrows it; and a coordinator's log that both know."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.client.speakers.conftest import CHEAP
from tests.unit.client.speakers.test_room import a_voice

from hometone_client.lending.giving import checked_card, lend, recipient_card
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Purpose, SpokenCheck, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Custody, DeviceSecretSource, Vault
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone, Withdrawal, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.tombstones import TombstoneBook

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
COORDINATOR = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
COORDINATOR_KEY = COORDINATOR.public_key().public_bytes_raw()
SPOKEN = SpokenCheck(phrase_sha256="ab" * 32, word_errors=0.0, likeness=0.9, at=NOW)


def open_vault(home: Path) -> Vault:
    return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP)


def tombstone(secret: RecoverySecret, *scope: Purpose, sequence: int = 1, coordinator: str | None = None) -> Envelope:
    name = coordinator_name(COORDINATOR_KEY) if coordinator is None else coordinator
    made = int(NOW.timestamp())
    word = Tombstone(pseudonym=secret.pseudonym, coordinator=name, scope=frozenset(scope), sequence=sequence, made=made)
    return word.signed(secret.withdrawal_key())


@dataclass
class World:
    """The owner's laptop, the borrower's, and what the log says."""

    owner: Vault
    room: SpeakerRoom
    borrower: Vault
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

    def package(
        self,
        *,
        now: dt.datetime = NOW,
        lease_days: int = 30,
        log: KnownLog | None = None,
        label: str | None = None,
        borrower: Vault | None = None,
    ) -> bytes:
        known = self.log if log is None else log
        envelope = recipient_card(borrower or self.borrower, coordinator=known.coordinator, label="Sunrise home")
        card = checked_card(envelope, log=known)
        done = lend(self.room, self.owner, card=card, log=known, register=self.register_once, now=now, lease_days=lease_days, label=label)
        return done[1]

    def register_once(self) -> None:
        if not self.log.book.knows(self.secret.pseudonym):
            self.register()


def consent_to_everything(room: SpeakerRoom, *, now: dt.datetime = NOW, days: int = 365) -> None:
    room.keep_consent(give_consent(locale="en", now=now))
    room.keep_consent(give_consent(locale="en", now=now, days=days, purpose=Purpose.ANNOUNCEMENTS, spoken=SPOKEN))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with (
        open_vault(tmp_path / "owner") as owner,
        open_vault(tmp_path / "borrower") as borrower,
        SpeakerRoom(owner.enroll("mei", "1234")) as room,
    ):
        consent_to_everything(room)
        room.keep_voice(a_voice(), record={})
        yield World(owner=owner, room=room, borrower=borrower)
