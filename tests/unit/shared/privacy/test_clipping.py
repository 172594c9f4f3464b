"""From floats to integers of bounded norm: whatever floating point does, the integers never exceed the clip norm."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.privacy import clipping
from hometone_shared.privacy.clipping import add, clip, decode, encode
from hometone_shared.records.plan import SCALE
from hometone_shared.updates import ClippedUpdate

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([5e-324, -2.2e-308, 1e300, -1.7e308, 1e-200, 0.0, -0.0])
NORMS = st.floats(min_value=1e-100, max_value=1e100) | st.sampled_from([1e-6, 1.0, 3.0, 1 / 3, 1e6])


def exact_square(values):
    return sum(int(value) ** 2 for value in values)


@settings(max_examples=600)
@given(st.lists(FLOATS, min_size=1, max_size=40), NORMS, st.integers(0, 1000))
@example([1.7e308] * 40, 1e-100, 1000)
@example([5e-324] * 40, 1e100, 1000)
@example([3.0, 4.0], 5.0, 1000)
@example([0.6, 0.8], 1.0, 1000)
def test_the_integer_norm_is_never_above_the_scale(update, clip_norm, weight):
    clipped = encode(np.array(update), clip_norm=clip_norm, weight_permille=weight)
    bound = SCALE * weight // 1000 + 1 if weight < 1000 else SCALE
    assert exact_square(clipped.values) <= bound**2
    assert clipped.speakers == 1


@settings(max_examples=300)
@given(st.lists(FLOATS, min_size=1, max_size=40), NORMS)
def test_encoding_loses_less_than_one_step_a_coordinate(update, clip_norm):
    # Exact rationals: what the clipped vector is, but for the square root.
    exact = [Fraction(value) for value in update]
    square = sum(value**2 for value in exact)
    values = encode(np.array(update), clip_norm=clip_norm).values
    if square <= Fraction(clip_norm) ** 2:
        for value, q in zip(exact, values.tolist(), strict=True):
            assert abs(value * SCALE / Fraction(clip_norm) - q) < 1 + Fraction(1, 10**9)
    else:
        assert exact_square(values) >= max(SCALE - math.sqrt(len(update)) - 1, 0) ** 2


@pytest.mark.parametrize("length", [1, 2, 1000, 100_000])
def test_long_vectors_on_the_sphere(length):
    generator = np.random.default_rng(length)
    for _ in range(20):
        update = generator.standard_normal(length) * 10.0 ** generator.integers(-300, 300)
        assert exact_square(encode(update, clip_norm=1.0).values) <= SCALE**2


def test_whole_points_on_the_sphere_are_kept_to_a_step():
    # 5^2 divides no power of two: the encoding of a vector exactly on the sphere is just inside it.
    values = encode(np.array([0.6, -0.8]), clip_norm=1.0).values
    assert values.tolist() == [math.trunc(0.6 * SCALE), math.trunc(-0.8 * SCALE)]
    assert encode(np.array([7.0]), clip_norm=7.0).values.tolist() == [SCALE]
    assert encode(np.array([-9e307]), clip_norm=7.0).values.tolist() == [-SCALE]


@given(st.lists(FLOATS, min_size=1, max_size=20), st.floats(min_value=1e-6, max_value=1e6))
def test_clip_shortens_and_keeps_the_direction(update, clip_norm):
    clipped = clip(np.array(update), clip_norm=clip_norm)
    assert clipped.dtype == np.float64
    norm = math.hypot(*clipped.tolist())
    assert norm <= clip_norm * (1 + 1e-12)
    if math.hypot(*update) <= clip_norm * (1 - 1e-12):
        assert np.allclose(clipped, update, rtol=1e-12, atol=1e-300)
    else:
        assert norm >= clip_norm * (1 - 1e-9)
        assert all(a * b >= 0 for a, b in zip(clipped.tolist(), update, strict=True))


def test_zero_stays_zero_and_single_precision_is_fine():
    assert not clip(np.zeros(5), clip_norm=1.0).any()
    assert not encode(np.zeros(5, dtype=np.float32), clip_norm=1.0).values.any()
    assert encode(np.full(4, 2.0, dtype=np.float16), clip_norm=1.0).values.tolist() == [SCALE // 2] * 4


def test_weights_shorten():
    update = np.array([3.0, 0.0, -4.0])
    full, half = encode(update, clip_norm=1.0).values, encode(update, clip_norm=1.0, weight_permille=500).values
    assert np.array_equal(half, np.trunc(full / 2).astype(int)) or np.abs(half * 2 - full).max() <= 2
    assert not encode(update, clip_norm=1.0, weight_permille=0).values.any()


@pytest.mark.parametrize(
    "update",
    [
        np.array([1.0, math.nan]),
        np.array([math.inf]),
        np.array([-math.inf], dtype=np.float32),
        np.array([], dtype=np.float64),
        np.zeros((2, 2)),
        np.array(1.0),
        np.array([1, 2]),
        np.array([1j]),
        np.array([True]),
        np.array([object()]),
        np.array(["1"]),
        [1.0, 2.0],
        np.broadcast_to(np.float64(0.0), (2**22 + 1,)),
    ],
)
def test_what_is_no_update_is_refused(update):
    with pytest.raises(ProtocolError):
        clip(update, clip_norm=1.0)
    with pytest.raises(ProtocolError):
        encode(update, clip_norm=1.0)


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, math.nan, math.inf, True, "1", None, 1e-101, 1e101])
def test_what_is_no_clip_norm_is_refused(clip_norm):
    with pytest.raises(ProtocolError):
        encode(np.ones(2), clip_norm=clip_norm)
    with pytest.raises(ProtocolError):
        decode(np.zeros(2, dtype=np.int64), clip_norm=clip_norm)


@pytest.mark.parametrize("weight", [-1, 1001, 1.0, True, "1000", None])
def test_what_is_no_weight_is_refused(weight):
    with pytest.raises(ProtocolError):
        encode(np.ones(2), clip_norm=1.0, weight_permille=weight)


def test_the_exact_check_stands_behind_the_arithmetic(monkeypatch):
    # If clipping ever gave more than the norm, nothing would leave.
    monkeypatch.setattr(clipping, "_in_units", lambda update, clip_norm: np.array([1.0, 2.0**-13]))
    with pytest.raises(ProtocolError, match="longer than the clip norm"):
        encode(np.ones(2), clip_norm=1.0)


def test_speakers_of_a_device_are_added():
    updates = [encode(np.array([0.6, 0.8]) * factor, clip_norm=1.0) for factor in (1.0, -0.5, 9.0)]
    total = add(updates)
    assert total.speakers == 3
    assert total.values.tolist() == [sum(int(update.values[i]) for update in updates) for i in range(2)]
    assert add([total, updates[0]]).speakers == 4


def test_speakers_that_do_not_fit_are_not_added():
    with pytest.raises(ProtocolError):
        add([])
    with pytest.raises(ProtocolError):
        add([ClippedUpdate(values=np.zeros(length, dtype=np.int64), speakers=1) for length in (2, 3)])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.floats(min_value=1e-3, max_value=1e3))
def test_decoding_undoes_encoding(update, clip_norm):
    update = np.array(update) * clip_norm / math.sqrt(len(update))
    back = decode(encode(update, clip_norm=clip_norm).values, clip_norm=clip_norm)
    assert np.abs(back - update).max() <= clip_norm / SCALE * (1 + 1e-9)


@pytest.mark.parametrize(
    "values",
    [np.zeros(2, dtype=np.int32), np.zeros((1, 2), dtype=np.int64), np.array([2**31]), np.array([-(2**31) - 1]), np.zeros(2)],
)
def test_what_is_no_sum_is_refused(values):
    with pytest.raises(ProtocolError):
        decode(values, clip_norm=1.0)


def test_the_ends_of_the_modulus_are_read():
    ends = np.array([-(2**31), 2**31 - 1])
    assert decode(ends, clip_norm=float(SCALE)).tolist() == [-(2.0**31), 2.0**31 - 1]
