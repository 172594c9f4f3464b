"""The package against tests/vectors/secagg/*.json, which tools/make_secagg_vectors.py computes without it."""

import base64
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import canonical
from hometone_shared.records.plan import KIND, RoundPlan, threshold
from hometone_shared.records.signing import digest_of
from hometone_shared.secagg import masks, participant, sealing, shamir
from hometone_shared.secagg.aggregator import Aggregator
from hometone_shared.secagg.graph import Graph, shares_needed
from hometone_shared.secagg.participant import Participant, RoundSecrets
from hometone_shared.secagg.roster import device_id
from hometone_shared.updates import NoisyUpdate

FOLDER = Path(__file__).parent


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_shamir():
    data = read("shamir")
    assert int(data["prime"], 16) == shamir.PRIME
    for vector in data["vectors"]:
        drawn = iter(int(each, 16) for each in vector["coefficients"])
        secret, shares = bytes.fromhex(vector["secret"]), [bytes.fromhex(each) for each in vector["shares"]]
        made = shamir.split(secret, needed=vector["needed"], shares=len(shares), draw=lambda _, drawn=drawn: next(drawn))
        assert made == shares
        numbered = dict(enumerate(shares, start=1))
        assert shamir.combine(dict(list(numbered.items())[-vector["needed"] :])) == secret
    for share in data["refused_shares"]:
        with pytest.raises(ProtocolError):
            shamir.checked_share(bytes.fromhex(share))


def test_graph():
    for vector in read("graph")["vectors"]:
        graph = Graph(vector["devices"], roster_digest=vector["roster_digest"])
        assert threshold(len(vector["devices"])) == vector["threshold"]
        assert shares_needed(len(vector["devices"])) == vector["shares_needed"]
        for device, neighbours in vector["neighbours"].items():
            assert list(graph.neighbours(device)) == neighbours
            assert list(graph.holders(device)) == sorted([*neighbours, device])


def test_masks():
    vector = read("masks")
    context = bytes.fromhex(vector["plan_digest"] + vector["roster_digest"])
    device, peer, seed = vector["device"], vector["peer"], bytes.fromhex(vector["seed"])
    assert masks.commitment(seed, plan_digest=vector["plan_digest"], device=device).hex() == vector["commitment"]
    assert masks.self_mask_key(seed, context=context, device=device).hex() == vector["self_key"]
    private, public = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private"])), bytes.fromhex(vector["peer_public"])
    assert masks.pair_mask_key(private, public, context=context, pair=(peer, device)).hex() == vector["pair_key"]
    for key, stream in ((vector["self_key"], vector["self_stream"]), (vector["pair_key"], vector["pair_stream"])):
        total = np.zeros(len(stream), np.uint32)
        masks.add_keystream(total, bytes.fromhex(key))
        assert total.tolist() == stream
    for refused in vector["refused_public"]:
        with pytest.raises(ProtocolError):
            masks.pair_mask_key(private, bytes.fromhex(refused), context=context, pair=(device, peer))


def test_sealing():
    vector = read("sealing")
    context = bytes.fromhex(vector["plan_digest"] + vector["roster_digest"])
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private"]))
    assert private.public_key().public_bytes_raw().hex() == vector["public"]
    opens = partial(sealing.unseal, private=private, context=context, giver=vector["giver"], holder=vector["holder"])
    pair = opens(bytes.fromhex(vector["sealed"]))
    assert (pair.self_mask.hex(), pair.mask_key.hex()) == (vector["self_mask_share"], vector["mask_key_share"])
    for refused in vector["refused"].values():
        with pytest.raises(ProtocolError):
            opens(bytes.fromhex(refused))
    with pytest.raises(ProtocolError):
        sealing.unseal(bytes.fromhex(vector["sealed"]), private, context=context, giver=vector["holder"], holder=vector["giver"])


@pytest.fixture
def vector():
    return read("round")


@pytest.fixture
def plan(vector):
    plan = RoundPlan.from_document(vector["plan"])
    assert digest_of(KIND, canonical(plan.to_document())) == vector["plan_digest"]
    assert plan.noise_variance(len(vector["devices"])) == vector["noise_variance"]
    return plan


@pytest.fixture
def directory(vector):
    return {device: bytes.fromhex(each["signing_public"]) for device, each in vector["devices"].items()}


def test_a_round_as_each_laptop_sees_it(vector, plan, directory, monkeypatch):
    for device, own in vector["devices"].items():
        keys = (X25519PrivateKey.from_private_bytes(bytes.fromhex(own[name])) for name in ("mask_private", "seal_private"))
        drawn = RoundSecrets(*keys, bytes.fromhex(own["seed"]))
        monkeypatch.setattr(RoundSecrets, "draw", lambda drawn=drawn: drawn)
        numbers = iter(int(each, 16) for each in own["coefficients"]["self_mask"] + own["coefficients"]["mask_key"])
        monkeypatch.setattr(participant, "split", partial(shamir.split, draw=lambda _, numbers=numbers: next(numbers)))

        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(own["signing_seed"]))
        laptop = Participant(plan=plan, plan_digest=vector["plan_digest"], signing_key=key, speakers=own["speakers"])
        assert laptop.device == device == device_id(directory[device])
        assert laptop.advertise() in vector["roster_request"]["advertisements"]
        answer = laptop.share(vector["roster_request"], directory=directory)
        assert laptop.roster.digest == vector["roster_digest"]
        for holder, sealed in answer["shares"].items():
            private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["devices"][holder]["seal_private"]))
            where = {"context": laptop.roster.context, "giver": device, "holder": holder}
            published = base64.b64decode(vector["roster_answers"][device]["shares"][holder])
            assert sealing.unseal(base64.b64decode(sealed), private, **where) == sealing.unseal(published, private, **where)
        laptop.receive_shares(vector["mask_requests"][device])
        residues = np.array([value % 2**32 for value in own["values"]], np.uint32)
        masked = laptop.mask(NoisyUpdate(residues, vector["plan_digest"]))
        if device not in vector["survivors_request"]["survivors"]:
            continue
        assert masked.to_bytes().hex() == vector["mask_answers"][device]
        assert laptop.sign(vector["survivors_request"]) == vector["survivors_answers"][device]
        assert laptop.unmask(vector["unmask_request"]) == vector["unmask_answers"][device]


def test_a_round_as_the_coordinator_sees_it(vector, plan, directory):
    aggregator = Aggregator(plan=plan, plan_digest=vector["plan_digest"], directory=directory)
    for document in reversed(vector["roster_request"]["advertisements"]):
        aggregator.add_advertisement(document)
    assert aggregator.close_roster() == vector["roster_request"]
    assert aggregator.roster.digest == vector["roster_digest"]
    for device, answer in vector["roster_answers"].items():
        aggregator.add_shares(device, answer)
    assert aggregator.close_shares() == vector["mask_requests"]
    for device, answer in vector["mask_answers"].items():
        aggregator.add_masked(device, bytes.fromhex(answer))
    assert aggregator.close_masked() == vector["survivors_request"]
    for device, answer in vector["survivors_answers"].items():
        aggregator.add_signature(device, answer)
    assert aggregator.close_signatures() == vector["unmask_request"]
    for device, answer in vector["unmask_answers"].items():
        aggregator.add_unmasking(device, answer)
    total = aggregator.total()
    assert total.values.tolist() == vector["total"]
    assert total.speakers == vector["total_speakers"]
    assert list(total.survivors) == vector["survivors_request"]["survivors"]
