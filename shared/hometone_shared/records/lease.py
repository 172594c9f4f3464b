"""Lending a voice: the card of the machine that wants it, and the lease that its owner signs (docs/withdrawal.md, section 5).

What it may see: the device's or the owner's key while it signs. What it must never do: hold a voice, or a name of its owner.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64
from hometone_shared.records.device import DEVICE_ID_CHARACTERS, device_id
from hometone_shared.records.holding import PROOF_BYTES, check_holder, holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import Role
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import COORDINATOR_CHARACTERS, LATEST
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS, check_words, pseudonym_of

CARD_KIND: Final = "hometone/recipient/v1"
KIND: Final = "hometone/lease/v1"
LONGEST_LEASE_DAYS: Final = 30
LONGEST_LABEL: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientCard:
    """A machine that wants to borrow a voice, in its own words.

    Attributes:
        coordinator: `coordinator_name` of the one it has joined, or `NO_COORDINATOR`.
        signing_key: Its raw Ed25519 key, 32 bytes.
        sealing_key: Its raw X25519 key, 32 bytes: what is lent is sealed to it.
        label: What its owner calls it, such as "Sunrise home".

    Raises:
        ProtocolError: A field is not what it should be.
    """

    coordinator: str
    signing_key: bytes
    sealing_key: bytes
    label: str

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read_card(self.to_document())

    @property
    def device(self) -> str:
        """The machine's id, 32 hexadecimal digits."""
        return device_id(self.signing_key)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "coordinator": self.coordinator,
            "label": self.label,
            "sealing_key": b64(self.sealing_key),
            "signing_key": b64(self.signing_key),
        }

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The card under the machine's own signature.

        Raises:
            ProtocolError: The key is not the one that the card names.
        """
        if key.public_key().public_bytes_raw() != self.signing_key:
            raise ProtocolError("a card can be signed by its own machine alone")
        return Envelope.sign(CARD_KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """Verify and read a card; it must be signed by the very key that it names.

        Raises:
            ProtocolError: It is not one, or the signature does not hold.
        """
        card = cls(**_read_card(envelope.verified(CARD_KIND, key=envelope.key)))
        if card.signing_key != envelope.key:
            raise ProtocolError("a card was signed with another key")
        return card


def words_of_card(envelope: Envelope) -> str:
    """What lender and borrower compare, by voice or by eye: four words."""
    return check_words(envelope.to_bytes())


def recipient_proof(key: Ed25519PrivateKey, device: str) -> bytes:
    """`Lease.holder`, signed with the withdrawal key."""
    return holder_proof(key, role=Role.RECIPIENT.value, device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a lent copy may do, and until when.

    Attributes:
        pseudonym: Whose voice, 32 hexadecimal digits.
        coordinator: `coordinator_name` of the log that can end it, or `NO_COORDINATOR`.
        recipient: Device id of the machine, 32 hexadecimal digits.
        lease: Random name of the copy, 32 hexadecimal digits.
        purpose: `ANNOUNCEMENTS`.
        label: What the recipient calls the voice.
        issued: Seconds since 1970.
        ends: End of the consent, seconds since 1970, later than `issued`.
        lease_days: How long it speaks without a contact, 1 to 30.
        voice_sha256: Hash of the voice container, hexadecimal.
        holder: That she says that this machine is a recipient (`holding`), 64 bytes; it is what the machine's receipt will show.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    pseudonym: str
    coordinator: str
    recipient: str
    lease: str
    label: str
    issued: int
    ends: int
    voice_sha256: str
    holder: bytes
    lease_days: int = LONGEST_LEASE_DAYS
    purpose: Purpose = Purpose.ANNOUNCEMENTS

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read_lease(self.to_document())

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "coordinator": self.coordinator,
            "ends": self.ends,
            "holder": b64(self.holder),
            "issued": self.issued,
            "label": self.label,
            "lease": self.lease,
            "lease_days": self.lease_days,
            "pseudonym": self.pseudonym,
            "purpose": self.purpose.value,
            "recipient": self.recipient,
            "voice_sha256": self.voice_sha256,
        }

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The lease under its owner's signature.

        Args:
            key: The withdrawal key.

        Raises:
            ProtocolError: It is somebody else's.
        """
        if pseudonym_of(key.public_key().public_bytes_raw()) != self.pseudonym:
            raise ProtocolError("a lease can be signed by the owner of the voice alone")
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """Verify and read a lease; the signing key is the one that its pseudonym is the hash of.

        Raises:
            ProtocolError: It is not one, or somebody else signed it.
        """
        lease = cls(**_read_lease(envelope.verified(KIND, key=envelope.key)))
        if lease.pseudonym != pseudonym_of(envelope.key):
            raise ProtocolError("a lease was not signed by the owner of the voice")
        check_holder(lease.holder, withdrawal_key=envelope.key, role=Role.RECIPIENT.value, device=lease.recipient)
        return lease


def _read_card(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    read = {
        "coordinator": fields.hexadecimal("coordinator", characters=COORDINATOR_CHARACTERS),
        "label": _checked_label(fields.text("label", longest=LONGEST_LABEL)),
        "sealing_key": fields.blob("sealing_key", size=32),
        "signing_key": fields.blob("signing_key", size=32),
    }
    fields.done()
    return read


def _read_lease(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    read: dict[str, Any] = {
        "coordinator": fields.hexadecimal("coordinator", characters=COORDINATOR_CHARACTERS),
        "ends": fields.integer("ends", low=1, high=LATEST),
        "holder": fields.blob("holder", size=PROOF_BYTES),
        "issued": fields.integer("issued", low=0, high=LATEST),
        "label": _checked_label(fields.text("label", longest=LONGEST_LABEL)),
        "lease": fields.hexadecimal("lease", characters=32),
        "lease_days": fields.integer("lease_days", low=1, high=LONGEST_LEASE_DAYS),
        "pseudonym": fields.hexadecimal("pseudonym", characters=PSEUDONYM_CHARACTERS),
        "recipient": fields.hexadecimal("recipient", characters=DEVICE_ID_CHARACTERS),
        "voice_sha256": fields.hexadecimal("voice_sha256"),
    }
    if fields.text("purpose", longest=40) != Purpose.ANNOUNCEMENTS.value:
        raise ProtocolError("a voice is lent for announcements and for nothing else")
    fields.done()
    if read["ends"] <= read["issued"]:
        raise ProtocolError("a lease ends before it begins")
    return {**read, "purpose": Purpose.ANNOUNCEMENTS}


def _checked_label(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ProtocolError("a label is empty or cannot be shown")
    return text
