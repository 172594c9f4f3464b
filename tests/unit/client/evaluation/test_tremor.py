"""Tremor in F0 whose answer is known: found where it is, with its rate and depth, and not where speech only moves."""

import numpy as np
import pytest

from hometone_client.evaluation.tremor import tremor_figures, tremor_of_curves

FRAMES_HZ = 80
Curve = tuple[np.ndarray, np.ndarray]


def spoken(*, rate_hz: float = 6.0, depth: float = 0.0, takes: int = 12, seed: int = 0) -> list[Curve]:
    """Curves of syllables: voiced stretches of 100 to 300 ms, each with a movement of its own, over a slow fall."""
    generator = np.random.default_rng(seed)
    curves = []
    for _ in range(takes):
        frames = 4 * FRAMES_HZ
        semitones, voiced = np.zeros(frames), np.zeros(frames, dtype=bool)
        at = 8
        while at < frames - 30:
            length = int(generator.integers(8, 24))
            where = np.linspace(-1, 1, length)
            semitones[at : at + length] = generator.normal(0, 1.5) + generator.normal(0, 0.8) * where + generator.normal(0, 0.5) * where**2
            voiced[at : at + length] = True
            at += length + int(generator.integers(2, 10))
        time_s = np.arange(frames) / FRAMES_HZ
        semitones += 2.0 - time_s + generator.normal(0, 0.05, frames)
        f0 = 180.0 * 2 ** (semitones / 12) * (1 + depth * np.sin(2 * np.pi * (rate_hz * time_s + generator.random())))
        curves.append((np.where(voiced, f0, 0.0), np.where(voiced, 0.0, -12.0)))
    return curves


@pytest.mark.parametrize(("rate_hz", "depth"), [(5.5, 0.04), (6.5, 0.03), (7.5, 0.025)])
def test_a_tremor_is_found_through_syllables(rate_hz: float, depth: float) -> None:
    figures = tremor_of_curves(spoken(rate_hz=rate_hz, depth=depth))
    assert figures.present
    assert figures.rate_hz == pytest.approx(rate_hz, abs=0.15)
    assert figures.depth == pytest.approx(depth, rel=0.45)  # one without wandering; the figure is meant for those that wander


@pytest.mark.parametrize("seed", range(6))
def test_syllables_alone_are_no_tremor(seed: int) -> None:
    assert not tremor_of_curves(spoken(seed=seed)).present


def test_little_speech_needs_a_stronger_tremor() -> None:
    short, long = (tremor_of_curves(spoken(takes=takes)) for takes in (2, 12))
    assert short.threshold > long.threshold


def test_where_nothing_is_voiced_there_is_no_tremor() -> None:
    for figures in (
        tremor_of_curves([]),
        tremor_of_curves([(np.zeros(80), np.zeros(80))]),
        tremor_figures([(np.zeros(8000, np.float32), 8000)]),
    ):
        assert np.isnan(figures.depth)
        assert not figures.present


def test_a_trembling_buzz_is_heard() -> None:
    rate, seconds = 8000, 3.0
    time_s = np.arange(int(rate * seconds)) / rate
    takes = []
    for phase in (0.0, 2.0):
        f0 = 150.0 * (1 + 0.04 * np.sin(2 * np.pi * 6.0 * time_s + phase))
        turn = 2 * np.pi * np.cumsum(f0) / rate
        takes.append((np.asarray(0.05 * sum(np.cos(k * turn) / k for k in range(1, 12)), dtype=np.float32), rate))
    figures = tremor_figures(takes)
    assert figures.present
    assert figures.rate_hz == pytest.approx(6.0, abs=0.2)
