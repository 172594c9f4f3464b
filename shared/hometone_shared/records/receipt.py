"""What a holder answers to a tombstone: what it has removed, what still waits, and what becomes of the shared model (docs/withdrawal.md).

What it may see: the holder's key while it signs. What it must never do: say more than kinds and numbers of what was removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, b64, checked_b64
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import PROOF_BYTES, check_holder
from hometone_shared.records.release import LARGEST_NUMBER
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import LATEST
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS, pseudonym_of

KIND: Final = "hometone/receipt/v1"
FILED_KIND: Final = "hometone/filed-receipt/v1"
MOST_REMOVED: Final = 1 << 40
MOST_PENDING: Final = 1000
MOST_ROUNDS: Final = 1_000_000
LARGEST_EPSILON: Final = 1e12
Word = TypeVar("Word", bound=StrEnum)


class Role(StrEnum):
    """What the holder was to her."""

    LAPTOP = "laptop"
    RECIPIENT = "recipient"
    COORDINATOR = "coordinator"


class Removed(StrEnum):
    """Kinds of what was removed."""

    RECORDINGS = "recordings"
    EMBEDDINGS = "embeddings"
    VOICES = "voices"
    CHECKPOINTS = "checkpoints"
    EXPORTS = "exports"
    JOBS = "jobs"
    RECORDS = "records"
    LENT_COPIES = "lent-copies"
    UPDATES = "updates"
    FILES = "files"


class Pending(StrEnum):
    """Kinds of what still waits."""

    EXPORTS_ELSEWHERE = "exports-elsewhere"
    OPEN_FILES = "open-files"
    LENT_COPIES = "lent-copies"
    REPLAY = "replay"
    LAPTOP = "laptop"


class Treatment(StrEnum):
    """What becomes of the shared model."""

    NONE = "none"
    BOUND = "bound"
    REPLAY_PENDING = "replay-pending"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingItem:
    """Something that still waits.

    Attributes:
        what: Its kind.
        until: When it is over at the latest, seconds since 1970; None if nobody can say.
    """

    what: Pending
    until: int | None

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {"until": self.until, "what": self.what.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedModelTreatment:
    """What becomes of the shared model, and what bounds her trace in it.

    Attributes:
        treatment: `NONE` if she can have taken part in no round.
        rounds: How many rounds are counted; 0 with `NONE`.
        epsilon: Of the differential privacy that all of them together keep, from 0.
        delta: Of the same, 0 to 1.
        from_release: The release that a replay begins from, or None.
        replaced_by: The release that stands in the place of the withdrawn ones; exactly with `REPLAYED`.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    treatment: Treatment
    rounds: int
    epsilon: float
    delta: float
    from_release: int | None = None
    replaced_by: int | None = None

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written."""
        _read_treatment(self.to_document())

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "delta": self.delta,
            "epsilon": self.epsilon,
            "from_release": self.from_release,
            "replaced_by": self.replaced_by,
            "rounds": self.rounds,
            "treatment": self.treatment.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderReceipt:
    """One answer.

    Attributes:
        tombstone_sha256: Digest of the tombstone's envelope, hexadecimal.
        pseudonym: Whose, 32 hexadecimal digits.
        role: What the holder was to her.
        at: Seconds since 1970.
        removed: Kind -> how many.
        pending: What still waits.
        key_destroyed: Whether the keys that opened what she had here are gone, whatever copies of the files there may be.
        shared_model: What becomes of it, from those who know.
        holder: That she says that this device is what its role says (`holding`), 64 bytes; None if nothing proves it any more, and for
            the coordinator. Only what is proved settles what others wait for.

    Raises:
        ProtocolError: A field is not what it should be.
    """

    tombstone_sha256: str
    pseudonym: str
    role: Role
    at: int
    removed: Mapping[Removed, int] = field(default_factory=dict, hash=False)
    pending: tuple[PendingItem, ...] = ()
    key_destroyed: bool = False
    shared_model: SharedModelTreatment | None = None
    holder: bytes | None = None

    def __post_init__(self) -> None:
        """Check the fields by reading what would be written, and keep the counts from being changed."""
        _read(self.to_document())
        object.__setattr__(self, "removed", MappingProxyType(dict(self.removed)))

    def check_about(self, tombstone: Envelope) -> None:
        """Refuse a tombstone that this receipt is not about; whether the tombstone itself holds is the caller's question.

        Raises:
            ProtocolError: It is about another one.
        """
        if self.tombstone_sha256 != tombstone.digest or self.pseudonym != pseudonym_of(tombstone.key):
            raise ProtocolError("a receipt is about another tombstone")

    @property
    def is_proved(self) -> bool:
        """Whether it carries a proof that its device held something of hers; whether that holds, `check_holder` says."""
        return self.holder is not None

    def check_holder(self, *, withdrawal_key: bytes, device: str) -> None:
        """Refuse a proof that does not hold; none at all is no lie.

        Args:
            withdrawal_key: Hers, raw, 32 bytes.
            device: Id of the device that signed the receipt.

        Raises:
            ProtocolError: The proof is about another device, another role or another person.
        """
        if self.holder is not None:
            check_holder(self.holder, withdrawal_key=withdrawal_key, role=self.role.value, device=device)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {
            "at": self.at,
            "holder": None if self.holder is None else b64(self.holder),
            "key_destroyed": self.key_destroyed,
            "pending": [item.to_document() for item in self.pending],
            "pseudonym": self.pseudonym,
            "removed": {kind.value: count for kind, count in self.removed.items()},
            "role": self.role.value,
            "shared_model": None if self.shared_model is None else self.shared_model.to_document(),
            "tombstone_sha256": self.tombstone_sha256,
        }

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The receipt under the holder's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """Verify and read a receipt, under the key that it came with; whose key that is, is the caller's question.

        Raises:
            ProtocolError: It is not one, or the signature does not hold.
        """
        return cls.from_document(envelope.verified(KIND, key=envelope.key))

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read a receipt that nobody has signed yet.

        Raises:
            ProtocolError: It is not one.
        """
        return cls(**_read(document))


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledReceipt:
    """A receipt that has come to the coordinator: a leaf of its log.

    Attributes:
        receipt: As it came.
        content: The receipt, verified and read.

    Raises:
        ProtocolError: The receipt does not verify.
    """

    receipt: Envelope
    content: HolderReceipt = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the receipt."""
        object.__setattr__(self, "content", HolderReceipt.from_envelope(self.receipt))

    @property
    def device(self) -> str:
        """Id of the holder that signed it, 32 hexadecimal digits."""
        return device_id(self.receipt.key)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        return {"receipt": self.receipt.to_document()}

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The leaf under the coordinator's signature."""
        return Envelope.sign(FILED_KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a leaf, and the receipt in it.

        Raises:
            ProtocolError: Another key signed it, it is not one, or its receipt does not verify.
        """
        fields = Fields(envelope.verified(FILED_KIND, key=key))
        filed = cls(receipt=Envelope.from_document(fields.take("receipt")))
        fields.done()
        return filed


def _read(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    shared_model = fields.take("shared_model")
    removed = fields.mapping("removed", most=len(Removed))
    counts = Fields(removed)
    holder = fields.take("holder")
    read = {
        "at": fields.integer("at", low=0, high=LATEST),
        "holder": None if holder is None else checked_b64(holder, name="holder", size=PROOF_BYTES),
        "key_destroyed": fields.take("key_destroyed"),
        "pending": tuple(_read_pending(each) for each in fields.items("pending", most=MOST_PENDING)),
        "pseudonym": fields.hexadecimal("pseudonym", characters=PSEUDONYM_CHARACTERS),
        "removed": {_known(Removed, kind): counts.integer(kind, low=0, high=MOST_REMOVED) for kind in removed},
        "role": _known(Role, fields.take("role")),
        "shared_model": None if shared_model is None else SharedModelTreatment(**_read_treatment(shared_model)),
        "tombstone_sha256": fields.hexadecimal("tombstone_sha256"),
    }
    fields.done()
    if not isinstance(read["key_destroyed"], bool):
        raise ProtocolError("a receipt does not say whether keys were destroyed")
    return read


def _read_pending(document: object) -> PendingItem:
    fields = Fields(document)
    item = PendingItem(what=_known(Pending, fields.take("what")), until=_optional(fields, "until", high=LATEST))
    fields.done()
    return item


def _read_treatment(document: object) -> dict[str, Any]:
    fields = Fields(document)
    read = {
        "delta": _amount(fields, "delta", high=1.0),
        "epsilon": _amount(fields, "epsilon", high=LARGEST_EPSILON),
        "from_release": _optional(fields, "from_release", high=LARGEST_NUMBER),
        "replaced_by": _optional(fields, "replaced_by", high=LARGEST_NUMBER),
        "rounds": fields.integer("rounds", low=0, high=MOST_ROUNDS),
        "treatment": _known(Treatment, fields.take("treatment")),
    }
    fields.done()
    if (read["replaced_by"] is None) == (read["treatment"] is Treatment.REPLAYED):
        raise ProtocolError("a receipt names a new release without a replay, or a replay without a new release")
    if read["treatment"] is Treatment.NONE and read["rounds"]:
        raise ProtocolError("a receipt counts rounds in which nobody took part")
    return read


def _known(words: type[Word], value: object) -> Word:
    if not isinstance(value, str) or value not in {each.value for each in words}:
        raise ProtocolError("a receipt has a word that nobody knows")
    return words(value)


def _optional(fields: Fields, name: str, *, high: int) -> int | None:
    value = fields.take(name)
    if value is None:
        return None
    return Fields({name: value}).integer(name, low=0, high=high)


def _amount(fields: Fields, name: str, *, high: float) -> float:
    value = fields.take(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        raise ProtocolError(f"{name} is not a number from 0 to {high:g}")
    return float(value)
