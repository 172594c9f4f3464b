"""What happens to the decoder's sound: tone without delay, no sample too loud, no clicks, pauses as asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_client.speaking.finishing import CEILING, LIMITER_KNEE, edged, filtered, limited, trimmed


def noise(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(1, 3000), taps=st.integers(2, 400))
def test_filtering_is_convolution_with_the_delay_taken_out(seed: int, size: int, taps: int) -> None:
    samples, fir = noise(seed, size), noise(seed + 1, taps) / taps
    delay = (taps - 1) // 2
    expected = np.convolve(samples.astype(np.float64), fir.astype(np.float64))[delay : delay + size]
    got = filtered(samples, fir, delay=delay)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_a_linear_phase_filter_leaves_a_click_where_it_was() -> None:
    click = np.zeros(1000, np.float32)
    click[500] = 1
    fir = np.hanning(65).astype(np.float32)
    assert int(np.argmax(filtered(click, fir, delay=32))) == 500


def test_the_identity_filter_returns_the_very_samples() -> None:
    samples = noise(0, 10)
    assert filtered(samples, np.ones(1, np.float32), delay=0) is samples
    np.testing.assert_array_equal(filtered(samples, np.full(1, 0.5, np.float32), delay=0), samples * np.float32(0.5))


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50))
def test_no_sample_passes_the_ceiling_and_quiet_ones_are_not_touched(values: list[float]) -> None:
    samples = np.array(values, np.float32)
    got = limited(samples)
    assert np.abs(got).max() <= CEILING
    quiet = np.abs(samples) <= LIMITER_KNEE
    np.testing.assert_array_equal(got[quiet], samples[quiet])
    assert (np.sign(got) == np.sign(samples)).all()
    order = np.argsort(samples, kind="stable")
    assert (np.diff(got[order]) >= 0).all()  # louder stays louder


def test_the_limiter_has_no_step_at_its_knee() -> None:
    ramp = np.linspace(0.8, 0.9, 1001, dtype=np.float32)
    assert np.abs(np.diff(limited(ramp))).max() < 1.1e-4


def test_silence_at_both_ends_is_cut_to_50_and_150_ms() -> None:
    speech = 0.3 * np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000).astype(np.float32)
    padded = np.concatenate([np.zeros(9_600, np.float32), speech, np.full(12_000, 1e-5, np.float32)])
    got = trimmed(padded)
    assert got.size == pytest.approx(24_000 + 1_200 + 3_600, abs=480)
    start = 9_600 - 1_200
    np.testing.assert_array_equal(got, padded[start : start + got.size])


def test_a_quiet_ending_45_db_down_is_kept() -> None:
    speech = 0.3 * np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000).astype(np.float32)
    breath = noise(3, 9_600) * np.float32(0.3 * 10 ** (-45 / 20))
    assert trimmed(np.concatenate([speech, breath])).size == 33_600


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(100, np.float32), np.zeros(24_000, np.float32), noise(1, 239)])
def test_silence_and_crumbs_pass_through(samples: np.ndarray) -> None:
    assert trimmed(samples).size == samples.size
    assert limited(samples).size == samples.size
    assert edged(samples, pause_s=0.0).size == samples.size


@given(size=st.integers(0, 2000), pause=st.floats(0, 1))
def test_edges_begin_and_end_in_silence_and_the_pause_follows(size: int, pause: float) -> None:
    got = edged(np.ones(size, np.float32), pause_s=pause)
    assert got.size == size + round(pause * 24_000)
    assert not got[size:].any()
    if size >= 240:
        assert got[0] < 0.001
        assert got[size - 1] < 0.001
        assert np.abs(np.diff(got[:size])).max() < 0.02
        np.testing.assert_array_equal(got[120 : size - 120], 1)


def test_edging_leaves_its_input_alone() -> None:
    samples = np.ones(1000, np.float32)
    edged(samples, pause_s=0.1)
    assert samples.min() == 1
