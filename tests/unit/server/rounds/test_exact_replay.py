"""Exact replay: with the same noise, the repeated releases are bit for bit those of a federation that the speaker never joined."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from tests.replaying_federation import FIGURES, REPLAY_RUN, Federation

from hometone_server.records.releases import Releases
from hometone_server.rounds.journal import CampaignState
from hometone_server.rounds.order import Order
from hometone_server.rounds.outcomes import Outcomes
from hometone_server.rounds.replay_scope import LogReading
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import DamagedVaultError, FederationError, UsageError
from hometone_shared.privacy.accounting import noise_multiplier
from hometone_shared.records import withdrawn_releases
from hometone_shared.records.plan import KIND, RoundPlan, RoundPurpose
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import Treatment
from hometone_shared.records.release import ReleaseStatus
from hometone_shared.records.tombstone import SharedModelWish
from hometone_shared.records.withdrawn_releases import WithdrawnReleases


@pytest.fixture
def federation(make_village: Callable[..., Any], make_order: Callable[..., Order]) -> Federation:
    return Federation(make_village(6), make_order)


@pytest.fixture
def never_joined(make_village: Callable[..., Any], make_order: Callable[..., Order]) -> Callable[..., list[str]]:
    """Hashes of the releases of a federation without some of the laptops."""

    def run(absent: set[int], *, rounds: int = 4) -> list[str]:
        other = Federation(make_village(6, elsewhere=True), make_order)
        other.present -= absent
        for k in range(1, rounds + 1):
            other.round(k)
        return other.hashes()

    return run


@pytest.mark.parametrize(
    "joining",
    [{5: 1}, {5: 2}, {5: 4}, {5: 1, 4: 1}, {5: 2, 4: 3}, {5: 4, 3: 2}],
    ids=["first round", "middle round", "last round", "two in the first", "two in the middle", "last and second"],
)
def test_after_the_replay_every_release_is_that_of_a_federation_without_them(federation, never_joined, joining):
    federation.present -= set(joining)
    for k in range(1, 5):
        for number, joins in joining.items():
            if joins == k:
                federation.register(number)
        federation.round(k)
    with_them = federation.hashes()
    digests = [federation.withdraw(number) for number in joining]
    assert all(federation.treatments(digest) == [Treatment.REPLAY_PENDING] for digest in digests)
    first = min(joining.values())
    scope = federation.replay()
    without = never_joined(set(joining))
    assert (scope.restores, [each.release for each in scope.rounds]) == (first - 1, list(range(first, 5)))
    assert with_them[:first] == without[:first]
    assert all(one != other for one, other in zip(with_them[first:], without[first:], strict=True)), "they left no trace to be removed"
    assert federation.hashes()[5:] == without[first - 1 :], "the replayed releases, beginning with the restored one"
    chain = federation.releases.chain().releases
    assert [each.status for each in chain[5:]] == [ReleaseStatus.PROVISIONAL] * (5 - first) + [ReleaseStatus.CURRENT]
    assert federation.releases.newest().vector_sha256 == without[4]
    (leaf,) = federation.village.log.of_kind(withdrawn_releases.KIND)
    assert WithdrawnReleases.from_envelope(leaf, key=federation.village.log.key) == WithdrawnReleases(
        releases=tuple(range(first, 5)), replaced_by=chain[-1].number
    )
    assert all(federation.treatments(digest)[-1] is Treatment.REPLAYED for digest in digests)
    kept = {path.name for path in federation.village.home.releases.iterdir()}
    assert kept.isdisjoint(with_them[first:])
    assert kept == set(without)
    for number in range(first, 5):
        with pytest.raises(UsageError, match="was withdrawn"):
            federation.releases.vector(number)
        with pytest.raises(UsageError, match="was withdrawn"):
            federation.releases.restore(number)


def test_a_second_replay_repeats_rounds_of_the_first(federation, never_joined, make_village, make_order):
    other = Federation(make_village(6, elsewhere=True), make_order)
    for each in (federation, other):
        each.present -= {4, 5}
        each.round(1)
        each.register(4)
        each.round(2)
        if each is federation:
            each.register(5)
        each.round(3)
        each.round(4)
    federation.withdraw(5)
    assert [each.release for each in federation.replay().rounds] == [3, 4]
    assert federation.hashes()[5:] == other.hashes()[2:]
    federation.withdraw(4)
    scope = federation.replay("e" * 16)
    assert (scope.restores, [each.release for each in scope.rounds]) == (1, [2, 6, 7])
    assert scope.withdraws == (2, 5, 6, 7)
    assert federation.hashes()[8:] == never_joined({4, 5})[1:]
    assert LogReading.of(federation.village.log).waiting() == ()


def test_who_does_not_wish_it_is_repeated_for_only_by_name(federation, never_joined):
    federation.present -= {5}
    federation.register(5)
    federation.round(1)
    digest = federation.withdraw(5, wish=SharedModelWish.LEAVE, scope=Purpose.FEDERATED)
    assert federation.treatments(digest) == [Treatment.BOUND]
    with pytest.raises(UsageError, match="nobody waits"):
        federation.replay()
    federation.replay(pseudonyms=[federation.secrets[5].pseudonym])
    assert federation.hashes()[2:] == never_joined({5}, rounds=1)
    assert federation.treatments(digest)[-1] is Treatment.REPLAYED


def test_rounds_beside_the_line_are_not_repeated_but_withdrawn(federation):
    federation.present -= {5}
    federation.round(1)
    federation.register(5)
    federation.round(2)
    federation.releases.restore(1)
    federation.round(3)
    federation.withdraw(5)
    scope = federation.replay()
    assert (scope.restores, [each.release for each in scope.rounds], scope.withdraws) == (3, [4], (2, 4))
    assert federation.releases.vector(3) == federation.releases.vector(1)


def test_rolled_back_rounds_leave_nothing_to_repeat(federation):
    federation.present -= {5}
    federation.round(1)
    federation.register(5)
    federation.round(2)
    federation.releases.restore(1)
    digest = federation.withdraw(5)
    scope = federation.scope()
    assert (scope.rounds, scope.withdraws, scope.restores, scope.newest, scope.epsilon) == ((), (2,), 3, 3, 0.0)
    with pytest.raises(UsageError, match="no round has to be repeated"):
        scope.order()
    from hometone_server.rounds.replay import Replay

    replay = Replay(log=federation.village.log, releases=federation.releases, withdrawals=federation.withdrawals)
    for _ in range(2):
        assert "1 earlier" in replay.withdraw(scope.withdraws, replaced_by=scope.newest, tombstones=scope.tombstones)
    assert federation.releases.withdrawn() == {2}
    assert federation.treatments(digest) == [Treatment.REPLAY_PENDING, Treatment.REPLAYED]
    assert LogReading.of(federation.village.log).waiting() == ()


def test_who_was_in_no_round_asks_for_nothing(federation):
    federation.round(1)
    federation.register(5)
    federation.withdraw(5)
    assert LogReading.of(federation.village.log).waiting() == ()
    for name in ("0" * 32, "f" * 32):
        with pytest.raises(UsageError, match="nobody of that pseudonym"):
            federation.scope([name])


class KilledError(BaseException):
    """As if the process had been killed here."""


@pytest.mark.parametrize(
    "killed",
    ["mask", "sum", "released", "finished", "restored", "withdrawn", "answered"],
)
def test_killed_anywhere_the_replay_ends_in_the_same_state(federation, never_joined, monkeypatch, killed):
    federation.register(5)
    for k in (1, 2):
        federation.round(k)
    digest = federation.withdraw(5)
    scope = federation.scope()
    village = federation.village
    village.journal.add_campaign(REPLAY_RUN, scope.order())
    runner = village.runner

    def dying(*_args: Any, **_kwargs: Any) -> None:
        raise KilledError

    def after(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            raise KilledError

        monkeypatch.setattr(owner, name, call)

    def at_stage(_runner: Any, key: Any, stage: str, figures: Any) -> None:
        village.journal.note_stage(key, stage, figures.to_record())
        if stage == killed:
            raise KilledError

    monkeypatch.setattr(village.journal, "end_attempt", lambda *_args, **_kwargs: None)  # a killed process writes nothing more
    if killed in {"mask", "sum"}:
        monkeypatch.setattr(type(runner), "_watch", at_stage)
    elif killed == "restored":
        after(Releases, "restore")
    elif killed == "released":
        after(Releases, "publish")
    elif killed == "finished":
        monkeypatch.setattr(village.journal, "end_attempt", village.journal.__class__.end_attempt.__get__(village.journal))
        after(village.journal, "end_attempt")
    elif killed == "withdrawn":
        monkeypatch.setattr(village.journal, "end_attempt", village.journal.__class__.end_attempt.__get__(village.journal))
        monkeypatch.setattr(Withdrawals, "finish_replay", dying)
    else:
        monkeypatch.setattr(village.journal, "end_attempt", village.journal.__class__.end_attempt.__get__(village.journal))
        monkeypatch.setattr(Releases, "drop_withdrawn", dying)
    with pytest.raises(KilledError):
        runner.run(REPLAY_RUN, federation.exchange())
    monkeypatch.undo()
    if killed not in {"withdrawn", "answered"}:
        assert federation.releases.newest().number == 2, "until its end a replay changes nothing"
        assert federation.releases.withdrawn() == frozenset()
    village.runner.run(REPLAY_RUN, federation.exchange())
    assert village.journal.campaign(REPLAY_RUN).state is CampaignState.FINISHED
    assert federation.hashes()[3:] == never_joined({5}, rounds=2)
    assert federation.releases.withdrawn() == {1, 2}
    assert federation.treatments(digest) == [Treatment.REPLAY_PENDING, Treatment.REPLAYED]
    assert {path.name for path in village.home.releases.iterdir()} == set(federation.hashes()[3:])


def test_a_replay_that_fails_changes_nothing_and_what_comes_after_goes_on_from_the_old_model(federation, never_joined):
    federation.register(5)
    for k in (1, 2):
        federation.round(k)
    federation.withdraw(5)
    scope = federation.scope()
    village = federation.village
    village.journal.add_campaign(REPLAY_RUN, dataclasses.replace(scope.order(minimum_cohort=6), attempts=1))
    with pytest.raises(FederationError, match="5 laptops are there and 6 are needed"):
        village.runner.run(REPLAY_RUN, federation.exchange())
    assert federation.releases.newest().number == 2
    assert federation.releases.chain().releases[-1].status is ReleaseStatus.PROVISIONAL
    federation.round(3)
    (*_, newest) = federation.releases.chain().releases
    assert (newest.number, newest.status) == (4, ReleaseStatus.CURRENT)
    plans = [RoundPlan.from_envelope(each, key=village.log.key) for each in village.log.of_kind(KIND)]
    assert plans[-1].release == 2
    village.journal.set_state(REPLAY_RUN, CampaignState.ORDERED)
    with pytest.raises(FederationError, match="has changed since this replay was ordered"):
        village.runner.run(REPLAY_RUN, federation.exchange())
    again = federation.replay("e" * 16)
    assert (again.restores, [each.release for each in again.rounds], again.withdraws) == (0, [1, 2, 4], (1, 2, 4))
    assert federation.hashes()[5:] == never_joined({5}, rounds=3)


def test_plans_say_what_they_repeat_and_what_is_left_in_reserve(federation):
    federation.register(5)
    federation.round(1, reserved_replays=2)
    federation.withdraw(5)
    scope = federation.replay()
    assert scope.is_reserved
    first, second = (RoundPlan.from_envelope(each, key=federation.village.log.key) for each in federation.village.log.of_kind(KIND))
    digests = [each.digest for each in federation.village.log.of_kind(KIND)]
    assert (first.repeats, first.reserved_replays) == ("", 2)
    assert (second.repeats, second.reserved_replays) == (digests[0], 1)
    same = ("dimension", "clip_norm", "noise_multiplier", "colluders", "minimum_cohort", "weights_permille", "purpose", "base_sha256")
    assert all(getattr(first, name) == getattr(second, name) for name in same)


def test_what_it_costs_is_known_before(federation):
    delta, epsilon = 1e-5, 4.0
    multiplier = noise_multiplier(epsilon=epsilon, delta=delta, rounds=2, reserved_replays=1)
    federation.register(5)
    for k in (1, 2):
        federation.round(k, noise_multiplier=multiplier, delta=delta, reserved_replays=1)
    federation.withdraw(5)
    scope = federation.scope()
    assert scope.is_reserved
    assert scope.survivors == 6
    assert 0.0 < scope.seconds < 60.0
    assert 0.0 < scope.epsilon < epsilon
    assert scope.delta == delta
    assert scope.order().epsilon == scope.epsilon


def test_an_evaluation_across_a_withdrawn_release_is_refused(federation):
    federation.register(5)
    federation.round(1)
    federation.withdraw(5)
    village = federation.village
    village.journal.add_campaign(REPLAY_RUN, dataclasses.replace(federation.scope().order(minimum_cohort=6), attempts=1))
    with pytest.raises(FederationError, match="6 are needed"):
        village.runner.run(REPLAY_RUN, federation.exchange())
    federation.round(2)
    order = federation.make_order(purpose=RoundPurpose.EVALUATION, rounds=1, dimension=4, attempts=1)
    village.journal.add_campaign("d" * 16, order)
    with pytest.raises(FederationError, match="nothing to compare with"):
        village.runner.run("d" * 16, federation.exchange())


def test_a_journal_that_does_not_know_the_campaign_is_no_ground_for_a_replay(federation):
    federation.register(5)
    federation.round(1)
    federation.withdraw(5)
    federation.village.journal._db.execute("DELETE FROM campaigns")
    with pytest.raises(DamagedVaultError, match="does not know a campaign"):
        federation.scope()


def test_the_order_of_a_replay_survives_the_journal(federation):
    federation.register(5)
    for k in (1, 2):
        federation.round(k)
    federation.withdraw(5)
    order = federation.scope().order(minimum_cohort=3)
    federation.village.journal.add_campaign(REPLAY_RUN, order)
    assert federation.village.journal.campaign(REPLAY_RUN).order == order
    assert order.of_round(2).dimension == FIGURES[1]["dimension"]
    with pytest.raises(UsageError, match="each once"):
        dataclasses.replace(order, rounds=1)
    with pytest.raises(UsageError, match="replays can be reserved"):
        dataclasses.replace(order, reserved_replays=101)
    broken = order.to_record()
    del broken["replay"]["rounds"][0]["plan_sha256"]
    with pytest.raises(DamagedVaultError):
        Order.from_record(broken)


def test_results_without_a_plan_in_the_log_are_damage(federation):
    federation.round(1)
    read = LogReading.of(federation.village.log)
    read.plans.clear()
    with pytest.raises(DamagedVaultError, match="whose plan"):
        read.line(1)


def test_the_outcome_of_a_replay_uses_the_step_of_the_round_that_is_repeated(federation, monkeypatch):
    seen: list[float] = []
    original = Outcomes.take

    def take(outcomes: Outcomes, campaign: Any, plan: RoundPlan, *rest: Any) -> Any:
        seen.append(campaign.order.of_round(plan.round_number).step)
        return original(outcomes, campaign, plan, *rest)

    monkeypatch.setattr(Outcomes, "take", take)
    federation.register(5)
    for k in (1, 2):
        federation.round(k)
    federation.withdraw(5)
    federation.replay()
    assert seen == [1.0, 0.5, 1.0, 0.5]
