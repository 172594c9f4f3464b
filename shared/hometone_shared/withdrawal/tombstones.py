"""Who has withdrawn what, read from the entries of the log and from nowhere else (docs/withdrawal.md, section 3).

1. A pseudonym is known from its `hometone/speaker/v1` on, and becomes known once.
2. A tombstone counts if its pseudonym is known, the registered key signed it, it is for this log, and its sequence is above all earlier
   ones.
3. A leaf that breaks a rule is the coordinator's fault: the whole log is refused, nothing is passed over.

What it may see: leaves that nobody has verified yet, and the pinned key. What it must never do: let a purpose that has ended begin again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from hometone_shared.errors import ProtocolError
from hometone_shared.records import registration, withdrawn_releases
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import WITHDRAWAL_KIND, Withdrawal
from hometone_shared.records.withdrawn_releases import WithdrawnReleases


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerHistory:
    """What a log says of one speaker.

    Attributes:
        withdrawal_key: Raw public key, 32 bytes.
        registered_at: Position of her entry, from 0.
        tombstones: In the order of the log.
        ended: Purpose -> position of the entry that ended it.
        last_sequence: Of the last tombstone; 0 before the first.
    """

    withdrawal_key: bytes
    registered_at: int
    tombstones: tuple[Envelope, ...] = ()
    ended: Mapping[Purpose, int] = field(default_factory=lambda: MappingProxyType({}))
    last_sequence: int = 0

    def after(self, withdrawal: Withdrawal, position: int) -> "SpeakerHistory":
        """The history with one more tombstone (2).

        Raises:
            ProtocolError: Another key signed it, or its sequence does not rise.
        """
        if withdrawal.tombstone.key != self.withdrawal_key:
            raise ProtocolError("a tombstone in the log was signed with another key than the registered one")
        if withdrawal.content.sequence <= self.last_sequence:
            raise ProtocolError("a tombstone in the log does not come after the one before it")
        newly = {purpose: position for purpose in withdrawal.content.ended if purpose not in self.ended}
        return SpeakerHistory(
            withdrawal_key=self.withdrawal_key,
            registered_at=self.registered_at,
            tombstones=(*self.tombstones, withdrawal.tombstone),
            ended=MappingProxyType({**self.ended, **newly}),
            last_sequence=withdrawal.content.sequence,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TombstoneBook:
    """All speakers of a log, what they have withdrawn, and which releases were.

    Attributes:
        speakers: Pseudonym -> history.
        replacements: Number of a withdrawn release -> number of the one that replaced it.
        size: Entries read so far, of all types.
    """

    speakers: Mapping[str, SpeakerHistory] = field(default_factory=lambda: MappingProxyType({}))
    replacements: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    size: int = 0

    @classmethod
    def from_entries(cls, envelopes: Iterable[Envelope], coordinator_key: bytes) -> Self:
        """Read the entries of a log, all of them, in its order; entries of other types only count.

        Args:
            envelopes: Leaves of the log, not verified yet.
            coordinator_key: The pinned raw key, 32 bytes.

        Raises:
            ProtocolError: A leaf breaks a rule (3).
        """
        return cls().followed_by(envelopes, coordinator_key)

    def followed_by(self, envelopes: Iterable[Envelope], coordinator_key: bytes) -> Self:
        """The book after more entries of the log.

        Raises:
            ProtocolError: As `from_entries`.
        """
        speakers, replacements, size = dict(self.speakers), dict(self.replacements), self.size
        for position, envelope in enumerate(envelopes, start=self.size):
            size = position + 1
            if envelope.kind == registration.KIND:
                entry = SpeakerEntry.from_envelope(envelope, key=coordinator_key)
                if entry.pseudonym in speakers:
                    raise ProtocolError("the log registers a speaker twice")
                speakers[entry.pseudonym] = SpeakerHistory(withdrawal_key=entry.withdrawal_key, registered_at=position)
            elif envelope.kind == WITHDRAWAL_KIND:
                withdrawal = Withdrawal.from_envelope(envelope, key=coordinator_key)
                history = speakers.get(withdrawal.content.pseudonym)
                if history is None:
                    raise ProtocolError("the log holds a tombstone of a speaker whom it does not know")
                speakers[withdrawal.content.pseudonym] = history.after(withdrawal, position)
            elif envelope.kind == withdrawn_releases.KIND:
                record = WithdrawnReleases.from_envelope(envelope, key=coordinator_key)
                replacements.update(dict.fromkeys(record.releases, record.replaced_by))
        return type(self)(speakers=MappingProxyType(speakers), replacements=MappingProxyType(replacements), size=size)

    def knows(self, pseudonym: str) -> bool:
        """Whether this speaker was registered."""
        return pseudonym in self.speakers

    def registered_at(self, pseudonym: str) -> int:
        """Position of her entry in the log, from 0.

        Raises:
            ProtocolError: The log does not know her.
        """
        if pseudonym not in self.speakers:
            raise ProtocolError("the log does not know this speaker")
        return self.speakers[pseudonym].registered_at

    def last_sequence(self, pseudonym: str) -> int:
        """Sequence of her last tombstone; 0 if there is none."""
        return self.speakers[pseudonym].last_sequence if pseudonym in self.speakers else 0

    def has_ended(self, pseudonym: str, purpose: Purpose) -> bool:
        """Whether she has taken this purpose back."""
        return self.ended_at(pseudonym, purpose) is not None

    def ended_at(self, pseudonym: str, purpose: Purpose) -> int | None:
        """Position of the entry that ended this purpose of hers, or None."""
        return self.speakers[pseudonym].ended.get(purpose) if pseudonym in self.speakers else None

    @property
    def withdrawn(self) -> Mapping[str, tuple[Envelope, ...]]:
        """Pseudonym -> tombstones, in the order of the log, of everybody who has withdrawn anything."""
        return {pseudonym: history.tombstones for pseudonym, history in self.speakers.items() if history.tombstones}

    @property
    def withdrawn_releases(self) -> frozenset[int]:
        """Numbers of the releases that nobody shall use any more."""
        return frozenset(self.replacements)

    def in_place_of(self, release: int) -> int:
        """The release that stands in the place of this one today; itself if it was not withdrawn."""
        while release in self.replacements:  # a replacement is always newer, so this ends
            release = self.replacements[release]
        return release
