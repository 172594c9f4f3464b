"""The discrete Gaussian: right in law at alpha 1e-6, exact digit by digit, and from the operating system."""

import ast
import inspect
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hometone_shared import privacy
from hometone_shared.errors import ProtocolError
from hometone_shared.privacy import discrete
from hometone_shared.privacy.noise import discrete_gaussian

ALPHA = 1e-6
SAMPLES = 60_000
VARIANCES = [1, 9, 10, 101, 4096, 2**20 + 7, 2**28, 2**36 + 12_345, 2**54]


def distribution(variance):
    """Points, probabilities and cumulative probabilities; the sums are those of the definition up to 2^21 points."""
    reach = math.isqrt(variance) * 10 + 10
    points = np.arange(-reach, reach + 1)
    weights = np.exp(-(points.astype(float) ** 2) / (2.0 * variance))
    return points, weights / weights.sum(), np.cumsum(weights) / weights.sum()


def uniform_scores(samples, variance, seed=7):
    """Each sample's place in its distribution, spread over its own probability: uniform on [0, 1) if the law is right."""
    spread = np.random.default_rng(seed).random(len(samples))
    if variance <= 2**24:
        points, probability, cumulative = distribution(variance)
        index = samples - points[0]
        return cumulative[index] - probability[index] * spread
    # Wide ones: the sum over whole numbers up to x is the integral up to x + 1/2, to 1e-9 (Euler-Maclaurin).
    return stats.norm.cdf((samples.astype(float) + 0.5 - spread) / math.sqrt(variance))


def fits(samples, variance):
    scores = uniform_scores(samples, variance)
    bins = np.histogram(scores, bins=64, range=(0.0, 1.0))[0]
    return min(stats.chisquare(bins).pvalue, stats.kstest(scores, "uniform").pvalue) > ALPHA


@pytest.mark.parametrize("variance", VARIANCES)
def test_the_law_is_the_discrete_gaussian(variance):
    samples = discrete_gaussian(SAMPLES, variance=variance)
    assert samples.dtype == np.int64
    assert samples.shape == (SAMPLES,)
    assert fits(samples, variance)


@pytest.mark.parametrize("variance", [9, 10, 101])
def test_every_single_number_has_its_probability(variance):
    samples = discrete_gaussian(SAMPLES, variance=variance)
    points, probability, _ = distribution(variance)
    often = probability * SAMPLES >= 10
    observed = np.array([np.count_nonzero(samples == point) for point in points[often]])
    expected = probability[often] * SAMPLES
    observed, expected = np.append(observed, SAMPLES - observed.sum()), np.append(expected, SAMPLES - expected.sum())
    assert stats.chisquare(observed, expected).pvalue > ALPHA


@pytest.mark.parametrize("variance", [9, 2**20 + 7, 2**36 + 12_345])
def test_these_tests_notice_five_percent_too_little_noise(variance):
    assert not fits(discrete_gaussian(SAMPLES, variance=variance * 90 // 100), variance)


@pytest.mark.parametrize("variance", [9, 2**28])
def test_samples_are_independent_of_their_neighbours(variance):
    samples = discrete_gaussian(SAMPLES, variance=variance).astype(float)
    for series in (samples, np.abs(samples)):
        centred = series - series.mean()
        correlation = float(centred[1:] @ centred[:-1] / (centred @ centred))
        assert abs(correlation) * math.sqrt(SAMPLES) < 5.0


@pytest.mark.parametrize("variance", [9, 1000, 2**28])
def test_another_implementation_gives_the_same_law(variance):
    opendp = pytest.importorskip("opendp.prelude")
    opendp.enable_features("contrib")
    space = opendp.vector_domain(opendp.atom_domain(T="i64")), opendp.l2_distance(T=float)
    theirs = np.array(opendp.m.make_gaussian(*space, scale=math.sqrt(variance))([0] * 20_000))
    ours = discrete_gaussian(SAMPLES, variance=variance)
    edges = np.quantile(ours, np.linspace(0.05, 0.95, 19))
    table = [np.bincount(np.searchsorted(edges, each), minlength=20) for each in (ours, theirs)]
    assert stats.chi2_contingency(np.array(table)[:, np.sum(table, axis=0) > 0]).pvalue > ALPHA
    assert stats.ks_2samp(ours, theirs).pvalue > ALPHA


def test_the_bytes_are_those_of_the_operating_system():
    assert inspect.signature(discrete.sample).parameters["random_bytes"].default is os.urandom
    assert not np.array_equal(discrete_gaussian(50, variance=2**28), discrete_gaussian(50, variance=2**28))


def test_no_other_generator_is_in_reach():
    for file in Path(privacy.__path__[0]).glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in (each.name for each in node.names)}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & {"random", "torch", "opacus", "secrets"}
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in {"random", "default_rng"}]


def test_the_sampler_has_no_floating_point():
    tree = ast.parse(inspect.getsource(discrete))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]


@pytest.mark.parametrize("count", [0, 1, 2, 17, 70_000])
def test_as_many_as_were_asked_for(count):
    assert discrete_gaussian(count, variance=100).shape == (count,)


@pytest.mark.parametrize(
    ("count", "variance"),
    [(-1, 9), (1.0, 9), (True, 9), (1, 0), (1, -9), (1, 9.0), (1, True), (1, 2**54 + 1), (1, None), ("1", 9)],
)
def test_what_cannot_be_drawn_is_refused(count, variance):
    with pytest.raises(ProtocolError):
        discrete_gaussian(count, variance=variance)


class Dealt:
    """A source of digits that were chosen beforehand; asks for more are a failure of the test."""

    def __init__(self, *digits):
        self.digits = list(digits)

    def __call__(self, count):
        taken, self.digits = self.digits[: count // 4], self.digits[count // 4 :]
        assert len(taken) == count // 4
        return b"".join(digit.to_bytes(4, "little") for digit in taken)


def expansion(fraction, places):
    """Digits of a fraction, base 2^32."""
    digits = []
    for _ in range(places):
        fraction *= 2**32
        digits.append(math.floor(fraction))
        fraction -= digits[-1]
    return digits, fraction


@given(st.data(), st.integers(1, 2**90), st.integers(0, 3))
def test_a_coin_falls_by_the_first_digit_that_differs(data, denominator, places):
    numerator = data.draw(st.integers(0, denominator - 1))
    digits, rest = expansion(Fraction(numerator, denominator), places + 1)
    kind = np.uint64 if denominator < 2**32 else object
    finished = next((i for i in range(places + 1) if expansion(Fraction(numerator, denominator), i)[1] == 0), None)
    for step, expected in ((-1, True), (1, False)):
        last = digits[-1] + step
        if 0 <= last < 2**32 and finished is None:
            source = Dealt(*digits[:-1], last)
            assert discrete._is_below(discrete._Digits(source), np.array([numerator], dtype=kind), denominator).tolist() == [expected]
            assert not source.digits
    if finished is not None and finished > 0:
        # All digits equal and nothing left: the uniform number is not below.
        source = Dealt(*digits[:finished])
        assert discrete._is_below(discrete._Digits(source), np.array([numerator], dtype=kind), denominator).tolist() == [False]
    assert rest >= 0


def test_certain_coins():
    never, always = np.zeros(3, dtype=np.uint64), np.full(3, 5, dtype=np.uint64)
    assert not discrete._is_below(discrete._Digits(Dealt()), never, 5).any()
    assert discrete._is_below(discrete._Digits(Dealt(2**32 - 1, 0, 7)), always, 5).all()


def test_numbers_at_or_above_the_bound_are_drawn_again():
    source = Dealt(0, 7, 5, 2**32 - 1, 3, 4, 6, 2)  # bound 5: three bits, so 7, 5 and 7 go back, then 6
    assert discrete._Digits(source).below(5, 4).tolist() == [0, 3, 4, 2]
    assert not source.digits
    assert discrete._Digits(Dealt(9)).below(1, 1).tolist() == [0]


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 3), (1, 3), (1, 2), (99, 100), (1, 1), (2**70, 2**71 + 1)])
def test_exponential_coins(numerator, denominator):
    kind = np.uint64 if denominator < 2**32 else object
    numerators = np.full(SAMPLES, numerator, dtype=kind)
    heads = int(discrete._exp_of_fraction(discrete._Digits(os.urandom), numerators, denominator).sum())
    assert stats.binomtest(heads, SAMPLES, math.exp(-numerator / denominator)).pvalue > ALPHA


def test_successes_before_the_first_failure():
    counts = np.bincount(discrete._successes(discrete._Digits(os.urandom), SAMPLES), minlength=9)
    expected = [SAMPLES * math.exp(-m) * (1 - math.exp(-1)) for m in range(8)]
    observed = [*counts[:8], counts[8:].sum()]
    assert stats.chisquare(observed, [*expected, SAMPLES * math.exp(-8)]).pvalue > ALPHA
