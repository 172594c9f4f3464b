"""The plan of one attempt at one round (docs/protocol.md, section 3)."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.signing import Envelope

KIND: Final = "hometone/round-plan/v1"
MODULUS_BITS: Final = 32
SCALE: Final = 1 << 14
"""The integer that a contribution of norm C becomes; C times this over C is the sensitivity in integers."""
LEAST_VARIANCE: Final = 9
LARGEST_DIMENSION: Final = 1 << 22
LARGEST_COHORT: Final = 100_000
MOST_AHEAD_S: Final = 5.0
MOST_BEHIND_S: Final = 300.0
"""How far a laptop's clock may be from the coordinator's (section 8, `clock`): what Flower 1.41 lets in."""
FULL_WEIGHT: Final = 1000
MOST_REPLAYS: Final = 100
NO_PLAN: Final = ""
"""In the place of the plan that is repeated, where none is."""
_LATEST: Final = 1 << 40


class RoundPurpose(StrEnum):
    """What is summed."""

    MODEL = "model"
    BALANCE = "balance"
    EVALUATION = "evaluation"
    LISTENING = "listening"


def threshold(devices: int) -> int:
    """How many of the devices of a roster have to stay to the end: more than two thirds."""
    return 2 * devices // 3 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """A plan whose fields are within the protocol's own limits; a laptop's limits are stricter. Fields as in docs/protocol.md.

    `repeats` and `reserved_replays` are written only where they say something: plans without them are what they always were.

    Raises:
        ProtocolError: A field is outside the limits.
    """

    run: str
    round_number: int
    attempt: int
    purpose: RoundPurpose
    base_sha256: str
    basis_sha256: str
    release: int
    release_sha256: str
    dimension: int
    clip_norm: float
    noise_multiplier: float
    colluders: int
    weights_permille: dict[str, int] = field(default_factory=dict)
    minimum_cohort: int
    issued: int
    deadline: int
    reply_slot_ms: int
    log_size: int
    log_root: str
    bundle_sha256: str
    repeats: str = NO_PLAN
    reserved_replays: int = 0

    def __post_init__(self) -> None:
        """Check the limits by reading what would be written."""
        _fields_of(self.to_document())

    @property
    def release_before(self) -> int:
        """Number of the release that an evaluation compares the plan's with: the one before it, or the first with itself."""
        return max(self.release - 1, 0)

    @property
    def releases_needed(self) -> tuple[int, ...]:
        """Numbers of the releases whose vectors a laptop has to hold."""
        both = self.purpose is RoundPurpose.EVALUATION and self.release > 0
        return (self.release_before, self.release) if both else (self.release,)

    def to_document(self) -> Document:
        """The fields as they are signed."""
        said: Document = {}
        if self.repeats != NO_PLAN:
            said["repeats"] = self.repeats
        if self.reserved_replays:
            said["reserved_replays"] = self.reserved_replays
        return {
            **said,
            "attempt": self.attempt,
            "base_sha256": self.base_sha256,
            "basis_sha256": self.basis_sha256,
            "bundle_sha256": self.bundle_sha256,
            "clip_norm": self.clip_norm,
            "colluders": self.colluders,
            "deadline": self.deadline,
            "dimension": self.dimension,
            "issued": self.issued,
            "log_root": self.log_root,
            "log_size": self.log_size,
            "minimum_cohort": self.minimum_cohort,
            "modulus_bits": MODULUS_BITS,
            "noise_multiplier": self.noise_multiplier,
            "purpose": self.purpose.value,
            "release": self.release,
            "release_sha256": self.release_sha256,
            "reply_slot_ms": self.reply_slot_ms,
            "round": self.round_number,
            "run": self.run,
            "weights_permille": dict(self.weights_permille),
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read a plan.

        Raises:
            ProtocolError: It is not one, or outside the limits.
        """
        return cls(**_fields_of(document))

    def signed(self, key: Ed25519PrivateKey) -> Envelope:
        """The plan under the coordinator's signature."""
        return Envelope.sign(KIND, self.to_document(), key)

    @classmethod
    def from_envelope(cls, envelope: Envelope, *, key: bytes) -> Self:
        """Verify and read a plan.

        Raises:
            ProtocolError: Another key signed it, or it is not a plan.
        """
        return cls.from_document(envelope.verified(KIND, key=key))

    def noise_variance(self, devices: int) -> int:
        """Variance v of one device's noise in integers, for a roster of so many devices (section 4).

        Raises:
            ProtocolError: The roster is too small for the plan, or the sum could wrap.
        """
        honest = threshold(devices) - self.colluders
        if devices < self.minimum_cohort or honest < 1:
            raise ProtocolError("there are too few devices for this plan")
        variance = math.ceil(Fraction(self.noise_multiplier) ** 2 * SCALE**2 / honest)
        return max(variance, LEAST_VARIANCE)

    def check_no_wrap(self, *, devices: int, speakers: int) -> None:
        """Refuse a roster whose sum could leave the modulus (section 4).

        Raises:
            ProtocolError: It could.
        """
        noise = math.isqrt(devices * self.noise_variance(devices)) + 1
        if 2 * (speakers * SCALE + 8 * noise) + 1 >= 1 << MODULUS_BITS:
            raise ProtocolError("so many contributions do not fit into the sum")


def _fields_of(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    weights = fields.mapping("weights_permille", most=1000)
    for group, weight in weights.items():
        if len(group) > 100 or isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= FULL_WEIGHT:
            raise ProtocolError("a weight of a plan is not a whole number from 0 to 1000")
    purpose = fields.text("purpose", longest=20)
    if purpose not in {each.value for each in RoundPurpose}:
        raise ProtocolError("a plan has a purpose that nobody knows")
    fields.integer("modulus_bits", low=MODULUS_BITS, high=MODULUS_BITS)
    issued, deadline = (fields.integer(name, low=0, high=_LATEST) for name in ("issued", "deadline"))
    if deadline <= issued:
        raise ProtocolError("a plan ends before it begins")
    read = {
        "attempt": fields.integer("attempt", low=1, high=1_000_000),
        "base_sha256": fields.hexadecimal("base_sha256"),
        "basis_sha256": fields.hexadecimal("basis_sha256"),
        "bundle_sha256": fields.hexadecimal("bundle_sha256"),
        "clip_norm": fields.number("clip_norm", above=0.0, high=1e6),
        "colluders": fields.integer("colluders", low=0, high=LARGEST_COHORT),
        "deadline": deadline,
        "dimension": fields.integer("dimension", low=1, high=LARGEST_DIMENSION),
        "issued": issued,
        "log_root": fields.hexadecimal("log_root"),
        "log_size": fields.integer("log_size", low=0, high=_LATEST),
        "minimum_cohort": fields.integer("minimum_cohort", low=2, high=LARGEST_COHORT),
        "noise_multiplier": fields.number("noise_multiplier", above=0.0, high=1e6),
        "purpose": RoundPurpose(purpose),
        "release": fields.integer("release", low=0, high=1_000_000),
        "release_sha256": fields.hexadecimal("release_sha256"),
        "repeats": fields.hexadecimal("repeats") if fields.has("repeats") else NO_PLAN,
        "reserved_replays": fields.integer("reserved_replays", low=1, high=MOST_REPLAYS) if fields.has("reserved_replays") else 0,
        "reply_slot_ms": fields.integer("reply_slot_ms", low=0, high=600_000),
        "round_number": fields.integer("round", low=1, high=1_000_000),
        "run": fields.hexadecimal("run", characters=16),
        "weights_permille": {str(group): int(weight) for group, weight in weights.items()},
    }
    fields.done()
    if read["repeats"] != NO_PLAN and read["purpose"] is not RoundPurpose.MODEL:
        raise ProtocolError("only rounds that change the shared model are repeated")
    return read
