"""Likeness of a voice by vectors that stand for speakers (embeddings, timbres), between a ceiling and a floor.

The figure is the mean cosine between each utterance and the centroid of a person's held-out takes. On its own it means little; beside it
stand the *ceiling*, what the person's own takes reach (each against the centroid of all the others, so that none is compared
with itself), and the *floor*, what the best of the stock voices reaches without any adaptation.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hometone_client.embedding.ge2e import centroid, similarity
from hometone_client.embedding.mel import Floats


def mean_likeness(utterances: Sequence[Floats], takes: Sequence[Floats]) -> float:
    """Return the mean cosine of utterances to the centroid of takes, each a float32 [size] embedding or timbre."""
    centre = centroid(takes)
    return float(np.mean([similarity(utterance, centre) for utterance in utterances]))


def ceiling(takes: Sequence[Floats]) -> float:
    """Return the mean cosine of each take to the centroid of all other takes; NaN for fewer than two takes."""
    if len(takes) < 2:
        return float("nan")
    others = [[other for position, other in enumerate(takes) if position != left_out] for left_out in range(len(takes))]
    return float(np.mean([similarity(take, centroid(rest)) for take, rest in zip(takes, others, strict=True)]))


def floor(stock: Mapping[str, Sequence[Floats]], takes: Sequence[Floats]) -> tuple[str, float]:
    """Return the name and the mean likeness of the stock voice that is nearest to the takes.

    Args:
        stock: Vectors of some utterances of each stock voice, by its name; at least one voice.
        takes: Vectors of the person's held-out takes.
    """
    figures = {name: mean_likeness(utterances, takes) for name, utterances in stock.items()}
    best = max(figures, key=figures.__getitem__)
    return best, figures[best]
