"""Kokoro's own checkpoint in the layout of the base voice: names and shapes of `base.parameters`, and nothing left over.

The official checkpoint holds torch state dictionaries, the graphs want ONNX layouts. For every parameter that the graphs read:

1. weight norm is multiplied out, weight = g * v / |v| with the norm over all axes but the first (Salimans and Kingma 2016, equation 2),
   in float64, whichever of torch's two ways of naming g and v was used;
2. weights of linear layers are transposed to [in, out];
3. an LSTM's eight tensors become W, R [2, 4 * hidden, in] and B [2, 8 * hidden], gates i f c o -> i o f c (ONNX, operator LSTM);
4. everything else is taken as it is.

Numbers in, numbers out: no torch, no file, no voice of anybody.
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ModelError

Array = NDArray[np.float32]

HINT = "use the file kokoro-v1_0.pth of hexgrad/Kokoro-82M as it was published"
_DIRECTIONS = ("", "_reverse")
_WEIGHT_NORM = ((".weight_g", ".weight_v"), (".parametrizations.weight.original0", ".parametrizations.weight.original1"))
_TABLE = re.compile(r"embeddings?\.weight$")  # looked up by row, so not transposed
# ALBERT's pooler and its list of positions are not part of the path that speaks.
_NOT_USED = re.compile(r"bert\.(pooler\.(weight|bias)|embeddings\.(position_ids|token_type_ids))$")


def parameters(tensors: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return the wanted parameters, contiguous float32 in ONNX layout.

    Args:
        tensors: float32 arrays of the checkpoint by `part.name`, for instance `predictor.lstm.weight_ih_l0`, in torch's layouts.
        shapes: Names and shapes of the parameters that the graphs read.

    Raises:
        ModelError: A tensor is missing, has another shape, is not finite, or is not known.
    """
    left = dict(tensors)
    made: dict[str, Array] = {}
    for name, shape in shapes.items():
        array = _parameter(left, name, ndim=len(shape))
        if array.shape != shape:
            raise ModelError(f"the parameter {name} of the official base voice has another shape than expected", hint=HINT)
        if not np.isfinite(array).all():
            raise ModelError(f"the parameter {name} of the official base voice is not made of numbers", hint=HINT)
        made[name] = np.ascontiguousarray(array, dtype=np.float32)
    unknown = sorted(name for name in left if not _NOT_USED.match(name))
    if unknown:
        raise ModelError(f"the official base voice holds {len(unknown)} unknown tensors, such as {unknown[0]}", hint=HINT)
    return made


def _parameter(left: dict[str, Array], name: str, *, ndim: int) -> Array:
    """Make one parameter out of the tensors that are left, which are used up."""
    source = name.replace(".asr_res.asr_res.", ".asr_res.")  # the public ONNX export says it twice
    module, _, kind = source.rpartition(".")
    if kind in {"W", "R", "B"}:
        return _lstm(left, module, kind)
    for gain, direction in _WEIGHT_NORM:
        if kind == "weight" and module + gain in left:
            return _weight_norm(module, _take(left, module + gain), _take(left, module + direction))
    array = _take(left, source)
    return array.T if kind == "weight" and ndim == 2 and not _TABLE.search(source) else array  # (2), (4)


def _take(left: dict[str, Array], name: str) -> Array:
    if name not in left:
        raise ModelError(f"the official base voice lacks the tensor {name}", hint=HINT)
    return left.pop(name)


def _weight_norm(module: str, gain: Array, direction: Array) -> Array:
    """Step (1)."""
    if direction.ndim < 2 or gain.shape != (direction.shape[0], *[1] * (direction.ndim - 1)):
        raise ModelError(f"the weight norm of {module} of the official base voice has another shape than expected", hint=HINT)
    wide = direction.astype(np.float64)
    norm = np.sqrt(np.sum(wide**2, axis=tuple(range(1, wide.ndim)), keepdims=True))
    if not (norm > 0).all():
        raise ModelError(f"the weight norm of {module} of the official base voice has no direction", hint=HINT)
    multiplied: Array = (gain * wide / norm).astype(np.float32)
    return multiplied


def _lstm(left: dict[str, Array], module: str, kind: str) -> Array:
    """Step (3)."""
    kinds = {"W": ("weight_ih",), "R": ("weight_hh",), "B": ("bias_ih", "bias_hh")}[kind]
    rows = [[_onnx_gates(_take(left, f"{module}.{part}_l0{way}")) for part in kinds] for way in _DIRECTIONS]
    if len({array.shape for row in rows for array in row}) != 1:
        raise ModelError(f"the two directions of {module} of the official base voice differ in shape", hint=HINT)
    return np.stack([np.concatenate(row) for row in rows])


def _onnx_gates(array: Array) -> Array:
    """Reorder the gates of torch (input, forget, cell, output) to those of ONNX (input, output, forget, cell)."""
    if array.ndim < 1 or array.shape[0] % 4:
        raise ModelError("an LSTM of the official base voice has no four gates", hint=HINT)
    gate_input, gate_forget, gate_cell, gate_output = np.split(array, 4)
    return np.concatenate([gate_input, gate_output, gate_forget, gate_cell])
