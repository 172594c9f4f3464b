"""Spectrum, pitch, rate and likeness on signals whose answer is known."""

import numpy as np
import pytest
import scipy.signal

from hometone_client.evaluation import likeness, ltas
from hometone_client.evaluation.breath import harmonics_to_noise_db
from hometone_client.evaluation.f0 import pitch_statistics, voiced_f0
from hometone_client.evaluation.rate import rate_statistics
from hometone_shared.errors import AudioError

RATE = 16000


def noise(seconds: float = 4.0, *, seed: int = 3) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def pulses(f0_hz: float, seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """A buzz with the harmonics of a voice."""
    time_s = np.arange(int(seconds * rate)) / rate
    return (0.05 * sum(np.cos(2 * np.pi * f0_hz * harmonic * time_s) / harmonic for harmonic in range(1, 15))).astype(np.float32)


def test_level_does_not_change_the_spectrum() -> None:
    loud, soft = (ltas.average_spectrum([(noise() * gain, RATE)]) for gain in (1.0, 0.01))
    assert ltas.distance_db(loud, soft) == pytest.approx(0.0, abs=1e-4)


def test_a_tilt_of_three_decibels_an_octave_is_measured() -> None:
    """Mean of |slope * (band - middle)| over n third-octave bands of 1 dB each is n / 4."""
    white = noise(60.0)
    spectrum = np.fft.rfft(white)
    frequencies = np.fft.rfftfreq(white.size, 1 / RATE)
    tilted = np.fft.irfft(spectrum * np.sqrt(100.0 / np.maximum(frequencies, 50.0)), white.size).astype(np.float32)
    distance = ltas.distance_db(ltas.average_spectrum([(white, RATE)]), ltas.average_spectrum([(tilted, RATE)]))
    assert distance == pytest.approx(18 / 4, rel=0.05)


def test_the_narrower_bandwidth_decides() -> None:
    """What lies above a telephone's band is not compared."""
    wide = noise(20.0)
    narrow = scipy.signal.sosfiltfilt(scipy.signal.cheby2(16, 80, 4400, fs=RATE, output="sos"), wide).astype(np.float32)
    narrow_spectrum = ltas.average_spectrum([(narrow, RATE)])
    assert ltas.bandwidth_hz(narrow_spectrum) == pytest.approx(4300, abs=300)
    assert ltas.distance_db(ltas.average_spectrum([(wide, RATE)]), narrow_spectrum) < 0.5


def test_silence_has_no_spectrum() -> None:
    with pytest.raises(AudioError):
        ltas.average_spectrum([(np.zeros(RATE, np.float32), RATE)])


@pytest.mark.parametrize(("f0_hz", "rate"), [(95.0, 16000), (210.0, 24000), (320.0, 48000)])
def test_pitch_of_a_buzz(f0_hz: float, rate: int) -> None:
    statistics = pitch_statistics([(pulses(f0_hz, rate=rate), rate)])
    assert statistics.median_hz == pytest.approx(f0_hz, rel=0.01)
    assert statistics.range_semitones < 0.3
    assert statistics.voiced_s == pytest.approx(2.0, abs=0.2)


def test_two_pitches_have_a_range() -> None:
    statistics = pitch_statistics([(pulses(100.0), RATE), (pulses(200.0), RATE)])
    assert statistics.range_semitones == pytest.approx(12.0, abs=0.3)


@pytest.mark.parametrize("nothing", [np.zeros(RATE, np.float32), np.zeros(10, np.float32)])
def test_silence_has_no_pitch(nothing: np.ndarray) -> None:
    assert voiced_f0(nothing, RATE).size == 0
    statistics = pitch_statistics([(nothing, RATE)])
    assert np.isnan(statistics.median_hz)
    assert statistics.voiced_s == 0.0


def test_silence_has_no_rate() -> None:
    assert np.isnan(rate_statistics([(np.zeros(RATE, np.float32), RATE, "hello there", "en")]).syllables_per_s)


def unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def test_ceiling_leaves_each_take_out() -> None:
    takes = [unit(0.0), unit(0.2)]
    assert likeness.ceiling(takes) == pytest.approx(np.cos(0.2), abs=1e-6)
    assert np.isnan(likeness.ceiling(takes[:1]))


def test_floor_is_the_nearest_stock_voice() -> None:
    takes = [unit(0.0), unit(0.2)]
    name, figure = likeness.floor({"far": [unit(1.5)], "near": [unit(0.3), unit(0.5)]}, takes)
    assert name == "near"
    assert figure == pytest.approx((np.cos(0.2) + np.cos(0.4)) / 2, abs=1e-6)


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_twice_the_noise_is_six_decibels_less_harmonic(rate: int) -> None:
    buzz = pulses(180.0, rate=rate)
    hiss = np.random.default_rng(5).standard_normal(buzz.size).astype(np.float32)
    clear, breathy = (harmonics_to_noise_db([(buzz + gain * hiss, rate)]) for gain in (0.005, 0.01))
    assert clear - breathy == pytest.approx(6.0, abs=1.0)
    assert harmonics_to_noise_db([(buzz, rate)]) > clear + 6


def test_where_nothing_is_voiced_there_is_no_ratio() -> None:
    assert np.isnan(harmonics_to_noise_db([(np.zeros(RATE, np.float32), RATE), (pulses(180.0, seconds=0.05), RATE)]))
    assert np.isnan(harmonics_to_noise_db([]))
