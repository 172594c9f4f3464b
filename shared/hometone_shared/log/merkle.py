"""The Merkle tree of the log: hashes, roots and proofs (RFC 6962 section 2.1; the algorithms are those of RFC 9162 section 2.1).

What makes proofs asks for hashes of *complete subtrees* only: `node(level, position)` covers the 2^level leaves from position * 2^level
on. They never change once the leaves are there, so a store may keep them for good. What checks proofs needs nothing but the proof, and
answers every wrong one with a ProtocolError. Hashes are 32 bytes throughout. No signatures, no files, no network.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self

from hometone_shared.errors import ProtocolError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
LONGEST_PROOF: Final = 64

NodeSource = Callable[[int, int], bytes]
"""`(level, position)` -> hash of a complete subtree."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry (RFC 6962 section 2.1: the prefix 0x00 keeps leaves and nodes apart)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees that a list of leaves falls into: enough to go on appending and to know the root."""

    def __init__(self) -> None:
        """Begin with no leaves."""
        self._peaks: list[bytes] = []
        self.size = 0

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add the hash of one leaf.

        Returns:
            The complete subtrees that came to be, the leaf itself first: (level, position, hash).
        """
        made = [(0, self.size, leaf)]
        level, position, value = 0, self.size, leaf
        while position & 1:
            value = node_hash(self._peaks.pop(), value)
            level, position = level + 1, position >> 1
            made.append((level, position, value))
        self._peaks.append(value)
        self.size += 1
        return made

    def root(self) -> bytes:
        """Root of the tree so far."""
        return _folded(self._peaks)

    @classmethod
    def of(cls, size: int, *, node: NodeSource) -> Self:
        """The frontier of the first `size` leaves, from stored hashes."""
        return cls._with([node(level, position) for level, position in _complete(0, size)], size)

    def copy(self) -> Self:
        """Another one to go on from the same leaves."""
        return self._with(list(self._peaks), self.size)

    @classmethod
    def _with(cls, peaks: list[bytes], size: int) -> Self:
        frontier = cls()
        frontier._peaks, frontier.size = peaks, size
        return frontier


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root of the tree over these leaf hashes (RFC 9162 section 2.1.1)."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def root_at(size: int, *, node: NodeSource) -> bytes:
    """Root of the first `size` leaves, from stored hashes of complete subtrees."""
    return _folded([node(level, position) for level, position in _complete(0, size)])


def nodes_of(leaves: Sequence[bytes]) -> NodeSource:
    """Hashes of complete subtrees over a list of leaf hashes, computed when they are asked for."""

    def node(level: int, position: int) -> bytes:
        return root_of(leaves[position << level : (position + 1) << level])

    return node


def inclusion_proof(index: int, size: int, *, node: NodeSource) -> list[bytes]:
    """Proof that the leaf `index` is in the tree of `size` leaves (RFC 9162 section 2.1.3.1).

    Raises:
        ProtocolError: There is no such leaf.
    """
    if not 0 <= index < size:
        raise ProtocolError("the log has no such entry")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(begin, middle, node))
            begin = middle
    return path[::-1]


def consistency_proof(first: int, second: int, *, node: NodeSource) -> list[bytes]:
    """Proof that the tree of `first` leaves is the beginning of that of `second` leaves (RFC 9162 section 2.1.4.1).

    Raises:
        ProtocolError: `first` is not from 1 to `second`.
    """
    if not 1 <= first <= second:
        raise ProtocolError("there is no proof between these sizes of the log")
    path: list[bytes] = []
    begin, end = 0, second
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(begin, middle, node))
            begin = middle
    if begin:  # the old root itself is not repeated
        path.append(_range_root(begin, end, node))
    return path[::-1]


def verify_inclusion(proof: Sequence[bytes], *, leaf: bytes, index: int, size: int, root: bytes) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2).

    Raises:
        ProtocolError: It does not lead from this leaf at this index to this root.
    """
    _check_shape(proof)
    if not 0 <= index < size:
        raise ProtocolError("a proof speaks of an entry that the log does not have")
    position, last, value = index, size - 1, leaf
    for part in proof:
        if last == 0:
            raise ProtocolError("a proof of the log is too long")
        if position & 1 or position == last:
            value = node_hash(part, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, part)
        position, last = position >> 1, last >> 1
    if last or not hmac.compare_digest(value, root):
        raise ProtocolError("an entry is not in the log")


def verify_consistency(proof: Sequence[bytes], *, first: int, first_root: bytes, second: int, second_root: bytes) -> None:
    """Check a consistency proof (RFC 9162 section 2.1.4.2).

    Raises:
        ProtocolError: The second tree does not begin with the first.
    """
    _check_shape(proof)
    if not 1 <= first <= second:
        raise ProtocolError("there is no proof between these sizes of the log")
    if first == second:
        if proof or not hmac.compare_digest(first_root, second_root):
            raise ProtocolError("two heads of the log contradict each other")
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        raise ProtocolError("a proof of the log is too short")
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for part in path[1:]:
        if last == 0:
            raise ProtocolError("a proof of the log is too long")
        if position & 1 or position == last:
            old, new = node_hash(part, old), node_hash(part, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, part)
        position, last = position >> 1, last >> 1
    if last or not hmac.compare_digest(old, first_root) or not hmac.compare_digest(new, second_root):
        raise ProtocolError("two heads of the log contradict each other")


def _check_shape(proof: Sequence[bytes]) -> None:
    if len(proof) > LONGEST_PROOF or any(len(part) != HASH_BYTES for part in proof):
        raise ProtocolError("a proof of the log cannot be read")


def _split(size: int) -> int:
    """The largest power of two below `size` (RFC 6962 section 2.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _complete(begin: int, end: int) -> list[tuple[int, int]]:
    """Cut leaves from `begin`, where a subtree begins, to `end` into complete subtrees: (level, position), largest first."""
    cut = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        cut.append((level, begin >> level))
        begin += 1 << level
    return cut


def _range_root(begin: int, end: int, node: NodeSource) -> bytes:
    return _folded([node(level, position) for level, position in _complete(begin, end)])


def _folded(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    value = peaks[-1]
    for peak in reversed(peaks[:-1]):
        value = node_hash(peak, value)
    return value
