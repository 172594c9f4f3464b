"""Recipe for `ge2e`: the Resemblyzer speaker encoder, turned from a torch checkpoint into one ONNX graph.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018; weights by Resemble AI. The network is three LSTM layers of
256 over 40 mel bands, whose last hidden state goes through a linear layer and ReLU and is scaled to unit length. The graph is written
node by node, because the exporters of torch change between versions while the graph need not.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from hometone_client.models.assembly import Progress

_LAYERS = 3
_HIDDEN = 256
_MEL_BANDS = 40
_EMBEDDING = 256
_OPSET = 17
_IR_VERSION = 8


def assemble(sources: list[Path], destination: Path, progress: Progress) -> None:
    """Write `ge2e.onnx`: input `mels` float32 [batch, frames, 40], output `embeddings` float32 [batch, 256] of unit length.

    Args:
        sources: Resemblyzer's `pretrained.pt`, alone.
        destination: An empty folder.
        progress: Told what is being done.
    """
    progress("converting the speaker encoder")
    checkpoint = torch.load(sources[0], map_location="cpu", weights_only=True)
    weights = {name: tensor.numpy().astype(np.float32) for name, tensor in checkpoint["model_state"].items() if "similarity" not in name}
    model = _graph(weights)
    onnx.checker.check_model(model)
    (destination / "ge2e.onnx").write_bytes(model.SerializeToString(deterministic=True))


def _to_onnx_gates(matrix: Any) -> Any:
    """Reorder the rows of the four gates from torch's (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    gate_input, gate_forget, gate_cell, gate_output = np.split(matrix, 4, axis=0)
    return np.concatenate([gate_input, gate_output, gate_forget, gate_cell], axis=0)


def _graph(weights: dict[str, Any]) -> onnx.ModelProto:
    nodes = [helper.make_node("Transpose", ["mels"], ["layer_input_0"], perm=[1, 0, 2])]
    constants = {}
    for layer in range(_LAYERS):
        constants[f"W{layer}"] = _to_onnx_gates(weights[f"lstm.weight_ih_l{layer}"])[np.newaxis]
        constants[f"R{layer}"] = _to_onnx_gates(weights[f"lstm.weight_hh_l{layer}"])[np.newaxis]
        biases = [_to_onnx_gates(weights[f"lstm.bias_{side}_l{layer}"]) for side in ("ih", "hh")]
        constants[f"B{layer}"] = np.concatenate(biases)[np.newaxis]
        nodes.append(
            helper.make_node(
                "LSTM",
                [f"layer_input_{layer}", f"W{layer}", f"R{layer}", f"B{layer}"],
                [f"states_{layer}", f"last_{layer}"],
                hidden_size=_HIDDEN,
            )
        )
        # states [frames, directions 1, batch, hidden] -> [frames, batch, hidden]
        nodes.append(helper.make_node("Squeeze", [f"states_{layer}", "first_axis_of_states"], [f"layer_input_{layer + 1}"]))
    constants["linear_weight"] = weights["linear.weight"]
    constants["linear_bias"] = weights["linear.bias"]
    constants["smallest"] = np.asarray(1e-8, dtype=np.float32)
    constants["first_axis_of_states"] = np.asarray([1], dtype=np.int64)
    constants["first_axis"] = np.asarray([0], dtype=np.int64)
    nodes += [
        helper.make_node("Squeeze", [f"last_{_LAYERS - 1}", "first_axis"], ["last"]),
        helper.make_node("Gemm", ["last", "linear_weight", "linear_bias"], ["projected"], transB=1),
        helper.make_node("Relu", ["projected"], ["positive"]),
        helper.make_node("ReduceL2", ["positive"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "smallest"], ["safe_length"]),
        helper.make_node("Div", ["positive", "safe_length"], ["embeddings"]),
    ]
    nodes = [node for node in nodes if list(node.output) != [f"layer_input_{_LAYERS}"]]
    graph = helper.make_graph(
        nodes,
        "ge2e",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, ["batch", "frames", _MEL_BANDS])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", _EMBEDDING])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, producer_name="hometone")
