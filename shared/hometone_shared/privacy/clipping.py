"""From a speaker's update to integers of bounded norm, and from a sum of such integers back (docs/protocol.md, section 4).

What it does: clips to the norm C, weights, rounds towards zero on the grid of C / 2^14, and proves the integer norm with Python's own
integers. What it may see: one speaker's update in the clear. What it must never do: let a NaN, an infinity or a norm above the bound
through; whatever floating point did before, the bound that privacy rests on is checked on the exact integers.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError
from hometone_shared.records.plan import FULL_WEIGHT, LARGEST_DIMENSION, MODULUS_BITS, SCALE
from hometone_shared.updates import ClippedUpdate

_LEAST_CLIP_NORM: Final = 1e-100
_LARGEST_CLIP_NORM: Final = 1e100


def clip(update: NDArray[Any], *, clip_norm: float) -> NDArray[np.float64]:
    """Shorten a vector to the norm C if it is longer (Abadi et al. 2016, section 3.1), without overflow or underflow on the way.

    Args:
        update: Floating point [d], d at least 1.
        clip_norm: C, above 0.

    Returns:
        float64 [d] of Euclidean norm at most C, but for the last bits of floating point.

    Raises:
        ProtocolError: The update is not a vector of finite floating point numbers, or C is not a positive number.
    """
    return _in_units(update, clip_norm) * clip_norm


def encode(update: NDArray[Any], *, clip_norm: float, weight_permille: int = FULL_WEIGHT) -> ClippedUpdate:
    """Clip, weight and encode one speaker's update.

    Args:
        update: Floating point [d], d at least 1.
        clip_norm: C, above 0.
        weight_permille: Weight of the speaker's group, 0 to 1000.

    Returns:
        trunc(u * 2^14 / C) with u the clipped and weighted update; its squares add up to at most 2^28.

    Raises:
        ProtocolError: The update is not a vector of finite floating point numbers, or a parameter is outside its limits.
    """
    if isinstance(weight_permille, bool) or not isinstance(weight_permille, int) or not 0 <= weight_permille <= FULL_WEIGHT:
        raise ProtocolError(f"a weight is not a whole number from 0 to {FULL_WEIGHT}")
    values = np.trunc(_in_units(update, clip_norm) * (SCALE * weight_permille / FULL_WEIGHT)).astype(np.int64)
    _check_norm(values)
    return ClippedUpdate(values=values, speakers=1)


def add(updates: Sequence[ClippedUpdate]) -> ClippedUpdate:
    """Add up the speakers of one device, each clipped for herself.

    Raises:
        ProtocolError: There are none, or their lengths differ.
    """
    if not updates or len({len(update.values) for update in updates}) != 1:
        raise ProtocolError("contributions do not have the same length")
    values: NDArray[np.int64] = np.stack([update.values for update in updates]).sum(axis=0)
    return ClippedUpdate(values=values, speakers=sum(update.speakers for update in updates))


def decode(values: NDArray[np.int64], *, clip_norm: float) -> NDArray[np.float64]:
    """Read a sum that is free of masks.

    Args:
        values: int64 [d], signed 32-bit numbers.
        clip_norm: C, above 0.

    Returns:
        float64 [d], the sum of the speakers' clipped updates and of the noise; not yet divided by their number.

    Raises:
        ProtocolError: The values are no such numbers, or C is not a positive number.
    """
    half = 1 << (MODULUS_BITS - 1)
    if values.dtype != np.int64 or values.ndim != 1 or np.any((values < -half) | (values >= half)):
        raise ProtocolError("a sum is not a vector of signed 32-bit numbers")
    return values.astype(np.float64) * (_checked_clip_norm(clip_norm) / SCALE)


def _in_units(update: NDArray[Any], clip_norm: float) -> NDArray[np.float64]:
    """The clipped update over C: float64 [d] of norm at most 1."""
    clip_norm = _checked_clip_norm(clip_norm)
    if not isinstance(update, np.ndarray) or update.dtype not in (np.float16, np.float32, np.float64) or update.ndim != 1:
        raise ProtocolError("an update is not a vector of floating point numbers")
    if not 1 <= len(update) <= LARGEST_DIMENSION:
        raise ProtocolError("an update has too many numbers or none")
    if not np.all(np.isfinite(update)):
        raise ProtocolError("an update holds something that is not a number", hint="the training diverged; nothing was sent")
    exact = update.astype(np.float64)
    largest = float(np.max(np.abs(exact)))
    if largest == 0.0:
        return exact
    shape = exact / largest
    norm = float(np.sqrt(np.sum(shape * shape)))
    # The norm of the update is largest * norm, which could overflow; 1 / norm at most 1, largest / C may be tiny or infinite.
    with np.errstate(over="ignore", under="ignore"):
        return shape * min(1.0 / norm, float(np.float64(largest) / clip_norm))


def _check_norm(values: NDArray[np.int64]) -> None:
    if sum(value * value for value in values.tolist()) > SCALE**2:
        raise ProtocolError("an encoded update is longer than the clip norm")


def _checked_clip_norm(clip_norm: float) -> float:
    if isinstance(clip_norm, bool) or not isinstance(clip_norm, int | float) or not _LEAST_CLIP_NORM <= clip_norm <= _LARGEST_CLIP_NORM:
        raise ProtocolError("a clip norm is not a positive number")
    return float(clip_norm)
