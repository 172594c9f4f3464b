"""Whatever a request or an answer holds, it is refused in the protocol's words and in no other way."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.secagg.refusal import Refusal

IDS = st.sampled_from(["0" * 32, "f" * 32, "", "x"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.binary(max_size=4) | IDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12) | IDS, inner, max_size=4), max_leaves=8
)
STAGES = ("roster", "mask", "survivors", "unmask")
CODES = {"roster": {"roster"}, "mask": {"participants", "shares"}, "survivors": {"survivors"}, "unmask": {"signatures"}}


def ask(round_, stage, participant, request):
    if stage == "roster":
        participant.share(request, directory=round_.directory)
    elif stage == "mask":
        participant.receive_shares(request)
    elif stage == "survivors":
        participant.sign(request)
    else:
        participant.unmask(request)


def ready(cohort, stage):
    """One participant before a stage, and the honest request for it."""
    round_ = cohort(devices=3, minimum_cohort=3).until(stage)
    participant = round_.here[round_.everybody[0]]
    request = round_.requests[stage]
    return round_, participant, copy.deepcopy(request[participant.device] if stage == "mask" else request)


@st.composite
def changed(draw, document):
    """A document with one thing in it replaced, removed, added or doubled."""
    document = copy.deepcopy(document)
    at = document
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
            at = at[key]
            continue
        how = draw(st.sampled_from(["replace", "remove", "add", "double"]))
        if how == "replace":
            at[key] = draw(JSON)
        elif how == "remove":
            del at[key]
        elif isinstance(at, dict):
            at[draw(st.text(max_size=10) | IDS)] = draw(JSON) if how == "add" else at[key]
        else:
            at.insert(key, draw(JSON) if how == "add" else at[key])
        return document


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_requests_of_any_shape(cohort, stage, data):
    round_, participant, _ = ready(cohort, stage)
    with pytest.raises(Refusal) as caught:
        ask(round_, stage, participant, data.draw(JSON))
    assert caught.value.code in CODES[stage]


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_almost_honest_requests(cohort, stage, data):
    round_, participant, honest = ready(cohort, stage)
    request = data.draw(changed(honest))
    if request == honest:
        return
    with pytest.raises(Refusal) as caught:
        ask(round_, stage, participant, request)
    assert caught.value.code in CODES[stage]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_answers_of_any_shape(cohort, data):
    round_ = cohort(devices=3)
    aggregator = round_.aggregator
    advertisement = round_.here[round_.everybody[0]].advertise()

    def refuses(add, *args):
        with pytest.raises(ProtocolError):
            add(*args)

    refuses(aggregator.add_advertisement, data.draw(JSON))
    refuses(aggregator.add_advertisement, data.draw(changed(advertisement).filter(lambda each: each != advertisement)))
    for device in round_.everybody[1:]:
        aggregator.add_advertisement(round_.here[device].advertise())
    who = round_.everybody[1]
    request = aggregator.close_roster()
    honest = {device: round_.here[device].share(request, directory=round_.directory) for device in round_.everybody[1:]}
    for answer in (data.draw(JSON), {"shares": data.draw(JSON)}):
        refuses(aggregator.add_shares, who, answer)
    for device, answer in honest.items():
        aggregator.add_shares(device, answer)
    for device, ask_for in aggregator.close_shares().items():
        round_.here[device].receive_shares(ask_for)
        refuses(aggregator.add_masked, device, data.draw(st.binary(max_size=19)))
        aggregator.add_masked(device, round_.here[device].mask(round_.update(np.ones(5))).to_bytes())
    request = aggregator.close_masked()
    for answer in (data.draw(JSON), {"signature": data.draw(JSON)}):
        refuses(aggregator.add_signature, who, answer)
    for device in round_.everybody[1:]:
        aggregator.add_signature(device, round_.here[device].sign(request))
    request = aggregator.close_signatures()
    for device in round_.everybody[1:]:
        honest = round_.here[device].unmask(request)
        for answer in (data.draw(JSON), honest | {"self_mask_shares": data.draw(JSON)}, honest | {"mask_key_shares": data.draw(JSON)}):
            if answer != honest:
                refuses(aggregator.add_unmasking, device, answer)
        aggregator.add_unmasking(device, honest)
    assert aggregator.total().values.tolist() == [2] * 5
