"""Writes the trained network as an ONNX graph with 8-bit weights: a quarter of the size, unpacked to float32 when it is loaded.

Matrices keep one scale for each output channel (symmetric, 127 steps either way); biases, norms and depthwise filters stay float32. F0 and
energy do not pass through this network, so nothing here rounds them.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tools.content_encoder.network import CONTENT, FEATURES, Block, PosteriorNetwork
from torch import nn

_OPSET = 20  # the first with Gelu
_IR_VERSION = 10
_EPSILON = 1e-5

Floats = NDArray[np.float32]


def export(network: PosteriorNetwork, path: Path) -> str:
    """Write the graph; returns its SHA-256."""
    weights = {name: value.detach().float().numpy() for name, value in network.state_dict().items()}
    model = _Graph(weights).model(early=_shapes(network.early), late=_shapes(network.late))
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _shapes(blocks: nn.ModuleList) -> list[tuple[int, int]]:
    """Kernel and dilation of each block."""
    return [(block.over_time.kernel_size[0], block.over_time.dilation[0]) for block in blocks if isinstance(block, Block)]


def pin(checksum: str, source: Path) -> None:
    """Write the checksum into the module that loads the graph."""
    text = source.read_text(encoding="utf-8")
    source.write_text(re.sub(r'(NETWORK_SHA256: Final = ")[0-9a-f]{64}', rf"\g<1>{checksum}", text), encoding="utf-8")


class _Graph:
    """Nodes and constants of `PosteriorNetwork`, in the order of its forward pass."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def model(self, *, early: list[tuple[int, int]], late: list[tuple[int, int]]) -> onnx.ModelProto:
        centre = self._constant("centre", self._weights["feature_mean"])
        scale = self._constant("scale", self._weights["feature_scale"])
        x = self._linear(self._node("Mul", self._node("Sub", "features", centre), scale), "enter")
        for number, shape in enumerate(early):
            x = self._block(x, f"early.{number}", *shape)
        x = self._at_frames(x)
        for number, shape in enumerate(late):
            x = self._block(x, f"late.{number}", *shape)
        x = self._normed(x, "norm")
        for name in ("mean", "log_variance"):
            self._node("Transpose", self._linear(x, name), output=name, perm=[0, 2, 1])

        def value(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            self._nodes,
            "posterior",
            [value("features", [1, "n", FEATURES]), value("left", [1, "T"], TensorProto.INT64), value("share", [1, "T"])],
            [value("mean", [1, CONTENT, "T"]), value("log_variance", [1, CONTENT, "T"])],
            self._constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"x{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _linear(self, x: str, name: str) -> str:
        matrix = self._weights[f"{name}.weight"].T  # [in, out]
        scale = np.maximum(np.abs(matrix).max(axis=0, keepdims=True) / 127, 1e-12).astype(np.float32)
        steps = self._constant(f"{name}.steps", np.rint(matrix / scale).astype(np.int8))
        unpacked = self._node("Mul", self._node("Cast", steps, to=TensorProto.FLOAT), self._constant(f"{name}.scale", scale))
        return self._node("Add", self._node("MatMul", x, unpacked), self._constant(f"{name}.bias", self._weights[f"{name}.bias"]))

    def _normed(self, x: str, name: str) -> str:
        gain, shift = (self._constant(f"{name}.{part}", self._weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._node("LayerNormalization", x, gain, shift, axis=-1, epsilon=_EPSILON)

    def _block(self, x: str, name: str, kernel: int, dilation: int) -> str:
        filters = self._constant(f"{name}.filters", self._weights[f"{name}.over_time.weight"])
        bias = self._constant(f"{name}.filter_bias", self._weights[f"{name}.over_time.bias"])
        edge = dilation * (kernel // 2)
        shape = {"kernel_shape": [kernel], "dilations": [dilation], "pads": [edge, edge], "group": self._weights["norm.weight"].size}
        y = self._node("Conv", self._node("Transpose", x, perm=[0, 2, 1]), filters, bias, **shape)  # type: ignore[arg-type]
        y = self._normed(self._node("Transpose", y, perm=[0, 2, 1]), f"{name}.norm")
        y = self._linear(self._node("Gelu", self._linear(y, f"{name}.wide")), f"{name}.narrow")
        return self._node("Add", x, self._node("Mul", y, self._constant(f"{name}.gain", self._weights[f"{name}.gain"])))

    def _at_frames(self, x: str) -> str:
        """From features to frames: between `left` and the next feature, `share` of the way."""
        axis = self._constant("one_axis", np.array([0], dtype=np.int64))
        last = self._constant("last_axis", np.array([2], dtype=np.int64))
        left = self._node("Squeeze", "left", axis)
        one = self._constant("one", np.array([1], dtype=np.int64))
        length = self._node("Shape", x, start=1, end=2)
        right = self._node("Min", self._node("Add", left, one), self._node("Sub", length, one))
        share = self._node("Unsqueeze", "share", last)
        before, after = self._node("Gather", x, left, axis=1), self._node("Gather", x, right, axis=1)
        return self._node("Add", before, self._node("Mul", self._node("Sub", after, before), share))
