"""The sampler of production for benchmarks that draw a few numbers many thousand times."""

import numpy as np

from hometone_shared.privacy.noise import discrete_gaussian

AT_ONCE = 1 << 16


class Pool:
    """The sampler of production, asked for many numbers at once."""

    def __init__(self):
        self._left = {}

    def __call__(self, count, *, variance):
        left = self._left.get(variance, np.empty(0, dtype=np.int64))
        if len(left) < count:
            left = np.concatenate([left, discrete_gaussian(AT_ONCE, variance=variance)])
        self._left[variance] = left[count:]
        return left[:count]
