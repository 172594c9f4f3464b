"""A zero-shot start: the mixture of stock voices that lies nearest to a speaker.

Non-negative least squares (Lawson and Hanson 1974) in the space of GE2E embeddings: the speaker's centroid is rebuilt from those of the
54 stock voices; the same weights, summing up to one, mix their styles. A trained style encoder was worse in the design trial. Where the
base has a reader for the speaker's language (`base.readers`), the prosody is the reader's: who sounds alike need not read alike.

The stock voices were embedded speaking English. Tables for other languages were tried: for an Italian speaker weights found in the
English table mix a voice of likeness 0.818 in Italian, those found in an Italian table one of 0.828 - not worth six tables.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from scipy.optimize import nnls

from hometone_client.base.analysis import Floats
from hometone_client.base.readers import reader
from hometone_client.base.styles import TYPICAL_TOKENS, stock_matrix, stock_names


@cache
def stock_embeddings() -> Floats:
    """GE2E embeddings of the stock voices, float32 [voices, 256], unit length, in the order of `stock_names`."""
    with np.load(BytesIO((files("hometone_client.adaptation") / "data" / "stock_embeddings.npz").read_bytes()), allow_pickle=False) as data:
        return np.asarray(data["embeddings"], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights over the stock voices and what they make.

    Attributes:
        weights: float32 [voices], not negative, summing up to one.
        style: float32 [256] for a text of typical length.
        nearest: The single stock voice most alike, and its cosine to the speaker.
    """

    weights: Floats
    style: Floats
    nearest: tuple[str, float]


def nearest_mixture(centroid: Floats, language: str) -> Mixture:
    """Mix the stock voices towards a speaker.

    Args:
        centroid: float32 [256], unit length, mean embedding of the speaker's takes.
        language: What the speaker speaks.
    """
    known = stock_embeddings()
    weights, _ = nnls(known.T.astype(np.float64), centroid.astype(np.float64))
    likeness = known @ centroid
    best = int(np.argmax(likeness))
    if weights.sum() <= 0:  # nothing points the speaker's way; take the nearest
        weights = np.eye(len(likeness))[best]
    weights = (weights / weights.sum()).astype(np.float32)
    style = weights @ stock_matrix(TYPICAL_TOKENS)
    if (reads := reader(language)) is not None:
        style = reads.reading(style)
    return Mixture(weights, style, (stock_names()[best], float(likeness[best])))
