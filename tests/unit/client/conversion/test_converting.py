"""A real recording in another voice: its length and timing, the voice's pitch, the person's melody, and nothing left of her timbre."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.audio.resampling import resample
from hometone_client.base.analysis import energy_curve, f0_curve
from hometone_client.conversion.converting import ConversionSettings, Converter
from hometone_client.conversion.pitch import Register, voiced_where_loud, without_octave_errors
from hometone_client.conversion.source import Source, prepared
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions
from hometone_client.voices import F0Map, stock_parameters
from hometone_shared.errors import UsageError

SAMPLE = Path(__file__).resolve().parents[4] / "sample" / "allison"
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return Sessions(model_folder(), threads=1)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Two seconds of her, between half seconds of silence, at 24 kHz."""
    samples, rate = soundfile.read(SAMPLE / "enrol-03.flac", dtype="float32")
    return np.pad(resample(samples[: 2 * rate], from_hz=rate, to_hz=24_000), 12_000)


@pytest.fixture(scope="module")
def source(speech: np.ndarray) -> Source:
    return prepared(speech, 24_000)


@pytest.fixture(scope="module")
def michael(sessions: Sessions) -> Converter:
    return Converter(model_folder(), stock_parameters("am_michael", base_sha256=sessions.base_sha256), sessions=sessions)


@pytest.fixture(scope="module")
def converted(michael: Converter, source: Source) -> np.ndarray:
    return np.concatenate(list(michael.convert(source, ConversionSettings(seed=1, keep_pitch_range=True))))


def melody(samples: np.ndarray) -> np.ndarray:
    energy = energy_curve(samples)
    curve = voiced_where_loud(f0_curve(samples), energy, loud=float(np.percentile(energy, 90)))
    return without_octave_errors(curve, median_hz=Register.of(curve).median_hz)


def envelope(samples: np.ndarray) -> np.ndarray:
    """Level in steps of 5 ms, mean removed."""
    level = np.log(np.sqrt(np.mean(samples[: samples.size // 120 * 120].reshape(-1, 120) ** 2, axis=1)) + 0.01 * np.abs(samples).max())
    return level - level.mean()


def test_the_length_and_the_pauses_are_the_recordings(speech: np.ndarray, converted: np.ndarray) -> None:
    assert converted.size == speech.size
    assert not converted[:6_000].any()
    assert not converted[-6_000:].any()
    assert np.abs(converted).max() <= 0.98


def test_it_is_in_time_within_30_ms(speech: np.ndarray, converted: np.ndarray) -> None:
    one, other = envelope(speech), envelope(converted)
    size = one.size
    fits = {step: one[max(0, -step) : size - max(0, step)] @ other[max(0, step) : size - max(0, -step)] for step in range(-30, 31)}
    best = max(fits, key=lambda step: fits[step])
    assert abs(best * 5) <= 30
    assert fits[best] / np.sqrt((one @ one) * (other @ other)) > 0.75


def test_the_pitch_is_the_voices_and_the_melody_the_persons(michael: Converter, source: Source, converted: np.ndarray) -> None:
    heard = melody(converted)
    register = Register.of(heard)
    assert 12 * abs(np.log2(register.median_hz / michael.target.register.median_hz)) < 1.0
    assert source.register.median_hz > 1.5 * register.median_hz
    person = np.zeros(heard.size, np.float32)
    for piece in source.pieces:
        person[2 * piece.first_frame : 2 * piece.first_frame + piece.f0_hz.size] = piece.f0_hz[: person.size - 2 * piece.first_frame]
    both = (person > 0) & (heard > 0)
    assert both.sum() > 40
    assert np.corrcoef(np.log(person[both]), np.log(heard[both]))[0, 1] > 0.6


def test_it_sounds_like_the_target_and_not_like_the_person(sessions: Sessions, speech: np.ndarray, converted: np.ndarray) -> None:
    encoder = SpeakerEncoder(model_folder() / "ge2e")
    runtime, style = sessions.runtime(stock := stock_parameters("am_michael", base_sha256=sessions.base_sha256)), stock.style
    (sentence,) = sessions.frontend.utterances("Good morning to you.")
    own = encoder.embed(runtime.decode(runtime.prosody(sentence.tokens, style), style, seed=1), 24_000)
    heard = encoder.embed(converted, 24_000)
    assert heard @ own > heard @ encoder.embed(speech, 24_000) + 0.1


def test_a_seed_repeats_and_an_own_voices_pitch_and_level_are_used(sessions: Sessions, speech: np.ndarray, michael: Converter) -> None:
    short = prepared(speech[24_000:42_000], 24_000)
    settings = ConversionSettings(seed=7, pitch_semitones=2.0)
    stock = stock_parameters("am_michael", base_sha256=sessions.base_sha256)
    own = dataclasses.replace(stock, f0_map=F0Map(reference_hz=110.0, target_hz=147.0), gain_db=-20.0)
    converter = Converter(model_folder(), own, sessions=sessions)
    assert converter.target.register.median_hz == pytest.approx(michael.target.register.median_hz * 147 / 110, rel=1e-2)
    first, second = (np.concatenate(list(converter.convert(short, settings))) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first).max() < 0.1
    moved = Register.of(melody(first * 10))
    assert 12 * np.log2(moved.median_hz / converter.target.register.median_hz) == pytest.approx(2.0, abs=2.0)


@pytest.mark.parametrize("wrong", [{"noise_scale": 3.0}, {"pitch_semitones": 20.0}, {"seed": -1}])
def test_impossible_wishes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        ConversionSettings(**wrong)  # type: ignore[arg-type]
