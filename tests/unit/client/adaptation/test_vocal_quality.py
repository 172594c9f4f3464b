"""Breath and tremor are taken over where the takes have them, and not from a noisy room."""

import numpy as np
import pytest

from hometone_client.adaptation import vocal_quality
from hometone_client.evaluation.breath import correlations
from hometone_client.speaking.aspiration import aspirated
from hometone_client.speaking.tremor import trembling
from hometone_client.voices.parameters import Tremor

RATE = 24_000
Voiced = tuple[np.ndarray, np.ndarray]


def takes(count: int, *, hiss: float = 0.01, seed: int = 0) -> list[Voiced]:
    """Buzzing syllables of four seconds with pauses, a gliding pitch, and a little noise of the voice."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        frames = 320
        voiced = np.arange(frames) % 80 < 56
        f0 = 150 * 2 ** (np.sin(np.arange(frames) / 60 + generator.random()) * 2 / 12)
        turn = 2 * np.pi * np.cumsum(np.repeat(f0, 300)) / RATE
        sound = sum(np.cos(k * turn) for k in range(1, 40)) * 0.02 + hiss * generator.standard_normal(frames * 300)
        gate = np.convolve(np.repeat(voiced, 300), np.hanning(600) / 300, mode="same")
        found.append(((sound * gate).astype(np.float32), np.where(voiced, f0, 0).astype(np.float32)))
    return found


def periodicity(sounds: list[Voiced]) -> float:
    return float(np.median(np.concatenate([correlations(x, RATE, f0, np.arange(f0.size) / 80) for x, f0 in sounds])))


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_synthesis_becomes_as_breathy_as_the_takes(share: float) -> None:
    breathy = [(aspirated(x, f0, share, seed=i), f0) for i, (x, f0) in enumerate(takes(2, seed=1))]
    made = takes(2, seed=2)
    found = vocal_quality.breath(breathy, made)
    assert found == pytest.approx(share, abs=0.1)
    spoken = [(aspirated(x, f0, found, seed=9), f0) for x, f0 in made]
    assert periodicity(spoken) == pytest.approx(periodicity(breathy), abs=0.04)


def test_a_clear_voice_in_a_noisy_room_is_not_breathy() -> None:
    made = takes(3, seed=2)
    assert vocal_quality.breath(takes(3, seed=1), made) == 0.0
    generator = np.random.default_rng(5)
    room = [(x + np.float32(0.03) * generator.standard_normal(x.size).astype(np.float32), f0) for x, f0 in takes(3, seed=1)]
    assert periodicity(room) < periodicity(made) - 0.05
    assert vocal_quality.breath(room, made) == 0.0


def test_nobody_becomes_breathy_of_nothing() -> None:
    whisper = [(np.zeros(RATE, np.float32), np.zeros(80, np.float32))]
    assert vocal_quality.breath(whisper, takes(1)) == 0.0
    assert vocal_quality.breath(takes(1), whisper) == 0.0


def test_a_tremor_is_taken_over_and_a_steady_voice_stays_steady() -> None:
    steady = [(f0, np.where(f0 > 0, 0.0, -12.0).astype(np.float32)) for _, f0 in takes(12)]
    swinging = [(trembling(f0, Tremor(rate_hz=6.5, depth=0.03), seed=i), energy) for i, (f0, energy) in enumerate(steady)]
    assert vocal_quality.tremor(steady, steady) is None
    found = vocal_quality.tremor(swinging, steady)
    assert found is not None
    assert found.rate_hz == pytest.approx(6.5, abs=0.3)
    assert found.depth == pytest.approx(0.03, rel=0.4)
