"""The decoded sum is the plain sum, bit for bit, for every set of survivors that is large enough; otherwise nothing comes out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_shared.errors import FederationError
from hometone_shared.secagg.refusal import Refusal

STAGES = ("roster", "mask", "survivors", "unmask")


def random_inputs(devices, dimension, seed):
    draw = np.random.default_rng(seed)
    return {device: draw.integers(-(1 << 20), 1 << 20, size=dimension) for device in devices}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_complete_graph(cohort, data):
    devices = data.draw(st.integers(2, 9), label="devices")
    dimension = data.draw(st.sampled_from([1, 2, 7, 33]), label="dimension")
    round_ = cohort(devices=devices, dimension=dimension, speakers=data.draw(st.integers(1, 3), label="speakers"))
    leaving = data.draw(st.dictionaries(st.sampled_from(round_.everybody), st.sampled_from(STAGES)), label="leaving")
    inputs = random_inputs(round_.everybody, dimension, data.draw(st.integers(0, 1000), label="seed"))
    needed = 2 * devices // 3 + 1
    if devices - len(leaving) < needed:
        with pytest.raises(FederationError) as caught:
            round_.run(inputs, leaving=leaving)
        assert caught.value.message
        assert caught.value.hint
        return
    total = round_.run(inputs, leaving=leaving)
    survivors = [device for device in round_.everybody if leaving.get(device) not in {"roster", "mask"}]
    assert total.survivors == tuple(survivors)
    assert total.devices == len(survivors)
    assert total.speakers == round_.speakers * len(survivors)
    assert total.values.dtype == np.int64
    assert [int(value) for value in total.values] == [sum(int(inputs[device][at]) for device in survivors) for at in range(dimension)]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("devices", [4, 7])
def test_exactly_the_threshold_and_one_less(cohort, stage, devices):
    needed = 2 * devices // 3 + 1
    for gone in (devices - needed, devices - needed + 1):
        round_ = cohort(devices=devices)
        inputs = random_inputs(round_.everybody, 5, devices)
        leaving = dict.fromkeys(round_.everybody[:gone], stage)
        if gone > devices - needed:
            with pytest.raises(FederationError):
                round_.run(inputs, leaving=leaving)
            with pytest.raises(FederationError):
                round_.aggregator.total()
        else:
            total = round_.run(inputs, leaving=leaving)
            assert np.array_equal(total.values, sum(inputs[device] for device in total.survivors))


def test_noise_that_wraps_reads_as_signed(cohort):
    round_ = cohort(devices=3, dimension=2)
    inputs = dict(zip(round_.everybody, ([2**31 - 1, -5], [0, 5], [-1, -(2**31)]), strict=True))
    assert round_.run(inputs).values.tolist() == [2**31 - 2, -(2**31)]


def test_sparse_graph_with_dropouts_at_every_stage(cohort):
    devices = 130
    round_ = cohort(devices=devices, dimension=17)
    inputs = random_inputs(round_.everybody, 17, 3)
    leaving = {device: STAGES[number % 4] for number, device in enumerate(round_.everybody[::13])}
    total = round_.run(inputs, leaving=leaving)
    survivors = [device for device in round_.everybody if leaving.get(device) not in {"roster", "mask"}]
    assert total.survivors == tuple(survivors)
    assert np.array_equal(total.values, sum(inputs[device] for device in survivors))


def test_sparse_graph_fails_closed_where_one_device_has_lost_its_holders(cohort):
    """Above the threshold, and yet 41 of the 101 holders of one device are gone: nothing is asked of anybody any more."""
    round_ = cohort(devices=130, dimension=2)
    round_.offer()
    victim = round_.everybody[77]
    gone = set(round_.aggregator.roster.neighbours(victim)[:41])
    with pytest.raises(FederationError, match="hold the shares"):
        round_.shares(set(round_.here) - gone)
    with pytest.raises(FederationError):
        round_.aggregator.close_shares()


def test_sparse_graph_fails_closed_when_they_leave_after_sharing(cohort):
    round_ = cohort(devices=130, dimension=2)
    round_.offer()
    victim = round_.everybody[77]
    gone = set(round_.aggregator.roster.neighbours(victim)[:41])
    request = round_.shares(set(round_.here))[victim]
    trimmed = {
        "participants": [device for device in request["participants"] if device not in gone],
        "shares": {device: share for device, share in request["shares"].items() if device not in gone},
    }
    with pytest.raises(Refusal, match="hold this laptop's shares") as caught:
        round_.here[victim].receive_shares(trimmed)
    assert caught.value.code == "participants"
    with pytest.raises(FederationError, match="hold the shares"):
        round_.masks(set(round_.here) - gone - {victim})


def test_a_cohort_below_the_minimum_never_gets_a_roster(cohort):
    round_ = cohort(devices=4, minimum_cohort=5)
    with pytest.raises(FederationError, match="only 4 laptops are left"):
        round_.offer()
    with pytest.raises(FederationError):
        round_.aggregator.close_roster()


def test_a_roster_whose_sum_could_wrap_is_not_closed(cohort):
    round_ = cohort(devices=3, speakers=100_000)
    with pytest.raises(FederationError, match="do not fit into the sum"):
        round_.offer()
    with pytest.raises(FederationError):
        round_.aggregator.close_roster()
