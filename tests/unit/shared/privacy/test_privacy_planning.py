"""The plan calculator: the design's table, the law of the noise, and refusals."""

import math

import pytest

from hometone_shared.errors import UsageError
from hometone_shared.privacy.accounting import GaussianEvent, epsilon, noise_multiplier
from hometone_shared.privacy.planning import LARGEST_USEFUL_NOISE_TO_SIGNAL, bytes_up, estimate
from hometone_shared.records.plan import threshold

# Largest useful dimension at delta = 1 / (10 N), from the design notes; see docs/differential-privacy.md on the constant difference.
TABLE = {
    20: (4, 14, 40, 112),
    50: (23, 71, 216, 620),
    127: (121, 387, 1_200, 3_600),
    500: (1_400, 4_800, 15_000, 48_000),
    2_000: (19_000, 64_000, 211_000, 667_000),
}


@pytest.mark.parametrize("speakers", TABLE)
def test_the_table_of_the_design_within_a_quarter(speakers):
    for bound, dimension in zip((1.0, 2.0, 4.0, 8.0), TABLE[speakers], strict=True):
        found = estimate(speakers=speakers, rounds=1, epsilon=bound)
        assert 1.0 <= found.dimension / dimension <= 1.25
        # The notes leave out that a full roster adds the noise of n devices where t would do; with it the rest is constant.
        bare = (1.5 * 0.2 * speakers / noise_multiplier(epsilon=bound, delta=found.delta, rounds=1)) ** 2
        assert abs(found.dimension - bare * found.threshold / speakers) <= 1


def test_a_plan_spends_its_budget_and_no_more():
    plan = estimate(speakers=127, rounds=12, epsilon=4.0, reserved_replays=1)
    assert plan.delta == 1 / 1270
    assert epsilon([GaussianEvent(plan.noise_multiplier)] * 24, delta=plan.delta) <= 4.0
    assert math.isclose(epsilon([GaussianEvent(plan.noise_multiplier)] * 24, delta=plan.delta), 4.0, rel_tol=1e-4)
    assert len(plan.epsilon_after_rounds) == 12
    assert plan.epsilon_after_rounds[0] == plan.epsilon_per_round
    assert list(plan.epsilon_after_rounds) == sorted(plan.epsilon_after_rounds)
    assert plan.epsilon_after_rounds[-1] < 4.0


def test_what_can_be_learnt_does_not_depend_on_the_rounds_but_replays_cost():
    one, twenty = (estimate(speakers=127, rounds=rounds, epsilon=4.0) for rounds in (1, 20))
    assert one.dimension == twenty.dimension
    assert math.isclose(twenty.noise_multiplier, math.sqrt(20) * one.noise_multiplier)
    replayed = estimate(speakers=127, rounds=1, epsilon=4.0, reserved_replays=1)
    assert abs(replayed.dimension - one.dimension / 2) <= 1
    assert replayed.useful
    assert one.noise_to_signal <= LARGEST_USEFUL_NOISE_TO_SIGNAL < one.noise_to_signal * math.sqrt((one.dimension + 1) / one.dimension)


def test_noise_to_signal_by_hand():
    plan = estimate(speakers=30, devices=6, rounds=4, epsilon=2.0, delta=1e-3, dimension=50, signal=0.3, colluders=1, minimum_cohort=6)
    # t of 6 is 5, one of whom cheats: noise of 6 devices where 4 have to do.
    total = plan.noise_multiplier * math.sqrt(6 / 4) * math.sqrt(50) * math.sqrt(4)
    assert math.isclose(plan.noise_to_signal, total / (4 * 30 * 0.3))
    assert (plan.devices, plan.threshold, plan.minimum_cohort, plan.dimension) == (6, 5, 6, 50)


def test_hopeless_cohorts_are_told():
    plan = estimate(speakers=2, rounds=1, epsilon=0.1)
    assert plan.dimension == 1
    assert not plan.useful


def test_the_basis_limits_the_dimension():
    assert estimate(speakers=500, rounds=1, epsilon=8.0, largest_dimension=256).dimension == 256
    assert estimate(speakers=90_000, rounds=1, epsilon=20.0).dimension == 2**22


def test_bytes_that_go_up():
    # Everybody holds everybody's shares up to 101 devices; above, 100 neighbours.
    assert bytes_up(dimension=1000, devices=101) == bytes_up(dimension=1000, devices=5000)
    assert bytes_up(dimension=1001, devices=10) - bytes_up(dimension=1000, devices=10) == 4
    assert bytes_up(dimension=1000, devices=11) > bytes_up(dimension=1000, devices=10) > 4000


def test_the_smallest_cohort_is_what_has_to_stay_unless_told():
    assert estimate(speakers=30, rounds=1, epsilon=4.0).minimum_cohort == threshold(30)
    assert estimate(speakers=2, rounds=1, epsilon=4.0).minimum_cohort == 2
    assert estimate(speakers=30, rounds=1, epsilon=4.0, minimum_cohort=5).minimum_cohort == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"speakers": 1},
        {"speakers": 100_001},
        {"devices": 1},
        {"devices": 21},
        {"rounds": 0},
        {"rounds": 201},
        {"epsilon": 0.0},
        {"epsilon": math.nan},
        {"delta": 0.0},
        {"delta": 1.0},
        {"signal": 0.0},
        {"signal": 1.1},
        {"signal": math.nan},
        {"reserved_replays": -1},
        {"minimum_cohort": 1},
        {"minimum_cohort": 21},
        {"colluders": -1},
        {"minimum_cohort": 3, "colluders": 3},
        {"dimension": 0},
        {"dimension": 2**22 + 1},
        {"dimension": 101, "largest_dimension": 100},
        {"largest_dimension": 0},
        {"largest_dimension": 2**22 + 1},
    ],
)
def test_plans_that_cannot_be_made_are_refused(wrong):
    with pytest.raises(UsageError):
        estimate(**{"speakers": 20, "rounds": 2, "epsilon": 4.0} | wrong)


def test_noise_that_leaves_the_modulus_is_refused():
    with pytest.raises(UsageError, match="does not fit"):
        estimate(speakers=20, rounds=200, epsilon=0.001, delta=1e-9)
