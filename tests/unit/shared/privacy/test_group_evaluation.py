"""How well voices turned out, per group: bounded vectors, honest intervals, small cells hidden, the worst group named."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import CELLS
from hometone_shared.privacy.clipping import add, decode, encode
from hometone_shared.privacy.groups import EVALUATION_CLIP_NORM, EVALUATION_DIMENSION, evaluation_report, evaluation_vector

HERS = ("age:70-79", "gender:woman", "settlement:rural", "region:陕西")
HIS = ("age:80+", "gender:man", "settlement:urban", "region:北京")


def cohort(*people):
    """Sum of (how many, cells, before, after, similarity)."""
    return sum(
        many * evaluation_vector(cells=cells, error_before=before, error_after=after, similarity=similarity)
        for many, cells, before, after, similarity in people
    )


@given(*(st.floats(allow_nan=False) for _ in range(3)))
def test_the_norm_is_bounded_whatever_is_measured(before, after, similarity):
    vector = evaluation_vector(cells=HERS, error_before=before, error_after=after, similarity=similarity)
    assert vector.shape == (EVALUATION_DIMENSION,) == (4 * len(CELLS),)
    assert np.linalg.norm(vector) <= EVALUATION_CLIP_NORM
    assert np.all((vector >= 0) & (vector <= 1))


def test_the_norm_bound_is_reached():
    assert np.linalg.norm(evaluation_vector(cells=HERS, error_before=7.0, error_after=1.0, similarity=1.0)) == EVALUATION_CLIP_NORM


@pytest.mark.parametrize("position", range(3))
def test_what_is_not_a_number_is_refused(position):
    figures = [0.5, 0.5, 0.5]
    figures[position] = math.nan
    with pytest.raises(UsageError):
        evaluation_vector(cells=HERS, error_before=figures[0], error_after=figures[1], similarity=figures[2])
    with pytest.raises(UsageError):
        evaluation_vector(cells=HERS[:2], error_before=0.0, error_after=0.0, similarity=0.0)


def test_means_without_noise_are_exact_through_the_encoding():
    people = [(HERS, 0.5, 0.25, 0.75)] * 10 + [(HIS, 0.25, 0.5, 1.0)] * 30
    vectors = [evaluation_vector(cells=cells, error_before=b, error_after=a, similarity=s) for cells, b, a, s in people]
    total = add([encode(vector, clip_norm=EVALUATION_CLIP_NORM) for vector in vectors])
    report = evaluation_report(decode(total.values, clip_norm=EVALUATION_CLIP_NORM), noise_std=0.0)
    assert [each.cell for each in report.cells] == [cell for cell in CELLS if cell in HERS + HIS]
    hers = next(each for each in report.cells if each.cell == "gender:woman")
    assert hers.count.value == 10.0
    assert {name: figure.value for name, figure in hers.figures.items()} == {
        "error_before": 0.5,
        "error_after": 0.25,
        "change": -0.25,
        "similarity": 0.75,
    }
    assert all(figure.low == figure.value == figure.high for figure in hers.figures.values())
    assert report.everybody.count.value == 40.0
    assert report.everybody.figures["error_after"].value == pytest.approx((10 * 0.25 + 30 * 0.5) / 40)
    assert set(report.suppressed) == set(CELLS) - set(HERS + HIS)


def test_the_worst_group_and_the_gap():
    report = evaluation_report(cohort((50, HERS, 0.5, 0.3, 0.7), (50, HIS, 0.2, 0.1, 0.9)), noise_std=0.5)
    gaps = {(gap.attribute, gap.figure): gap for gap in report.gaps}
    assert len(gaps) == 16
    errors = gaps["gender", "error_after"]
    assert (errors.worst, errors.best) == ("gender:woman", "gender:man")
    assert math.isclose(errors.gap, 0.2)
    assert errors.certain
    similarity = gaps["age", "similarity"]
    assert (similarity.worst, similarity.best) == ("age:70-79", "age:80+")
    # Change: she gained .2, he .1; the worst is who gained least.
    assert gaps["settlement", "change"].worst == "settlement:urban"
    assert math.isclose(gaps["settlement", "change"].gap, 0.1)


def test_a_gap_within_the_noise_is_not_certain():
    report = evaluation_report(cohort((50, HERS, 0.5, 0.30, 0.7), (50, HIS, 0.5, 0.31, 0.7)), noise_std=3.0)
    assert not any(gap.certain for gap in report.gaps)


def test_who_would_rather_not_say_is_in_no_gap():
    silent = ("age:70-79", "gender:rather not say", "settlement:rural", "region:陕西")
    report = evaluation_report(cohort((50, HERS, 0.5, 0.3, 0.7), (50, silent, 0.5, 0.9, 0.7)), noise_std=0.5)
    assert "gender:rather not say" in {each.cell for each in report.cells}
    assert not report.gaps


def test_small_cells_are_hidden():
    people = cohort((4, HERS, 0.5, 0.3, 0.7), (30, HIS, 0.5, 0.3, 0.7))
    assert "gender:woman" in evaluation_report(people, noise_std=0.1).suppressed
    # 3.92 standard deviations of noise are 39 speakers.
    assert "gender:man" in evaluation_report(people, noise_std=10.0).suppressed
    assert "gender:man" not in evaluation_report(people, noise_std=7.0).suppressed
    nothing = evaluation_report(people, noise_std=100.0)
    assert (nothing.everybody, nothing.cells, nothing.gaps) == (None, (), ())
    assert not nothing.is_worse
    assert nothing.in_words() == "too few speakers for any figure that is not mostly noise"


@pytest.mark.parametrize("after", [0.2, 0.5])
def test_intervals_hold_the_truth_about_95_times_in_100(after):
    generator = np.random.default_rng(11)
    clean = cohort((40, HERS, 0.5, after, 0.8))
    truth = {"error_before": 0.5, "error_after": after, "change": after - 0.5, "similarity": 0.8}
    held, shown = dict.fromkeys(truth, 0), 0
    for _ in range(1500):
        report = evaluation_report(clean + generator.normal(0, 4.0, clean.shape), noise_std=4.0)
        hers = next((each for each in report.cells if each.cell == "gender:woman"), None)
        if hers is None:
            continue
        shown += 1
        for name, value in truth.items():
            held[name] += hers.figures[name].low <= value <= hers.figures[name].high
    assert shown > 1450
    for name in truth:
        assert held[name] >= shown * 0.95 - 4 * math.sqrt(shown * 0.95 * 0.05)


def test_worse_only_beyond_doubt():
    worse = cohort((100, HERS, 0.2, 0.4, 0.7))
    assert evaluation_report(worse, noise_std=1.0).is_worse
    assert not evaluation_report(worse, noise_std=9.0).is_worse
    assert not evaluation_report(cohort((100, HERS, 0.4, 0.2, 0.7)), noise_std=1.0).is_worse


def test_a_record_is_plain_json_and_the_words_name_the_worst_group():
    report = evaluation_report(cohort((50, HERS, 0.5, 0.3, 0.7), (50, HIS, 0.2, 0.1, 0.9)), noise_std=0.5)
    record = json.loads(json.dumps(report.to_record()))
    assert record["everybody"]["figures"]["change"]["value"] == pytest.approx(-0.15)
    assert {each["cell"] for each in record["cells"]} == set(HERS + HIS)
    assert len(record["gaps"]) == 16
    assert report.in_words().startswith("errors 0.200, changed by -0.150 (")
    assert "; worst age:70-79, 0.200 above age:80+" in report.in_words()
    alone = evaluation_report(cohort((50, HERS, 0.5, 0.3, 0.7)), noise_std=0.5)
    assert "worst" not in alone.in_words()
    assert evaluation_report(np.zeros(EVALUATION_DIMENSION), noise_std=1.0).to_record()["everybody"] is None


@pytest.mark.parametrize(
    ("decoded", "noise_std"),
    [
        (np.zeros(5), 1.0),
        (np.full(EVALUATION_DIMENSION, math.inf), 1.0),
        (np.zeros(EVALUATION_DIMENSION), -1.0),
        (np.zeros(EVALUATION_DIMENSION), math.nan),
    ],
)
def test_what_is_no_evaluation_is_refused(decoded, noise_std):
    with pytest.raises(ProtocolError):
        evaluation_report(decoded, noise_std=noise_std)
