"""Makes checkpoints of exactly the structure of the official one (which is not here) out of the base voice's own parameters."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float32]
State = dict[str, dict[str, torch.Tensor]]

PLAIN_CONVOLUTIONS = ("noise_convs", "F0_proj", "N_proj")  # without weight norm in Kokoro's source
LOOKED_UP = ("word_embeddings", "position_embeddings", "token_type_embeddings", "text_encoder.embedding")


def _torch_gates(array: Array) -> Array:
    i, o, f, c = np.split(array, 4)
    return np.concatenate([i, f, c, o])


def _split_norm(weight: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Gain and direction of a weight, the direction's length drawn by chance; a weight of zeros gets any direction and no gain."""
    axes = tuple(range(1, weight.ndim))
    norm = np.sqrt(np.sum(weight.astype(np.float64) ** 2, axis=axes, keepdims=True))
    direction = weight * rng.uniform(0.3, 3.0, norm.shape)
    direction = np.where(norm == 0, rng.standard_normal(weight.shape), direction)
    return norm.astype(np.float32), direction.astype(np.float32)


def checkpoint(parameters: Mapping[str, Array], *, seed: int = 0, data_parallel: bool = True, parametrized: bool = False) -> State:
    """The five state dictionaries of `kokoro-v1_0.pth`.

    Args:
        parameters: As `base.parameters.load_parameters` gives them.
        seed: Of the random factorisation.
        data_parallel: Names begin with `module.`, as in the published file.
        parametrized: Weight norm is named as in newer versions of torch, not `weight_g` and `weight_v` as in the published file.
    """
    rng = np.random.default_rng(seed)
    state: dict[str, dict[str, Array]] = {part: {} for part in ("bert", "bert_encoder", "predictor", "decoder", "text_encoder")}
    gain, direction = (
        ("parametrizations.weight.original0", "parametrizations.weight.original1") if parametrized else ("weight_g", "weight_v")
    )

    def put(name: str, array: Array) -> None:
        part, _, rest = name.partition(".")
        state[part][("module." if data_parallel else "") + rest] = array

    for name, array in parameters.items():
        source = name.replace("asr_res.asr_res", "asr_res")
        module, _, kind = source.rpartition(".")
        if "stft." in source:
            continue
        if kind in {"W", "R"}:
            for way, matrix in zip(("", "_reverse"), array, strict=True):
                put(f"{module}.weight_{'ih' if kind == 'W' else 'hh'}_l0{way}", _torch_gates(matrix))
        elif kind == "B":
            for way, both in zip(("", "_reverse"), array, strict=True):
                for side, bias in zip(("ih", "hh"), np.split(both, 2), strict=True):
                    put(f"{module}.bias_{side}_l0{way}", _torch_gates(bias))
        elif kind == "weight" and array.ndim == 3 and not any(word in source for word in PLAIN_CONVOLUTIONS):
            g, v = _split_norm(array, rng)
            put(f"{module}.{gain}", g)
            put(f"{module}.{direction}", v)
        elif kind == "weight" and array.ndim == 2 and not any(word in source for word in LOOKED_UP):
            put(source, array.T)
        else:
            put(source, array)
    put("bert.pooler.weight", rng.standard_normal((768, 768)).astype(np.float32))
    put("bert.pooler.bias", rng.standard_normal(768).astype(np.float32))
    return {part: {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()} for part, tensors in state.items()}
