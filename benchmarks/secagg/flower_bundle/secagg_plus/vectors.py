"""The vector that a node gives: fixed by its number, so that the benchmark knows the right sum."""

import numpy as np


def vector(number: int, dimension: int) -> np.ndarray:
    """float32 [d], normally distributed."""
    return np.random.default_rng([7, number, dimension]).standard_normal(dimension).astype(np.float32)
