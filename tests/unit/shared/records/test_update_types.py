"""The three types of an update on its way out."""

import numpy as np
import pytest

from hometone_shared.errors import ProtocolError
from hometone_shared.updates import ClippedUpdate, MaskedUpdate, NoisyUpdate


def test_what_each_holds():
    clipped = ClippedUpdate(np.array([1, -2], np.int64), 1)
    noisy = NoisyUpdate(np.array([1, 2**32 - 1], np.uint32), "plan")
    masked = MaskedUpdate(np.array([1, 2**32 - 2], np.uint32), "plan")
    assert masked.to_bytes() == b"\x01\x00\x00\x00\xfe\xff\xff\xff"
    for array in (clipped.values, noisy.residues, masked.residues):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7


@pytest.mark.parametrize("values", [np.zeros(2, np.int32), np.zeros(2), np.zeros((1, 2), np.int64), np.zeros(2, np.uint64), np.int64(1)])
def test_clipped_updates_are_vectors_of_whole_numbers(values):
    with pytest.raises(ProtocolError):
        ClippedUpdate(values, 1)


def test_clipped_updates_are_somebodys():
    with pytest.raises(ProtocolError):
        ClippedUpdate(np.zeros(2, np.int64), 0)


@pytest.mark.parametrize("kind", [NoisyUpdate, MaskedUpdate])
@pytest.mark.parametrize("residues", [np.zeros(2, np.int32), np.zeros(2), np.zeros((1, 2), np.uint32), np.zeros(2, ">u4"), np.uint32(1)])
def test_the_others_are_vectors_of_32_bits(kind, residues):
    with pytest.raises(ProtocolError):
        kind(residues, "plan")
