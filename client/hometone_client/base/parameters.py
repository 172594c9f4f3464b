"""Where the base voice's parameters lie, and how they are read without any framework.

One folder: `prosody.onnx` and `decoder.onnx` are the graphs, `parameters.bin` holds every named fp32 parameter once, and
`parameters.json` says where (offset, bytes, shape), which graph reads which, and the SHA-256 of the whole. `models.kokoro` writes the
folder.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ModelError

LAYOUT_VERSION = 1
PROSODY, DECODER, PARAMETERS, TABLE = "prosody.onnx", "decoder.onnx", "parameters.bin", "parameters.json"
# Real and imaginary parts of the source spectrum below this are rounding noise, in the graphs and in torch alike.
VANISHING = 1e-5
FILES = (PROSODY, DECODER, PARAMETERS, TABLE)


@lru_cache(maxsize=4)
def _table(folder: Path) -> dict[str, Any]:
    try:
        table: dict[str, Any] = json.loads((folder / TABLE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError("the base voice is missing or damaged", hint="hometone doctor assembles it") from error
    if table.get("layout") != LAYOUT_VERSION:
        raise ModelError("the base voice was assembled by another version", hint="hometone doctor assembles it again")
    return table


def base_hash(folder: Path) -> str:
    """SHA-256 of the parameter file as recorded at assembly: the name of the base a voice was made on."""
    return str(_table(folder)["parameters_sha256"])


def graph_parameters(folder: Path, graph: str) -> frozenset[str]:
    """Names of the parameters that `prosody.onnx` or `decoder.onnx` reads."""
    return frozenset(_table(folder)["graphs"][graph])


def load_parameters(folder: Path) -> dict[str, NDArray[np.float32]]:
    """All parameters as read-only memory-mapped float32 arrays in ONNX layout (linear weights [in, out]).

    Raises:
        ModelError: The base is missing or damaged.
    """
    table = _table(folder)["parameters"]
    try:
        raw = np.memmap(folder / PARAMETERS, dtype=np.uint8, mode="r")
        return {name: raw[e["offset"] : e["offset"] + e["bytes"]].view("<f4").reshape(e["shape"]) for name, e in table.items()}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError("the base voice is missing or damaged", hint="hometone doctor assembles it again") from error
