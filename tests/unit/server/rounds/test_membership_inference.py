"""A small run of benchmarks/membership_inference.py: before a replay within the bound, after it at chance; one too late is caught."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[4] / "benchmarks" / "membership_inference.py"
# Bounds that hold but once in a million, so that luck fails no suite.
CONFIDENCE = 1 - 1e-6
FEDERATIONS = 1_500


@pytest.fixture(scope="module")
def attack():
    specification = importlib.util.spec_from_file_location("membership_inference", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scores(attack):
    return [attack.scores(FEDERATIONS, joins=joins) for joins in (True, False)]


def test_before_the_replay_she_is_seen_as_far_as_was_promised(attack, scores):
    with_her, without = scores
    found = attack.read(with_her["before"], without["before"], confidence=CONFIDENCE)
    auc, advantage, of_any = attack.bounds()
    assert 0.5 < found.auc_low <= auc
    assert found.advantage_low <= advantage < of_any
    assert found.auc > auc - 0.06, "an attack that sees little proves little"


def test_after_the_replay_the_attacker_guesses(attack, scores):
    with_her, without = scores
    found = attack.read(with_her["after"], without["after"], confidence=CONFIDENCE)
    assert found.is_at_chance
    assert found.auc_high - found.auc_low < 0.12


def test_a_replay_from_one_round_too_late_would_be_caught(attack, scores):
    with_her, without = scores
    assert attack.read(with_her["too late"], without["too late"]).auc_low > 0.5


def test_the_intervals_know_the_ends(attack):
    apart = attack.read(np.ones(50) + np.arange(50) / 100, np.arange(50) / 100, level=0.995)
    assert apart.auc == 1.0
    assert (apart.advantage, apart.advantage_high) == (1.0, 1.0)
    same = np.random.default_rng(0).standard_normal(400)
    assert attack.read(same, same[::-1]).is_at_chance
