"""The balance of a cohort: counts that stand out of the noise, and weights that keep a group from dominating."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.privacy.cells import CELLS, HISTOGRAM_CLIP_NORM, one_hot
from hometone_shared.privacy.clipping import add, decode, encode
from hometone_shared.privacy.groups import LEAST_WEIGHT, WEIGHTED_ATTRIBUTES, histogram, weight_of, weights
from hometone_shared.privacy.noise import add_noise
from hometone_shared.records.plan import SCALE

HERS = ("age:70-79", "gender:woman", "settlement:rural", "region:陕西")
HIS = ("age:80+", "gender:man", "settlement:urban", "region:elsewhere")


def counts(**of):
    """Decoded counts; keywords are cells with ":" written "__"."""
    values = np.zeros(len(CELLS))
    for cell, count in of.items():
        values[CELLS.index(cell.replace("__", ":").replace("_", " "))] = count
    return values


def test_a_round_of_real_mechanisms_is_read_back():
    people = [HERS] * 60 + [HIS] * 40
    variance = 4 * SCALE**2
    noisy = [
        add_noise(encode(one_hot(cells), clip_norm=HISTOGRAM_CLIP_NORM), variance=variance, plan_digest="00" * 32).residues
        for cells in people
    ]
    total = np.sum(noisy, axis=0, dtype=np.uint32).view(np.int32).astype(np.int64)
    noise_std = math.sqrt(len(people) * variance) * HISTOGRAM_CLIP_NORM / SCALE
    balance = histogram(decode(total, clip_norm=HISTOGRAM_CLIP_NORM), noise_std=noise_std)
    assert noise_std == 40.0
    # Noise of 40 speakers hides almost everything; without it the counts are exact.
    exact = add([encode(one_hot(cells), clip_norm=HISTOGRAM_CLIP_NORM) for cells in people])
    clear = histogram(decode(exact.values, clip_norm=HISTOGRAM_CLIP_NORM), noise_std=0.0)
    assert {each.cell: each.count for each in clear.counts if each.count is not None} == dict.fromkeys(HERS, 60.0) | dict.fromkeys(
        HIS, 40.0
    )
    assert all(each.low <= each.high for each in balance.counts)
    for each in balance.counts:
        truth = 60 * (each.cell in HERS) + 40 * (each.cell in HIS)
        assert truth <= each.high + 3 * noise_std


def test_what_is_too_small_is_not_shown():
    balance = histogram(counts(gender__woman=4.9, gender__man=5.0, settlement__rural=-3.0), noise_std=1.0)
    found = {each.cell: each for each in balance.counts}
    assert found["gender:woman"].count is None
    assert found["gender:man"].count == 5.0
    assert found["settlement:rural"].low == 0.0
    # All that are hidden look alike: the interval tells nothing of the value.
    assert len({(each.low, each.high) for each in balance.counts if each.count is None}) == 1
    assert set(balance.missing) == set(CELLS) - {"gender:man"}


def test_the_limit_grows_with_the_noise():
    balance = histogram(counts(gender__woman=19.0, gender__man=20.0), noise_std=10.0)
    assert balance.of("gender") == {"gender:man": 20.0}
    assert balance.of("age") == {}
    man = next(each for each in balance.counts if each.cell == "gender:man")
    assert math.isclose(man.low, 20 - 19.59964, abs_tol=1e-4)
    assert math.isclose(man.high, 20 + 19.59964, abs_tol=1e-4)


def test_intervals_hold_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(5)
    truth, held = 30.0, 0
    for _ in range(2000):
        balance = histogram(counts(gender__man=truth + generator.normal(0, 8.0)), noise_std=8.0)
        man = next(each for each in balance.counts if each.cell == "gender:man")
        held += man.low <= truth <= man.high
    assert held >= 1860  # 95 %, less 4 standard deviations


def test_a_record_is_plain_json_and_the_words_are_one_line():
    balance = histogram(counts(gender__woman=60, gender__man=20, settlement__rural=80, region__陕西=80), noise_std=1.5)
    record = json.loads(json.dumps(balance.to_record()))
    assert record["cells"]["gender:woman"]["count"] == 60.0
    assert record["cells"]["age:80+"]["count"] is None
    assert record["missing"] == list(balance.missing)
    assert record["noise_std"] == 1.5
    words = balance.in_words()
    assert words.startswith("4 of 51 groups stand out of the noise; missing or too small to be seen: age:0-17")
    assert words.endswith("so are 34 regions")
    assert "rather not say" not in words


def test_words_when_only_regions_or_nothing_is_missing():
    everything = np.full(len(CELLS), 50.0)
    assert histogram(everything, noise_std=1.0).in_words() == "51 of 51 groups stand out of the noise"
    everything[CELLS.index("region:陕西")] = 0.0
    assert histogram(everything, noise_std=1.0).in_words() == "50 of 51 groups stand out of the noise; 1 regions are missing"


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full(len(CELLS), math.nan), np.zeros((1, len(CELLS)))])
def test_what_is_no_histogram_is_refused(wrong):
    with pytest.raises(ProtocolError):
        histogram(wrong, noise_std=1.0)


@pytest.mark.parametrize("noise_std", [-1.0, math.nan, math.inf])
def test_what_is_no_noise_is_refused(noise_std):
    with pytest.raises(ProtocolError):
        histogram(np.zeros(len(CELLS)), noise_std=noise_std)


def test_large_groups_weigh_less_and_small_ones_are_not_raised():
    found = weights(histogram(counts(gender__woman=75, gender__man=25, settlement__rural=50, settlement__urban=50), noise_std=0.5))
    # An even share of two groups is a half: women, three quarters, get two thirds of the weight; the sums are then 50 and 25.
    assert found == {"gender:woman": 666}


def test_no_weight_below_a_quarter():
    found = weights(
        histogram(counts(**{f"age__{band}": 5 for band in ("0-17", "18-29", "30-44", "45-59")}, **{"age__70-79": 900}), noise_std=0.0)
    )
    assert found == {"age:70-79": LEAST_WEIGHT}


def test_silence_gains_nothing_and_is_no_group():
    silent = counts(gender__woman=40, gender__man=40)
    silent[CELLS.index("gender:rather not say")] = 80
    # Two groups that answered: an even share is half of 160.
    assert weights(histogram(silent, noise_std=0.0)) == {}
    silent[CELLS.index("gender:rather not say")] = 240
    assert weights(histogram(silent, noise_std=0.0)) == {"gender:rather not say": 666}
    only = np.zeros(len(CELLS))
    only[CELLS.index("gender:rather not say")] = 240
    assert weights(histogram(only, noise_std=0.0)) == {}


@given(st.lists(st.floats(-50, 1e5), min_size=len(CELLS), max_size=len(CELLS)), st.floats(0, 100))
def test_weights_are_bounded_and_order_is_kept(values, noise_std):
    balance = histogram(np.array(values), noise_std=noise_std)
    found = weights(balance)
    assert all(LEAST_WEIGHT <= weight < 1000 for weight in found.values())
    for attribute in WEIGHTED_ATTRIBUTES:
        ordered = sorted(balance.of(attribute).items(), key=lambda item: item[1])
        given_ = [found.get(cell, 1000) for cell, _ in ordered]
        assert given_ == sorted(given_, reverse=True)
        # No group's weighted part is above twice an even one, unless the floor of a quarter holds it there.
        parts = [count * found.get(cell, 1000) for cell, count in ordered]
        groups = max(sum(not cell.endswith("rather not say") for cell, _ in ordered), 1)
        for (cell, count), part in zip(ordered, parts, strict=True):
            assert part <= 1000 * sum(count for _, count in ordered) / groups * (1 + 1e-9) or found[cell] == LEAST_WEIGHT
            assert count > 0
    assert not [cell for cell in found if cell.startswith("region:")]


def test_a_speaker_counts_by_the_least_of_her_weights():
    plan = {"age:70-79": 400, "gender:woman": 700, "region:陕西": 900}
    assert weight_of(HERS, plan) == 400
    assert weight_of(HIS, plan) == 1000
    assert weight_of(HERS, {}) == 1000
    assert weight_of(HERS, {"settlement:rural": 0}) == 0


@pytest.mark.parametrize("plan", [{"gender:woman": -1}, dict.fromkeys(HERS, 1001)])
def test_weights_outside_the_limits_are_refused(plan):
    with pytest.raises(UsageError):
        weight_of(HERS, plan)


def test_weights_of_unknown_cells_are_refused():
    with pytest.raises(UsageError):
        weight_of(("age:70-79",), {})
