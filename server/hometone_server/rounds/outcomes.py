"""What becomes of a decoded sum, by purpose.

* `model`: the mean of the contributions is added to the plan's release; the result is the next release, in the log. Those that a replay
  makes on its way are provisional.
* `balance`: a noised histogram of groups, kept with its intervals; weights of later rounds follow from it.
* `evaluation`: noised means of error and likeness by group, kept; if the newest release made things worse beyond doubt, the one before
  is brought back, if that was ordered.
* `listening`: noised means of what listeners gave the voices, by group and by how they were recorded, kept.

What it may see: sums. It works on the decoded sum alone, after the noise, so nothing here costs privacy.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hometone_server.records.releases import Releases
from hometone_server.rounds.journal import Campaign, Journal
from hometone_shared.errors import FederationError
from hometone_shared.privacy.clipping import decode
from hometone_shared.privacy.evaluation import evaluation_report
from hometone_shared.privacy.groups import histogram, weights
from hometone_shared.privacy.listening import listening_report
from hometone_shared.records.plan import SCALE, RoundPlan, RoundPurpose
from hometone_shared.records.release import ReleaseStatus
from hometone_shared.secagg.aggregator import Total


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round brought.

    Attributes:
        told: In words, for those who watch.
        record: Plain JSON, for the journal.
    """

    told: str
    record: dict[str, Any]


class Outcomes:
    """Turns sums into results."""

    def __init__(self, *, journal: Journal, releases: Releases) -> None:
        """Take where results go."""
        self._journal = journal
        self._releases = releases

    def take(self, campaign: Campaign, plan: RoundPlan, plan_sha256: str, total: Total) -> Outcome:
        """Make the result of one round.

        Args:
            campaign: What was ordered.
            plan: The attempt's plan.
            plan_sha256: Its digest.
            total: The decoded sum, in integers.
        """
        noise_std = math.sqrt(total.devices * plan.noise_variance(total.devices)) * plan.clip_norm / SCALE
        decoded = decode(total.values, clip_norm=plan.clip_norm)
        if plan.purpose is RoundPurpose.MODEL:
            outcome = self._released(campaign, plan, plan_sha256, decoded / total.speakers, noise_std / total.speakers)
        elif plan.purpose is RoundPurpose.BALANCE:
            outcome = _balance(decoded, noise_std)
        elif plan.purpose is RoundPurpose.LISTENING:
            outcome = _listened(decoded, noise_std)
        else:
            outcome = _evaluated(plan, decoded, noise_std)
        self._journal.keep_result(campaign.run, plan.round_number, purpose=plan.purpose.value, result=outcome.record)
        return self.settle(campaign, outcome)

    def settle(self, campaign: Campaign, outcome: Outcome) -> Outcome:
        """Do what a kept result asks for: go back to the release before, if ordered and not done yet; once more changes nothing.

        Args:
            campaign: What was ordered.
            outcome: What the round brought.
        """
        judged = outcome.record.get("release")
        if not (campaign.order.roll_back and outcome.record.get("is_worse") and judged and judged == self._releases.newest().number):
            return outcome
        restored = self._releases.restore(judged - 1)
        told = f"{outcome.told}; the release before it was brought back as number {restored.number}"
        return Outcome(told=told, record={**outcome.record, "restored": restored.number})

    def _released(self, campaign: Campaign, plan: RoundPlan, plan_sha256: str, mean: np.ndarray, noise_std: float) -> Outcome:
        order = campaign.order
        is_on_the_way = order.replay is not None and plan.round_number < order.rounds
        after = moved(self._releases.coordinates(plan.release), mean, step=order.of_round(plan.round_number).step)
        release = self._releases.publish(
            after,
            base_sha256=plan.base_sha256,
            basis_sha256=plan.basis_sha256,
            plan_sha256=plan_sha256,
            run=plan.run,
            round_number=plan.round_number,
            status=ReleaseStatus.PROVISIONAL if is_on_the_way else ReleaseStatus.CURRENT,
        )
        norm, noise = float(np.linalg.norm(mean)), noise_std * math.sqrt(mean.size)
        return Outcome(
            told=f"release {release.number}: the mean has a norm of {norm:.3f}, of which {noise:.3f} is noise",
            record={"release": release.number, "mean_norm": norm, "noise_norm": noise, "dimension": int(mean.size)},
        )


def moved(before: NDArray[np.float32], mean: NDArray[np.float64], *, step: float) -> NDArray[np.float32]:
    """The shared model one round later.

    Args:
        before: float32 [d0].
        mean: Decoded mean of the contributions, float64 [d]; d may be more or less than d0.
        step: Share of it that is added.

    Returns:
        float32 [max(d0, d)].
    """
    after = np.zeros(max(before.size, mean.size), dtype=np.float64)
    after[: before.size] = before
    after[: mean.size] += step * mean
    return after.astype(np.float32)


def _evaluated(plan: RoundPlan, decoded: np.ndarray, noise_std: float) -> Outcome:
    report = evaluation_report(decoded, noise_std=noise_std)
    return Outcome(told=report.in_words(), record={**report.to_record(), "is_worse": report.is_worse, "release": plan.release})


def _listened(decoded: np.ndarray, noise_std: float) -> Outcome:
    report = listening_report(decoded, noise_std=noise_std)
    return Outcome(told=report.in_words(), record=report.to_record())


def _balance(decoded: np.ndarray, noise_std: float) -> Outcome:
    found = histogram(decoded, noise_std=noise_std)
    return Outcome(told=found.in_words(), record={**found.to_record(), "weights_permille": weights(found)})


def newest_weights(journal: Journal) -> dict[str, int]:
    """Group weights of the newest balance, or none.

    Raises:
        FederationError: There was no round of that purpose yet.
    """
    found = journal.results(RoundPurpose.BALANCE.value)
    if not found:
        raise FederationError("nobody has counted the groups yet", hint="hometone-coordinator round --purpose balance")
    return {str(cell): int(weight) for cell, weight in found[-1]["weights_permille"].items()}
