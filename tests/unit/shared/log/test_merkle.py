"""The Merkle tree against published vectors and against the recursive definitions of RFC 6962, and proofs against tampering."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "log" / "merkle.json").read_text(encoding="utf-8"))
LEAVES = [bytes.fromhex(each) for each in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(each) for each in VECTORS["roots"]]
HASHES = [leaf_hash(each) for each in LEAVES]


def unhex(proof):
    return [bytes.fromhex(each) for each in proof]


# The definitions of RFC 6962 section 2.1, word by word, sharing no code with the package.


def naive_root(entries):
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = max(1 << n for n in range(20) if 1 << n < len(entries))
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(m, entries):
    if len(entries) == 1:
        return []
    k = max(1 << n for n in range(20) if 1 << n < len(entries))
    if m < k:
        return [*naive_path(m, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive_root(entries[:k])]


def naive_subproof(m, entries, is_whole):
    if m == len(entries):
        return [] if is_whole else [naive_root(entries)]
    k = max(1 << n for n in range(20) if 1 << n < len(entries))
    if m <= k:
        return [*naive_subproof(m, entries[:k], is_whole), naive_root(entries[k:])]
    return [*naive_subproof(m - k, entries[k:], False), naive_root(entries[:k])]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size):
    assert root_of(HASHES[:size]) == ROOTS[size]
    assert root_at(size, node=nodes_of(HASHES)) == ROOTS[size]
    assert ROOTS[0] == EMPTY_ROOT


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: f"{case['index']} of {case['size']}")
def test_published_inclusion_proofs(case):
    proof = unhex(case["proof"])
    assert inclusion_proof(case["index"], case["size"], node=nodes_of(HASHES)) == proof
    verify_inclusion(proof, leaf=HASHES[case["index"]], index=case["index"], size=case["size"], root=ROOTS[case["size"]])


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: f"{case['first']} to {case['second']}")
def test_published_consistency_proofs(case):
    proof, first, second = unhex(case["proof"]), case["first"], case["second"]
    assert consistency_proof(first, second, node=nodes_of(HASHES)) == proof
    verify_consistency(proof, first=first, first_root=ROOTS[first], second=second, second_root=ROOTS[second])


@given(st.lists(st.binary(max_size=5), max_size=70), st.data())
def test_agrees_with_the_definitions(entries, data):
    hashes = [leaf_hash(each) for each in entries]
    assert root_of(hashes) == naive_root(entries)
    if not entries:
        return
    index = data.draw(st.integers(0, len(entries) - 1))
    proof = inclusion_proof(index, len(entries), node=nodes_of(hashes))
    assert proof == naive_path(index, entries)
    verify_inclusion(proof, leaf=hashes[index], index=index, size=len(entries), root=naive_root(entries))
    first = data.draw(st.integers(1, len(entries)))
    proof = consistency_proof(first, len(entries), node=nodes_of(hashes))
    assert proof == naive_subproof(first, entries, True)
    roots = {"first_root": naive_root(entries[:first]), "second_root": naive_root(entries)}
    verify_consistency(proof, first=first, second=len(entries), **roots)


def test_every_proof_up_to_forty_leaves():
    entries = [bytes([number]) for number in range(40)]
    hashes = [leaf_hash(each) for each in entries]
    node = nodes_of(hashes)
    roots = [naive_root(entries[:size]) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            verify_inclusion(inclusion_proof(index, size, node=node), leaf=hashes[index], index=index, size=size, root=roots[size])
        for first in range(1, size + 1):
            proof = consistency_proof(first, size, node=node)
            verify_consistency(proof, first=first, first_root=roots[first], second=size, second_root=roots[size])


@given(st.integers(2, 60), st.data())
def test_a_changed_proof_is_refused(size, data):
    hashes = [leaf_hash(bytes([number])) for number in range(size)]
    node, root = nodes_of(hashes), root_of(hashes)
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(1, size - 1))
    change = data.draw(st.sampled_from(["flip", "drop", "add", "swap"]))

    def changed(proof):
        at = data.draw(st.integers(0, len(proof) - 1))
        match change:
            case "flip":
                return [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
            case "drop":
                return proof[:at] + proof[at + 1 :]
            case "add":
                return [*proof[:at], bytes(32), *proof[at:]]
            case _:
                return [*proof[:at], bytes(31), *proof[at + 1 :]]

    with pytest.raises(ProtocolError):
        verify_inclusion(changed(inclusion_proof(index, size, node=node)), leaf=hashes[index], index=index, size=size, root=root)
    with pytest.raises(ProtocolError):
        verify_consistency(
            changed(consistency_proof(first, size, node=node)),
            first=first,
            first_root=root_of(hashes[:first]),
            second=size,
            second_root=root,
        )


@given(st.integers(2, 60), st.data())
def test_another_leaf_index_size_or_root_is_refused(size, data):
    hashes = [leaf_hash(bytes([number])) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda value: value != index))
    proof = inclusion_proof(index, size, node=nodes_of(hashes))
    right = {"leaf": hashes[index], "index": index, "size": size, "root": root_of(hashes)}
    wrong_values = {"leaf": hashes[other], "index": other, "root": root_of(hashes[:-1])}
    for name, value in wrong_values.items():
        with pytest.raises(ProtocolError):
            verify_inclusion(proof, **{**right, name: value})


def test_a_rewritten_past_is_refused():
    honest = [leaf_hash(bytes([number])) for number in range(20)]
    for size in range(1, 20):
        forged = [*honest[: size - 1], leaf_hash(b"forged"), *honest[size:]]
        proof = consistency_proof(size, 20, node=nodes_of(forged))
        with pytest.raises(ProtocolError, match="contradict"):
            verify_consistency(proof, first=size, first_root=root_of(honest[:size]), second=20, second_root=root_of(forged))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_inclusion_outside_the_log(index, size):
    with pytest.raises(ProtocolError):
        inclusion_proof(index, size, node=nodes_of(HASHES))
    with pytest.raises(ProtocolError):
        verify_inclusion([], leaf=HASHES[0], index=index, size=size, root=ROOTS[1])


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_no_consistency_outside_the_log(first, second):
    with pytest.raises(ProtocolError):
        consistency_proof(first, second, node=nodes_of(HASHES))
    with pytest.raises(ProtocolError):
        verify_consistency([], first=first, first_root=ROOTS[1], second=second, second_root=ROOTS[3])


def test_the_same_size_needs_the_same_root_and_no_proof():
    verify_consistency([], first=3, first_root=ROOTS[3], second=3, second_root=ROOTS[3])
    for proof, root in (([bytes(32)], ROOTS[3]), ([], ROOTS[4])):
        with pytest.raises(ProtocolError, match="contradict"):
            verify_consistency(proof, first=3, first_root=ROOTS[3], second=3, second_root=root)


def test_an_empty_proof_between_two_sizes_is_refused():
    with pytest.raises(ProtocolError, match="too short"):
        verify_consistency([], first=3, first_root=ROOTS[3], second=5, second_root=ROOTS[5])


def test_endless_proofs_are_refused():
    with pytest.raises(ProtocolError, match="cannot be read"):
        verify_inclusion([bytes(32)] * 65, leaf=HASHES[0], index=0, size=1, root=ROOTS[1])
    with pytest.raises(ProtocolError, match="too long"):
        verify_inclusion([bytes(32)] * 3, leaf=HASHES[0], index=0, size=2, root=ROOTS[2])
    with pytest.raises(ProtocolError, match="too long"):
        verify_consistency([bytes(32)] * 9, first=2, first_root=ROOTS[2], second=5, second_root=ROOTS[5])


def test_the_frontier_names_every_complete_subtree_once():
    frontier, made = Frontier(), {}
    for value in HASHES:
        for level, position, digest in frontier.append(value):
            assert (level, position) not in made
            made[level, position] = digest
    assert len(made) == 15
    node = nodes_of(HASHES)
    assert all(digest == node(level, position) for (level, position), digest in made.items())
    taken_up = Frontier.of(5, node=lambda level, position: made[level, position])
    aside = taken_up.copy()
    for value in HASHES[5:]:
        taken_up.append(value)
    assert (taken_up.size, taken_up.root()) == (8, ROOTS[8])
    assert (aside.size, aside.root()) == (5, ROOTS[5])
