"""Lent copies on the machine that borrowed them: what they are, and whether they may speak now (docs/withdrawal.md, section 5).

A guest's place in the vault has no PIN. In it lie `lease` (the signed lease), `lease-state` (last contact and latest time seen, in seconds
since 1970; the file's own times are no clock) and `voice`. It speaks only if

1. the pinned log knows no tombstone for it, and is the log that the lease names;
2. now is before the end of the owner's consent;
3. the clock is at most an hour behind the latest time that this machine has seen;
4. the last contact with the log is at most `lease_days` ago.

What it may see: guests only. What it must never do: let a copy speak whose lease or state cannot be read.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.voices import Voice, VoiceParameters
from hometone_keys import SpeakerEntry, SpeakerVault, Vault
from hometone_shared.errors import ConsentError, DamagedVaultError, ProtocolError, VaultError
from hometone_shared.records.canonical import Fields
from hometone_shared.records.lease import Lease
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import LATEST

LEASE: Final = ("lease", OWN)
STATE_KIND: Final = "lease-state"
CLOCK_PATIENCE_S: Final = 3600
DAY_S: Final = 86_400
_WRITE_EVERY_S: Final = 60


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """What this machine remembers of a lease.

    Attributes:
        last_contact: When it last heard from the log, or when the lease was issued, seconds since 1970.
        latest_seen: The latest time that it has seen while it had this copy, seconds since 1970.
    """

    last_contact: int
    latest_seen: int

    def seen(self, now_s: int) -> Self:
        """The state at a later time."""
        return replace(self, latest_seen=max(self.latest_seen, now_s))

    def is_behind(self, now_s: int) -> bool:
        """Whether the clock was set back (3)."""
        return now_s < self.latest_seen - CLOCK_PATIENCE_S

    def to_record(self) -> dict[str, int]:
        """Plain JSON."""
        return {"last_contact": self.last_contact, "latest_seen": self.latest_seen}

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read plain JSON.

        Raises:
            ProtocolError: It is something else.
        """
        fields = Fields(record)
        state = cls(**{name: fields.integer(name, low=0, high=LATEST) for name in ("last_contact", "latest_seen")})
        fields.done()
        return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A lent copy.

    Attributes:
        speaker_id: Its place in this machine's vault.
        name: What people here call it.
        envelope: The signed lease.
        lease: The same, read.
        state: What this machine remembers of it.
    """

    speaker_id: str
    name: str
    envelope: Envelope
    lease: Lease
    state: LeaseState

    @property
    def pseudonym(self) -> str:
        """Whose voice it is, as tombstones name her."""
        return self.lease.pseudonym

    @property
    def speaks_until(self) -> int:
        """Until when it may speak if nothing more is heard, seconds since 1970."""
        return min(self.lease.ends, self.state.last_contact + self.lease.lease_days * DAY_S)

    @property
    def erased_from(self) -> int:
        """From when the sweep erases it: run out for as long as a lease lasts, seconds since 1970."""
        return self.speaks_until + self.lease.lease_days * DAY_S

    def require(self, log: KnownLog, *, now_s: int) -> None:
        """Let the copy speak only as long as it is lent (1 to 4).

        Raises:
            ConsentError: Says which condition fails, and what to do.
        """
        lease, state = self.lease, self.state
        if log.has_ended(self.pseudonym):
            raise ConsentError("the owner of this voice has taken it back", hint="nothing can be spoken with it any more")
        if log.coordinator != lease.coordinator:
            raise ConsentError(
                "this voice was lent to a computer that asks another coordinator", hint="join that one again, or remove the voice"
            )
        if now_s >= lease.ends:
            raise ConsentError(f"this voice was lent until {_day(lease.ends)}", hint="ask its owner to lend it again")
        if state.is_behind(now_s):
            raise ConsentError("the clock of this computer is behind, so it cannot be told whether this voice is still lent",
                               hint="set the clock")  # fmt: skip
        if now_s > self.speaks_until:
            days = lease.lease_days
            hint = "connect to the network and run: hometone sync" if log.is_joined else "ask its owner to lend it again"
            raise ConsentError(f"for more than {days} days nobody has confirmed that this voice is still lent", hint=hint)


def read_guest(vault: SpeakerVault) -> Guest:
    """The guest behind an opened place.

    Raises:
        DamagedVaultError: Lease or state are not what was written, or its arrival was broken off.
    """
    if not vault.has(*LEASE):
        raise DamagedVaultError("a lent voice has not arrived completely", hint="borrow it again")
    try:
        envelope = Envelope.from_bytes(vault.read(*LEASE))
        lease = Lease.from_envelope(envelope)
        state = _read_state(vault, lease)
    except (ProtocolError, DamagedVaultError) as error:
        raise DamagedVaultError(
            "a lent voice is damaged, so it does not speak", hint="remove it, and ask its owner for it again"
        ) from error
    return Guest(speaker_id=vault.speaker_id, name=vault.name, envelope=envelope, lease=lease, state=state)


def _read_state(vault: SpeakerVault, lease: Lease) -> LeaseState:
    if not vault.has(STATE_KIND, lease.lease):
        raise ProtocolError("a lease has no state")
    return LeaseState.from_record(vault.read_json(lease.lease, kind=STATE_KIND))


def guest_entries(vault: Vault) -> tuple[SpeakerEntry, ...]:
    """The places of lent copies, damaged ones as well."""
    return tuple(entry for entry in vault.speakers() if entry.is_guest)


def guests(vault: Vault) -> tuple[Guest, ...]:
    """Every lent copy that can be read, oldest first; a damaged one does not speak and stops no other."""
    found = []
    for entry in guest_entries(vault):
        with suppress(VaultError), vault.unlock_for_work(entry.speaker_id) as opened:
            found.append(read_guest(opened))
    return tuple(found)


def keep_state(vault: SpeakerVault, lease: Lease, state: LeaseState) -> None:
    """Write down what is remembered of a lease."""
    vault.put_json(lease.lease, state.to_record(), kind=STATE_KIND)


def lent_voice(room: SpeakerRoom, *, log: Callable[[], KnownLog], way: Way, clock: Callable[[], dt.datetime] = _now) -> Voice:
    """A guest as a voice; whether it may speak is looked at anew for each piece of work, and each use is noted.

    Args:
        room: The guest's place, opened for as long as the voice is used.
        log: Gives the pinned log as it is now.
        way: What is going to speak.
        clock: Gives the time.
    """

    def load() -> VoiceParameters:
        now = clock()
        now_s = int(now.timestamp())
        guest = read_guest(room.vault)
        try:
            guest.require(log(), now_s=now_s)
        except ConsentError as error:
            room.note_refusal(guest.lease.purpose, error)
            raise
        if now_s >= guest.state.latest_seen + _WRITE_EVERY_S:
            keep_state(room.vault, guest.lease, guest.state.seen(now_s))
        voice = room.voice()
        room.note_speaking(way, now=now)
        return voice

    return Voice(id=room.name, kind="lent", languages=room.voice_languages, load=load)


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
