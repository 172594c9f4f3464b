"""What the journal knows of campaigns and attempts, made ready for tables: who joined and left by stage, bytes, privacy spent.

What it may see: the journal. What it must never do: name a laptop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hometone_server.dashboard.pictures import STAGES, Step, steps_of
from hometone_server.rounds.journal import Attempt, Campaign, CampaignState, Journal
from hometone_shared.privacy.accounting import GaussianEvent, epsilon


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage of an attempt.

    Attributes:
        stage: Its name.
        laptops: How many answered.
        left: How many fewer than in the stage before; None for the first one.
        seconds: How long it took.
    """

    stage: str
    laptops: int
    left: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One attempt.

    Attributes:
        attempt: As the journal has it.
    """

    attempt: Attempt

    def figure(self, name: str) -> Any:
        """A figure of it, or None."""
        return self.attempt.figures.get(name)

    @property
    def joined(self) -> int | None:
        """How many laptops took part at the beginning."""
        found: int | None = self.attempt.figures.get("devices", {}).get("offer")
        return found

    @property
    def dropped(self) -> int | None:
        """How many of them were not there at the end, as far as it came."""
        devices = self.attempt.figures.get("devices", {})
        reached = [devices[stage] for stage in STAGES if stage in devices]
        return reached[0] - reached[-1] if reached else None

    @property
    def stages(self) -> tuple[StageRow, ...]:
        """Stage by stage."""
        devices, seconds = self.attempt.figures.get("devices", {}), self.attempt.figures.get("seconds", {})
        rows, before = [], None
        for stage in STAGES:
            if stage in devices:
                laptops = int(devices[stage])
                rows.append(
                    StageRow(stage=stage, laptops=laptops, left=None if before is None else before - laptops, seconds=seconds.get(stage))
                )
                before = laptops
        return tuple(rows)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The same as a picture."""
        return steps_of(self.attempt)

    @property
    def refusals(self) -> dict[str, int]:
        """How many refused, by code."""
        return dict(sorted(self.attempt.figures.get("refusals", {}).items()))

    @property
    def seconds(self) -> float | None:
        """How long it took, if it has ended."""
        return None if self.attempt.ended is None else self.attempt.ended - self.attempt.began

    @property
    def size(self) -> int | None:
        """Bytes of all laptops together, up and down."""
        up, down = self.figure("bytes_up"), self.figure("bytes_down")
        return None if up is None or down is None else int(up) + int(down)

    @property
    def size_per_laptop(self) -> float | None:
        """The same for one laptop that took part, on the average."""
        return None if not self.size or not self.joined else self.size / self.joined

    @property
    def may_have_cost(self) -> bool:
        """Whether noised vectors may have left laptops: what they did not set aside before, they have then."""
        return "mask" in self.attempt.figures.get("seconds", {}) or self.attempt.state == "finished"


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """One campaign.

    Attributes:
        campaign: As the journal has it.
        attempts: Its attempts, oldest first.
    """

    campaign: Campaign
    attempts: tuple[AttemptFacts, ...]

    @property
    def finished_rounds(self) -> int:
        """How many rounds are done."""
        return len({each.attempt.round_number for each in self.attempts if each.attempt.state == "finished"})

    @property
    def spent(self) -> float:
        """What a person who took part in every attempt has lost at most, at the campaign's delta."""
        events = [
            GaussianEvent(self.campaign.order.of_round(each.attempt.round_number).noise_multiplier)
            for each in self.attempts
            if each.may_have_cost
        ]
        return epsilon(events, delta=self.campaign.order.delta) if events else 0.0

    @property
    def size(self) -> int:
        """Bytes of all attempts together."""
        return sum(each.size or 0 for each in self.attempts)

    @property
    def is_open(self) -> bool:
        """Whether it is ordered or running."""
        return self.campaign.state in {CampaignState.ORDERED, CampaignState.RUNNING}

    @property
    def can_go_on(self) -> bool:
        """Whether it can be taken up again: a replay that was stopped is given up."""
        if self.campaign.order.replay is not None:
            return self.campaign.state is CampaignState.FAILED
        return self.campaign.state in {CampaignState.FAILED, CampaignState.STOPPED}

    @property
    def newest(self) -> AttemptFacts | None:
        """The last attempt."""
        return self.attempts[-1] if self.attempts else None


def campaigns_of(journal: Journal) -> tuple[CampaignFacts, ...]:
    """All campaigns, newest first."""
    by_run: dict[str, list[AttemptFacts]] = {}
    for attempt in journal.attempts():
        by_run.setdefault(attempt.run, []).append(AttemptFacts(attempt))
    return tuple(CampaignFacts(each, tuple(by_run.get(each.run, ()))) for each in reversed(journal.campaigns()))


def one_campaign(journal: Journal, run: str) -> CampaignFacts:
    """One campaign.

    Raises:
        UsageError: There is none of that name.
    """
    campaign = journal.campaign(run)
    return CampaignFacts(campaign, tuple(AttemptFacts(each) for each in journal.attempts(run)))


def going(campaigns: Sequence[CampaignFacts]) -> CampaignFacts | None:
    """The newest one that is ordered or running."""
    return next((each for each in campaigns if each.is_open), None)
