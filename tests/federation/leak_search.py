"""Looks for pieces of secrets in what was sent, whatever they are wrapped in.

`Sent` takes apart what was sent: everything in it that could be base64 or hexadecimal is decoded too, at every offset, and what comes out
once more, and again. `pieces_in` looks for every stretch of eight bytes of a secret, at every offset, that is not too plain to be
anybody's (zeros, counters); a secret that has no other stretches is looked for as a whole. `telling_piece` gives what to plant to see that
the search works.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 8
_LEAST_DIFFERENT = 5
_SHORTEST_WHOLE = 16
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}={0,2}")
_HEX = re.compile(rb"[0-9A-Fa-f]{16,}")
_DEPTH = 3


def _unwrapped(data: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    yield data
    if depth == 0:
        return
    for run in _BASE64.findall(data):
        text = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        for offset in range(4):
            rest = len(text[offset:]) % 4
            part = text[offset : len(text) - (1 if rest == 1 else 0)]
            yield from _unwrapped(_from_base64(part), depth - 1)
    for run in _HEX.findall(data):
        for offset in range(2):
            part = run[offset:]
            yield from _unwrapped(bytes.fromhex(part[: len(part) // 2 * 2].decode("ascii")), depth - 1)


def _from_base64(text: bytes) -> bytes:
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _stretches(data: bytes) -> NDArray[np.uint64]:
    """Every stretch of eight bytes as one number, [len(data) - 7]."""
    if len(data) < PIECE:
        return np.empty(0, dtype=np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, dtype=np.uint8), PIECE)
    return np.ascontiguousarray(windows).view("<u8").reshape(-1)


def _informative(stretches: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of them have five different bytes or more."""
    each = np.sort(stretches.view(np.uint8).reshape(-1, PIECE), axis=1)
    return 1 + np.count_nonzero(np.diff(each, axis=1), axis=1) >= _LEAST_DIFFERENT


def telling_piece(secret: bytes) -> bytes:
    """A short piece of a secret that `Sent.pieces_of` would have to find; the whole of it if it has none."""
    places = np.flatnonzero(_informative(_stretches(secret)))
    if not places.size:
        return secret
    middle = int(places[len(places) // 2])
    return secret[middle : middle + 4 * PIECE]


class Sent:
    """Everything that was sent, taken apart."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.blobs = [blob for part in parts for blob in _unwrapped(part)]
        self._lower = [blob.lower() for blob in self.blobs]
        self._stretches = np.sort(np.concatenate([np.zeros(1, dtype=np.uint64), *map(_stretches, self.blobs)]))

    def pieces_of(self, secret: bytes) -> list[bytes]:
        """Pieces of a secret that were sent; a few of them, if many."""
        stretches = _stretches(secret)
        places = np.minimum(np.searchsorted(self._stretches, stretches), len(self._stretches) - 1)
        found = stretches[self._stretches[places] == stretches]
        found = found[_informative(found)] if found.size else found
        if found.size:
            return [each.tobytes() for each in found[:5]]
        if len(secret) >= _SHORTEST_WHOLE and not _informative(stretches).any():
            return [secret for blob in self.blobs if secret in blob][:1]
        return []

    def holds_word(self, word: str) -> bool:
        """Whether a word was sent, in any case of letters."""
        wanted = [form.lower() for encoding in ("utf-8", "utf-16-le") for form in [word.lower().encode(encoding)]]
        return any(form in blob for form in wanted for blob in self._lower)


def encodings_of(numbers: NDArray[Any]) -> dict[str, bytes]:
    """Numbers as they might be written down: as they are, as floats, as integers (sound and other fractions scaled to the whole range)."""
    found = {"as it is": np.ascontiguousarray(numbers).tobytes()}
    exact = numbers.astype(np.float64)
    for kind in ("<f4", "<f8", ">f4", ">f8"):
        found[kind] = exact.astype(kind).tobytes()
    if np.issubdtype(numbers.dtype, np.floating):
        largest = max(1.0, float(np.max(np.abs(exact), initial=0.0)))
        for kind, full in (("<i2", 32_768), ("<i2", 32_767), ("<i4", 1 << 31), ("<i4", 1 << 14)):
            bounds = np.iinfo(kind)
            found[f"{kind} of {full}"] = np.clip(np.rint(exact / largest * full), bounds.min, bounds.max).astype(kind).tobytes()
    else:
        for kind in ("<i2", "<i4", "<u4", "<i8", ">i4"):
            found[kind] = numbers.astype(np.int64).astype(kind).tobytes()
    return found
