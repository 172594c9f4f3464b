"""What releases cost, against the closed form of Balle and Wang 2018 and against the mechanism itself."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.signal import fftconvolve
from scipy.special import log_ndtr

from hometone_shared.errors import UsageError
from hometone_shared.privacy import accounting
from hometone_shared.privacy.accounting import GaussianEvent, distributed_gaussian_gap, epsilon, noise_multiplier
from hometone_shared.records.plan import LEAST_VARIANCE, SCALE


def closed_form_log_delta(multiplier, eps):
    """Balle and Wang 2018, theorem 8: delta = Phi(1/2z - eps z) - exp(eps) Phi(-1/2z - eps z)."""
    left = log_ndtr(0.5 / multiplier - eps * multiplier)
    right = eps + log_ndtr(-0.5 / multiplier - eps * multiplier)
    return left + math.log1p(-math.exp(right - left)) if right < left else -math.inf


def closed_form_epsilon(multiplier, delta):
    def excess(eps):
        return closed_form_log_delta(multiplier, eps) - math.log(delta)

    return brentq(excess, 0.0, 1e4, xtol=1e-12) if excess(0.0) > 0 else 0.0


@pytest.mark.parametrize("multiplier", [0.05, 0.1, 0.3, 0.6, 0.8, 1.08, 2.0, 3.73, 10.0, 50.0, 1000.0, 1e6])
@pytest.mark.parametrize("delta", [1e-12, 1e-8, 1e-5, 1 / 1270, 0.005, 0.5])
def test_a_release_costs_what_the_closed_form_says_and_not_less(multiplier, delta):
    ours, theirs = epsilon([GaussianEvent(multiplier)], delta=delta), closed_form_epsilon(multiplier, delta)
    assert abs(ours - theirs) < 1e-3
    assert ours >= theirs - 1e-9


@pytest.mark.parametrize(("eps", "multiplier"), [(1, 3.73), (2, 1.99), (4, 1.08), (8, 0.60)])
def test_the_figures_that_the_design_began_with(eps, multiplier):
    assert abs(noise_multiplier(epsilon=eps, delta=1e-5, rounds=1) - multiplier) < 0.005
    assert abs(noise_multiplier(epsilon=eps, delta=1e-5, rounds=9) - 3 * multiplier) < 0.015


@pytest.mark.parametrize("multipliers", [(1.0,), (2.0, 2.0, 2.0, 2.0), (5.0, 1.2, 0.9), tuple(range(1, 40))])
def test_releases_add_up_like_one_of_less_noise(multipliers):
    together = sum(z**-2.0 for z in multipliers) ** -0.5
    assert abs(epsilon([GaussianEvent(z) for z in multipliers], delta=1e-5) - closed_form_epsilon(together, 1e-5)) < 1e-3


def test_composition_is_that_of_the_library():
    from dp_accounting.pld import privacy_loss_distribution

    parts = [privacy_loss_distribution.from_gaussian_mechanism(z) for z in (4.0, 3.0, 7.0)]
    composed = parts[0].compose(parts[1]).compose(parts[2]).get_epsilon_for_delta(1e-5)
    assert abs(epsilon([GaussianEvent(z) for z in (4.0, 3.0, 7.0)], delta=1e-5) - composed) < 1e-3


@settings(max_examples=15, deadline=None)
@given(
    eps=st.floats(1e-3, 20.0),
    delta=st.floats(1e-10, 0.1),
    rounds=st.integers(1, 60),
    replays=st.integers(0, 3),
)
def test_planned_noise_never_overspends_and_hardly_underspends(eps, delta, rounds, replays):
    multiplier = noise_multiplier(epsilon=eps, delta=delta, rounds=rounds, reserved_replays=replays)
    spent = epsilon([GaussianEvent(multiplier)] * (rounds * (1 + replays)), delta=delta)
    assert spent <= eps
    assert closed_form_log_delta(multiplier / math.sqrt(rounds * (1 + replays)) / (1 + 1e-5), eps) > math.log(delta)


@pytest.mark.parametrize(("eps", "delta"), [(1e-6, 1e-18), (1e-6, 0.9), (100.0, 1e-18), (1000.0, 1e-5)])
def test_the_ends_of_the_scale(eps, delta):
    multiplier = noise_multiplier(epsilon=eps, delta=delta, rounds=3)
    assert epsilon([GaussianEvent(multiplier)] * 3, delta=delta) <= eps


def test_nothing_costs_nothing_and_no_noise_costs_everything():
    assert epsilon([], delta=1e-5) == 0.0
    assert epsilon([GaussianEvent(0.001)], delta=1e-5) == math.inf
    assert epsilon([GaussianEvent(5e-324), GaussianEvent(1.0)], delta=1e-5) == math.inf
    assert epsilon([GaussianEvent(0.1)] * 100, delta=1e-5) == math.inf
    assert epsilon([GaussianEvent(1e308)], delta=1e-5) == 0.0
    assert 0.0 < epsilon([GaussianEvent(1e308)], delta=1e-18) < 1e-7


def test_more_releases_and_less_noise_cost_more():
    costs = [epsilon([GaussianEvent(3.0)] * count, delta=1e-5) for count in range(1, 12)]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)
    by_noise = [epsilon([GaussianEvent(1.0 + step / 1000)], delta=1e-5) for step in range(0, 60, 3)]
    assert by_noise == sorted(by_noise, reverse=True)


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf, 1e-19])
def test_what_is_no_delta_is_refused(delta):
    with pytest.raises(UsageError):
        epsilon([], delta=delta)
    with pytest.raises(UsageError):
        noise_multiplier(epsilon=1.0, delta=delta, rounds=1)


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf, 1e-7, 1001.0])
def test_what_is_no_budget_is_refused(bound):
    with pytest.raises(UsageError):
        noise_multiplier(epsilon=bound, delta=1e-5, rounds=1)


@pytest.mark.parametrize(("rounds", "replays"), [(0, 0), (-1, 0), (1, -1), (1_000_001, 0), (1000, 1000)])
def test_rounds_outside_the_limits_are_refused(rounds, replays):
    with pytest.raises(UsageError):
        noise_multiplier(epsilon=1.0, delta=1e-5, rounds=rounds, reserved_replays=replays)


@pytest.mark.parametrize("multiplier", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_multiplier_is_refused(multiplier):
    with pytest.raises(UsageError):
        GaussianEvent(multiplier)


def test_answers_are_remembered():
    accounting._epsilon_of_one.cache_clear()
    for _ in range(3):
        epsilon([GaussianEvent(1.234)], delta=1e-5)
    assert accounting._epsilon_of_one.cache_info().misses == 1


def gap_by_definition(variance, devices):
    return 10 * sum(math.exp(-2 * math.pi**2 * variance * k / (k + 1)) for k in range(1, devices))


@pytest.mark.parametrize(("variance", "devices"), [(1, 2), (1, 50), (0.25, 3), (9, 100)])
def test_the_gap_is_that_of_the_theorem(variance, devices):
    assert math.isclose(distributed_gaussian_gap(variance, devices), gap_by_definition(variance, devices), rel_tol=1e-12)


def test_the_gap_is_negligible_from_the_least_variance_on():
    assert distributed_gaussian_gap(LEAST_VARIANCE, 1000) * 2**22 < 1e-30
    assert 0.0 < distributed_gaussian_gap(10_000, 1000) < 1e-300
    assert distributed_gaussian_gap(LEAST_VARIANCE, 1) == 0.0
    for variance, devices in ((0.1, 2), (9, 0)):
        with pytest.raises(UsageError):
            distributed_gaussian_gap(variance, devices)


@pytest.mark.parametrize(("multiplier", "devices"), [(1.08, 3), (0.6, 5), (3.73, 2)])
def test_the_integers_are_as_private_as_the_accountant_says(multiplier, devices):
    """The exact delta of a sum of discrete Gaussians in one coordinate, from its probabilities, against the continuous closed form."""
    variance = math.ceil(multiplier**2 * SCALE**2 / devices)
    reach = 12 * math.isqrt(variance)
    points = np.arange(-reach, reach + 1)
    single = np.exp(-(points.astype(float) ** 2) / (2.0 * variance))
    single /= single.sum()
    law = single
    for _ in range(devices - 1):
        law = fftconvolve(law, single)
    shifted = np.concatenate([np.zeros(SCALE), law])
    law = np.concatenate([law, np.zeros(SCALE)])
    for delta in (1e-2, 1e-3, 1e-5):
        eps = closed_form_epsilon(multiplier, delta)
        exact = np.maximum(shifted - math.exp(eps) * law, 0.0).sum()
        assert abs(exact / delta - 1) < 1e-6


def test_the_accountant_can_be_loaded_beforehand():
    accounting.load_accountant()
    assert "dp_accounting.pld.privacy_loss_distribution" in sys.modules
