"""The receipt that somebody who has withdrawn takes home, and that anybody can check without a network (docs/withdrawal.md, section 7).

1. The tombstone carries its own proof.
2. The descriptor says whose log it is, the head is signed by that key, and by the witnesses that the reader trusts.
3. The tombstone is in the log under that head.
4. Every receipt is about this tombstone and signed by its holder; those that were filed are in the log.

5. A laptop or recipient settles something only with the proof that she made it a holder; another device's word settles nothing.

What it may see: public records only. What it must never do: take a claim for a proof. That a holder tells the truth, and that a device
whose receipt was not filed belongs to the coordinator's laptops, no bundle can prove.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from hometone_shared.errors import ProtocolError
from hometone_shared.log.checkpoint import LARGEST_SIZE, LONGEST_NOTE, Checkpoint, log_origin
from hometone_shared.log.cosignature import WitnessKey, cosigned_at
from hometone_shared.log.merkle import HASH_BYTES, LONGEST_PROOF, leaf_hash, verify_inclusion
from hometone_shared.records.canonical import Document, Fields, b64, canonical, checked_b64, parse
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.device import device_id
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt, Role
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, Tombstone, Withdrawal, coordinator_name
from hometone_shared.withdrawal.verified_receipt import Answer, VerifiedReceipt

VERSION: Final = 1
MOST_RECEIPTS: Final = 10_000
LONGEST_BUNDLE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedLeaf:
    """A leaf of the log, where it is, and the proof.

    Attributes:
        leaf: The envelope that the coordinator signed.
        index: Its position, from 0.
        proof: Hashes of 32 bytes (RFC 9162 section 2.1.3).
    """

    leaf: Envelope
    index: int
    proof: tuple[bytes, ...]

    def check(self, head: Checkpoint) -> None:
        """Refuse a leaf that is not there.

        Raises:
            ProtocolError: The proof does not lead to this head.
        """
        verify_inclusion(self.proof, leaf=leaf_hash(self.leaf.to_bytes()), index=self.index, size=head.size, root=head.root)

    def to_document(self) -> Document:
        """The fields as they are written, here and in answers of the coordinator."""
        return {"index": self.index, "leaf": self.leaf.to_document(), "proof": [b64(part) for part in self.proof]}

    @classmethod
    def taken_from(cls, fields: Fields) -> Self:
        """Take the three fields out of a document.

        Raises:
            ProtocolError: They are not there or not what they should be.
        """
        return cls(
            leaf=Envelope.from_document(fields.take("leaf")),
            index=fields.integer("index", low=0, high=LARGEST_SIZE),
            proof=tuple(checked_b64(part, name="a proof", size=HASH_BYTES) for part in fields.items("proof", most=LONGEST_PROOF)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledReceipt:
    """A holder's answer.

    Attributes:
        receipt: As the holder signed it.
        filed: Where it is in the log, or None as long as it is not.
    """

    receipt: Envelope
    filed: LoggedLeaf | None = None

    def to_document(self) -> Document:
        """The fields as they are written."""
        place = {"index": None, "leaf": None, "proof": None} if self.filed is None else self.filed.to_document()
        return {"receipt": self.receipt.to_document(), **place}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptBundle:
    """A bundle that nobody has verified yet.

    Attributes:
        tombstone: What was said.
        descriptor: Who keeps the log; None if the laptop has joined none.
        checkpoint: Signed head under which all proofs are, as a note; None only if there are none.
        withdrawal: The tombstone's leaf, or None as long as it has not arrived.
        receipts: Answers, in any order.
    """

    tombstone: Envelope
    descriptor: Envelope | None = None
    checkpoint: bytes | None = None
    withdrawal: LoggedLeaf | None = None
    receipts: tuple[BundledReceipt, ...] = ()

    def to_bytes(self) -> bytes:
        """Canonical bytes.

        Raises:
            ProtocolError: The head is not UTF-8.
        """
        try:
            note = None if self.checkpoint is None else self.checkpoint.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError("a head of the log cannot be read") from error
        return canonical(
            {
                "checkpoint": note,
                "descriptor": None if self.descriptor is None else self.descriptor.to_document(),
                "receipts": [each.to_document() for each in self.receipts],
                "tombstone": self.tombstone.to_document(),
                "version": VERSION,
                "withdrawal": None if self.withdrawal is None else self.withdrawal.to_document(),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` made.

        Raises:
            ProtocolError: It is something else.
        """
        if len(data) > LONGEST_BUNDLE:
            raise ProtocolError("a receipt is too long")
        fields = Fields(parse(data))
        fields.integer("version", low=VERSION, high=VERSION)
        withdrawal = fields.take("withdrawal")
        descriptor = fields.take("descriptor")
        bundle = cls(
            tombstone=Envelope.from_document(fields.take("tombstone")),
            descriptor=None if descriptor is None else Envelope.from_document(descriptor),
            checkpoint=_read_note(fields),
            withdrawal=None if withdrawal is None else _read_leaf(withdrawal),
            receipts=tuple(_read_receipt(each) for each in fields.items("receipts", most=MOST_RECEIPTS)),
        )
        fields.done()
        return bundle

    def verified(self, coordinator_key: bytes | None = None, witnesses: Sequence[WitnessKey] = ()) -> VerifiedReceipt:
        """Check everything that can be checked without asking anybody.

        Args:
            coordinator_key: Raw key, 32 bytes, of the coordinator whose log it has to be; None takes the one that the bundle names.
            witnesses: Each of them has to have cosigned the head.

        Raises:
            ProtocolError: Something does not hold; the sentence says what.
        """
        tombstone = Tombstone.from_envelope(self.tombstone)  # (1)
        key = self._coordinator_key(tombstone, coordinator_key)
        head, witnessed = self._head(key, witnesses)  # (2)
        received = None
        if self.withdrawal is not None:  # (3)
            received = self._received(self.withdrawal, key, head)
        answers = [self._answer(each, key, head) for each in self.receipts]  # (4) (5)
        if len({each.receipt for each in self.receipts}) < len(self.receipts):
            raise ProtocolError("a receipt is in the bundle twice")
        return VerifiedReceipt(
            tombstone=tombstone,
            coordinator_key=key,
            log_size=None if head is None else head.size,
            witnessed=witnessed,
            received=received,
            answers=tuple(sorted(answers, key=lambda answer: answer.order)),
        )

    def _coordinator_key(self, tombstone: Tombstone, wanted: bytes | None) -> bytes | None:
        if self.descriptor is None:
            if wanted is not None:
                raise ProtocolError("a receipt does not say whose log it is about")
            if tombstone.coordinator != NO_COORDINATOR or self.checkpoint is not None:
                raise ProtocolError("a receipt lacks the coordinator")
            return None
        key = self.descriptor.key
        CoordinatorDescriptor.from_envelope(self.descriptor, key=key)
        if wanted is not None and key != wanted:
            raise ProtocolError("a receipt is about the log of another coordinator")
        if tombstone.coordinator != coordinator_name(key):
            raise ProtocolError("a tombstone was made for the log of another coordinator")
        return key

    def _head(self, key: bytes | None, witnesses: Sequence[WitnessKey]) -> tuple[Checkpoint | None, dict[str, int]]:
        if self.checkpoint is None or key is None:
            if witnesses:
                raise ProtocolError("a receipt lacks the head of the log that a witness could have seen")
            return None, {}
        head = Checkpoint.from_note(self.checkpoint, origin=log_origin(key), key=key)
        return head, {witness.name: cosigned_at(self.checkpoint, witness) for witness in witnesses}

    def _received(self, logged: LoggedLeaf, key: bytes | None, head: Checkpoint | None) -> int:
        if key is None or head is None:
            raise ProtocolError("a receipt lacks the head of the log")
        withdrawal = Withdrawal.from_envelope(logged.leaf, key=key)
        if withdrawal.tombstone != self.tombstone:
            raise ProtocolError("another tombstone than that of the receipt is in the log")
        logged.check(head)
        return withdrawal.received

    def _answer(self, bundled: BundledReceipt, key: bytes | None, head: Checkpoint | None) -> Answer:
        receipt = HolderReceipt.from_envelope(bundled.receipt)
        receipt.check_about(self.tombstone)
        if (receipt.role is Role.COORDINATOR) != (bundled.receipt.key == key):
            raise ProtocolError("a receipt was not signed by the holder that it speaks for")
        receipt.check_holder(withdrawal_key=self.tombstone.key, device=device_id(bundled.receipt.key))
        if bundled.filed is not None:
            if key is None or head is None:
                raise ProtocolError("a receipt lacks the head of the log")
            if FiledReceipt.from_envelope(bundled.filed.leaf, key=key).receipt != bundled.receipt:
                raise ProtocolError("another receipt than that of the bundle is in the log")
            bundled.filed.check(head)
        return Answer(
            receipt=receipt, device=device_id(bundled.receipt.key), filed=bundled.filed is not None, digest=bundled.receipt.digest
        )


def _read_note(fields: Fields) -> bytes | None:
    value = fields.take("checkpoint")
    return None if value is None else Fields({"checkpoint": value}).text("checkpoint", longest=LONGEST_NOTE).encode()


def _read_leaf(document: object) -> LoggedLeaf:
    fields = Fields(document)
    leaf = LoggedLeaf.taken_from(fields)
    fields.done()
    return leaf


def _read_receipt(document: object) -> BundledReceipt:
    fields = Fields(document)
    receipt = Envelope.from_document(fields.take("receipt"))
    place: Any = {name: fields.take(name) for name in ("index", "leaf", "proof")}
    fields.done()
    if all(value is None for value in place.values()):
        return BundledReceipt(receipt=receipt)
    return BundledReceipt(receipt=receipt, filed=_read_leaf(place))
