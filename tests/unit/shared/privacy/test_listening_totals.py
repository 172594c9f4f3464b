"""What listeners say of the voices, per group: bounded vectors, honest intervals, small cells hidden, the worst group named."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import CELLS
from hometone_shared.privacy.clipping import add, decode, encode
from hometone_shared.privacy.listening import (
    LISTENING_CELLS,
    LISTENING_CLIP_NORM,
    LISTENING_DIMENSION,
    Condition,
    listening_report,
    listening_vector,
)
from hometone_shared.privacy.ratios import Interval
from hometone_shared.records.panel import Scale

HERS = ("age:70-79", "gender:woman", "settlement:rural", "region:陕西")
HIS = ("age:80+", "gender:man", "settlement:urban", "region:北京")
FULL = {Scale.NATURALNESS: 4.0, Scale.SIMILARITY: 3.0, Scale.PREFERENCE: 1.5, Scale.DIALECT: 2.0}


def cohort(*people):
    """Sum of (how many, cells, condition, means)."""
    return sum(many * listening_vector(cells=cells, condition=condition, means=means) for many, cells, condition, means in people)


@given(st.dictionaries(st.sampled_from(Scale), st.floats(allow_nan=False), min_size=1), st.sampled_from(Condition))
def test_the_norm_is_bounded_whatever_listeners_say(means, condition):
    vector = listening_vector(cells=HERS, condition=condition, means=means)
    assert vector.shape == (LISTENING_DIMENSION,) == (8 * (len(CELLS) + 4),)
    assert np.linalg.norm(vector) <= LISTENING_CLIP_NORM * (1 + 1e-12)
    assert np.count_nonzero(vector == 1.0) == 5 * len(means)


def test_the_norm_bound_is_reached():
    extremes = {scale: float(scale.highest) for scale in Scale}
    assert np.linalg.norm(listening_vector(cells=HERS, condition=Condition.HEADSET, means=extremes)) == pytest.approx(LISTENING_CLIP_NORM)
    assert LISTENING_CLIP_NORM == 5.0


def test_what_is_no_rating_is_refused():
    with pytest.raises(UsageError):
        listening_vector(cells=HERS, condition=Condition.HEADSET, means={})
    with pytest.raises(UsageError):
        listening_vector(cells=HERS, condition=Condition.HEADSET, means={Scale.DIALECT: math.nan})
    with pytest.raises(UsageError):
        listening_vector(cells=HERS[:3], condition=Condition.HEADSET, means=FULL)


def test_means_without_noise_are_exact_through_the_encoding_and_absent_scales_add_nothing():
    only = {Scale.NATURALNESS: 2.0}
    people = [(HERS, Condition.HEADSET, FULL)] * 10 + [(HIS, Condition.NARROW_BAND, only)] * 30
    vectors = [listening_vector(cells=cells, condition=condition, means=means) for cells, condition, means in people]
    total = add([encode(vector, clip_norm=LISTENING_CLIP_NORM) for vector in vectors])
    report = listening_report(decode(total.values, clip_norm=LISTENING_CLIP_NORM), noise_std=0.0)
    cells = {each.cell: each for each in report.cells}
    assert [each.cell for each in report.cells] == [cell for cell in LISTENING_CELLS if cell in cells]
    assert cells.keys() == {*HERS, *HIS, "recording:headset", "recording:narrow band"}
    assert set(report.suppressed) == set(LISTENING_CELLS) - cells.keys()
    hers = cells["recording:headset"]
    assert {scale: mean.value for scale, mean in hers.means.items()} == pytest.approx(
        {scale.value: mean for scale, mean in FULL.items()}, abs=2e-3
    )
    assert all(mean.low == mean.value == mean.high for mean in hers.means.values())
    assert all(count.value == pytest.approx(10, abs=0.02) for count in hers.counts.values())
    assert cells["gender:man"].means.keys() == {"naturalness"}
    everybody = report.everybody
    assert everybody.means["naturalness"].value == pytest.approx((10 * 4 + 30 * 2) / 40, abs=2e-3)
    assert everybody.counts["dialect"].value == pytest.approx(10, abs=0.02)


def test_the_worst_group_and_the_worst_recording_condition():
    worse = {**FULL, Scale.NATURALNESS: 2.5, Scale.PREFERENCE: 0.5}
    report = listening_report(cohort((50, HERS, Condition.HEADSET, FULL), (50, HIS, Condition.NOISY_ROOM, worse)), noise_std=0.5)
    gaps = {(gap.attribute, gap.figure): gap for gap in report.gaps}
    assert len(gaps) == 5 * 4
    found = gaps["recording", "naturalness"]
    assert (found.worst, found.best, found.certain) == ("recording:noisy room", "recording:headset", True)
    assert found.gap == pytest.approx(1.5)
    assert not gaps["age", "dialect"].certain
    assert "; worst in naturalness " in report.in_words()
    assert json.loads(json.dumps(report.to_record()))["everybody"]["means"]["preference"]["value"] == pytest.approx(1.0)


def test_who_would_rather_not_say_is_in_no_gap_and_one_group_alone_has_none():
    silent = ("age:70-79", "gender:rather not say", "settlement:rural", "region:陕西")
    report = listening_report(cohort((50, HERS, Condition.HEADSET, FULL), (50, silent, Condition.HEADSET, FULL)), noise_std=0.5)
    assert report.gaps == ()
    assert "worst" not in report.in_words()
    assert report.in_words().startswith("naturalness 4.00 (")


def test_small_cells_are_hidden_scale_by_scale():
    few = {Scale.NATURALNESS: 3.0, Scale.DIALECT: 3.0}
    people = cohort((4, HERS, Condition.HEADSET, FULL), (30, HERS, Condition.QUIET_ROOM, few))
    cells = {each.cell: each for each in listening_report(people, noise_std=0.1).cells}
    assert "recording:headset" not in cells
    assert cells["gender:woman"].means.keys() == {"naturalness", "dialect"}
    nothing = listening_report(people, noise_std=100.0)
    assert (nothing.everybody, nothing.cells, nothing.gaps) == (None, (), ())
    assert nothing.to_record()["everybody"] is None
    assert nothing.in_words() == "too few speakers for any figure that is not mostly noise"


def test_intervals_hold_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(11)
    clean = cohort((40, HERS, Condition.QUIET_ROOM, FULL))
    held, shown = dict.fromkeys(FULL, 0), 0
    for _ in range(1500):
        report = listening_report(clean + generator.normal(0, 4.0, clean.shape), noise_std=4.0)
        hers = next((each for each in report.cells if each.cell == "recording:quiet room"), None)
        if hers is None or len(hers.means) < 4:
            continue
        shown += 1
        for scale, value in FULL.items():
            held[scale] += hers.means[scale.value].low <= value <= hers.means[scale.value].high
    assert shown > 1450
    for scale in FULL:
        assert held[scale] >= shown * 0.95 - 4 * math.sqrt(shown * 0.95 * 0.05)


@pytest.mark.parametrize(
    ("decoded", "noise_std"),
    [
        (np.zeros(5), 1.0),
        (np.full(LISTENING_DIMENSION, math.inf), 1.0),
        (np.zeros(LISTENING_DIMENSION), -1.0),
        (np.zeros(LISTENING_DIMENSION), math.nan),
    ],
)
def test_what_is_no_report_is_refused(decoded, noise_std):
    with pytest.raises(ProtocolError):
        listening_report(decoded, noise_std=noise_std)


def test_an_interval_moves_to_another_scale():
    assert Interval(0.5, 0.0, 1.0).moved(factor=4, offset=1) == Interval(3.0, 1.0, 5.0)
