"""What rounds there were while somebody was known, and what they cost her at most (docs/withdrawal.md, section 6).

The coordinator does not know who took part, so every round counts that she could have taken part in:

1. whose plan lies in the log between her registration and her tombstone, or lies before but was still open when she was registered;
2. that ended in a result, is under way, or of which the journal knows nothing. Only what the journal says has failed does not count.

What it may see: plans and how they ended. What it must never do: count too few.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hometone_server.records.store import LogStore
from hometone_server.records.withdrawals import Registration
from hometone_server.rounds.journal import Journal
from hometone_shared.errors import StorageError
from hometone_shared.privacy.accounting import GaussianEvent, epsilon
from hometone_shared.records.plan import KIND, RoundPlan, RoundPurpose
from hometone_shared.records.receipt import LARGEST_EPSILON
from hometone_shared.records.signing import Envelope

UNKNOWN_DELTA: Final = 1e-6
"""For rounds whose order the journal does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRound:
    """A plan in the log.

    Attributes:
        position: Of its leaf.
        digest: Of its envelope.
        plan: What was planned.
    """

    position: int
    digest: str
    plan: RoundPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What several rounds let out at most about one speaker who took part in all of them.

    Attributes:
        rounds: How many.
        epsilon: Of all together, rounded up; `LARGEST_EPSILON` of receipts if their noise allows no bound worth the name.
        delta: The same; the least of their orders.
        from_release: Number of the release that the first of the purpose `model` started from, or None.
    """

    rounds: int
    epsilon: float
    delta: float
    from_release: int | None


class RoundHistory:
    """The rounds of a coordinator. May be used by several threads."""

    def __init__(self, log: LogStore, *, journal: Path) -> None:
        """Read nothing yet.

        Args:
            log: The log.
            journal: The file of the journal, which need not be there.
        """
        self._log = log
        self._journal = journal
        self._lock = threading.Lock()
        self._plans: list[PlannedRound] = []

    def exposure(self, since: Registration, *, before: int) -> Exposure | None:
        """What the rounds let out about somebody at most; None if there were none.

        Args:
            since: When she became known.
            before: Position of her tombstone, or the size of the log.
        """
        planned = [each for each in self._planned() if each.position < before and _could_hold(each, since)]
        known = self._known() if planned else _NOTHING_KNOWN
        counted = [
            each
            for each in planned
            if known.ended.get(each.digest, _OPEN).state != "failed"  # (2)
            and (each.position > since.position or known.ended.get(each.digest, _OPEN).at > since.registered_s)  # (1)
        ]
        return exposure_of([each.plan for each in counted], deltas=known.deltas) if counted else None

    def _planned(self) -> Sequence[PlannedRound]:
        with self._lock:
            begin = self._plans[-1].position + 1 if self._plans else 0
            rows = self._log.query(
                "SELECT position, envelope FROM entries WHERE kind = ? AND position >= ? ORDER BY position", (KIND, begin)
            )
            for position, data in rows:
                envelope = Envelope.from_bytes(bytes(data))  # type: ignore[call-overload]
                plan = RoundPlan.from_envelope(envelope, key=self._log.key)
                self._plans.append(PlannedRound(position=int(str(position)), digest=envelope.digest, plan=plan))
            return tuple(self._plans)

    def _known(self) -> "_Known":
        if not self._journal.exists():
            return _NOTHING_KNOWN
        try:
            journal = Journal(self._journal)
            try:
                attempts, campaigns = journal.attempts(), journal.campaigns()
            finally:
                journal.close()
        except StorageError:
            return _NOTHING_KNOWN
        return _Known(
            ended={each.plan_sha256: _Ending(each.state, math.inf if each.ended is None else each.ended) for each in attempts},
            deltas={each.run: each.order.delta for each in campaigns},
        )


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an attempt ended, and when, seconds since 1970."""

    state: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the journal knows: digest of a plan -> how it ended; campaign -> delta."""

    ended: Mapping[str, _Ending]
    deltas: Mapping[str, float]


_OPEN: Final = _Ending("open", math.inf)
_NOTHING_KNOWN: Final = _Known(ended={}, deltas={})


def _could_hold(planned: PlannedRound, since: Registration) -> bool:
    """(1), as far as the log tells; no laptop begins with a plan after its deadline."""
    return planned.position > since.position or planned.plan.deadline >= since.registered_s


def exposure_of(plans: Sequence[RoundPlan], *, deltas: Mapping[str, float]) -> Exposure:
    """What one speaker has let out at most who took part in all of these.

    Args:
        plans: At least one.
        deltas: Campaign -> the delta that was ordered.
    """
    delta = min(deltas.get(plan.run, UNKNOWN_DELTA) for plan in plans)
    spent = epsilon([GaussianEvent(plan.noise_multiplier) for plan in plans], delta=delta)
    starts = [plan.release for plan in plans if plan.purpose is RoundPurpose.MODEL]
    return Exposure(
        rounds=len(plans),
        epsilon=LARGEST_EPSILON if math.isinf(spent) else math.ceil(spent * 1e6) / 1e6,
        delta=delta,
        from_release=min(starts, default=None),
    )
