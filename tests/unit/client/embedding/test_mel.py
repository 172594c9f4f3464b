"""The numpy mel front end against values that librosa 0.11 computed for the same signals."""

from pathlib import Path

import numpy as np
import pytest

from hometone_client.embedding.mel import GE2E_MEL, MelSettings, filterbank, mel_power, window

REFERENCE = np.load(Path(__file__).with_name("librosa_0_11.npz"))
DNSMOS_MEL = MelSettings(sample_rate_hz=16000, n_fft=321, hop=160, bands=120)


def chirp() -> np.ndarray:
    """Three seconds that rise from 200 Hz, with a steady tone of 3 kHz above: the signal of the reference."""
    time_s = np.arange(48000) / 16000
    return (0.3 * np.sin(2 * np.pi * (200 * time_s + 300 * time_s**2)) + 0.05 * np.sin(2 * np.pi * 3000 * time_s)).astype(np.float32)


@pytest.mark.parametrize(("settings", "name"), [(GE2E_MEL, "filters_400_40"), (DNSMOS_MEL, "filters_321_120")])
def test_filters_are_slaneys(settings: MelSettings, name: str) -> None:
    np.testing.assert_allclose(filterbank(settings), REFERENCE[name], atol=1e-8)


def test_spectrogram_equals_librosas() -> None:
    mine = mel_power(chirp(), GE2E_MEL)
    assert mine.shape == (301, 40)
    assert mine.dtype == np.float32
    np.testing.assert_allclose(mine[::25], REFERENCE["mel_power_400_40"], rtol=1e-4, atol=1e-5)


def test_window_is_periodic() -> None:
    hann = window(GE2E_MEL)
    assert hann[0] == 0.0
    assert hann[200] == 1.0
    assert hann[1] == pytest.approx(hann[-1])
