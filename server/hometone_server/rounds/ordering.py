"""From what somebody wishes to a campaign that runs: the command `round` and the dashboard order through here.

1. The planner makes figures of wishes: dimension, noise, what a person loses. Nothing has happened yet.
2. The order is written into the journal, and only then is what runs rounds told of it. If that does not answer, the campaign is marked as
   failed, so that nobody waits for it; it can be taken up again.

What it may see: numbers of people, laptops and rounds. What it must never do: order for somebody who did not see what it costs.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hometone_server.home import CoordinatorHome
from hometone_server.rounds.campaign import only_campaign
from hometone_server.rounds.journal import CampaignState, Journal
from hometone_server.rounds.order import Order
from hometone_server.rounds.outcomes import newest_weights
from hometone_shared.errors import FederationError, HometoneError, UsageError
from hometone_shared.privacy.cells import CELLS, HISTOGRAM_CLIP_NORM
from hometone_shared.privacy.evaluation import EVALUATION_CLIP_NORM, EVALUATION_DIMENSION
from hometone_shared.privacy.listening import LISTENING_CLIP_NORM, LISTENING_DIMENSION
from hometone_shared.privacy.planning import PlanEstimate, estimate
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.shared_model import SharedModel

Start = Callable[[str], int]
"""Lets the coordinator work through a campaign of the journal; gives Flower's number of the run."""
FIXED: Final = {
    RoundPurpose.BALANCE: (len(CELLS), HISTOGRAM_CLIP_NORM),
    RoundPurpose.EVALUATION: (EVALUATION_DIMENSION, EVALUATION_CLIP_NORM),
    RoundPurpose.LISTENING: (LISTENING_DIMENSION, LISTENING_CLIP_NORM),
}
"""Dimension and clip norm of the purposes whose contributions have one form."""
_WELL_HIDDEN_DELTA: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What somebody wants, before the planner has looked at it.

    Attributes:
        purpose: What is summed.
        speakers: How many people are expected; decides the dimension.
        rounds: How many.
        epsilon: What a person may lose in all these rounds together.
        delta: Of that budget; 1e-5, or less for more than ten thousand people, if not given.
        laptops: Which they share; one each if not given.
        minimum_cohort: Least number of laptops.
        dimension: Coordinates to learn; as many as are useful if not given.
        clip_norm: Largest norm of one person's change.
        step: Share of the mean that is added to the shared model.
        colluders: Laptops that may be in league with the coordinator.
        replays: How often all may be repeated without somebody who withdrew.
        weights: Whether groups are weighed by the newest balance.
        roll_back: Whether an evaluation that finds the newest release worse goes back.
        prepare_s: How long laptops may take to make their part.
        stage_s: How long for every later answer.
        gather_s: How long to wait for enough laptops.
        reply_slot_ms: Grid of time for answers that depend on private work.
        attempts: How often a round is tried.
    """

    purpose: RoundPurpose = RoundPurpose.MODEL
    speakers: int = 20
    rounds: int = 1
    epsilon: float = 2.0
    delta: float | None = None
    laptops: int | None = None
    minimum_cohort: int = 5
    dimension: int | None = None
    clip_norm: float = 1.0
    step: float = 1.0
    colluders: int = 0
    replays: int = 0
    weights: bool = False
    roll_back: bool = False
    prepare_s: float = 1800.0
    stage_s: float = 60.0
    gather_s: float = 600.0
    reply_slot_ms: int = 250
    attempts: int = 3

    def planned(self) -> PlanEstimate:
        """(1) What these wishes come to.

        Raises:
            UsageError: They cannot be met.
        """
        fixed, _ = FIXED.get(self.purpose, (None, None))
        if fixed is not None and self.dimension is not None:
            raise UsageError("only rounds of the purpose model have a dimension to choose")
        if self.weights and self.purpose is not RoundPurpose.MODEL:
            raise UsageError("only rounds of the purpose model weigh groups")
        devices = max(self.minimum_cohort, self.laptops or self.speakers)
        return estimate(
            speakers=max(self.speakers, devices),
            rounds=self.rounds,
            epsilon=self.epsilon,
            delta=self.delta if self.delta is not None else min(_WELL_HIDDEN_DELTA, 1 / (10 * self.speakers)),
            devices=devices,
            dimension=fixed or self.dimension,
            reserved_replays=self.replays,
            largest_dimension=SharedModel.of_this_version().dimension if fixed is None else None,
            minimum_cohort=self.minimum_cohort,
            colluders=self.colluders,
        )

    def order(self, journal: Journal) -> Order:
        """(1) The order that they mean.

        Args:
            journal: Knows the newest balance.

        Raises:
            UsageError: They cannot be met.
            FederationError: Groups shall be weighed, and nobody has counted them.
        """
        found, model = self.planned(), SharedModel.of_this_version()
        _, fixed_norm = FIXED.get(self.purpose, (None, None))
        return Order(
            purpose=self.purpose,
            rounds=self.rounds,
            dimension=found.dimension,
            clip_norm=self.clip_norm if fixed_norm is None else fixed_norm,
            noise_multiplier=found.noise_multiplier,
            epsilon=self.epsilon,
            delta=found.delta,
            colluders=self.colluders,
            minimum_cohort=self.minimum_cohort,
            prepare_s=self.prepare_s,
            stage_s=self.stage_s,
            gather_s=self.gather_s,
            reply_slot_ms=self.reply_slot_ms,
            attempts=self.attempts,
            step=self.step,
            roll_back=self.roll_back,
            weights_permille=newest_weights(journal) if self.weights else {},
            base_sha256=model.base_sha256,
            basis_sha256=model.basis_sha256,
            reserved_replays=self.replays if self.purpose is RoundPurpose.MODEL else 0,
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A campaign that was handed over.

    Attributes:
        run: The campaign.
        flower_run: Flower's number of what works on it.
    """

    run: str
    flower_run: int


def place(journal: Journal, order: Order, *, start: Start) -> Placed:
    """(2) Order a campaign.

    Raises:
        FederationError: What runs rounds does not answer.
    """
    run = secrets.token_hex(8)
    journal.add_campaign(run, order)
    return Placed(run, started(journal, run, start=start))


def take_up(journal: Journal, run: str, *, start: Start) -> Placed:
    """(2) Go on with a campaign that was stopped, has failed, or was interrupted.

    Raises:
        UsageError: There is none of that name, or it is finished.
        FederationError: What runs rounds does not answer.
    """
    campaign = journal.campaign(run)
    if campaign.state is CampaignState.FINISHED:
        raise UsageError("this campaign is finished")
    journal.set_state(run, CampaignState.ORDERED)
    return Placed(run, started(journal, run, start=start))


def started(journal: Journal, run: str, *, start: Start) -> int:
    """(2) Let a campaign of the journal be worked through; Flower's number of the run.

    Raises:
        FederationError: What runs rounds does not answer; the campaign is marked as failed.
    """
    try:
        return start(run)
    except HometoneError as not_started:
        journal.set_state(run, CampaignState.FAILED, told=not_started.message)  # nothing runs it; it can be resumed
        raise


def stop_all(journal: Journal) -> list[str]:
    """Stop what is ordered or running, after the attempt that is under way; the campaigns that this is true of."""
    return [campaign.run for campaign in journal.campaigns() if journal.stop(campaign.run)]


def is_at_work(home: CoordinatorHome) -> bool:
    """Whether a process works on a campaign now."""
    try:
        with only_campaign(home):
            return False
    except FederationError:
        return True
