"""The laptop's own limits: what it will take part in, whatever a coordinator asks for (docs/protocol.md, section 8).

What it may see: a plan whose signature was checked, a clock. What it must never do: take a limit from the coordinator.

The policy is canonical JSON in `<home>/federation/policy.json`; it holds nothing about a person. A file that is damaged stops rounds, it
does not bring the defaults back.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.records.canonical import Document, Fields, canonical, parse
from hometone_shared.records.plan import LARGEST_COHORT, LARGEST_DIMENSION, RoundPlan, RoundPurpose
from hometone_shared.secagg.refusal import Refusal

FILE: Final = "policy.json"
LEAST_NOISE_MULTIPLIER: Final = 1.09
"""A Gaussian mechanism with z = 1.0812 costs epsilon 4 at delta 1e-5 (Balle and Wang 2018, theorem 8); a little more covers the
accountant's rounding."""
_LONGEST_S: Final = 366 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePolicy:
    """Limits of one laptop; both ends of every range are allowed.

    Attributes:
        purposes: What it takes part in.
        minimum_cohort: Least number of laptops in a round, this one included.
        largest_dimension: Most coordinates of a contribution.
        largest_clip_norm: Largest Euclidean norm that a speaker's contribution may have before encoding.
        least_noise_multiplier: Least standard deviation of the noise of the sum, as a multiple of the clip norm.
        least_colluders: How many other laptops at least the noise must hold out against if they side with the coordinator.
        least_reply_slot_ms: Shortest grid of replies; a shorter one would show how long private work took.
        largest_reply_slot_ms: Longest grid.
        longest_deadline_s: How far away the end of a round may be.
        shortest_log: Least number of entries that the coordinator's log had before the plan; a log that begins with the round has no past
            to be checked against.

    Raises:
        ProtocolError: A limit makes no sense.
    """

    purposes: frozenset[RoundPurpose] = frozenset(RoundPurpose)
    minimum_cohort: int = 5
    largest_dimension: int = 1 << 20
    largest_clip_norm: float = 1000.0
    least_noise_multiplier: float = LEAST_NOISE_MULTIPLIER
    least_colluders: int = 0
    least_reply_slot_ms: int = 100
    largest_reply_slot_ms: int = 600_000
    longest_deadline_s: int = 24 * 3600
    shortest_log: int = 5

    def __post_init__(self) -> None:
        """Check the limits by reading what would be written."""
        _fields_of(self.to_document())

    def to_document(self) -> Document:
        """The limits as they are stored."""
        return {
            "largest_clip_norm": self.largest_clip_norm,
            "largest_dimension": self.largest_dimension,
            "largest_reply_slot_ms": self.largest_reply_slot_ms,
            "least_colluders": self.least_colluders,
            "least_noise_multiplier": self.least_noise_multiplier,
            "least_reply_slot_ms": self.least_reply_slot_ms,
            "longest_deadline_s": self.longest_deadline_s,
            "minimum_cohort": self.minimum_cohort,
            "purposes": sorted(purpose.value for purpose in self.purposes),
            "shortest_log": self.shortest_log,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Read limits.

        Raises:
            ProtocolError: They are none, or make no sense.
        """
        return cls(**_fields_of(document))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The policy of a laptop, or the defaults where none was chosen.

        Args:
            folder: `<home>/federation`.

        Raises:
            FederationError: The file is damaged.
            StorageError: The disk refuses.
        """
        data = read_small_file(folder / FILE)
        if data is None:
            return cls()
        try:
            return cls.from_document(parse(data))
        except ProtocolError as error:
            raise FederationError(
                "this computer's own limits for rounds cannot be read", hint="set them again: hometone join CODE --minimum-cohort N"
            ) from error

    def save(self, folder: Path) -> None:
        """Store the policy; at any moment the old or the new one is there.

        Raises:
            StorageError: The disk refuses.
        """
        replace_small_file(folder / FILE, canonical(self.to_document()))

    def with_minimum_cohort(self, laptops: int) -> Self:
        """The same limits for another least number of laptops; as many entries the log must have had.

        Raises:
            ProtocolError: That number makes no sense.
        """
        return replace(self, minimum_cohort=laptops, shortest_log=laptops)

    def check_purpose(self, plan: RoundPlan) -> None:
        """Refuse a purpose that this laptop does not serve.

        Raises:
            Refusal: `purpose`.
        """
        if plan.purpose not in self.purposes:
            raise Refusal("purpose", f"this computer takes part in no rounds for {plan.purpose.value}")

    def check_limits(self, plan: RoundPlan, *, now_s: float) -> None:
        """Refuse a plan outside the limits; the modulus is fixed by the plan's own form.

        Args:
            plan: A verified plan.
            now_s: Seconds since 1970.

        Raises:
            Refusal: `limits`, with the first limit that is not kept.
        """
        kept = {
            f"a contribution may have at most {self.largest_dimension} coordinates": plan.dimension <= self.largest_dimension,
            f"the clip norm may be at most {self.largest_clip_norm:g}": plan.clip_norm <= self.largest_clip_norm,
            f"the noise multiplier must be at least {self.least_noise_multiplier:g}": plan.noise_multiplier >= self.least_noise_multiplier,
            f"the noise must hold out against {self.least_colluders} colluders": plan.colluders >= self.least_colluders,
            f"a round needs at least {self.minimum_cohort} laptops": plan.minimum_cohort >= self.minimum_cohort,
            f"replies must leave on a grid of {self.least_reply_slot_ms} to {self.largest_reply_slot_ms} ms": (
                self.least_reply_slot_ms <= plan.reply_slot_ms <= self.largest_reply_slot_ms
            ),
            f"a round may end at most {self.longest_deadline_s} seconds from now": plan.deadline - now_s <= self.longest_deadline_s,
            f"the coordinator's log must have at least {self.shortest_log} entries": plan.log_size >= self.shortest_log,
        }
        for rule, holds in kept.items():
            if not holds:
                raise Refusal("limits", rule)


def _fields_of(document: Document) -> dict[str, Any]:
    fields = Fields(document)
    purposes = fields.items("purposes", most=len(RoundPurpose))
    known = {purpose.value for purpose in RoundPurpose}
    if not all(isinstance(purpose, str) and purpose in known for purpose in purposes) or sorted(set(purposes)) != purposes:
        raise ProtocolError("purposes is not a sorted list of purposes")
    least_slot_ms = fields.integer("least_reply_slot_ms", low=0, high=600_000)
    read: dict[str, Any] = {
        "purposes": frozenset(RoundPurpose(purpose) for purpose in purposes),
        "minimum_cohort": fields.integer("minimum_cohort", low=2, high=LARGEST_COHORT),
        "largest_dimension": fields.integer("largest_dimension", low=1, high=LARGEST_DIMENSION),
        "largest_clip_norm": fields.number("largest_clip_norm", above=0.0, high=1e6),
        "least_noise_multiplier": fields.number("least_noise_multiplier", above=0.0, high=1e6),
        "least_colluders": fields.integer("least_colluders", low=0, high=LARGEST_COHORT),
        "least_reply_slot_ms": least_slot_ms,
        "largest_reply_slot_ms": fields.integer("largest_reply_slot_ms", low=least_slot_ms, high=600_000),
        "longest_deadline_s": fields.integer("longest_deadline_s", low=1, high=_LONGEST_S),
        "shortest_log": fields.integer("shortest_log", low=0, high=1 << 40),
    }
    fields.done()
    return read
