"""Recipe for the official base voice: the graphs of the packages with the numbers of Kokoro's own fp32 checkpoint.

1. The packages' int8 export gives the two graphs (`kokoro.graphs`): what is computed, and under which parameter names.
2. The checkpoint is unpickled by torch's restricted unpickler (`weights_only=True`), which knows tensors and dictionaries and runs no code
   that a file brings along. Its SHA-256 was compared before.
3. `checkpoint_layout` turns its tensors into parameters of the graphs' names and shapes; one missing or left over is an error.
4. They take the place of the packages' numbers, and so do the constants that the export had computed from them: 1 / alpha of every Snake
   activation. The basis of the Fourier transform is no parameter and stays.
5. Stored as the packages' base voice is, so that everything that speaks and trains reads either.

Sources: hexgrad/kokoro, kokoro/model.py (`KModel` reads the same five dictionaries) and kokoro/istftnet.py (Snake, weight norm).
It sees public weights only. Nothing that speaks imports this module.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from hometone_client.models.assembly import Progress, sha256_of
from hometone_client.models.checkpoint_layout import HINT, parameters
from hometone_client.models.kokoro import graphs, is_parameter, store
from hometone_shared.errors import ModelError

Array = NDArray[np.float32]

PARTS = frozenset({"bert", "bert_encoder", "predictor", "decoder", "text_encoder"})
_FOURIER_BASIS = "stft."
_DATA_PARALLEL = "module."  # torch's DataParallel puts it before every name


def assemble(sources: list[Path], destination: Path, progress: Progress) -> None:
    """Write the base voice's two graphs and its parameter store with the checkpoint's numbers.

    Args:
        sources: The four parts of the int8 model in order, then the checkpoint.
        destination: An empty folder.
        progress: Told what is being done.

    Raises:
        ModelError: The checkpoint is not one of Kokoro-82M v1.0, or the parts are not the pinned ones.
    """
    *parts, checkpoint = sources
    progress("reading the official base voice")
    tensors = read_checkpoint(checkpoint)
    prosody, decoder = graphs(parts, progress)
    progress("putting the official numbers in")
    refill([prosody, decoder], tensors)
    store(prosody, decoder, destination, source_sha256=sha256_of(checkpoint))


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Read a checkpoint without running anything that is in it.

    Returns:
        float32 arrays by `part.name`, without the prefix `module.`, in torch's layouts.

    Raises:
        ModelError: The file cannot be read as one, holds something else than tensors, or a name twice.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no class for what a damaged or hostile file can raise
        raise ModelError("the official base voice cannot be read: the file is damaged, or holds more than numbers", hint=HINT) from error
    if not isinstance(content, dict) or set(content) != PARTS or not all(isinstance(part, dict) for part in content.values()):
        raise ModelError("the file is not a checkpoint of Kokoro-82M v1.0", hint=HINT)
    tensors: dict[str, Array] = {}
    for part, state in content.items():
        for name, tensor in state.items():
            if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
                raise ModelError("the official base voice holds something else than tensors", hint=HINT)
            full = f"{part}.{name.removeprefix(_DATA_PARALLEL)}"
            if full in tensors:
                raise ModelError(f"the official base voice holds the tensor {full} twice", hint=HINT)
            tensors[full] = tensor.detach().to(torch.float32).numpy()
    return tensors


def refill(parts: list[onnx.ModelProto], tensors: dict[str, Array]) -> None:
    """Replace every parameter of both graphs in place, steps (3) and (4).

    Raises:
        ModelError: As `checkpoint_layout.parameters`, or a graph is not laid out as expected.
    """
    wanted = [tensor for part in parts for tensor in part.graph.initializer if is_parameter(tensor) and _FOURIER_BASIS not in tensor.name]
    made = parameters(tensors, {tensor.name: tuple(tensor.dims) for tensor in wanted})
    for tensor in wanted:
        tensor.CopyFrom(numpy_helper.from_array(made[tensor.name], tensor.name))
    inverted = sum(_invert_alphas(part.graph, made) for part in parts)
    if inverted != sum(".alpha" in name for name in made):
        raise ModelError("the base model computes its activations in another way than expected", hint="report this as a bug")


def _invert_alphas(graph: onnx.GraphProto, made: dict[str, Array]) -> int:
    """Snake is x + (1 / alpha) * sin(alpha * x) ** 2; the export holds 1 / alpha as a constant. Returns how many were computed anew."""
    producer = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    count = 0
    for node in graph.node:
        if node.op_type != "Mul" or len(constants.keys() & set(node.input)) != 1:
            continue
        constant, squared = sorted(node.input, key=lambda name: name not in constants)
        chain = [producer[squared]] if squared in producer else []
        while chain and len(chain) < 3 and chain[-1].input[0] in producer:
            chain.append(producer[chain[-1].input[0]])
        if [step.op_type for step in chain] != ["Pow", "Sin", "Mul"]:
            continue
        for name in chain[-1].input:
            if ".alpha" in name:
                constants[constant].CopyFrom(numpy_helper.from_array(np.reciprocal(made[name]), constant))
                count += 1
    return count
