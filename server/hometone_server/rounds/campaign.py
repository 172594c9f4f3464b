"""Works through a campaign: plan, attempt, result, round after round; takes up again where a killed process stopped.

For every round that is not finished yet:

1. Wait until enough laptops are there.
2. Open an attempt in the journal; make a plan from the order, the newest release and the head of the log; sign it; append it to the log;
   note its digest.
3. Drive the attempt (`driver`). If it fails for want of laptops, the next attempt has a plan of its own: no plan is ever offered twice, so
   no noise is drawn and no budget spent twice for one.
4. Hand the decoded sum to `outcomes`, which keeps the result and for the purpose `model` appends a release to the log. The release names
   the plan's digest, so a process that is killed after this and before the journal knows is recognised at the next start.
5. Stop when a person says so, when all rounds are done, or when a round has failed as often as the order allows.

A replay is a campaign, too: before its first round it goes back, after its last one it withdraws what it replaces (`replay`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import filelock

from hometone_server.home import CoordinatorHome
from hometone_server.records.devices import Devices
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.driver import Exchange, Figures, RefusedError, RoundDriver, Times, require_cohort
from hometone_server.rounds.journal import Campaign, CampaignState, Journal
from hometone_server.rounds.outcomes import Outcome, Outcomes
from hometone_server.rounds.replay import Replay
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import FederationError, HometoneError
from hometone_shared.records.plan import NO_PLAN, RoundPlan, RoundPurpose
from hometone_shared.records.release import Release, ReleaseStatus

_INTERRUPTED: Final = "interrupted"


@contextmanager
def only_campaign(home: CoordinatorHome) -> Iterator[None]:
    """Hold the lock of campaigns for a block.

    Raises:
        FederationError: Another process works on campaigns.
    """
    lock = filelock.FileLock(home.rounds_db.with_suffix(".lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise FederationError("another campaign is running", hint="wait for it, or stop it: hometone-coordinator round --stop") from error
    try:
        yield
    finally:
        lock.release()


class CampaignRunner:
    """Runs campaigns of one coordinator, one at a time."""

    def __init__(
        self,
        *,
        home: CoordinatorHome,
        journal: Journal,
        log: LogStore,
        bundle_sha256: str,
        clock: Callable[[], float] = time.time,
        told: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Take what all campaigns need.

        Args:
            home: The coordinator's folder.
            journal: The journal of rounds.
            log: The log.
            bundle_sha256: Hash of the bundle that runs, for the plans.
            clock: Seconds since 1970.
            told: Told what happens, in words without anybody's name.
        """
        self._home = home
        self._journal = journal
        self._log = log
        self._releases = Releases.open(home, log)
        self._outcomes = Outcomes(journal=journal, releases=self._releases)
        self._replay = Replay(log=log, releases=self._releases, withdrawals=Withdrawals.open(home, log))
        self._bundle_sha256 = bundle_sha256
        self._clock = clock
        self._told = told

    def run(self, run: str, exchange: Exchange) -> None:
        """Work through a campaign.

        Raises:
            FederationError: A round failed too often, or another process works on campaigns; all that was finished is kept.
            UsageError: There is no such campaign.
        """
        with only_campaign(self._home):
            self._run(self._journal.campaign(run), exchange)

    def _run(self, campaign: Campaign, exchange: Exchange) -> None:
        if campaign.state in {CampaignState.FINISHED, CampaignState.STOPPED}:
            return
        self._end_what_was_left(campaign)
        self._journal.set_state(campaign.run, CampaignState.RUNNING)
        try:
            if campaign.order.replay is not None:
                self._replay.begin(campaign.run, campaign.order.replay)
            for round_number in range(1, campaign.order.rounds + 1):
                if self._is_finished(campaign.run, round_number):
                    continue
                self._round(campaign, round_number, exchange)
                if self._journal.campaign(campaign.run).state is CampaignState.STOPPED:
                    return
            if campaign.order.replay is not None:
                self._journal.tell(campaign.run, self._replay.conclude(campaign.run, campaign.order.replay))
        except HometoneError as error:
            self._journal.set_state(campaign.run, CampaignState.FAILED, told=error.message)
            raise
        self._journal.set_state(campaign.run, CampaignState.FINISHED, told=self._journal.campaign(campaign.run).told)

    def _is_finished(self, run: str, round_number: int) -> bool:
        return any(each.round_number == round_number and each.state == "finished" for each in self._journal.attempts(run))

    def _end_what_was_left(self, campaign: Campaign) -> None:
        """Attempts that a killed process left open: finished if what they found was kept or released, failed otherwise."""
        for each in self._journal.attempts(campaign.run):
            if each.state != "open":
                continue
            key = (each.run, each.round_number, each.attempt)
            found = self._journal.result(each.run, each.round_number)
            release = self._releases.of_plan(each.plan_sha256) if each.plan_sha256 else None
            if found is None and release is not None:
                found = {"release": release.number}
            if found is None:
                self._journal.end_attempt(key, finished=False, figures={**each.figures, "reason": _INTERRUPTED})
                continue
            settled = self._outcomes.settle(campaign, Outcome(told="", record=found))
            self._journal.end_attempt(key, finished=True, figures={**each.figures, **settled.record})

    def _round(self, campaign: Campaign, round_number: int, exchange: Exchange) -> None:
        order = campaign.order.of_round(round_number)
        for tries_left in reversed(range(order.attempts)):
            try:
                require_cohort(exchange, least=order.minimum_cohort, gather_s=order.gather_s)  # (1)
                self._attempt(campaign, round_number, exchange)
            except FederationError as error:
                self._told(f"round {round_number}: {error.message}")
                self._journal.tell(campaign.run, error.message)
                if not tries_left or isinstance(error, RefusedError) or self._journal.campaign(campaign.run).state is CampaignState.STOPPED:
                    raise
                continue
            return

    def _attempt(self, campaign: Campaign, round_number: int, exchange: Exchange) -> None:
        attempt = self._journal.begin_attempt(campaign.run, round_number)  # (2)
        key = (campaign.run, round_number, attempt)
        figures = Figures()
        try:
            plan = self._plan(campaign, round_number, attempt)
            envelope = plan.signed(self._home.signing_key())
            self._journal.note_plan(key, envelope.digest)
            self._log.append(envelope)
            driver = RoundDriver(  # (3)
                plan=plan,
                envelope=envelope,
                directory=Devices(self._log).directory().active,
                exchange=exchange,
                times=Times(prepare_s=campaign.order.prepare_s, stage_s=campaign.order.stage_s),
                watched=lambda stage, so_far: self._watch(key, stage, so_far),
            )
            figures = driver.figures
            total = driver.run()
            outcome = self._outcomes.take(campaign, plan, envelope.digest, total)  # (4)
        except HometoneError as error:
            self._journal.end_attempt(key, finished=False, figures={**figures.to_record(), "reason": error.message})
            raise
        except BaseException:
            self._journal.end_attempt(key, finished=False, figures={**figures.to_record(), "reason": _INTERRUPTED})
            raise
        summed: dict[str, Any] = {"survivors": total.devices, "speakers": total.speakers}
        self._journal.end_attempt(key, finished=True, figures={**figures.to_record(), **summed, **outcome.record})
        self._journal.tell(campaign.run, outcome.told)
        self._told(f"round {round_number}: {outcome.told}")

    def _watch(self, key: tuple[str, int, int], stage: str, figures: Figures) -> None:
        self._journal.note_stage(key, stage, figures.to_record())
        self._told(f"round {key[1]}, attempt {key[2]}: {stage}")

    def _plan(self, campaign: Campaign, round_number: int, attempt: int) -> RoundPlan:
        order, replay = campaign.order.of_round(round_number), campaign.order.replay
        start = self._releases.newest() if replay is None else self._replay.newest(campaign.run)
        if order.purpose is RoundPurpose.EVALUATION:
            self._check_comparable(start)
        head = self._log.checkpoint()
        now = int(self._clock())
        return RoundPlan(
            run=campaign.run,
            round_number=round_number,
            attempt=attempt,
            purpose=order.purpose,
            base_sha256=order.base_sha256,
            basis_sha256=order.basis_sha256,
            release=start.number,
            release_sha256=self._releases.digest(start.number),
            dimension=order.dimension,
            clip_norm=order.clip_norm,
            noise_multiplier=order.noise_multiplier,
            colluders=order.colluders,
            weights_permille=order.weights_permille,
            minimum_cohort=order.minimum_cohort,
            issued=now,
            deadline=now + int(order.prepare_s + 5 * order.stage_s) + 1,
            reply_slot_ms=order.reply_slot_ms,
            log_size=head.size,
            log_root=head.root.hex(),
            bundle_sha256=self._bundle_sha256,
            repeats=NO_PLAN if replay is None else replay.rounds[round_number - 1].plan_sha256,
            reserved_replays=order.reserved_replays,
        )

    def _check_comparable(self, judged: Release) -> None:
        """An evaluation compares a release with the one of the number before; that must be here, and on the same way."""
        before = self._releases.release(max(judged.number - 1, 0))
        is_of_another_replay = before.status is ReleaseStatus.PROVISIONAL and before.run != judged.run
        if before.number in self._releases.withdrawn() or is_of_another_replay:
            raise FederationError(
                "the release before the newest one was withdrawn, so that there is nothing to compare with",
                hint="order a round of the purpose model first",
            )
