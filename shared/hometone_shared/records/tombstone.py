"""The word of somebody who withdraws, and the coordinator's word that it has come (docs/withdrawal.md, section 2).

A tombstone needs nobody's trust: its pseudonym is the hash of the key that signs it. What it may see: the withdrawal key while it signs.
What it must never do: say who somebody is.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.signing import Envelope
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS, pseudonym_of

KIND: Final = "hometone/tombstone/v1"
WITHDRAWAL_KIND: Final = "hometone/withdrawal/v1"
COORDINATOR_CHARACTERS: Final = 32
NO_COORDINATOR: Final = "0" * COORDINATOR_CHARACTERS
"""In the place of a coordinator, from a laptop that has joined none."""
LATEST: Final = 1 << 40
LARGEST_SEQUENCE: Final = 1 << 40


def coordinator_name(coordinator_key: bytes) -> str:
    """What records call a coordinator: the name of its log without the prefix, 32 hexadecimal digits."""
    return hashlib.sha256(coordinator_key).digest()[:16].hex()


class SharedModelWish(StrEnum):
    """What shall become of what she gave to the shared model (docs/withdrawal.md, section 6)."""

    LEAVE = "leave"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What somebody takes back.

    Attributes:
        pseudonym: Who, 32 hexadecimal digits.
        coordinator: `coordinator_name` of whose log it is for, or `NO_COORDINATOR`.
        scope: What ends; not empty.
        sequence: From 1; every later one of the same person is higher.
        made: Seconds since 1970.
        shared_model: What she wishes.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    pseudonym: str
    coordinator: str
    scope: frozenset[Purpose]
    sequence: int
    made: int
    shared_model: SharedModelWish = SharedModelWish.LEAVE

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read(self.to_document())

    @property
    def ended(self) -> frozenset[Purpose]:
        """All that ends: no purpose outlives the voice."""
        return frozenset(Purpose) if Purpose.OWN_VOICE in self.scope else self.scope

    def ends(self, purpose: Purpose) -> bool:
        """Whether this purpose ends with it."""
        return purpose in self.ended

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "coordinator": self.coordinator,
            "made": self.made,
            "pseudonym": self.pseudonym,
            "scope": sorted(purpose.value for purpose in self.scope),
            "sequence": self.sequence,
            "shared_model": self.shared_model.value,
        }

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The tombstone under its owner's signature.

        Args:
            key: The withdrawal key.

        Raises:
            ProtocolError: It is somebody else's.
        """
        if pseudonym_of(key.public_key().public_bytes_raw()) != self.pseudonym:
            raise ProtocolError("a tombstone can be signed by its owner alone")
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """Verify and read a tombstone; the signing key is the one that its pseudonym is the hash of.

        Raises:
            ProtocolError: It is not one, or somebody else signed it.
        """
        tombstone = cls(**_read(envelope.verified(KIND, key=envelope.key)))
        if tombstone.pseudonym != pseudonym_of(envelope.key):
            raise ProtocolError("a tombstone was not signed by its owner")
        return tombstone


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A tombstone that has come to the coordinator: a leaf of its log.

    Attributes:
        tombstone: As it came.
        received: Seconds since 1970.
        content: The tombstone, verified and read.

    Raises:
        ProtocolError: A field is not what it should be, or the tombstone does not verify.
    """

    tombstone: Envelope
    received: int
    content: Tombstone = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written, and the tombstone."""
        _read_withdrawal(self.to_document())
        object.__setattr__(self, "content", Tombstone.from_envelope(self.tombstone))

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {"received": self.received, "tombstone": self.tombstone.to_document()}

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The leaf under the coordinator's signature.

        Raises:
            ProtocolError: The tombstone is for another coordinator's log.
        """
        self._check_home(key.public_key().public_bytes_raw())
        return Envelope.sign(WITHDRAWAL_KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a leaf, and the tombstone in it.

        Raises:
            ProtocolError: Another key signed it, it is not one, or its tombstone does not verify or belongs into another log.
        """
        withdrawal = cls(**_read_withdrawal(envelope.verified(WITHDRAWAL_KIND, key=key)))
        withdrawal._check_home(key)
        return withdrawal

    def _check_home(self, coordinator_key: bytes) -> None:
        if self.content.coordinator != coordinator_name(coordinator_key):
            raise ProtocolError("a tombstone was made for the log of another coordinator")


def _checked_scope(values: list[Any]) -> frozenset[Purpose]:
    """The purposes of a list that is sorted, not empty, and says nothing twice."""
    known = {purpose.value: purpose for purpose in Purpose}
    if not values or not all(isinstance(value, str) and value in known for value in values) or list(values) != sorted(set(values)):
        raise ProtocolError("a tombstone does not say what ends")
    return frozenset(known[value] for value in values)


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    read = {
        "coordinator": fields.hexadecimal("coordinator", characters=COORDINATOR_CHARACTERS),
        "made": fields.integer("made", low=0, high=LATEST),
        "pseudonym": fields.hexadecimal("pseudonym", characters=PSEUDONYM_CHARACTERS),
        "scope": _checked_scope(fields.items("scope", most=len(Purpose))),
        "sequence": fields.integer("sequence", low=1, high=LARGEST_SEQUENCE),
    }
    wish = fields.text("shared_model", longest=20)
    fields.done()
    if wish not in {each.value for each in SharedModelWish}:
        raise ProtocolError("a tombstone has a wish that nobody knows")
    return {**read, "shared_model": SharedModelWish(wish)}


def _read_withdrawal(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    read = {
        "received": fields.integer("received", low=0, high=LATEST),
        "tombstone": Envelope.from_document(fields.take("tombstone")),
    }
    fields.done()
    return read
