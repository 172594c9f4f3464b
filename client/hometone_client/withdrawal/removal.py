"""What of somebody is on this laptop, counted before it is removed, and the receipt afterwards (docs/withdrawal.md, sections 2 and 6).

The count is written down before anything goes, so that a process that was killed in between can still say what went. What it may see: kinds
and numbers of her things, her ledger, the registry of lent copies. What it must never do: write down a name, a place or a time of hers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Self

from hometone_client.federation.ledger import DELTA, PrivacyLedger
from hometone_client.heritage.registry import HERITAGE_KIND
from hometone_client.lending.giving import lent_copies
from hometone_client.lending.guests import DAY_S
from hometone_client.speakers.forgetting import Forgotten
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import ErasureReceipt
from hometone_shared.errors import HometoneError, ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import (
    LARGEST_EPSILON,
    HolderReceipt,
    Pending,
    PendingItem,
    Removed,
    Role,
    SharedModelTreatment,
    Treatment,
)
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import SharedModelWish, Tombstone

_WORDS: Final[Mapping[str, Removed]] = MappingProxyType(
    {
        "take": Removed.RECORDINGS,
        "embedding": Removed.EMBEDDINGS,
        "voice": Removed.VOICES,
        "checkpoint": Removed.CHECKPOINTS,
        "job": Removed.JOBS,
    }
)
_ELSEWHERE: Final = PendingItem(what=Pending.EXPORTS_ELSEWHERE, until=None)
_NOT_COUNTED: Final = frozenset({"export"})
"""Entries about files elsewhere: the files themselves are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What goes, and what cannot go at once.

    Attributes:
        role: What this laptop is to her.
        removed: Kind -> how many.
        pending: What waits.
        shared_model: What her ledger says, or None.
        exports: Files elsewhere that her vault knows of; None where it could not be opened.
        keys_go: Whether the keys of everything she has here are destroyed with it.
        holder: Her word that this laptop is what its role says, made while her key is still here; None if that came too late.
    """

    role: Role
    removed: Mapping[Removed, int] = field(default_factory=dict)
    pending: tuple[PendingItem, ...] = ()
    shared_model: SharedModelTreatment | None = None
    exports: int | None = None
    keys_go: bool = True
    holder: bytes | None = None

    @classmethod
    def of_speaker(cls, room: SpeakerRoom | None, tombstone: Tombstone, *, now_s: int, here: str = "", own_copies: int = 0) -> Self:
        """Count a speaker's things before she is forgotten.

        Args:
            room: Her things, unlocked; None where they cannot be opened, and nothing can be counted.
            tombstone: Her word.
            now_s: Seconds since 1970.
            here: Device id of this laptop, which no copy is elsewhere on.
            own_copies: Copies that she lent to this very laptop; they go with her.
        """
        copies = {Removed.LENT_COPIES: own_copies} if own_copies else {}
        if room is None:
            return cls(role=Role.LAPTOP, removed=copies)
        kinds = Counter(artefact.kind for artefact in room.vault.list())
        removed: Counter[Removed] = Counter(copies)
        for kind, count in kinds.items():
            if kind not in _NOT_COUNTED:
                removed[_WORDS.get(kind, Removed.RECORDS)] += count
        treatment = shared_model_treatment(room, tombstone)
        return cls(
            role=Role.LAPTOP,
            removed=dict(removed),
            pending=(*_lent(room, now_s=now_s, here=here), *_handed_on(kinds[HERITAGE_KIND]), *_replay(treatment)),
            shared_model=treatment,
            exports=kinds["export"],
        )

    @classmethod
    def of_purposes(
        cls, room: SpeakerRoom, tombstone: Tombstone, *, removed: Mapping[Removed, int], now_s: int, here: str = "", archives: int = 0
    ) -> Self:
        """What was removed of a speaker who stays, for purposes that have ended.

        Args:
            room: Her things, unlocked.
            tombstone: Her word.
            removed: What went.
            now_s: Seconds since 1970.
            here: Device id of this laptop, which no copy is elsewhere on.
            archives: How many heritage archives were made of her voice; each was made to be handed on.
        """
        treatment = shared_model_treatment(room, tombstone) if tombstone.ends(Purpose.FEDERATED) else None
        lent = _lent(room, now_s=now_s, here=here) if tombstone.ends(Purpose.ANNOUNCEMENTS) else ()
        pending = (*lent, *_handed_on(archives), *_replay(treatment))
        return cls(role=Role.LAPTOP, removed=removed, pending=pending, shared_model=treatment, exports=0, keys_go=False)

    @classmethod
    def of_guest(cls, *, voices: int, exports: int, holder: bytes | None) -> Self:
        """A lent copy, and files elsewhere that were written with it; her word is in the lease."""
        return cls(role=Role.RECIPIENT, removed={Removed.LENT_COPIES: 1, Removed.VOICES: voices}, exports=exports, holder=holder)

    def after(self, done: Forgotten) -> Self:
        """The same once she was forgotten: what was really there."""
        removed = {**self.removed, Removed.FILES: done.receipt.files_removed}
        pending = list(self.pending)
        if done.exports_known:
            removed[Removed.EXPORTS] = done.exports_removed
        if (done.exports_missing or not done.exports_known) and _ELSEWHERE not in pending:
            pending.append(_ELSEWHERE)
        return replace(self, removed=removed, pending=(*pending, *_open_files(done.receipt)))

    def after_interruption(self) -> Self:
        """The same when the process that removed it was killed: nobody can say how many files elsewhere were still in their places."""
        elsewhere = () if self.exports == 0 or _ELSEWHERE in self.pending else (_ELSEWHERE,)
        return replace(self, pending=(*self.pending, *elsewhere))

    def receipt(self, envelope: Envelope, tombstone: Tombstone, *, now_s: int) -> HolderReceipt:
        """What this laptop says about it.

        Args:
            envelope: The tombstone as it travels.
            tombstone: The same, read.
            now_s: Seconds since 1970.
        """
        return HolderReceipt(
            tombstone_sha256=envelope.digest,
            pseudonym=tombstone.pseudonym,
            role=self.role,
            at=now_s,
            removed={kind: count for kind, count in self.removed.items() if count},
            pending=self.pending,
            key_destroyed=self.keys_go,
            shared_model=self.shared_model,
            holder=self.holder,
        )

    def to_document(self) -> Document:
        """For the outbox."""
        return {
            "exports": self.exports,
            "holder": None if self.holder is None else b64(self.holder),
            "keys_go": self.keys_go,
            "pending": [item.to_document() for item in self.pending],
            "removed": {kind.value: count for kind, count in self.removed.items()},
            "role": self.role.value,
            "shared_model": None if self.shared_model is None else self.shared_model.to_document(),
        }

    @classmethod
    def from_document(cls, document: Document, *, envelope: Envelope, tombstone: Tombstone) -> Self:
        """Read what `to_document` made.

        Args:
            document: The document.
            envelope: The tombstone that it is about, as it travels.
            tombstone: The same, read.

        Raises:
            ProtocolError: It is something else.
        """
        fields = Fields(document)
        exports = fields.take("exports")
        if exports is not None and (isinstance(exports, bool) or not isinstance(exports, int) or exports < 0):
            raise ProtocolError("exports is not a number")
        keys_go = fields.take("keys_go")
        signed = {
            "at": 0,
            "key_destroyed": keys_go,
            "pseudonym": tombstone.pseudonym,
            "tombstone_sha256": envelope.digest,
            **{name: fields.take(name) for name in ("holder", "pending", "removed", "role", "shared_model")},
        }
        fields.done()
        read = HolderReceipt.from_document(signed)
        return cls(
            role=read.role,
            removed=read.removed,
            pending=read.pending,
            shared_model=read.shared_model,
            exports=exports,
            keys_go=read.key_destroyed,
            holder=read.holder,
        )


def shared_model_treatment(room: SpeakerRoom, tombstone: Tombstone) -> SharedModelTreatment | None:
    """What her ledger says of her part in the shared model; None where it cannot be read, which keeps nobody from withdrawing."""
    try:
        ledger = PrivacyLedger(room.vault)
        counted = [entry for entry in ledger.entries if entry.counts]
        epsilon = min(ledger.spent_epsilon(), LARGEST_EPSILON)
    except HometoneError:
        return None
    if not counted:
        return SharedModelTreatment(treatment=Treatment.NONE, rounds=0, epsilon=0.0, delta=0.0)
    wishes = tombstone.shared_model is SharedModelWish.REPLAY and any(entry.purpose is RoundPurpose.MODEL for entry in counted)
    return SharedModelTreatment(
        treatment=Treatment.REPLAY_PENDING if wishes else Treatment.BOUND,
        rounds=len(counted),
        epsilon=epsilon,
        delta=ledger.budget.delta if ledger.budget else DELTA,
    )


def _lent(room: SpeakerRoom, *, now_s: int, here: str) -> Sequence[PendingItem]:
    """Copies elsewhere: none of them speaks for longer than a lease lasts once the log has the tombstone."""
    try:
        copies = lent_copies(room)
    except HometoneError:
        return (PendingItem(what=Pending.LENT_COPIES, until=None),)
    ends: dict[str, int] = {}  # of each machine: a newer copy has taken the place of the one before
    for copy in copies:
        if copy.ends > now_s and copy.recipient != here:
            ends[copy.recipient] = max(ends.get(copy.recipient, 0), min(copy.ends, now_s + copy.lease_days * DAY_S))
    return tuple(PendingItem(what=Pending.LENT_COPIES, until=end) for end in sorted(ends.values()))


def _handed_on(archives: int) -> Sequence[PendingItem]:
    """Archives were made to be handed on, and nobody can call them back; their keepers' programs refuse them."""
    return (_ELSEWHERE,) if archives else ()


def _replay(treatment: SharedModelTreatment | None) -> Sequence[PendingItem]:
    if treatment is None or treatment.treatment is not Treatment.REPLAY_PENDING:
        return ()
    return (PendingItem(what=Pending.REPLAY, until=None),)


def _open_files(receipt: ErasureReceipt) -> Sequence[PendingItem]:
    return (PendingItem(what=Pending.OPEN_FILES, until=None),) if receipt.files_pending else ()
