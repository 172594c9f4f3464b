"""The nested public basis in which the shared model moves (docs/decisions/0009-what-is-shared.md).

    theta [d] -> coordinates [dimension] -> turned and scaled -> raw coordinates (`layout`) -> changes of the base's weights

1. theta is filled up with zeros: the first d coordinates mean the same for every d.
2. The first K coordinates are principal directions: along them the prosody of public voices differs most. They mix the `span` raw
   coordinates that matter most; Q [span, K] holds them in its columns.
3. The others are raw coordinates themselves, by how much they matter; what Q already says is taken out of them:
   s = r + Q (lead - Q^T r).
4. Every raw coordinate has a scale, so that a typical useful update of one speaker has norm 1.

What it may see: public data and a release. No framework but numpy: what speaks applies releases through this module. The definition is a
file of small integers (tools/make_basis.py), never the output of a linear-algebra library on this machine, so it is the same everywhere;
`sha256` names it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.parameters import load_parameters
from hometone_client.sharedmodel.layout import CORES, LSTM, PROJECTION, RANK, RAW_SIZE, SHIFTS, SLICES
from hometone_client.voices.parameters import DenseDelta, LowRankDelta, VoiceParameters, WeightDelta
from hometone_shared.errors import ModelError

Floats = NDArray[np.float32]
_LABEL: Final = b"hometone/shared-basis/v1"
_FILE: Final = "basis.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """One basis.

    Attributes:
        left: Factors A by block, float32 [rows, RANK].
        right: Factors B by block, float32 [RANK, *columns].
        leading: Q, float32 [span, K].
        order: int64 [RAW_SIZE]: which raw coordinate is the n-th in importance.
        scales: float32 [RAW_SIZE], of the raw coordinates in that order.
        rest: What the coordinates behind the principal ones are multiplied with, so that a step along all of them is not too long.
        mix: float32 [K, K]: what a principal coordinate is made of along the columns of Q.
        sha256: Names the definition.
    """

    left: Mapping[str, Floats]
    right: Mapping[str, Floats]
    leading: Floats
    order: NDArray[np.int64]
    scales: Floats
    rest: float
    mix: Floats
    sha256: str

    @property
    def dimension(self) -> int:
        """The most coordinates that a theta may have."""
        return int(self.leading.shape[1]) + RAW_SIZE

    def raw(self, theta: Floats) -> Floats:
        """(1) to (4): raw coordinates, float32 [RAW_SIZE], in the order of `layout.BLOCKS`.

        Args:
            theta: float32 [d], d at most `dimension`.

        Raises:
            ModelError: theta is longer than the basis, or holds values that are not numbers.
        """
        if theta.ndim != 1 or theta.size > self.dimension or not np.isfinite(theta).all():
            raise ModelError("the shared model does not fit this version of Hometone", hint="update Hometone on this computer")
        span, count = self.leading.shape
        filled: Floats = np.zeros(self.dimension, dtype=np.float32)
        filled[: theta.size] = theta
        lead: Floats = self.mix @ filled[:count]
        turned: Floats = np.asarray(filled[count:] * np.float32(self.rest), dtype=np.float32)
        head = turned[:span]
        turned[:span] = np.asarray(head + self.leading @ (lead - self.leading.T @ head), dtype=np.float32)
        raw = np.empty(RAW_SIZE, dtype=np.float32)
        raw[self.order] = turned * self.scales
        return raw

    def deltas(self, theta: Floats) -> dict[str, WeightDelta]:
        """What a release adds to the base's weights, by parameter, in ONNX layout (`base.parameters`).

        An LSTM's change is dense (its parameter holds both directions), the others are of low rank or vectors. LSTM rows are in the order
        of the graph's gates (input, output, forget, cell); linear weights are [in, out]. A theta of zeros changes nothing and gives no
        entry.

        Raises:
            ModelError: As `raw`.
        """
        raw = self.raw(theta)
        deltas: dict[str, WeightDelta] = {}
        halves: dict[int, Floats] = {}
        for core in CORES:
            square = raw[SLICES[core.key]].reshape(RANK, RANK)
            if not square.any():
                continue
            left, right = self.left[core.key], self.right[core.key]
            if core.direction is not None:
                halves[core.direction] = np.asarray(left @ square @ right, dtype=np.float32)
            elif core.name.startswith(PROJECTION):
                deltas[core.name] = LowRankDelta(right.T @ square.T, left.T)  # linear weights are [in, out]
            else:
                deltas[core.name] = LowRankDelta(left @ square, right)
        if halves:
            shape = next((core.rows, *core.columns) for core in CORES if core.direction is not None)
            nothing = np.zeros(shape, dtype=np.float32)
            deltas[f"{LSTM}.W"] = DenseDelta(np.stack([halves.get(direction, nothing) for direction in (0, 1)]))
        for shift in SHIFTS:
            values = raw[SLICES[shift.key]].reshape(shift.shape)
            if values.any():
                deltas[shift.name] = DenseDelta(_with_recurrent(values) if shift.name == f"{LSTM}.B" else values)
        return deltas

    def replacements(self, theta: Floats, base: Path) -> dict[str, Floats]:
        """The base's parameters as a release changes them, for `BaseRuntime(replacements=...)`."""
        stored = load_parameters(base)
        return {name: delta.merged(stored[name]) for name, delta in self.deltas(theta).items()}


def _with_recurrent(values: Floats) -> Floats:
    """Input biases [2, 1024] as the graph holds them: behind each lies the recurrent bias, which does not move."""
    return np.concatenate([values, np.zeros_like(values)], axis=1)


def digest_of(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """Name of a definition: SHA-256 over names, shapes and little-endian bytes of its arrays, hexadecimal."""
    hasher = hashlib.sha256(_LABEL)
    for name in sorted(arrays):
        array = arrays[name]
        header = repr((name, array.shape, array.dtype.str.lstrip("<>|="))).encode()
        hasher.update(
            len(header).to_bytes(4, "little") + header + np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        )
    return hasher.hexdigest()


def basis_from(arrays: Mapping[str, NDArray[np.generic]]) -> Basis:
    """Read a definition.

    Its arrays: `left/BLOCK`, `right/BLOCK`, `leading` (int8, columns in units of `.../step`), `mix`, `order`, `scales`, `rest`.

    Raises:
        ModelError: It is not one.
    """

    def factor(name: str, shape: tuple[int, ...]) -> Floats:
        steps = arrays[f"{name}/step"].astype(np.float32)
        whole = arrays[name]
        if whole.dtype != np.int8 or whole.shape != shape:
            raise ValueError(name)
        return np.asarray(whole.astype(np.float32) * steps, dtype=np.float32)

    try:
        left = {core.key: factor(f"left/{core.key}", (core.rows, RANK)) for core in CORES}
        right = {core.key: factor(f"right/{core.key}", (RANK, *core.columns)) for core in CORES}
        leading = factor("leading", arrays["leading"].shape)
        order = arrays["order"].astype(np.int64)
        scales, mix = arrays["scales"].astype(np.float32), arrays["mix"].astype(np.float32)
        rest = float(arrays["rest"][0])
    except (KeyError, ValueError) as error:
        raise ModelError("the basis of the shared model is damaged", hint="install Hometone again") from error
    if order.shape != (RAW_SIZE,) or (np.sort(order) != np.arange(RAW_SIZE)).any() or scales.shape != (RAW_SIZE,):
        raise ModelError("the basis of the shared model is damaged", hint="install Hometone again")
    return Basis(left, right, leading, order, scales, rest, mix, digest_of(arrays))


@cache
def shared_basis() -> Basis:
    """The basis of this version, in which new rounds move."""
    packed = (files("hometone_client.sharedmodel") / "data" / _FILE).read_bytes()
    with np.load(BytesIO(packed), allow_pickle=False) as data:
        return basis_from({name: data[name] for name in data.files})


def basis_named(sha256: str) -> Basis:
    """The basis of that name: a voice says which one its release moves in.

    Raises:
        ModelError: This version does not have it.
    """
    basis = shared_basis()
    if basis.sha256 != sha256:
        raise ModelError(
            "this voice needs another version of the shared model", hint="update Hometone on this computer, or train the voice again"
        )
    return basis


def release_and_voice(voice: VoiceParameters, base: Path) -> dict[str, Floats]:
    """The base's parameters as a voice changes them: its shared release, then its own changes.

    Args:
        voice: Made on a release, or on the base itself.
        base: Folder of the base that it belongs to.

    Raises:
        ModelError: The release is in coordinates that this version does not know, or the voice belongs to another base.
    """
    shared = voice.shared
    release = basis_named(shared.basis_sha256).deltas(shared.theta) if shared is not None else None
    return voice.merged_weights(load_parameters(base).__getitem__, release=release)
