"""Campaigns among virtual laptops: releases, drop-outs, attempts, resuming, rolling back."""

import numpy as np
import pytest

from hometone_server.records.releases import Releases
from hometone_server.rounds.journal import CampaignState
from hometone_server.rounds.outcomes import Outcomes
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.privacy.cells import CELLS, HISTOGRAM_CLIP_NORM, cells_of, one_hot
from hometone_shared.privacy.evaluation import EVALUATION_CLIP_NORM, EVALUATION_DIMENSION, evaluation_vector
from hometone_shared.privacy.listening import LISTENING_CLIP_NORM, LISTENING_DIMENSION, Condition, listening_vector
from hometone_shared.records.panel import Scale
from hometone_shared.records.plan import KIND, RoundPlan, RoundPurpose

RUN = "0123456789abcdef"
DIRECTION = np.array([0.3, -0.4, 0.0, 0.1, 0.0, 0.2])


def test_every_round_makes_a_release(make_village, make_order):
    village = make_village(4)
    village.journal.add_campaign(RUN, make_order())
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    assert village.journal.campaign(RUN).state is CampaignState.FINISHED
    releases = Releases.open(village.home, village.log)
    assert [release.number for release in releases.chain().releases] == [0, 1, 2]
    assert np.allclose(releases.coordinates(2), 2 * DIRECTION, atol=0.05)
    attempts = village.journal.attempts(RUN)
    assert [(each.round_number, each.attempt, each.state) for each in attempts] == [(1, 1, "finished"), (2, 1, "finished")]
    assert attempts[0].figures["devices"] == dict.fromkeys(("offer", "roster", "mask", "survivors", "unmask"), 4)
    assert releases.release(2).plan_sha256 == attempts[1].plan_sha256


def test_plans_are_in_the_log_before_they_are_offered_and_start_from_the_newest_release(make_village, make_order):
    village = make_village(3)
    village.journal.add_campaign(RUN, make_order())
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    plans = [RoundPlan.from_envelope(envelope, key=village.log.key) for envelope in village.log.of_kind(KIND)]
    assert [plan.release for plan in plans] == [0, 1]
    for envelope, plan in zip(village.log.of_kind(KIND), plans, strict=True):
        assert village.log.index_of(envelope.digest) == plan.log_size
        assert village.log.root_at(plan.log_size).hex() == plan.log_root


def test_a_round_survives_those_who_leave(make_village, make_order):
    village = make_village(7)
    village.laptops[0].leaves_at, village.laptops[1].leaves_at = "mask", "roster"
    village.journal.add_campaign(RUN, make_order(rounds=1))
    village.runner.run(RUN, village.exchange(lambda number: DIRECTION if number > 1 else -DIRECTION))
    figures = village.journal.attempts(RUN)[0].figures
    assert (figures["survivors"], figures["speakers"]) == (5, 5)
    assert np.allclose(Releases.open(village.home, village.log).coordinates(1), DIRECTION, atol=0.05)


def test_too_few_fail_closed_and_every_attempt_has_a_plan_of_its_own(make_village, make_order):
    village = make_village(4)
    for laptop in village.laptops[:2]:
        laptop.leaves_at = "mask"
    village.journal.add_campaign(RUN, make_order(rounds=1, attempts=2))
    with pytest.raises(FederationError, match="only 2 laptops are left"):
        village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    attempts = village.journal.attempts(RUN)
    assert [each.state for each in attempts] == ["failed", "failed"]
    assert len({each.plan_sha256 for each in attempts}) == 2
    assert village.journal.campaign(RUN).state is CampaignState.FAILED
    assert Releases.open(village.home, village.log).newest().number == 0
    for laptop in village.laptops:
        laptop.leaves_at = ""
    village.journal.set_state(RUN, CampaignState.ORDERED)
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    assert [each.attempt for each in village.journal.attempts(RUN)] == [1, 2, 3]
    assert Releases.open(village.home, village.log).newest().number == 1


def test_a_cohort_below_its_minimum_is_not_even_asked(make_village, make_order):
    village = make_village(2)
    village.journal.add_campaign(RUN, make_order(attempts=1))
    with pytest.raises(FederationError, match="2 laptops are there and 3 are needed"):
        village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    assert village.log.of_kind(KIND) == []


@pytest.mark.parametrize("killed_at", ["roster", "mask", "unmask", "sum"])
def test_killed_in_a_stage_the_next_start_makes_a_new_attempt(make_village, make_order, monkeypatch, killed_at):
    village = make_village(3)
    village.journal.add_campaign(RUN, make_order(rounds=1))

    class KilledError(BaseException):
        """As if the process had been killed here."""

    def die(_runner, key, stage, figures):
        village.journal.note_stage(key, stage, figures.to_record())
        if stage == killed_at:
            raise KilledError

    runner = village.runner
    monkeypatch.setattr(type(runner), "_watch", die)
    monkeypatch.setattr(village.journal, "end_attempt", lambda *_args, **_kwargs: None)  # a killed process writes nothing more
    with pytest.raises(KilledError):
        runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    monkeypatch.undo()
    assert [each.state for each in village.journal.attempts(RUN)] == ["open"]
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    attempts = village.journal.attempts(RUN)
    assert [(each.attempt, each.state) for each in attempts] == [(1, "failed"), (2, "finished")]
    assert attempts[0].figures["reason"] == "interrupted"
    assert attempts[0].plan_sha256 != attempts[1].plan_sha256
    assert Releases.open(village.home, village.log).newest().number == 1


def test_killed_between_release_and_journal_the_round_is_not_done_twice(make_village, make_order, monkeypatch):
    village = make_village(3)
    village.journal.add_campaign(RUN, make_order(rounds=1))
    monkeypatch.setattr(village.journal, "end_attempt", lambda *_args, **_kwargs: None)
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    monkeypatch.undo()
    village.journal.set_state(RUN, CampaignState.RUNNING)
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    assert [(each.attempt, each.state) for each in village.journal.attempts(RUN)] == [(1, "finished")]
    assert Releases.open(village.home, village.log).newest().number == 1


def test_a_campaign_that_is_told_to_stop_stops_after_its_attempt(make_village, make_order):
    village = make_village(3)
    village.journal.add_campaign(RUN, make_order(rounds=5))

    def contribution(number):
        village.journal.stop(RUN)
        return DIRECTION

    village.runner.run(RUN, village.exchange(contribution))
    assert village.journal.campaign(RUN).state is CampaignState.STOPPED
    assert Releases.open(village.home, village.log).newest().number == 1


def test_the_balance_is_kept_and_gives_weights(make_village, make_order):
    village = make_village(30)
    order = make_order(purpose=RoundPurpose.BALANCE, rounds=1, dimension=len(CELLS), clip_norm=HISTOGRAM_CLIP_NORM)
    village.journal.add_campaign(RUN, order)
    women = one_hot(cells_of(age_band="70-79", gender="女", settlement="rural", region="陕西"))
    men = one_hot(cells_of(age_band="70-79", gender="man", settlement="rural", region="陕西"))
    village.runner.run(RUN, village.exchange(lambda number: women if number < 24 else men))
    (found,) = village.journal.results("balance")
    counts = {cell: each["count"] for cell, each in found["cells"].items()}
    assert counts["gender:woman"] == pytest.approx(24, abs=1)
    assert counts["gender:man"] == pytest.approx(6, abs=1)
    assert "age:18-29" in found["missing"]
    assert found["weights_permille"]["gender:woman"] == pytest.approx(625, abs=30)


@pytest.mark.parametrize("rolled_back_before", [True, False])
def test_killed_after_an_evaluation_was_kept_nobody_pays_again_and_the_release_goes_back_once(
    make_village, make_order, monkeypatch, rolled_back_before
):
    village = make_village(30)
    village.journal.add_campaign(RUN, make_order(rounds=1))
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    order = make_order(
        purpose=RoundPurpose.EVALUATION, rounds=1, dimension=EVALUATION_DIMENSION, clip_norm=EVALUATION_CLIP_NORM, roll_back=True
    )
    village.journal.add_campaign("f" * 16, order)
    cells = cells_of(age_band="80+", gender="woman", settlement="urban", region="陕西")
    vector = evaluation_vector(cells=cells, error_before=0.1, error_after=0.9, similarity=0.8)
    monkeypatch.setattr(village.journal, "end_attempt", lambda *_args, **_kwargs: None)
    if not rolled_back_before:
        monkeypatch.setattr(Outcomes, "settle", lambda _outcomes, _campaign, outcome: outcome)
    village.runner.run("f" * 16, village.exchange(lambda _number: vector))
    monkeypatch.undo()
    village.journal.set_state("f" * 16, CampaignState.RUNNING)

    def nobody(_number):
        raise AssertionError("the round was done, and paid for, before")

    village.runner.run("f" * 16, village.exchange(nobody))
    (attempt,) = village.journal.attempts("f" * 16)
    assert attempt.state == "finished"
    releases = Releases.open(village.home, village.log)
    assert (releases.newest().number, releases.newest().restores) == (2, 0)


@pytest.mark.parametrize(("after", "restored"), [(0.9, True), (0.1, False)])
def test_an_evaluation_that_finds_a_release_worse_brings_back_the_one_before(make_village, make_order, after, restored):
    village = make_village(30)
    village.journal.add_campaign(RUN, make_order(rounds=1))
    village.runner.run(RUN, village.exchange(lambda _number: DIRECTION))
    order = make_order(
        purpose=RoundPurpose.EVALUATION, rounds=1, dimension=EVALUATION_DIMENSION, clip_norm=EVALUATION_CLIP_NORM, roll_back=True
    )
    village.journal.add_campaign("f" * 16, order)
    cells = cells_of(age_band="80+", gender="woman", settlement="urban", region="陕西")
    vector = evaluation_vector(cells=cells, error_before=0.5, error_after=after, similarity=0.8)
    village.runner.run("f" * 16, village.exchange(lambda _number: vector))
    releases = Releases.open(village.home, village.log)
    assert releases.newest().restores == (0 if restored else None)
    (found,) = village.journal.results("evaluation")
    assert found["everybody"]["figures"]["change"]["value"] == pytest.approx(after - 0.5, abs=0.05)
    assert np.allclose(releases.coordinates(releases.newest().number)[0], 0.0 if restored else DIRECTION[0], atol=0.05)


def test_what_listeners_say_comes_out_by_group_and_recording_condition(make_village, make_order):
    village = make_village(30)
    order = make_order(purpose=RoundPurpose.LISTENING, rounds=1, dimension=LISTENING_DIMENSION, clip_norm=LISTENING_CLIP_NORM)
    village.journal.add_campaign(RUN, order)
    cells = cells_of(age_band="80+", gender="woman", settlement="urban", region="陕西")
    vector = listening_vector(cells=cells, condition=Condition.NOISY_ROOM, means={Scale.NATURALNESS: 4.0, Scale.PREFERENCE: 1.5})
    village.runner.run(RUN, village.exchange(lambda _number: vector))
    (found,) = village.journal.results("listening")
    assert found["everybody"]["means"]["naturalness"]["value"] == pytest.approx(4.0, abs=0.3)
    noisy = next(each for each in found["cells"] if each["cell"] == "recording:noisy room")
    assert noisy["means"].keys() == {"naturalness", "preference"}
    assert noisy["means"]["preference"]["value"] == pytest.approx(1.5, abs=0.3)


def test_only_one_campaign_runs_at_a_time(make_village, make_order):
    village = make_village(3)
    village.journal.add_campaign(RUN, make_order(rounds=1))
    other = village.runner
    met: list[str] = []

    def contribution(_number):
        if not met:
            with pytest.raises(FederationError, match="another campaign is running") as caught:
                other.run(RUN, village.exchange(lambda _n: DIRECTION))
            met.append(caught.value.message)
        return DIRECTION

    village.runner.run(RUN, village.exchange(contribution))
    assert met


def test_an_unknown_campaign_is_refused(make_village):
    village = make_village(2)
    with pytest.raises(UsageError, match="no campaign"):
        village.runner.run("0" * 16, village.exchange(lambda _number: DIRECTION))


def test_a_plan_that_laptops_refuse_is_not_offered_again(make_village, make_order):
    from hometone_shared.messages import Body

    village = make_village(4)
    village.journal.add_campaign(RUN, make_order(rounds=1, attempts=5))
    inner = village.exchange(lambda _number: DIRECTION)

    class Wary:
        def nodes(self):
            return inner.nodes()

        def exchange(self, requests, *, kind, timeout_s, enough=None):
            return {node: Body.refusal("limits", "the noise is too small") for node in requests}

    with pytest.raises(FederationError, match=r"refused by 4 of 4 laptops: limits \(4\); 3 are needed"):
        village.runner.run(RUN, Wary())
    assert len(village.journal.attempts(RUN)) == 1


def test_a_driver_counts_refusals_by_code_and_faulty_answers(make_village, make_order):
    from hometone_shared.messages import Body

    village = make_village(5)
    village.journal.add_campaign(RUN, make_order(rounds=1))
    inner = village.exchange(lambda _number: DIRECTION)

    class Moody:
        def nodes(self):
            return inner.nodes()

        def exchange(self, requests, *, kind, timeout_s, enough=None):
            answers = inner.exchange(requests, kind=kind, timeout_s=timeout_s)
            if kind == "offer":
                answers[0] = Body.refusal("budget", "nobody here can afford it")
            if kind == "roster":
                answers[1] = Body("roster", {"shares": {}})
            return answers

    village.runner.run(RUN, Moody())
    figures = village.journal.attempts(RUN)[0].figures
    assert figures["refusals"] == {"budget": 1}
    assert figures["faulty"] == 1
    assert figures["devices"] == {"offer": 4, "roster": 3, "mask": 3, "survivors": 3, "unmask": 3}
