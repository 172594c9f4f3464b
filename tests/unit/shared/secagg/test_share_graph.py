"""Neighbours and holders in complete and sparse rosters."""

import hashlib
import random

import pytest

from hometone_shared.secagg.graph import Graph, shares_needed

DIGEST = hashlib.sha256(b"a roster").hexdigest()


def ids(count):
    return sorted(hashlib.sha256(b"%d" % number).hexdigest()[:32] for number in range(count))


@pytest.mark.parametrize(("devices", "needed"), [(2, 2), (3, 3), (4, 3), (50, 34), (100, 67), (101, 68), (102, 61), (1000, 61)])
def test_how_many_shares_are_needed(devices, needed):
    assert shares_needed(devices) == needed


@pytest.mark.parametrize("count", [2, 7, 101])
def test_up_to_a_hundred_and_one_everybody_is_a_neighbour(count):
    devices = ids(count)
    graph = Graph(devices, roster_digest=DIGEST)
    for device in devices:
        assert graph.holders(device) == tuple(devices)
        assert graph.neighbours(device) == tuple(each for each in devices if each != device)


@pytest.mark.parametrize("count", [102, 103, 251])
def test_above_a_ring_of_fifty_on_either_side(count):
    devices = ids(count)
    graph = Graph(devices, roster_digest=DIGEST)
    ring = sorted(devices, key=lambda each: hashlib.sha256(b"hometone/graph/v1" + bytes.fromhex(DIGEST) + each.encode("ascii")).digest())
    for place, device in enumerate(ring):
        around = {ring[(place + step) % count] for step in range(1, 51)} | {ring[(place - step) % count] for step in range(1, 51)}
        assert graph.neighbours(device) == tuple(sorted(around))
        assert graph.holders(device) == tuple(sorted(around | {device}))
        assert len(graph.holders(device)) == 101
        assert all(device in graph.neighbours(each) for each in around)


def test_another_roster_is_another_ring():
    devices = ids(300)
    other = hashlib.sha256(b"another roster").hexdigest()
    first, second = (Graph(devices, roster_digest=digest).neighbours(devices[0]) for digest in (DIGEST, other))
    assert first != second


@pytest.mark.parametrize("count", [5, 150])
def test_strangers_have_no_holders(count):
    graph = Graph(ids(count), roster_digest=DIGEST)
    with pytest.raises(KeyError):
        graph.holders(random.randbytes(16).hex())
    with pytest.raises(KeyError):
        graph.neighbours("")
