"""Lending a voice: the card of the machine that wants it, the package for it, and who holds copies (docs/withdrawal.md, section 5).

1. She has consented to her own voice and to announcements, and has not taken the latter back in the log.
2. The card verifies and is of the same coordinator, or both of none. It may be this very machine's: the copy then speaks without her
   PIN, for announcements only, and goes with her.
3. Her pseudonym is in the log before the package exists: a tombstone of hers can then reach every copy.
4. Lease and sealed voice. The lease ends with the consent, and needs a contact every `lease_days`.
5. The registry of copies is written before the package is handed out.

What it may see: her unlocked voice, her recovery secret while the lease is signed. What it must never do: hand out a voice that is not
sealed to one machine.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from hometone_client.lending.known_log import KnownLog
from hometone_client.lending.package import LentPackage
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import OWN, SpeakerRoom
from hometone_client.speakers.uses import LENT_KIND
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, DamagedVaultError, ProtocolError, UsageError
from hometone_shared.records.canonical import Fields
from hometone_shared.records.device import DEVICE_ID_CHARACTERS
from hometone_shared.records.lease import LONGEST_LABEL, LONGEST_LEASE_DAYS, Lease, RecipientCard, recipient_proof
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import LATEST
from hometone_shared.withdrawal.recovery import RecoverySecret

DEFAULT_LABEL: Final = "Hometone"
MOST_COPIES: Final = 50
"""Each is an item of the receipt that says what is pending, and has to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LentCopy:
    """One line of the registry, which only her vault holds.

    Attributes:
        lease: Random name of the copy, 32 hexadecimal digits.
        recipient: Device id of the machine.
        label: What that machine calls itself.
        issued: Seconds since 1970.
        ends: End of the consent, seconds since 1970.
        lease_days: How long it speaks without a contact.
    """

    lease: str
    recipient: str
    label: str
    issued: int
    ends: int
    lease_days: int

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: getattr(self, name) for name in ("lease", "recipient", "label", "issued", "ends", "lease_days")}

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read plain JSON.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            fields = Fields(record)
            copy = cls(
                lease=fields.hexadecimal("lease", characters=32),
                recipient=fields.hexadecimal("recipient", characters=DEVICE_ID_CHARACTERS),
                label=fields.text("label", longest=LONGEST_LABEL),
                issued=fields.integer("issued", low=0, high=LATEST),
                ends=fields.integer("ends", low=1, high=LATEST),
                lease_days=fields.integer("lease_days", low=1, high=LONGEST_LEASE_DAYS),
            )
            fields.done()
        except ProtocolError as error:
            raise DamagedVaultError("the registry of lent copies is damaged", hint="restore the vault from a backup") from error
        return copy


def lent_copies(room: SpeakerRoom) -> tuple[LentCopy, ...]:
    """Who holds copies of her voice, oldest first.

    Raises:
        DamagedVaultError: An entry is not what was written.
    """
    found = [LentCopy.from_record(room.vault.read_json(artefact.name, kind=LENT_KIND)) for artefact in room.vault.list(LENT_KIND)]
    return tuple(sorted(found, key=lambda copy: (copy.issued, copy.lease)))


def recipient_card(vault: Vault, *, coordinator: str, label: str = DEFAULT_LABEL) -> Envelope:
    """The card of this machine.

    Args:
        vault: Its vault.
        coordinator: `KnownLog.coordinator`.
        label: What its owner calls it, 1 to 100 printable characters.

    Raises:
        UsageError: The label is none.
    """
    identity = vault.device
    try:
        card = RecipientCard(
            coordinator=coordinator,
            signing_key=identity.public_signing_key(),
            sealing_key=identity.public_sealing_key(),
            label=label.strip(),
        )
    except ProtocolError as error:
        raise UsageError(f"a label has 1 to {LONGEST_LABEL} printable characters", hint="for instance the name of the house") from error
    return card.signed(identity.signing_key)


def checked_card(envelope: Envelope, *, log: KnownLog) -> RecipientCard:
    """The card of a machine to which a voice may be lent (2).

    Raises:
        ProtocolError: It does not verify.
        UsageError: It is of another coordinator.
    """
    card = RecipientCard.from_envelope(envelope)
    if card.coordinator != log.coordinator:
        raise UsageError(
            "the computer of this card has joined another coordinator",
            hint="a voice can be taken back only where both ask the same coordinator, or neither asks one",
        )
    return card


def lend(
    room: SpeakerRoom,
    vault: Vault,
    *,
    card: RecipientCard,
    log: KnownLog,
    register: Callable[[], None],
    now: dt.datetime,
    lease_days: int = LONGEST_LEASE_DAYS,
    label: str | None = None,
) -> tuple[LentCopy, bytes]:
    """Lend a voice to a machine.

    Args:
        room: Its owner, unlocked.
        vault: The vault.
        card: As `checked_card` gives it.
        log: The pinned log.
        register: Makes sure that her pseudonym is in the log (3); called only where a coordinator has been joined.
        now: The time, with a time zone.
        lease_days: How long the copy speaks without a contact, 1 to 30.
        label: What the machine shall call the voice; otherwise her name here.

    Returns:
        What was noted in the registry, and the package.

    Raises:
        ConsentError: She has not consented, or has taken it back.
        UsageError: She has no voice, the label is none, or there are too many copies.
        FederationError: She could not be registered.
        StorageError: The disk refuses.
    """
    room.require(Purpose.OWN_VOICE, now=now)  # (1)
    room.require(Purpose.ANNOUNCEMENTS, now=now)
    consent = room.consent(Purpose.ANNOUNCEMENTS)
    secret = RecoverySecret(vault.withdrawal_secret(room.speaker_id))
    key = secret.withdrawal_key()
    if consent is None or log.has_ended(secret.pseudonym):
        raise ConsentError("this voice was taken back from announcements for ever", hint="enrol anew to lend a voice again")
    if not room.has_voice:
        raise UsageError("this speaker has no voice yet", hint=f"make it with: hometone train {room.name}")
    others = {each.recipient for each in lent_copies(room) if each.ends > now.timestamp()} - {card.device}
    if len(others) >= MOST_COPIES:
        raise UsageError(f"this voice is lent to {MOST_COPIES} machines already", hint="wait until one of the leases has ended")
    if log.is_joined:
        register()  # (3)
    voice = room.vault.read("voice", OWN)
    copy = LentCopy(
        lease=secrets.token_hex(16),
        recipient=card.device,
        label=card.label,
        issued=int(now.timestamp()),
        ends=int(consent.expires.timestamp()),
        lease_days=lease_days,
    )
    try:
        lease = Lease(
            pseudonym=secret.pseudonym,
            coordinator=log.coordinator,
            recipient=copy.recipient,
            lease=copy.lease,
            label=room.name if label is None else label.strip(),
            issued=copy.issued,
            ends=copy.ends,
            lease_days=copy.lease_days,
            voice_sha256=hashlib.sha256(voice).hexdigest(),
            holder=recipient_proof(key, copy.recipient),
        )
    except ProtocolError as error:
        raise UsageError(
            f"a lent voice has a label of 1 to {LONGEST_LABEL} printable characters", hint="choose one with --label"
        ) from error
    package = LentPackage.seal(voice, envelope=lease.signed(key), sealing_key=card.sealing_key)  # (4)
    room.vault.put_json(copy.lease, copy.to_record(), kind=LENT_KIND)  # (5)
    room.note("lent", label=copy.label, ends=consent.expires.isoformat(), lease_days=lease_days)
    return copy, package.to_bytes()
