"""Laptops that answer wrongly: the coordinator drops them, and goes on or fails closed; it never releases a wrong sum."""

import base64
import os

import numpy as np
import pytest

from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.secagg.roster import Advertisement


def flipped(text):
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(bytes(data)).decode()


def inputs_of(round_):
    draw = np.random.default_rng(5)
    return {device: draw.integers(-1000, 1000, size=round_.dimension) for device in round_.everybody}


def total_with(round_, tamper, **leaving):
    inputs = inputs_of(round_)
    round_.tamper = tamper
    total = round_.run(inputs, leaving=leaving)
    assert np.array_equal(total.values, sum(inputs[device] for device in total.survivors))
    return total


BAD_SHARES = [
    lambda shares: {},
    lambda shares: dict(list(shares.items())[1:]),
    lambda shares: shares | {"0" * 32: next(iter(shares.values()))},
    lambda shares: shares | {next(iter(shares)): "AAAA"},
    lambda shares: shares | {next(iter(shares)): None},
    list,
]


@pytest.mark.parametrize("change", BAD_SHARES)
def test_bad_shares_drop_their_device(cohort, change):
    round_ = cohort(devices=5)
    bad = round_.everybody[1]
    total = total_with(round_, {"roster": lambda device, answer: {"shares": change(answer["shares"])} if device == bad else answer})
    assert total.survivors == tuple(device for device in round_.everybody if device != bad)


def test_bad_vectors_drop_their_device(cohort):
    for change in (lambda data: data[:-1], lambda data: data + b"\x00", lambda _: b""):
        round_ = cohort(devices=5)
        bad = round_.everybody[1]
        total = total_with(round_, {"mask": lambda device, answer, bad=bad, change=change: change(answer) if device == bad else answer})
        assert bad not in total.survivors


def test_bad_signatures_drop_their_device_but_not_its_vector(cohort):
    for change in (
        lambda answer: {"signature": flipped(answer["signature"])},
        lambda _: {"signature": "AAAA"},
        lambda answer: answer | {"more": 1},
        lambda _: {},
        lambda _: None,
    ):
        round_ = cohort(devices=5)
        bad = round_.everybody[1]
        total = total_with(
            round_, {"survivors": lambda device, answer, bad=bad, change=change: change(answer) if device == bad else answer}
        )
        assert bad in total.survivors


def test_bad_openings_drop_their_device_but_not_its_vector(cohort):
    def only(kind, change):
        return lambda answer: answer | {kind: change(answer[kind])}

    for change in (
        only("self_mask_shares", lambda _: {}),
        only("self_mask_shares", lambda shares: shares | {"0" * 32: next(iter(shares.values()))}),
        only("self_mask_shares", lambda shares: shares | {next(iter(shares)): base64.b64encode(b"\xff" * 33).decode()}),
        only("self_mask_shares", lambda shares: shares | {next(iter(shares)): base64.b64encode(bytes(32)).decode()}),
        only("self_mask_shares", lambda _: 3),
        only("mask_key_shares", lambda shares: {}),
        only("mask_key_shares", lambda shares: shares | {next(iter(shares)): 3}),
        lambda answer: {"self_mask_shares": answer["self_mask_shares"]},
        lambda answer: answer | {"more": 1},
        lambda _: [],
    ):
        round_ = cohort(devices=7)
        gone, bad = round_.everybody[0], round_.everybody[1]
        tamper = {"unmask": lambda device, answer, bad=bad, change=change: change(answer) if device == bad else answer}
        total = total_with(round_, tamper, **{gone: "mask"})
        assert bad in total.survivors
        assert gone not in total.survivors


def test_who_is_gone_does_not_sign(cohort):
    round_ = cohort(devices=5)
    round_.offer()
    left = set(round_.here)
    round_.shares(left)
    gone = round_.here[round_.everybody[0]]
    gone.receive_shares(round_.requests["mask"][gone.device])
    gone.mask(round_.update(np.zeros(5)))
    round_.masks(left - {gone.device})
    answer = gone.sign({"survivors": round_.everybody})
    with pytest.raises(ProtocolError, match="not a survivor"):
        round_.aggregator.add_signature(gone.device, answer)


def wrong_values(device, answer, *, liars):
    if device not in liars:
        return answer
    return {kind: {peer: base64.b64encode(b"\x00" + os.urandom(32)).decode() for peer in shares} for kind, shares in answer.items()}


def test_wrong_values_of_shares_are_found_out(cohort):
    round_ = cohort(devices=10)
    gone, liars = round_.everybody[4], set(round_.everybody[:2])
    tamper = {"unmask": lambda device, answer: wrong_values(device, answer, liars=liars)}
    total = total_with(round_, tamper, **{gone: "mask"})
    assert total.devices == 9


def test_too_many_wrong_shares_release_nothing(cohort):
    round_ = cohort(devices=6)
    round_.tamper = {"unmask": lambda device, answer: wrong_values(device, answer, liars=set(round_.everybody[:2]))}
    with pytest.raises(FederationError, match="do not fit together"):
        round_.run(inputs_of(round_))
    assert round_.aggregator._sum.size == 0
    with pytest.raises(FederationError):
        round_.aggregator.total()


def test_wrong_shares_of_a_mask_key_release_nothing(cohort):
    round_ = cohort(devices=4)
    gone = round_.everybody[0]

    def tamper(device, answer):
        if device != round_.everybody[1]:
            return answer
        return answer | {"mask_key_shares": {peer: base64.b64encode(bytes(33)).decode() for peer in answer["mask_key_shares"]}}

    round_.tamper = {"unmask": tamper}
    with pytest.raises(FederationError):
        round_.run(inputs_of(round_), leaving={gone: "mask"})


def test_a_dealer_of_wrong_shares_loses_the_attempt_and_no_more(cohort, monkeypatch):
    """Nobody can check a sealed share before it is opened; a device that deals nonsense and drops out costs the attempt."""
    round_ = cohort(devices=4)
    request = round_.offer()
    bad = round_.here[round_.everybody[0]]
    own = bad._secrets
    bad._secrets = type(own)(own.seal_key, own.seal_key, own.seed)
    answer = bad.share(request, directory=round_.directory)
    round_.aggregator.add_shares(bad.device, answer)
    for device in round_.everybody[1:]:
        round_.aggregator.add_shares(device, round_.here[device].share(request, directory=round_.directory))
    round_.requests["mask"] = round_.aggregator.close_shares()
    left = set(round_.everybody[1:])
    round_.masks(left)
    round_.signatures(left)
    with pytest.raises(FederationError, match="do not fit together"):
        round_.unmask(left)


def test_duplicates_strangers_and_latecomers(cohort, key_of):
    round_ = cohort(devices=4)
    aggregator, first = round_.aggregator, round_.here[round_.everybody[0]]
    with pytest.raises(FederationError, match="no roster"):
        _ = aggregator.roster
    advertisement = first.advertise()
    assert aggregator.add_advertisement(advertisement) == first.device
    with pytest.raises(ProtocolError, match="twice"):
        aggregator.add_advertisement(advertisement)
    for name in ("mask_key", "seal_key", "commitment", "signature"):
        with pytest.raises(ProtocolError):
            aggregator.add_advertisement(advertisement | {name: flipped(advertisement[name])})
    for other in round_.everybody[1:]:
        aggregator.add_advertisement(round_.here[other].advertise())
    small = cohort(devices=3)
    with pytest.raises(ProtocolError, match="directory"):
        small.aggregator.add_advertisement(next(a for a in map(dict, aggregator.close_roster()["advertisements"])
                                                if a["device"] not in small.directory))  # fmt: skip
    round_.requests["roster"] = {"advertisements": [aggregator.roster.advertisement(each).to_document() for each in round_.everybody]}
    with pytest.raises(ProtocolError, match="too late"):
        aggregator.add_advertisement(advertisement)
    with pytest.raises(FederationError):
        aggregator.close_masked()

    for stage, step, add, answer in (
        ("roster", round_.shares, aggregator.add_shares, {"shares": {}}),
        ("mask", round_.masks, aggregator.add_masked, bytes(20)),
        ("survivors", round_.signatures, aggregator.add_signature, {"signature": ""}),
        ("unmask", round_.unmask, aggregator.add_unmasking, {}),
    ):
        for device in ("0" * 32, ""):
            with pytest.raises(ProtocolError):
                add(device, answer)
        left, seen = set(round_.here), []

        def twice(device, given, add=add, seen=seen):
            if seen:
                with pytest.raises(ProtocolError):
                    add(seen[-1], given)
            seen.append(device)
            return given

        round_.tamper = {stage: twice}
        step(left)
        assert left == set(round_.here)
        with pytest.raises(ProtocolError, match="too late"):
            add(round_.everybody[0], answer)


def test_a_key_used_by_two_devices(cohort, key_of):
    round_ = cohort(devices=3)
    first = Advertisement.from_document(round_.here[round_.everybody[0]].advertise())
    round_.aggregator.add_advertisement(first.to_document())
    keys = {each.public_key().public_bytes_raw(): each for each in map(key_of, range(3))}
    other = keys[round_.directory[round_.everybody[1]]]
    fresh = Advertisement.from_document(round_.here[round_.everybody[1]].advertise())
    for mask_key, seal_key in (
        (first.mask_key, fresh.seal_key),
        (fresh.mask_key, first.seal_key),
        (first.seal_key, fresh.seal_key),
        (fresh.mask_key, fresh.mask_key),
    ):
        made = Advertisement.signed(
            other, plan_digest=round_.digest, mask_key=mask_key, seal_key=seal_key, commitment=fresh.commitment, speakers=1
        )
        with pytest.raises(ProtocolError, match="twice"):
            round_.aggregator.add_advertisement(made.to_document())
    round_.aggregator.add_advertisement(fresh.to_document())


def test_the_coordinator_cannot_change_its_directory_meanwhile(cohort):
    round_ = cohort(devices=3)
    round_.offer()
    round_.directory.clear()
    round_.directory.update({"0" * 32: bytes(32)})
    assert round_.aggregator.roster.devices == tuple(round_.everybody)


def test_masked_vectors_look_like_nothing(cohort):
    """The same input twice gives unrelated vectors, whose words are spread over all of 32 bits."""
    seen = []
    for _ in range(2):
        round_ = cohort(devices=3, dimension=4096)
        round_.run({device: np.zeros(4096) for device in round_.everybody})
        seen += [np.frombuffer(answer, "<u4") for answer in round_.answers["mask"].values()]
    for at, vector in enumerate(seen):
        assert abs(vector.mean() / 2**32 - 0.5) < 0.03
        assert not any(np.any(np.count_nonzero(vector == other) > 3) for other in seen[at + 1 :])
