"""What the coordinator hands out about a filing: leaf and proof, and the receipt that somebody takes home (docs/withdrawal.md, 4 and 7).

1. What is handed out is read first and the head afterwards, so that the head covers it.
2. If a witness has seen a head that covers it all, that head is taken, because it proves more.

What it may see: public records. What it must never do: hand out a leaf without its proof.
"""

from collections.abc import Sequence

from hometone_server.home import CoordinatorHome
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.records.store import LogStore
from hometone_server.records.withdrawals import FiledTombstone, WithdrawalTables
from hometone_shared.errors import UsageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.records.canonical import Document
from hometone_shared.records.receipt import FiledReceipt, Role
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Withdrawal
from hometone_shared.withdrawal.receipt_bundle import BundledReceipt, LoggedLeaf, ReceiptBundle


class Filings:
    """What is in the log, with proofs. May be used by several threads."""

    def __init__(self, log: LogStore, *, descriptor: Envelope) -> None:
        """Read a log.

        Args:
            log: The log.
            descriptor: Whose it is.
        """
        self._log = log
        self._descriptor = descriptor
        self._cosignatures = Cosignatures(log)
        self._tables = WithdrawalTables(log)

    @classmethod
    def open(cls, home: CoordinatorHome, log: LogStore) -> "Filings":
        """For a coordinator's folder."""
        return cls(log, descriptor=Envelope.from_bytes(home.descriptor.read_bytes()))

    def answer(self, index: int) -> Document:
        """`{"checkpoint", "index", "leaf", "proof"}` of an entry of the log."""
        note = self._cosignatures.newest_head()
        return {"checkpoint": note.decode(), **self._leaf(index, size=self._size_of(note)).to_document()}

    def tombstone_answer(self, filed: FiledTombstone) -> Document:
        """The same of a tombstone's leaf, with the coordinator's newest receipt (an envelope) as `receipt`."""
        receipts = self._receipts(filed)
        own = next(receipt for _, receipt in receipts if receipt.content.role is Role.COORDINATOR)
        return {**self.answer(filed.position), "receipt": own.receipt.to_document()}

    def bundle(self, pseudonym: str) -> ReceiptBundle:
        """The receipt about somebody's newest tombstone.

        Raises:
            UsageError: There is none.
        """
        filed = self._tables.newest(pseudonym)
        if filed is None:
            raise UsageError("there is no withdrawal under this pseudonym")
        receipts = self._receipts(filed)  # (1)
        note = self._head_over([filed.position, *(position for position, _ in receipts)])
        size = self._size_of(note)
        return ReceiptBundle(
            tombstone=self.withdrawal(filed).tombstone,
            descriptor=self._descriptor,
            checkpoint=note,
            withdrawal=self._leaf(filed.position, size=size),
            receipts=tuple(
                BundledReceipt(receipt=receipt.receipt, filed=self._leaf(position, size=size)) for position, receipt in receipts
            ),
        )

    def withdrawal(self, filed: FiledTombstone) -> Withdrawal:
        """What was taken, and when."""
        return Withdrawal.from_envelope(self._tables.leaf(filed.position), key=self._log.key)

    def receipts(self, filed: FiledTombstone) -> list[FiledReceipt]:
        """Who has answered it, in the log's order; of the coordinator, the newest receipt."""
        return [receipt for _, receipt in self._receipts(filed)]

    def _receipts(self, filed: FiledTombstone) -> list[tuple[int, FiledReceipt]]:
        return [
            (answered.position, FiledReceipt.from_envelope(self._tables.leaf(answered.position), key=self._log.key))
            for answered in self._tables.answers(filed.digest)
        ]

    def _head_over(self, positions: Sequence[int]) -> bytes:
        """(2)."""
        seen = max((size for _, size in self._cosignatures.seen()), default=0)
        return self._cosignatures.cosigned_head() if seen > max(positions) else self._cosignatures.newest_head()

    def _size_of(self, note: bytes) -> int:
        return Checkpoint.from_note(note, origin=log_origin(self._log.key), key=self._log.key).size

    def _leaf(self, index: int, *, size: int) -> LoggedLeaf:
        return LoggedLeaf(leaf=self._tables.leaf(index), index=index, proof=tuple(self._log.inclusion(index, size)))
