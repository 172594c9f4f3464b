"""Breath and tremor as they are spoken: what changes, what does not, and that both can be repeated."""

import numpy as np
import pytest

from hometone_client.evaluation.breath import correlations, ratio_db
from hometone_client.speaking.aspiration import aspirated
from hometone_client.speaking.tremor import trembling
from hometone_client.voices.parameters import Tremor

RATE = 24_000
TREMOR = Tremor(rate_hz=6.0, depth=0.03)


@pytest.fixture(scope="module")
def buzz() -> tuple[np.ndarray, np.ndarray]:
    """Two seconds of harmonics of 160 Hz, the last half second of it unvoiced to the curve."""
    time_s = np.arange(2 * RATE) / RATE
    samples = np.asarray(0.03 * sum(np.cos(2 * np.pi * 160 * k * time_s) for k in range(1, 40)), dtype=np.float32)
    return samples, np.where(np.arange(160) < 120, 160.0, 0.0).astype(np.float32)


def heard_db(samples: np.ndarray, f0_hz: np.ndarray) -> float:
    return ratio_db(correlations(samples, RATE, f0_hz, np.arange(f0_hz.size) / 80))


def test_more_breath_is_less_harmonic_and_as_loud(buzz: tuple[np.ndarray, np.ndarray]) -> None:
    samples, f0 = buzz
    made = [aspirated(samples, f0, share, seed=1) for share in (0.1, 0.3, 0.6)]
    ratios = [heard_db(each, f0) for each in (samples, *made)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[2] == pytest.approx(10 * np.log10(0.7 / 0.3), abs=1.5)
    for each in made:
        assert 10 * np.log10(np.mean(each**2) / np.mean(samples**2)) == pytest.approx(0.0, abs=0.5)
        assert each.dtype == np.float32


def test_unvoiced_sound_and_low_harmonics_keep_their_samples(buzz: tuple[np.ndarray, np.ndarray]) -> None:
    samples, f0 = buzz
    made = aspirated(samples, f0, 0.5, seed=1)
    np.testing.assert_allclose(made[int(1.6 * RATE) :], samples[int(1.6 * RATE) :], atol=1e-6)
    change = np.abs(np.fft.rfft(made[:RATE] - samples[:RATE])) / np.abs(np.fft.rfft(samples[:RATE])).max()
    assert change[:400].max() < 0.02 < change[1200:2400].max()


def test_without_breath_nothing_is_touched_and_a_seed_repeats_it(buzz: tuple[np.ndarray, np.ndarray]) -> None:
    samples, f0 = buzz
    assert aspirated(samples, f0, 0.0, seed=None) is samples
    assert aspirated(samples, np.zeros_like(f0), 0.5, seed=1) is samples
    np.testing.assert_array_equal(aspirated(samples, f0, 0.5, seed=1), aspirated(samples, f0, 0.5, seed=1))
    assert np.abs(aspirated(samples, f0, 0.5, seed=1) - aspirated(samples, f0, 0.5, seed=2)).max() > 0


def test_a_tremor_swings_at_its_rate_and_depth_on_voiced_frames() -> None:
    f0 = np.where(np.arange(1600) % 40 < 30, 200.0, 0.0).astype(np.float32)
    moved = trembling(f0, TREMOR, seed=4)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved[f0 == 0], 0)
    swing = moved[f0 > 0] / 200 - 1
    assert np.abs(swing).max() == pytest.approx(0.03, rel=0.02)
    crossings = np.count_nonzero(np.diff(np.sign(trembling(np.full(1600, 200.0, np.float32), TREMOR, seed=4) - 200.0)))
    assert crossings / 2 / 20 == pytest.approx(6.0, abs=0.3)


def test_a_steady_voice_is_left_alone_and_a_seed_repeats_the_swing() -> None:
    f0 = np.full(80, 200.0, np.float32)
    assert trembling(f0, None, seed=1) is f0
    np.testing.assert_array_equal(trembling(f0, TREMOR, seed=1), trembling(f0, TREMOR, seed=1))
    assert np.abs(trembling(f0, TREMOR, seed=1) - trembling(f0, TREMOR, seed=2)).max() > 0
