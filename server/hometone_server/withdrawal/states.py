"""How every withdrawal stands: who has answered, and what is waited for until when.

What it may see: what is in the public log. What it must never do: know more than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hometone_server.records.withdrawals import FiledTombstone, WithdrawalTables
from hometone_server.withdrawal.bundle import Filings
from hometone_shared.errors import UsageError
from hometone_shared.records.canonical import Document
from hometone_shared.records.receipt import FiledReceipt, PendingItem, Role, SharedModelTreatment
from hometone_shared.records.tombstone import SharedModelWish, Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalState:
    """One withdrawal.

    Attributes:
        filed: Where it is in the log.
        withdrawal: What was said, and when it came.
        receipts: Who has answered, in the log's order; of the coordinator, the newest receipt.
    """

    filed: FiledTombstone
    withdrawal: Withdrawal
    receipts: tuple[FiledReceipt, ...]

    @property
    def wishes_replay(self) -> bool:
        """Whether the shared model shall be repeated."""
        return self.withdrawal.content.shared_model is SharedModelWish.REPLAY

    @property
    def answers(self) -> tuple[FiledReceipt, ...]:
        """Receipts of laptops."""
        return tuple(each for each in self.receipts if each.content.role is not Role.COORDINATOR)

    @property
    def pending(self) -> tuple[PendingItem, ...]:
        """What anybody waits for."""
        return tuple(dict.fromkeys(item for each in self.receipts for item in each.content.pending))

    @property
    def treatment(self) -> SharedModelTreatment | None:
        """What becomes of the shared model."""
        return next((each.content.shared_model for each in self.receipts if each.content.role is Role.COORDINATOR), None)

    def to_document(self) -> Document:
        """For programs."""
        content = self.withdrawal.content
        return {
            "pseudonym": self.filed.pseudonym,
            "tombstone_sha256": self.filed.digest,
            "index": self.filed.position,
            "sequence": self.filed.sequence,
            "scope": sorted(purpose.value for purpose in content.scope),
            "made": content.made,
            "received": self.withdrawal.received,
            "replay_wanted": self.wishes_replay,
            "shared_model": None if self.treatment is None else self.treatment.to_document(),
            "answers": [
                {
                    "device": each.device,
                    "role": each.content.role.value,
                    "at": each.content.at,
                    "removed": {kind.value: count for kind, count in each.content.removed.items()},
                    "pending": [item.to_document() for item in each.content.pending],
                    "key_destroyed": each.content.key_destroyed,
                }
                for each in self.answers
            ],
            "pending": [item.to_document() for item in self.pending],
            "done": not self.pending,
        }


def withdrawal_states(tables: WithdrawalTables, filings: Filings, *, pseudonym: str | None = None) -> Sequence[WithdrawalState]:
    """The withdrawals of one pseudonym or of all, in the log's order.

    Raises:
        UsageError: Nobody of this pseudonym has withdrawn.
    """
    found = [filed for filed in tables.tombstones() if pseudonym is None or filed.pseudonym == pseudonym]
    if pseudonym is not None and not found:
        raise UsageError("nobody of that pseudonym has withdrawn", hint="hometone-coordinator withdrawals lists them")
    return [WithdrawalState(filed=filed, withdrawal=filings.withdrawal(filed), receipts=tuple(filings.receipts(filed))) for filed in found]
