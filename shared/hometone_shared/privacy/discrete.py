"""Exact samples of the discrete Gaussian, many at once, from the operating system's random bytes and whole numbers alone.

The algorithms are those of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020), each run on a
whole array:

1. Bernoulli(n / d): compare the digits of a uniform real number, base 2^32, with those of n / d until they differ.
2. Bernoulli(exp(-x)), x in [0, 1]: Algorithm 1; the number k of the first failure among Bernoulli(x / k) is odd.
3. Number of successes of Bernoulli(1 / e) before the first failure; it is at least m with probability exp(-m).
4. Discrete Laplace of a whole scale t: Algorithm 2 with s = 1.
5. Discrete Gaussian: Algorithm 3, rejection from the Laplace of scale floor(sigma) + 1.

There is no floating point in this file. What it must never do: take its random bytes from a generator with a seed. How long a sample
takes depends on the sample (rejection); whoever could measure that is kept away by the reply slot of the protocol, not here.
"""

import math
import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError

RandomBytes = Callable[[int], bytes]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

LARGEST_VARIANCE: Final = 1 << 54
"""Above it a sum could not fit the modulus anyway (docs/protocol.md, section 4), and below it every step but the last fits 64 bits."""
_MOST_AT_ONCE: Final = 1 << 16
_DIGIT_BITS: Final = 32


def sample(count: int, *, variance: int, random_bytes: RandomBytes = os.urandom) -> Whole:
    """Draw independent samples with P(x) proportional to exp(-x^2 / (2 variance)) on the whole numbers.

    Args:
        count: How many.
        variance: The parameter sigma^2, 1 to 2^54.
        random_bytes: Gives so many uniform bytes. Only tests give another source than the operating system.

    Returns:
        int64 [count].

    Raises:
        ProtocolError: Count or variance is not a whole number within its limits.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ProtocolError("a number of samples is not a whole number")
    if isinstance(variance, bool) or not isinstance(variance, int) or not 1 <= variance <= LARGEST_VARIANCE:
        raise ProtocolError("a variance is not a whole number within its limits")
    digits = _Digits(random_bytes)
    parts: list[Whole] = [np.empty(0, dtype=np.int64)]
    missing = count
    while missing:
        # About 0.6 of the candidates are accepted; the first `missing` of a fixed number of independent ones are kept.
        accepted = _gaussian(digits, min(2 * missing + 16, _MOST_AT_ONCE), variance)[:missing]
        parts.append(accepted)
        missing -= len(accepted)
    return np.concatenate(parts)


class _Digits:
    """Independent uniform digits, base 2^32."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes

    def take(self, count: int) -> NDArray[np.uint64]:
        """uint64 [count], each below 2^32."""
        return np.frombuffer(self._random_bytes(4 * count), dtype="<u4").astype(np.uint64)

    def below(self, bound: int, count: int) -> Whole:
        """int64 [count], uniform on 0 ... bound - 1, bound at most 2^32: the low bits of a digit, those not below the bound drawn again."""
        mask = np.uint64((1 << (bound - 1).bit_length()) - 1)
        values = self.take(count) & mask
        while (again := np.flatnonzero(values >= bound)).size:
            values[again] = self.take(again.size) & mask
        return values.astype(np.int64)


def _is_below(digits: _Digits, numerators: NDArray[Any], denominator: int) -> Flags:
    """(1): bool [n], true with probability numerators / denominator exactly, for 0 <= numerators <= denominator.

    Args:
        digits: Source of randomness.
        numerators: [n]; uint64 if the denominator is below 2^32, Python integers otherwise. Overwritten.
        denominator: Above 0.
    """
    result = np.zeros(len(numerators), dtype=np.bool_)
    open_ = np.flatnonzero(numerators > 0)
    while open_.size:
        scaled = numerators[open_] << _DIGIT_BITS
        digit, numerators[open_] = scaled // denominator, scaled % denominator
        drawn = digits.take(open_.size)
        result[open_] = drawn < digit
        open_ = open_[((drawn == digit) & (numerators[open_] > 0)).astype(np.bool_)]
    return result


def _exp_of_fraction(digits: _Digits, numerators: NDArray[Any], denominator: int) -> Flags:
    """(2): bool [n], true with probability exp(-numerators / denominator), for 0 <= numerators <= denominator."""
    result = np.zeros(len(numerators), dtype=np.bool_)
    alive = np.arange(len(numerators))
    k = 1
    while alive.size:
        # Bernoulli(x / k) is Bernoulli(x) and Bernoulli(1 / k).
        success = _is_below(digits, numerators[alive], denominator) & (digits.below(k, alive.size) == 0)
        result[alive[~success]] = k % 2 == 1
        alive = alive[success]
        k += 1
    return result


def _successes(digits: _Digits, count: int) -> Whole:
    """(3): int64 [count], P(at least m) = exp(-m)."""
    result = np.zeros(count, dtype=np.int64)
    alive = np.arange(count)
    while alive.size:
        alive = alive[_exp_of_fraction(digits, np.ones(alive.size, dtype=np.uint64), 1)]
        result[alive] += 1
    return result


def _laplace(digits: _Digits, candidates: int, scale: int) -> Whole:
    """(4): int64 [at most candidates], P(y) proportional to exp(-|y| / scale), scale below 2^32."""
    rest = digits.below(scale, candidates)
    rest = rest[_exp_of_fraction(digits, rest.astype(np.uint64), scale)]
    magnitude: Whole = rest + scale * _successes(digits, len(rest))
    negative = digits.below(2, len(rest)) == 1
    kept = ~(negative & (magnitude == 0))
    laplace: Whole = np.where(negative, -magnitude, magnitude)[kept]
    return laplace


def _gaussian(digits: _Digits, candidates: int, variance: int) -> Whole:
    """(5): int64 [at most candidates]; each candidate is accepted with probability exp(-(|y| - variance / t)^2 / (2 variance))."""
    scale = math.isqrt(variance) + 1
    laplace = _laplace(digits, candidates, scale)
    # The exponent is (|y| t - variance)^2 / (2 variance t^2): too long for 64 bits, so Python's integers.
    squares = (np.abs(laplace).astype(object) * scale - variance) ** 2
    denominator = 2 * variance * scale**2
    whole = squares // denominator
    survived = (_successes(digits, len(laplace)) >= whole).astype(np.bool_)
    kept: Whole = laplace[survived]
    fractions = (squares - whole * denominator)[survived]
    return kept[_exp_of_fraction(digits, fractions, denominator)]
