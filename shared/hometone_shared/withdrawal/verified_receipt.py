"""What a receipt bundle proves, once everything in it was checked: who has answered what, and what is still to come.

What it may see: verified records. What it must never do: call something done that a holder has said is pending.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hometone_shared.records.receipt import HolderReceipt, Pending, PendingItem, Removed, Role, SharedModelTreatment, Treatment
from hometone_shared.records.tombstone import Tombstone


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one holder has said.

    Attributes:
        receipt: Its receipt, verified.
        device: Its id, 32 hexadecimal digits.
        filed: Whether it is in the coordinator's log.
        digest: Of the receipt's envelope, hexadecimal.
    """

    receipt: HolderReceipt
    device: str
    filed: bool
    digest: str

    @property
    def role(self) -> Role:
        """What the holder was to her."""
        return self.receipt.role

    @property
    def at(self) -> int:
        """When, seconds since 1970."""
        return self.receipt.at

    @property
    def removed(self) -> Mapping[Removed, int]:
        """Kind -> how many."""
        return self.receipt.removed

    @property
    def pending(self) -> tuple[PendingItem, ...]:
        """What still waits there."""
        return self.receipt.pending

    @property
    def settles(self) -> bool:
        """Whether others need not wait for it any more: a holder who was proved to be one, in the log."""
        return self.filed and self.receipt.is_proved

    @property
    def treatment(self) -> SharedModelTreatment | None:
        """What becomes of the shared model, from those who know."""
        return self.receipt.shared_model

    @property
    def order(self) -> tuple[int, int, str]:
        """In time; of two answers of one second the one that leaves more open counts as the later."""
        return self.at, len(self.pending), self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """A bundle that holds.

    Attributes:
        tombstone: What was said.
        coordinator_key: Raw key, 32 bytes, of whose log it is; None without one.
        log_size: Entries under the head, or None.
        witnessed: Name of a witness that was asked for -> when it cosigned the head.
        received: When the coordinator received the tombstone, seconds since 1970; None if the log does not have it yet.
        answers: In the order of time.
    """

    tombstone: Tombstone
    coordinator_key: bytes | None
    log_size: int | None
    witnessed: Mapping[str, int]
    received: int | None
    answers: tuple[Answer, ...]

    @property
    def pseudonym(self) -> str:
        """Who has withdrawn, 32 hexadecimal digits."""
        return self.tombstone.pseudonym

    @property
    def newest(self) -> tuple[Answer, ...]:
        """The last answer of every holder."""
        return tuple({(answer.role, answer.device): answer for answer in self.answers}.values())

    @property
    def pending(self) -> tuple[tuple[Answer, PendingItem], ...]:
        """Who waits for what, without what others have settled since.

        The coordinator waits for the laptop until her laptop's receipt was filed; the laptop waits for one lent copy less with every
        recipient of hers whose receipt was filed, and for the replay until the coordinator says that it was done.
        """
        laptop_has_answered = any(answer.role is Role.LAPTOP and answer.settles for answer in self.newest)
        copies_gone = sum(answer.role is Role.RECIPIENT and answer.settles for answer in self.newest)
        is_replayed = any(answer.treatment is not None and answer.treatment.treatment is Treatment.REPLAYED for answer in self.newest)
        left = []
        for answer in self.newest:
            for item in answer.pending:
                if answer.role is Role.COORDINATOR and item.what is Pending.LAPTOP and laptop_has_answered:
                    continue
                if item.what is Pending.REPLAY and is_replayed:
                    continue
                if item.what is Pending.LENT_COPIES and copies_gone:
                    copies_gone -= 1
                    continue
                left.append((answer, item))
        return tuple(left)

    @property
    def is_complete(self) -> bool:
        """Whether everybody who has to has answered and nothing waits: the laptop alone, or, with a coordinator, its log and itself."""
        if self.coordinator_key is None:
            return any(answer.role is Role.LAPTOP and answer.receipt.is_proved for answer in self.newest) and not self.pending
        has_coordinator = any(answer.role is Role.COORDINATOR for answer in self.newest)
        return self.received is not None and has_coordinator and not self.pending
