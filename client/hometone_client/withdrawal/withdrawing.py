"""The whole act of withdrawing somebody on her own laptop, and from any other one (docs/withdrawal.md, section 4).

On her laptop: (1) the tombstone is signed and on the disk; (2) she is forgotten, or, if only a purpose ends, its consent goes; (3) the
receipt is on the disk; (4) all of it is handed over if the coordinator can be reached. Killed after (1), the next opening of the vault does
the rest. Elsewhere: the tombstone is signed with the code from the paper, and handed over.

Numbers of tombstones have to rise, although laptops that have not heard of each other make them: a purpose is numbered by the time, and the
end of everything above all of those, so that no earlier word can stand in its way.

What it may see: recovery secrets. What it must never do: erase before the tombstone is written, or keep a secret afterwards.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hometone_client.federation.coordinator_records import CoordinatorRecords, RecordsRefusedError, Transport, introduction
from hometone_client.federation.membership import Membership
from hometone_client.speakers.forgetting import Forgotten
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.acknowledgement import delivered_tombstone
from hometone_client.withdrawal.delivery import SHORT_PATIENCE_S
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.reconciliation import Desk, KnownTombstone, known_tombstones
from hometone_client.withdrawal.removal import Removal
from hometone_keys import Vault
from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.records.canonical import checked_hexadecimal
from hometone_shared.records.coordinator import CoordinatorDescriptor, certificate_sha256
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, SharedModelWish, Tombstone, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

EVERYTHING: Final = frozenset({Purpose.OWN_VOICE})
_LAST_WORD: Final = 1 << 39
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What was done on her own laptop.

    Attributes:
        known: The tombstone.
        removal: What was removed; None if only a purpose has ended and her things could not be opened.
        forgotten: What forgetting did; None if she stays.
    """

    known: KnownTombstone
    removal: Removal | None
    forgotten: Forgotten | None


def signed_tombstone(
    secret: RecoverySecret, *, coordinator: str, scope: frozenset[Purpose], wish: SharedModelWish, last_sequence: int, now_s: int
) -> KnownTombstone:
    """Make a tombstone.

    Args:
        secret: Whose.
        coordinator: `coordinator_name`, or `NO_COORDINATOR`.
        scope: What ends.
        wish: What she wishes for the shared model.
        last_sequence: The highest number that is known of hers; 0 if there is none.
        now_s: Seconds since 1970.
    """
    floor = now_s + (_LAST_WORD if Purpose.OWN_VOICE in scope else 0)
    tombstone = Tombstone(
        pseudonym=secret.pseudonym,
        coordinator=coordinator,
        scope=scope,
        sequence=max(last_sequence + 1, floor, 1),
        made=now_s,
        shared_model=wish,
    )
    return KnownTombstone(tombstone.signed(secret.withdrawal_key()), tombstone)


def withdraw(
    home: Path,
    vault: Vault,
    speaker_id: str,
    *,
    room: SpeakerRoom | None = None,
    scope: frozenset[Purpose] = EVERYTHING,
    wish: SharedModelWish = SharedModelWish.LEAVE,
    keep_exports: bool = False,
    clock: Clock = time.time,
    outbox: Outbox | None = None,
) -> Withdrawn:
    """Withdraw a speaker of this laptop; what has to travel is in the outbox afterwards.

    Args:
        home: The laptop's `--home`.
        vault: Its open vault.
        speaker_id: Her place in it.
        room: Her things, unlocked, if she gave her PIN or this laptop may open them; locked again when she was forgotten.
        scope: What ends; with her own voice, everything does.
        wish: What shall become of the shared model.
        keep_exports: Leave files in her voice where they are.
        clock: Seconds since 1970.
        outbox: The outbox of this home, for tests.

    Raises:
        UsageError: There is no such speaker, or it is a lent copy.
        StorageError: The disk refuses; if the tombstone is written, the next opening does the rest.
    """
    outbox = outbox or Outbox(home)
    secret = RecoverySecret(vault.withdrawal_secret(speaker_id))
    known = signed_tombstone(
        secret,
        coordinator=_joined_name(home),
        scope=scope,
        wish=wish,
        last_sequence=_last_sequence(home, secret.pseudonym),
        now_s=max(0, int(clock())),
    )
    outbox.add(known.envelope)  # (1)
    desk = Desk(home, vault, outbox=outbox, clock=clock)
    if known.tombstone.ends(Purpose.OWN_VOICE):
        removal, forgotten = desk.erase_speaker(speaker_id, known, room=room, keep_exports=keep_exports)  # (2), (3)
        return Withdrawn(known=known, removal=removal, forgotten=forgotten)
    return Withdrawn(known=known, removal=None if room is None else desk.end_purposes(room, known), forgotten=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A coordinator that this laptop need not have joined.

    Attributes:
        descriptor: Its signed descriptor.
        authority_pem: Certificate of its own authority.
    """

    descriptor: Envelope
    authority_pem: bytes

    @property
    def key(self) -> bytes:
        """Raw Ed25519 key, 32 bytes."""
        return self.descriptor.key

    def records(self, *, transport: Transport | None = None) -> CoordinatorRecords:
        """A way to ask for its records; close it."""
        address = CoordinatorDescriptor.from_envelope(self.descriptor, key=self.key).address
        return CoordinatorRecords(address, authority_pem=self.authority_pem, transport=transport, connect_timeout_s=SHORT_PATIENCE_S)


def met(address: str, *, fingerprint: str, transport: Transport | None = None) -> Stranger:
    """The coordinator at an address, once it has shown that it is the one on the paper.

    Args:
        address: `host:port`.
        fingerprint: First 16 bytes of SHA-256 of its key, 32 hexadecimal digits.
        transport: Another way to it, for tests.

    Raises:
        FederationError: It cannot be reached.
        ProtocolError: It is another one.
    """
    checked_hexadecimal(fingerprint, name="a fingerprint", characters=32)
    authority, envelope = introduction(address, transport=transport, connect_timeout_s=SHORT_PATIENCE_S)
    descriptor = CoordinatorDescriptor.from_envelope(envelope, key=envelope.key)
    is_named = coordinator_name(envelope.key) == fingerprint and descriptor.address == address
    if not is_named or certificate_sha256(authority) != descriptor.ca_sha256:
        raise ProtocolError(
            "the coordinator at this address is not the one of the fingerprint", hint="compare both; somebody may be in between"
        )
    return Stranger(descriptor=envelope, authority_pem=authority)


def joined_coordinator(home: Path) -> Stranger | None:
    """The coordinator that this laptop has joined, or None."""
    membership = Membership.load(home)
    return None if membership is None else Stranger(descriptor=membership.descriptor_envelope, authority_pem=membership.authority_pem)


def withdraw_by_code(
    home: Path,
    secret: RecoverySecret,
    coordinator: Stranger,
    *,
    wish: SharedModelWish = SharedModelWish.LEAVE,
    clock: Clock = time.time,
    transport: Transport | None = None,
) -> KnownTombstone:
    """Withdraw somebody whose things are elsewhere, with the code from her paper.

    Args:
        home: This laptop's `--home`; what the coordinator answers is kept there.
        secret: From the paper.
        coordinator: Who has to hear it.
        wish: What shall become of the shared model.
        clock: Seconds since 1970.
        transport: Another way to the coordinator, for tests.

    Raises:
        UsageError: The coordinator knows nobody of this code.
        FederationError: It cannot be reached. Nothing is kept; the paper is.
        ProtocolError: It does not prove what it says.
    """
    earlier = max((item.tombstone.sequence for item in Outbox(home).items(secret.pseudonym)), default=0)
    known = signed_tombstone(
        secret,
        coordinator=coordinator_name(coordinator.key),
        scope=EVERYTHING,
        wish=wish,
        last_sequence=earlier,
        now_s=max(0, int(clock())),
    )
    with coordinator.records(transport=transport) as records:
        try:
            answer = records.deliver_tombstone(known.envelope)
        except RecordsRefusedError as error:
            if error.code == "unknown":
                raise UsageError(
                    "the coordinator knows nobody of this code", hint="compare it with the paper; perhaps nothing of hers was ever there"
                ) from error
            raise
    delivered_tombstone(answer, known.envelope, coordinator_key=coordinator.key)
    outbox = Outbox(home)
    outbox.add(known.envelope)
    outbox.note_delivered(known.tombstone, answer)
    return known


def place_of(vault: Vault, secret: RecoverySecret) -> str | None:
    """The place in this laptop's vault of the person of a code, or None."""
    return next((speaker_id for speaker_id, held in vault.withdrawal_secrets().items() if held == secret.secret), None)


def _joined_name(home: Path) -> str:
    membership = Membership.load(home)
    return NO_COORDINATOR if membership is None else coordinator_name(membership.coordinator_key)


def _last_sequence(home: Path, pseudonym: str) -> int:
    return max((known.tombstone.sequence for known in known_tombstones(home, [pseudonym]).get(pseudonym, [])), default=0)
