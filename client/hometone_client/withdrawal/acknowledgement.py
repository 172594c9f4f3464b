"""What a coordinator answers to something that was handed over: that it is in the log, with the proof (docs/withdrawal.md, section 4).

What it may see: public records. What it must never do: take an answer whose proof does not hold.
"""

from dataclasses import dataclass

from hometone_shared.errors import ProtocolError
from hometone_shared.log.checkpoint import LONGEST_NOTE, Checkpoint, log_origin
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Withdrawal
from hometone_shared.withdrawal.receipt_bundle import LoggedLeaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An answer of the coordinator whose proof holds.

    Attributes:
        logged: The leaf and its place.
        head: The head under which it is.
        checkpoint: The same, signed.
        receipt: The coordinator's own receipt, if one came.
    """

    logged: LoggedLeaf
    head: Checkpoint
    checkpoint: bytes
    receipt: Envelope | None = None


def acknowledged(answer: Document, *, coordinator_key: bytes, with_receipt: bool = False) -> Acknowledged:
    """Read an answer, and check its head and its proof; what the leaf says is the caller's question.

    Args:
        answer: `{"checkpoint", "index", "leaf", "proof"}`, and `receipt`.
        coordinator_key: The pinned raw key, 32 bytes.
        with_receipt: Whether the coordinator's receipt has to be there.

    Raises:
        ProtocolError: Something does not hold.
    """
    fields = Fields(answer)
    note = fields.text("checkpoint", longest=LONGEST_NOTE).encode()
    logged = LoggedLeaf.taken_from(fields)
    receipt = Envelope.from_document(fields.take("receipt")) if with_receipt else None
    fields.done()
    if receipt is not None and receipt.key != coordinator_key:
        raise ProtocolError("a receipt of the coordinator was signed by somebody else")
    head = Checkpoint.from_note(note, origin=log_origin(coordinator_key), key=coordinator_key)
    logged.check(head)
    return Acknowledged(logged=logged, head=head, checkpoint=note, receipt=receipt)


def delivered_tombstone(answer: Document, envelope: Envelope, *, coordinator_key: bytes) -> Acknowledged:
    """An answer to a tombstone, checked: the coordinator's receipt is about it, and it is the one in the log.

    Raises:
        ProtocolError: Something does not hold.
    """
    found = acknowledged(answer, coordinator_key=coordinator_key, with_receipt=True)
    if Withdrawal.from_envelope(found.logged.leaf, key=coordinator_key).tombstone != envelope or found.receipt is None:
        raise ProtocolError("the coordinator answers for another tombstone")
    HolderReceipt.from_envelope(found.receipt).check_about(envelope)
    return found


def filed_receipt(answer: Document, receipt: Envelope, *, coordinator_key: bytes) -> Acknowledged:
    """An answer to a receipt, checked: it is the one in the log.

    Raises:
        ProtocolError: Something does not hold.
    """
    found = acknowledged(answer, coordinator_key=coordinator_key)
    if FiledReceipt.from_envelope(found.logged.leaf, key=coordinator_key).receipt != receipt:
        raise ProtocolError("the coordinator answers for another receipt")
    return found
