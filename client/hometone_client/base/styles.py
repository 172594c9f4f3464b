"""Stock styles: the public voices of Kokoro-82M as a small table (Apache-2.0, hexgrad; remade by tools/make_stock_styles.py).

A style is float32 [256]: [0:128] steers the decoder (timbre), [128:256] the prosody. It depends a little on the length of the text.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hometone_client.text.utterance import MAX_TOKENS
from hometone_shared.errors import UsageError

# Styles depend a little on the length of the text; voices keep the one for a sentence of this many tokens.
TYPICAL_TOKENS = 80
LANGUAGE_OF_PREFIX = {"a": "en", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh"}


class _Table(NamedTuple):
    names: tuple[str, ...]
    mean: NDArray[np.float32]  # [voices, 256]
    basis: NDArray[np.float32]  # [510, directions], over the number of tokens
    coefficients: NDArray[np.float32]  # [voices, directions, 256]


@cache
def _table() -> _Table:
    with np.load(BytesIO((files("hometone_client.base") / "data" / "stock_styles.npz").read_bytes()), allow_pickle=False) as data:
        return _Table(
            tuple(str(name) for name in data["names"]),
            data["mean"].astype(np.float32),
            data["basis"].astype(np.float32),
            data["coefficients"].astype(np.float32),
        )


def stock_names() -> tuple[str, ...]:
    """Names such as `af_heart`: language letter, f or m, underscore, name."""
    return _table().names


def stock_language(name: str) -> str:
    """Language the stock voice was made for, such as `zh`."""
    return LANGUAGE_OF_PREFIX[name[0]]


def stock_style(name: str, tokens: int) -> NDArray[np.float32]:
    """Style float32 [256] of one stock voice for a text of `tokens` phoneme tokens (1 to 510).

    Raises:
        UsageError: There is no stock voice of that name.
    """
    table = _table()
    if name not in table.names:
        raise UsageError(f"there is no stock voice called {name}", hint="hometone voices lists them")
    voice = table.names.index(name)
    row = table.basis[min(max(tokens, 1), MAX_TOKENS) - 1]
    return np.asarray(table.mean[voice] + row @ table.coefficients[voice], dtype=np.float32)


def stock_matrix(tokens: int) -> NDArray[np.float32]:
    """All stock styles at one length, float32 [voices, 256], in the order of `stock_names`."""
    table = _table()
    row = table.basis[min(max(tokens, 1), MAX_TOKENS) - 1]
    return np.asarray(table.mean + np.einsum("k,vkd->vd", row, table.coefficients), dtype=np.float32)
