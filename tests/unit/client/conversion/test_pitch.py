"""Melodies keep their shape in semitones, lose octave errors, and arrive at the target's pitch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.conversion.pitch import RANGE_LIMITS, Register, carried, voiced_where_loud, without_octave_errors

CONTOUR = (200.0 * 2.0 ** (0.35 * np.sin(np.arange(240) / 25.0))).astype(np.float32)


def with_pauses(curve: np.ndarray) -> np.ndarray:
    out = curve.copy()
    out[60:80] = out[150:156] = 0.0
    return out


@given(start=st.integers(5, 200), length=st.integers(1, 25), factor=st.sampled_from([0.5, 2.0]))
def test_a_halved_or_doubled_stretch_is_taken_back(start: int, length: int, factor: float) -> None:
    wrong = with_pauses(CONTOUR)
    wrong[start : start + length] *= factor
    np.testing.assert_allclose(without_octave_errors(wrong, median_hz=200.0), with_pauses(CONTOUR), rtol=1e-6)


def test_a_melody_without_errors_stays_even_where_it_climbs_by_more_than_an_octave() -> None:
    glide = (120.0 * 2.0 ** np.linspace(0.0, 1.4, 100)).astype(np.float32)
    np.testing.assert_array_equal(without_octave_errors(glide, median_hz=190.0), glide)
    np.testing.assert_array_equal(without_octave_errors(CONTOUR, median_hz=200.0), CONTOUR)


@pytest.mark.parametrize("curve", [np.zeros(0, np.float32), np.zeros(10, np.float32)])
def test_a_whisper_has_no_register_and_nothing_is_done_to_it(curve: np.ndarray) -> None:
    register = Register.of(curve)
    assert not register.is_voiced
    np.testing.assert_array_equal(without_octave_errors(curve, median_hz=register.median_hz), curve)
    moved = carried(register, Register(median_hz=100.0, spread_octaves=0.3), keep_range=False)
    np.testing.assert_array_equal(moved(curve), curve)


@given(target=st.floats(70, 400), spread=st.floats(0.05, 1.0), keep=st.booleans())
def test_the_median_becomes_the_targets_and_the_spread_goes_towards_it(target: float, spread: float, keep: bool) -> None:
    source = Register.of(with_pauses(CONTOUR))
    moved = carried(source, Register(median_hz=target, spread_octaves=spread), keep_range=keep)(with_pauses(CONTOUR))
    got = Register.of(moved)
    assert got.median_hz == pytest.approx(target, rel=1e-3)
    wanted = 1.0 if keep else np.clip(spread / source.spread_octaves, *RANGE_LIMITS)
    assert got.spread_octaves == pytest.approx(source.spread_octaves * wanted, rel=0.01)
    np.testing.assert_array_equal(moved == 0.0, with_pauses(CONTOUR) == 0.0)


def test_pitch_that_is_found_in_noise_30_db_below_speech_is_no_voice() -> None:
    energy = np.array([7.0, 7.0, 1.0, -0.5], np.float32)  # the last two: 26 and 33 dB below
    heard = voiced_where_loud(np.full(4, 150.0, np.float32), energy, loud=7.0)
    np.testing.assert_array_equal(heard, [150.0, 150.0, 150.0, 0.0])
