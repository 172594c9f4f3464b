"""What a coordinator orders: a campaign of rounds with one purpose, a budget and a cohort, or the repetition of earlier ones (`replay`)."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Self

from hometone_shared.errors import DamagedVaultError, UsageError
from hometone_shared.records.plan import FULL_WEIGHT, LARGEST_DIMENSION, MOST_REPLAYS, RoundPurpose

LONGEST_CAMPAIGN: Final = 1000
LONGEST_WAIT_S: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedRound:
    """A finished round that a replay repeats, with the figures that it had.

    Attributes:
        plan_sha256: Digest of its plan.
        release: Number of the release that it made.
        dimension: d.
        clip_norm: C.
        noise_multiplier: z.
        colluders: c.
        minimum_cohort: Least number of laptops.
        weights_permille: Group weights.
        step: Share of the mean that was added.
        reserved_replays: How many repetitions were paid for in advance, this one included.
    """

    plan_sha256: str
    release: int
    dimension: int
    clip_norm: float
    noise_multiplier: float
    colluders: int
    minimum_cohort: int
    weights_permille: dict[str, int] = dataclasses.field(default_factory=dict)
    step: float = 1.0
    reserved_replays: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrder:
    """What a replay repeats, and for whom.

    Attributes:
        pseudonyms: Those who withdrew.
        tombstones: Digests of their tombstones.
        last: The newest current release when it was ordered; if there is a newer one, the order is void.
        restores: The release before the first repeated round.
        rounds: In order; at least one.
        withdraws: Releases that hold something of theirs, and are withdrawn when all rounds are repeated.
    """

    pseudonyms: tuple[str, ...]
    tombstones: tuple[str, ...]
    last: int
    restores: int
    rounds: tuple[RepeatedRound, ...]
    withdraws: tuple[int, ...]

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made; TypeError or KeyError if it is something else."""
        return cls(
            pseudonyms=tuple(record["pseudonyms"]),
            tombstones=tuple(record["tombstones"]),
            last=record["last"],
            restores=record["restores"],
            rounds=tuple(RepeatedRound(**each) for each in record["rounds"]),
            withdraws=tuple(record["withdraws"]),
        )


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
        reserved_replays: How often everything may be repeated later, paid for by the noise (docs/differential-privacy.md).
        replay: For a replay, what it repeats; the figures of its rounds are those of `of_round`.

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
    reserved_replays: int = 0
    replay: ReplayOrder | None = None

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
        if max(self.prepare_s, self.stage_s, self.gather_s) > LONGEST_WAIT_S:
            raise UsageError("a round waits at most thirty days for anything")
        if not 1 <= self.attempts <= 100 or not 0 <= self.reply_slot_ms <= 600_000:
            raise UsageError("a round is tried 1 to 100 times, with slots of at most ten minutes")
        if any(not 0 <= weight <= FULL_WEIGHT for weight in self.weights_permille.values()):
            raise UsageError("weights are 0 to 1000 permille")
        if not 0 <= self.reserved_replays <= MOST_REPLAYS:
            raise UsageError(f"at most {MOST_REPLAYS} replays can be reserved")
        if self.replay is not None and (self.purpose is not RoundPurpose.MODEL or len(self.replay.rounds) != self.rounds):
            raise UsageError("a replay repeats rounds of the purpose model, each once")

    def of_round(self, round_number: int) -> Self:
        """The figures of one round, from 1: of a replay those of the round that is repeated, with one replay less in reserve."""
        if self.replay is None:
            return self
        repeated = self.replay.rounds[round_number - 1]
        return dataclasses.replace(
            self,
            dimension=repeated.dimension,
            clip_norm=repeated.clip_norm,
            noise_multiplier=repeated.noise_multiplier,
            colluders=repeated.colluders,
            minimum_cohort=repeated.minimum_cohort,
            weights_permille=repeated.weights_permille,
            step=repeated.step,
            reserved_replays=max(0, repeated.reserved_replays - 1),
        )

    def with_minimum_cohort(self, laptops: int) -> Self:
        """The same with another least number of laptops, of every repeated round, too.

        Raises:
            UsageError: It is none that a round can have.
        """
        replay = self.replay
        if replay is not None:
            replay = dataclasses.replace(replay, rounds=tuple(dataclasses.replace(each, minimum_cohort=laptops) for each in replay.rounds))
        return dataclasses.replace(self, minimum_cohort=laptops, replay=replay)

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
            read: dict[str, Any] = {**record, "purpose": RoundPurpose(str(record["purpose"]))}
            if read.get("replay") is not None:
                read["replay"] = ReplayOrder.from_record(read["replay"])
            return cls(**read)
        except (TypeError, ValueError, KeyError, UsageError) as error:
            raise DamagedVaultError("a campaign in the journal cannot be read") from error
