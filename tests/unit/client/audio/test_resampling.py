"""Rates change; length, pitch and level stay."""

import numpy as np
import pytest

from hometone_client.audio import resample


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48_000, 16_000), (44_100, 24_000), (8_000, 24_000), (24_000, 22_050), (11_025, 16_000)])
def test_a_tone_keeps_its_pitch_level_and_length(from_hz: int, to_hz: int) -> None:
    seconds, tone_hz = 0.5, 440.0
    time = np.arange(round(seconds * from_hz)) / from_hz
    changed = resample((0.5 * np.sin(2 * np.pi * tone_hz * time)).astype(np.float32), from_hz=from_hz, to_hz=to_hz)
    assert changed.dtype == np.float32
    assert changed.size == round(time.size * to_hz / from_hz)
    expected = 0.5 * np.sin(2 * np.pi * tone_hz * np.arange(changed.size) / to_hz)
    inner = slice(to_hz // 20, -to_hz // 20)
    assert np.abs(changed[inner] - expected[inner]).max() < 1e-3


def test_what_would_alias_is_gone() -> None:
    time = np.arange(48_000) / 48_000
    changed = resample(np.sin(2 * np.pi * 10_000 * time).astype(np.float32), from_hz=48_000, to_hz=16_000)
    assert np.abs(changed[800:-800]).max() < 1e-4  # 80 dB down


def test_equal_rates_and_single_samples() -> None:
    one = np.ones(1, np.float32)
    assert resample(one, from_hz=16_000, to_hz=16_000) is one
    assert resample(one, from_hz=16_000, to_hz=48_000).shape == (3,)
    assert resample(np.empty(0, np.float32), from_hz=16_000, to_hz=48_000).shape == (0,)
