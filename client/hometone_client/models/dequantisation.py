"""Turns a dynamically quantised ONNX graph back into a plain fp32 graph with named parameters.

What it does, in order:
1. every `ConvInteger` / `MatMulInteger` with its scale, cast and integer bias becomes one `Conv` / `MatMul` (+ bias) on fp32 weights;
2. every `DynamicQuantizeLSTM` becomes a standard `LSTM`;
3. quantised embedding tables become fp32 tables;
4. what is no longer reached is dropped.

The arithmetic of the graph is otherwise untouched, so the result is the same model without the rounding of activations. It sees public
weights only.
"""

from collections.abc import Callable, Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hometone_shared.errors import ModelError

Array = NDArray[np.float32]


class _Graph:
    """Producer and consumer tables of one ONNX graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.initializers: dict[str, NDArray[np.generic]] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.producer = {name: node for node in self.nodes for name in node.output if name}
        self.consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)

    def only_consumer(self, name: str) -> onnx.NodeProto:
        consumers = self.consumers.get(name, [])
        if len(consumers) != 1:
            raise ModelError(f"the base model has an unexpected shape near one of its layers ({len(consumers)} readers)")
        return consumers[0]

    def initializer_input(self, node: onnx.NodeProto) -> str:
        for name in node.input:
            if name in self.initializers:
                return str(name)
        raise ModelError("the base model lacks a weight scale where one was expected")


def dequantise(model: onnx.ModelProto, *, parameter_name: Callable[[str], str]) -> onnx.ModelProto:
    """Return an fp32 model equal to `model` without quantisation.

    Args:
        model: A graph written by onnxruntime's dynamic quantiser (int8 or uint8 weights).
        parameter_name: Maps a node or initializer name of the quantised graph to the parameter's name (dots, no leading slash).

    Raises:
        ModelError: The graph is not laid out as expected.
    """
    graph = _Graph(model.graph)
    weights: dict[str, NDArray[np.generic]] = {}
    replaced: dict[int, list[onnx.NodeProto]] = {}
    for node in graph.nodes:
        if node.op_type in {"ConvInteger", "MatMulInteger"}:
            last, new = _linear(graph, node, weights, parameter_name)
            replaced[id(last)] = new
        elif node.op_type == "DynamicQuantizeLSTM":
            replaced[id(node)] = [_lstm(graph, node, weights, parameter_name)]
        elif node.op_type == "DequantizeLinear":
            replaced[id(node)] = [_embedding(graph, node, weights, parameter_name)]
    nodes = [new for node in graph.nodes for new in replaced.get(id(node), [node])]
    for name, array in graph.initializers.items():
        weights.setdefault(name, array)
    kept = _reachable(nodes, [o.name for o in model.graph.output])
    used = {name for node in kept for name in node.input}
    fp32 = helper.make_graph(
        kept,
        "fp32",
        list(model.graph.input),
        list(model.graph.output),
        [numpy_helper.from_array(np.asarray(weights[name], order="C"), name) for name in sorted(used & weights.keys())],
    )
    opsets = [o for o in model.opset_import if o.domain in {"", "ai.onnx", "com.microsoft"}]
    result = helper.make_model(fp32, opset_imports=opsets, ir_version=model.ir_version)
    _rename_plain_parameters(result, parameter_name)
    return result


def _linear(
    graph: _Graph, node: onnx.NodeProto, weights: dict[str, NDArray[np.generic]], parameter_name: Callable[[str], str]
) -> tuple[onnx.NodeProto, list[onnx.NodeProto]]:
    quantised = graph.initializers.get(node.input[1])
    if quantised is None:
        raise ModelError("the base model computes a weight where a stored one was expected")
    zero_point = graph.initializers[node.input[3]].astype(np.float32)
    source = graph.producer[node.input[0]]  # DynamicQuantizeLinear
    bias: Array | None = None
    step = graph.only_consumer(node.output[0])
    if step.op_type == "Add":
        bias = _integer_bias(graph, step)
        step = graph.only_consumer(step.output[0])
    if step.op_type != "Cast":
        raise ModelError("the base model lacks a cast after an integer product")
    last = graph.only_consumer(step.output[0])
    scale_product = graph.producer[next(name for name in last.input if name != step.output[0])]
    scale = graph.initializers[graph.initializer_input(scale_product)].astype(np.float32)
    weight = quantised.astype(np.float32)
    convolution = node.op_type == "ConvInteger"
    if convolution and scale.ndim == 1 and scale.size > 1:
        shape = (-1,) + (1,) * (weight.ndim - 1)
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape) if zero_point.size > 1 else zero_point
    name = parameter_name(node.name) + ".weight"
    plain = ((weight - zero_point) * scale).astype(np.float32)
    if name in weights and not np.array_equal(weights[name], plain):
        raise ModelError("two layers of the base model claim one name with different weights")
    weights[name] = plain  # ALBERT's twelve passes share one layer
    inputs = [source.input[0], name]
    if convolution:
        if bias is not None:
            weights[parameter_name(node.name) + ".bias"] = bias
            inputs.append(parameter_name(node.name) + ".bias")
        new = helper.make_node("Conv", inputs, [last.output[0]], name=node.name.removesuffix("_quant"))
        new.attribute.extend(node.attribute)
    else:
        new = helper.make_node("MatMul", inputs, [last.output[0]], name=node.name.removesuffix("_quant"))
    return last, [new]


def _integer_bias(graph: _Graph, add: onnx.NodeProto) -> Array:
    """Follow Add <- Reshape <- Cast <- Floor <- Div back to the fp32 bias it was rounded from."""
    for name in add.input:
        node = graph.producer.get(name)
        while node is not None and node.op_type in {"Reshape", "Cast", "Floor"}:
            node = graph.producer.get(node.input[0])
        if node is not None and node.op_type == "Div":
            return graph.initializers[node.input[0]].astype(np.float32)
    raise ModelError("the base model lacks a bias where one was expected")


def _lstm(
    graph: _Graph, node: onnx.NodeProto, weights: dict[str, NDArray[np.generic]], parameter_name: Callable[[str], str]
) -> onnx.NodeProto:
    prefix = parameter_name(node.name)
    names = []
    for index, suffix, scale_index in ((1, "W", 8), (2, "R", 10)):
        quantised = graph.initializers[node.input[index]].astype(np.float32)  # [directions, input, 4*hidden]
        scale = graph.initializers[node.input[scale_index]].astype(np.float32)
        zero_point = graph.initializers[node.input[scale_index + 1]].astype(np.float32)
        scale, zero_point = (_per_direction(a) for a in (scale, zero_point))
        plain = (quantised - zero_point) * scale
        name = f"{prefix}.{suffix}"
        weights[name] = plain.transpose(0, 2, 1).astype(np.float32)  # ONNX LSTM wants [directions, 4*hidden, input], gates i o f c
        names.append(name)
    weights[f"{prefix}.B"] = graph.initializers[node.input[3]].astype(np.float32)
    inputs = [node.input[0], *names, f"{prefix}.B", node.input[4], node.input[5], node.input[6]]
    new = helper.make_node("LSTM", inputs, list(node.output), name=node.name.removesuffix("_quant"))
    new.attribute.extend(a for a in node.attribute if a.name in {"direction", "hidden_size"})
    return new


def _per_direction(a: Array) -> Array:
    """A scale or zero point for all, per direction, or per direction and column, ready to meet [directions, input, 4 * hidden]."""
    return a if a.ndim == 0 else a[:, None, None] if a.ndim == 1 else a[:, None, :]


def _embedding(
    graph: _Graph, node: onnx.NodeProto, weights: dict[str, NDArray[np.generic]], parameter_name: Callable[[str], str]
) -> onnx.NodeProto:
    gather = graph.producer.get(node.input[0])
    scale, zero_point = (graph.initializers[name].astype(np.float32) for name in node.input[1:3])
    if gather is None or gather.op_type != "Gather":
        name = parameter_name(node.output[0])
        weights[name] = ((graph.initializers[node.input[0]].astype(np.float32) - zero_point) * scale).astype(np.float32)
        return helper.make_node("Identity", [name], list(node.output), name=node.name)
    table = parameter_name(gather.input[0].removesuffix(".weight_quantized").removesuffix("_quantized")) + ".weight"
    weights[table] = ((graph.initializers[gather.input[0]].astype(np.float32) - zero_point) * scale).astype(np.float32)
    new = helper.make_node("Gather", [table, gather.input[1]], list(node.output), name=gather.name.removesuffix("_quant"))
    new.attribute.extend(gather.attribute)
    return new


def _reachable(nodes: list[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    producer = {name: node for node in nodes for name in node.output if name}
    wanted, todo = set(), [producer[name] for name in outputs]
    while todo:
        node = todo.pop()
        if id(node) in wanted:
            continue
        wanted.add(id(node))
        todo.extend(producer[name] for name in node.input if name in producer)
    return [node for node in nodes if id(node) in wanted]


def _rename_plain_parameters(model: onnx.ModelProto, parameter_name: Callable[[str], str]) -> None:
    """Give the parameters that were never quantised (biases, norms, transposed convolutions) their public names too."""
    taken = {t.name for t in model.graph.initializer}
    layer_weight = {
        node.input[1]: parameter_name(node.name) + ".weight"
        for node in model.graph.node
        if node.op_type in {"Conv", "ConvTranspose", "MatMul"}
    }
    renamed: dict[str, str] = {}
    for tensor in model.graph.initializer:
        if tensor.name in layer_weight:
            new = layer_weight[tensor.name]
        elif "." not in tensor.name or tensor.name.startswith("/"):
            continue
        else:
            new = parameter_name(tensor.name)
        if new != tensor.name and new not in taken:
            renamed[tensor.name] = new
            taken.add(new)
            tensor.name = new
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name in renamed:
                node.input[index] = renamed[name]
