"""A small audit of the mechanism from outside; benchmarks/canary_audit.py is the large one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[4] / "benchmarks" / "canary_audit.py"
# Bounds that hold but once in a million, so that luck fails no suite.
CONFIDENCE = 1 - 1e-6
RUNS = 4_000


@pytest.fixture(scope="module")
def audit():
    specification = importlib.util.spec_from_file_location("canary_audit", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_mechanism_keeps_its_claim(audit):
    reading = audit.audit(RUNS, confidence=CONFIDENCE)
    assert reading.largest <= audit.EPSILON
    # An audit that sees nothing proves nothing: it has to come near.
    assert reading.gaussian > 1.5
    assert reading.without_assumptions > 0.8


def test_too_little_noise_is_caught(audit):
    assert audit.audit(RUNS, noise=audit.TOO_LITTLE, confidence=CONFIDENCE).largest > audit.EPSILON


def test_a_canary_without_noise_is_seen_at_once(audit):
    assert audit.read(np.ones(RUNS), np.zeros(RUNS), level=0.5).without_assumptions > audit.EPSILON


def test_nothing_is_read_where_nothing_is(audit):
    scores = audit.scores(500, present=False)
    reading = audit.read(scores, scores[::-1], level=1.0)
    assert (reading.without_assumptions, reading.gaussian) == (0.0, 0.0)
