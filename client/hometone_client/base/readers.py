"""How the base's own voices read their languages, for voices that were never recorded in them.

A voice made from English recordings reads Mandarin with the melody of English stock voices, and tones go wrong: 14.9 % of the characters
of five sentences were misheard, 6.4 % with the melody of Mandarin stock voices (docs/results.md). Who sounds like an English stock voice
and speaks Mandarin is in the same case. A reader is the prosody half of the mean
style of some stock voices that a recogniser understands well, and its pitch, which a voice's own takes the place of.

Remade by tools/make_readers.py.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.styles import TYPICAL_TOKENS, stock_style

DECODER_STYLE = 128


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """How a language is read.

    Attributes:
        prosody_style: float32 [128], the second half of a style.
        f0_hz: Median F0 of what it predicts.
    """

    prosody_style: NDArray[np.float32]
    f0_hz: float

    def reading(self, style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a style float32 [256] with the timbre of the given one and this prosody."""
        return np.concatenate([style[:DECODER_STYLE], self.prosody_style])


@cache
def reader(language: str) -> Reader | None:
    """Return how the base reads a language (`zh`), or None where any voice reads it well enough."""
    table = json.loads(files("hometone_client.base").joinpath("data", "readers.json").read_text(encoding="utf-8"))
    found = table["readers"].get(language.partition("-")[0])
    if found is None:
        return None
    return Reader(mean_style(found["voices"])[DECODER_STYLE:], float(found["f0_hz"]))


def mean_style(names: list[str]) -> NDArray[np.float32]:
    """Return the mean style of some stock voices for a text of typical length, float32 [256]."""
    return np.asarray(np.mean([stock_style(name, TYPICAL_TOKENS) for name in names], axis=0), dtype=np.float32)
