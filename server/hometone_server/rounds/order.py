"""What a coordinator orders: a campaign of rounds with one purpose, a budget and a cohort."""

import dataclasses
from dataclasses import dataclass
from typing import Final, Self

from hometone_shared.errors import DamagedVaultError, UsageError
from hometone_shared.records.plan import FULL_WEIGHT, LARGEST_DIMENSION, RoundPurpose

LONGEST_CAMPAIGN: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One campaign.

    Attributes:
        purpose: What is summed.
        rounds: How many times.
        dimension: Length of the vectors.
        clip_norm: C, Euclidean.
        noise_multiplier: z of one round; z = sqrt(rounds) times that of the whole budget.
        epsilon: The budget of all rounds together, as it was asked for.
        delta: The same.
        colluders: Devices that may show their noise to the coordinator.
        minimum_cohort: Least number of devices.
        prepare_s: How long laptops may take to make their contribution.
        stage_s: How long they may take for every later answer.
        gather_s: How long the coordinator waits for enough laptops to be there.
        reply_slot_ms: See docs/protocol.md, section 3.
        attempts: How often a round is tried before the campaign stops.
        step: Share of the mean that is added to the shared model.
        roll_back: Whether an evaluation that finds the newest release worse brings back the one before.
        weights_permille: Group weights.
        base_sha256: The base voice.
        basis_sha256: The basis.

    Raises:
        UsageError: A figure is none that a round can have.
    """

    purpose: RoundPurpose
    rounds: int
    dimension: int
    clip_norm: float
    noise_multiplier: float
    epsilon: float
    delta: float
    colluders: int = 0
    minimum_cohort: int
    prepare_s: float = 1800.0
    stage_s: float = 60.0
    gather_s: float = 600.0
    reply_slot_ms: int = 250
    attempts: int = 3
    step: float = 1.0
    roll_back: bool = False
    weights_permille: dict[str, int] = dataclasses.field(default_factory=dict)
    base_sha256: str
    basis_sha256: str

    def __post_init__(self) -> None:
        """Check what a plan does not check by itself."""
        if not 1 <= self.rounds <= LONGEST_CAMPAIGN:
            raise UsageError(f"a campaign has 1 to {LONGEST_CAMPAIGN} rounds")
        if not 1 <= self.dimension <= LARGEST_DIMENSION:
            raise UsageError(f"a round has 1 to {LARGEST_DIMENSION} coordinates")
        if self.minimum_cohort < 2:
            raise UsageError("a round needs at least two laptops", hint="with one laptop its sum would be its own update")
        if not (
            self.clip_norm > 0
            and self.noise_multiplier > 0
            and self.prepare_s > 0
            and self.stage_s > 0
            and self.gather_s >= 0
            and self.step > 0
        ):
            raise UsageError("norms, noise and times are above zero")
        if not 1 <= self.attempts <= 100 or not 0 <= self.reply_slot_ms <= 600_000:
            raise UsageError("a round is tried 1 to 100 times, with slots of at most ten minutes")
        if any(not 0 <= weight <= FULL_WEIGHT for weight in self.weights_permille.values()):
            raise UsageError("weights are 0 to 1000 permille")

    def to_record(self) -> dict[str, object]:
        """Plain JSON, for the journal."""
        return {**dataclasses.asdict(self), "purpose": self.purpose.value}

    @classmethod
    def from_record(cls, record: dict[str, object]) -> Self:
        """Read what `to_record` made.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            return cls(**{**record, "purpose": RoundPurpose(str(record["purpose"]))})  # type: ignore[arg-type]
        except (TypeError, ValueError, KeyError, UsageError) as error:
            raise DamagedVaultError("a campaign in the journal cannot be read") from error
