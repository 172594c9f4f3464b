"""Pitch moves F0 by its formula, keeps unvoiced frames, and is never rounded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.speaking.intonation import moved

curves = st.lists(st.floats(90, 300, width=32), min_size=3, max_size=60).map(lambda hz: np.array([0.0, *hz, 5.0], np.float32))


@given(curves)
def test_no_wish_returns_the_very_curve(curve: np.ndarray) -> None:
    assert moved(curve, semitones=0.0, pitch_range=1.0) is curve


@given(curve=curves, semitones=st.floats(-12, 12))
def test_semitones_are_a_factor_on_voiced_frames(curve: np.ndarray, semitones: float) -> None:
    got = moved(curve, semitones=semitones, pitch_range=1.0)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[1:-1], np.clip(curve[1:-1] * 2 ** (semitones / 12), 40, 1100), rtol=1e-6)
    np.testing.assert_array_equal(got[[0, -1]], curve[[0, -1]])


@given(curves)
def test_range_zero_is_a_monotone_at_the_median(curve: np.ndarray) -> None:
    got = moved(curve, semitones=0.0, pitch_range=0.0)
    np.testing.assert_allclose(got[1:-1], np.median(curve[1:-1]), rtol=1e-6)


@given(curve=curves, pitch_range=st.floats(0.1, 2.0))
def test_range_scales_octaves_about_the_median(curve: np.ndarray, pitch_range: float) -> None:
    voiced = curve[1:-1].astype(np.float64)
    got = moved(curve, semitones=0.0, pitch_range=pitch_range)[1:-1]
    expected = np.log2(voiced / np.median(voiced)) * pitch_range
    inside = (got > 40) & (got < 1100)
    np.testing.assert_allclose(np.log2(got / np.median(voiced))[inside], expected[inside], atol=1e-6)


def test_a_whisper_without_voiced_frames_stays() -> None:
    curve = np.array([0.0, 3.0, 9.9], np.float32)
    assert moved(curve, semitones=5.0, pitch_range=0.5) is curve


def test_hundredths_of_a_hertz_survive() -> None:
    curve = (200 + 0.01 * np.arange(40)).astype(np.float32)
    assert np.unique(moved(curve, semitones=2.0, pitch_range=1.0)).size == 40


def test_frames_at_the_edge_of_voicing_stay_voiced_and_are_not_lifted() -> None:
    curve = np.array([12.0, 30.0, 200.0, 200.0, 200.0, 11.0], np.float32)
    down, up = (moved(curve, semitones=semitones, pitch_range=1.0) for semitones in (-12.0, 12.0))
    np.testing.assert_allclose(down, [12, 30, 100, 100, 100, 11], rtol=1e-6)
    np.testing.assert_allclose(up, [24, 60, 400, 400, 400, 22], rtol=1e-6)
