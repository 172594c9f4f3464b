"""Real speech from the real base: pace, pitch, noise, laziness, loudness, joins, and that torch stays out."""

import dataclasses
import functools
import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
import pyworld

from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, SpeakingSettings, Synthesizer
from hometone_client.speaking.synthesizer import audible_labels, bounded, in_language
from hometone_client.text import LANGUAGES, Frontend, Utterance
from hometone_client.voices import DenseDelta, F0Map, LowRankDelta, VoiceParameters, stock_parameters
from hometone_shared.errors import ModelError, TextError

pytestmark = pytest.mark.models

TEXT = "The weather is very good."


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    return Sessions(model_folder())


@pytest.fixture(scope="module")
def heart(sessions: Sessions) -> VoiceParameters:
    return stock_parameters("af_heart", base_sha256=sessions.base_sha256)


@functools.cache
def spoken(sessions: Sessions, voice: VoiceParameters, text: str = TEXT, **wishes: float) -> np.ndarray:
    settings = SpeakingSettings(**({"seed": 1} | wishes))  # type: ignore[arg-type]
    sentences = Synthesizer(model_folder(), voice, sessions=sessions).speak(text, language="en", settings=settings)
    return np.concatenate([sentence.samples for sentence in sentences])


def f0_of(samples: np.ndarray) -> np.ndarray:
    """F0 at 12.5 ms, Hz, 0 where unvoiced: WORLD's harvest, which knows nothing of the base."""
    f0, _ = pyworld.harvest(samples.astype(np.float64), 24_000, f0_floor=60.0, f0_ceil=700.0, frame_period=12.5)
    return f0


def f0_ratio(moved: np.ndarray, plain: np.ndarray) -> float:
    """Median ratio of two F0 curves over the frames that are voiced in both."""
    size = min(moved.size, plain.size)
    new, old = f0_of(moved[:size]), f0_of(plain[:size])
    both = (new > 0) & (old > 0)
    return float(np.median(new[both] / old[both]))


def long_term_spectrum(samples: np.ndarray) -> np.ndarray:
    """Mean power in dB in third-octave-like bands from 200 Hz to 8 kHz."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), 1024)[::512] * np.hanning(1024)
    power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)
    edges = np.geomspace(200, 8000, 17) / 24_000 * 1024
    return np.array([10 * np.log10(power[int(a) : int(b) + 1].mean()) for a, b in itertools.pairwise(edges)])


def test_a_sentence_is_speech(sessions: Sessions, heart: VoiceParameters) -> None:
    samples = spoken(sessions, heart)
    assert samples.dtype == np.float32
    assert 1.0 < samples.size / 24_000 < 3.5
    assert 0.2 < np.abs(samples).max() <= 0.98
    f0 = f0_of(samples)
    assert 150 < np.median(f0[f0 > 0]) < 280


def test_a_voice_reads_a_language_it_was_not_recorded_in_as_the_base_does(heart: VoiceParameters) -> None:
    own = dataclasses.replace(
        heart, f0_map=F0Map(reference_hz=205.0, target_hz=180.0, range_scale=1.3), length_scale=1.21, languages=("en",)
    )
    foreign = in_language(own, "zh")
    np.testing.assert_array_equal(foreign.style[:128], own.style[:128])
    assert not np.array_equal(foreign.style[128:], own.style[128:])
    assert foreign.f0_map.target_hz == 180.0
    assert foreign.length_scale == pytest.approx(1.1)
    assert in_language(own, "en-gb") is own
    assert in_language(own, "fr") is own  # the base has no reader of it
    assert in_language(dataclasses.replace(own, languages=("zh-TW",)), "zh").languages == ("zh-TW",)
    assert in_language(dataclasses.replace(own, languages=("zh-TW",)), "zh").f0_map == own.f0_map
    assert in_language(heart, "zh") is heart  # a stock voice: nobody knows its pitch


def test_the_same_seed_is_the_same_sound_and_another_is_not(sessions: Sessions, heart: VoiceParameters) -> None:
    first, again, other = (spoken.__wrapped__(sessions, heart, seed=seed) for seed in (1, 1, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pace_multiplies_the_speakers_own(sessions: Sessions, heart: VoiceParameters) -> None:
    plain = spoken(sessions, heart).size
    assert spoken(sessions, heart, length_scale=1.5).size / plain == pytest.approx(1.5, rel=0.12)
    assert spoken(sessions, heart, length_scale=0.7).size / plain == pytest.approx(0.7, rel=0.15)
    slow = dataclasses.replace(heart, length_scale=1.5)
    assert spoken(sessions, slow, length_scale=1 / 1.5).size == pytest.approx(plain, rel=0.02)


def test_noise_scale_is_real(sessions: Sessions, heart: VoiceParameters) -> None:
    silent, usual, loud = (spoken(sessions, heart, noise_scale=scale) for scale in (0.0, 0.667, 2.0))
    assert silent.size == usual.size == loud.size
    assert 0 < np.abs(usual - silent).max() < np.abs(loud - silent).max()
    np.testing.assert_array_equal(silent, spoken(sessions, heart, noise_scale=0.0, seed=99))


@pytest.mark.parametrize("semitones", [-4.0, 3.0])
def test_pitch_moves_f0_and_neither_time_nor_timbre(sessions: Sessions, heart: VoiceParameters, semitones: float) -> None:
    plain, moved = spoken(sessions, heart), spoken(sessions, heart, pitch_semitones=semitones)
    assert abs(moved.size - plain.size) <= 960  # the ends are trimmed by level, in steps of 10 ms
    assert 12 * np.log2(f0_ratio(moved, plain)) == pytest.approx(semitones, abs=0.35)
    # A resampled voice would shift its formants, 5 dB and more in these bands.
    difference = long_term_spectrum(moved) - long_term_spectrum(plain)
    assert np.mean(np.abs(difference - difference.mean())) < 3.0


def test_the_speakers_f0_map_is_applied(sessions: Sessions, heart: VoiceParameters) -> None:
    deep = dataclasses.replace(heart, f0_map=F0Map(reference_hz=200.0, target_hz=160.0))
    assert f0_ratio(spoken(sessions, deep), spoken(sessions, heart)) == pytest.approx(0.8, rel=0.03)


def test_tone_filter_and_gain(sessions: Sessions, heart: VoiceParameters) -> None:
    plain = spoken(sessions, heart)
    quiet = spoken(sessions, dataclasses.replace(heart, gain_db=-6.0))
    assert 20 * np.log10(quiet.std() / plain.std()) == pytest.approx(-6.0, abs=0.2)
    dull = np.hanning(33).astype(np.float32)
    shaped = spoken(sessions, dataclasses.replace(heart, tone_filter=dull / dull.sum()))
    change = long_term_spectrum(shaped) - long_term_spectrum(plain)
    assert change[0] > -1
    assert change[-1] < -20
    # Time stays: the best alignment of both is at zero.
    size = min(plain.size, shaped.size)
    lags = [float(np.dot(plain[200 + lag : size - 200 + lag], shaped[200 : size - 200])) for lag in range(-200, 201)]
    assert abs(int(np.argmax(lags)) - 200) <= 240


def test_a_voice_far_too_loud_is_held_at_the_ceiling(sessions: Sessions, heart: VoiceParameters) -> None:
    samples = spoken(sessions, dataclasses.replace(heart, gain_db=24.0))
    assert 0.9 < np.abs(samples).max() <= 0.98


def test_weight_changes_change_the_sound_and_only_with_their_own_session(sessions: Sessions, heart: VoiceParameters) -> None:
    from hometone_client.base.parameters import load_parameters
    from hometone_client.models import ensure

    weights = load_parameters(ensure("kokoro-82m-v1.0"))
    name = next(name for name, array in weights.items() if name.startswith("decoder.decode.3.conv1") and array.ndim == 3)
    shape = weights[name].shape
    generator = np.random.default_rng(5)
    low = LowRankDelta(
        (0.02 * generator.standard_normal((shape[0], 2))).astype(np.float32),
        (0.02 * generator.standard_normal((2, *shape[1:]))).astype(np.float32),
    )
    dense = DenseDelta((low.a @ low.b.reshape(2, -1)).reshape(shape).astype(np.float32))
    plain = spoken(sessions, heart, noise_scale=0.0)
    by_low = spoken(sessions, dataclasses.replace(heart, weight_deltas={name: low}), noise_scale=0.0)
    by_dense = spoken(sessions, dataclasses.replace(heart, weight_deltas={name: dense}), noise_scale=0.0)
    assert by_low.size == by_dense.size
    np.testing.assert_allclose(by_low, by_dense, atol=2e-3)
    assert np.abs(by_low[: plain.size] - plain[: by_low.size]).max() > 1e-3
    np.testing.assert_array_equal(spoken.__wrapped__(sessions, heart, noise_scale=0.0), plain)


def test_a_voice_of_another_base_is_refused(sessions: Sessions, heart: VoiceParameters) -> None:
    with pytest.raises(ModelError):
        Synthesizer(model_folder(), dataclasses.replace(heart, base_sha256="00" * 32), sessions=sessions)
    for deltas in ({"no.such.weight": DenseDelta(np.ones(3, np.float32))},):
        with pytest.raises(ModelError):
            Synthesizer(model_folder(), dataclasses.replace(heart, weight_deltas=deltas), sessions=sessions)


def test_voices_without_weight_changes_share_one_session(sessions: Sessions, heart: VoiceParameters) -> None:
    other = stock_parameters("am_michael", base_sha256=sessions.base_sha256)
    assert sessions.runtime(heart) is sessions.runtime(other)
    before = sessions.runtime(heart)
    sessions.forget()
    assert sessions.runtime(heart) is not before


def test_sentences_come_one_by_one_with_their_pauses(sessions: Sessions, heart: VoiceParameters) -> None:
    synthesizer = Synthesizer(model_folder(), heart, sessions=sessions)
    started = time.perf_counter()
    stream = synthesizer.speak("Good morning. " + "Tea is ready. " * 5, language="en", settings=SpeakingSettings(seed=1))
    first = next(stream)
    first_after = time.perf_counter() - started
    assert first.utterance.text.startswith("Good")
    rest = list(stream)
    total = time.perf_counter() - started
    assert len(rest) == 5
    assert first_after < total / 2
    pause = round(first.utterance.pause_after_s * 24_000)
    assert pause > 0
    assert not first.samples[-pause:].any()
    for sentence in [first, *rest]:
        assert abs(sentence.samples[0]) < 1e-3


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_nothing_to_say(sessions: Sessions, heart: VoiceParameters, text: str) -> None:
    with pytest.raises(TextError):
        list(Synthesizer(model_folder(), heart, sessions=sessions).speak(text))


def test_the_audible_label_comes_first_in_the_texts_language(sessions: Sessions, heart: VoiceParameters) -> None:
    synthesizer = Synthesizer(model_folder(), heart, sessions=sessions)
    english = synthesizer.speak("Good morning.", audible_label=True)
    assert next(english).utterance.text == audible_labels()["en"]
    assert next(english).utterance.text.startswith("Good")
    chinese = synthesizer.speak("早上好。", audible_label=True)
    assert next(chinese).utterance.text == audible_labels()["zh"]


def test_every_language_that_can_be_read_has_an_audible_label() -> None:
    assert {language.partition("-")[0] for language in LANGUAGES} <= audible_labels().keys()
    for language, phrase in audible_labels().items():
        assert list(Frontend().utterances(phrase, language=language))


def test_a_long_first_sentence_is_cut_at_a_clause() -> None:
    clause = "a" * 50 + ", "
    utterance = Utterance(text="t", language="en", phonemes=clause * 4 + "b" * 20 + ".", tokens=tuple(range(229)), pause_after_s=0.4)
    first, rest = bounded(utterance)
    assert len(first.tokens) == len(first.phonemes) == 103
    assert (*first.tokens, 103, *rest.tokens) == utterance.tokens  # the space at the cut is not spoken
    assert (first.pause_after_s, rest.pause_after_s) == (0.05, 0.4)


@pytest.mark.parametrize("phonemes", ["a" * 60 + ", " + "b" * 40 + ".", "a" * 300 + ".", "a" * 120 + ", bb.", "aa, " + "b" * 200])
def test_short_sentences_and_those_without_a_good_place_are_not_cut(phonemes: str) -> None:
    utterance = Utterance(text="t", language="en", phonemes=phonemes, tokens=tuple(range(len(phonemes))), pause_after_s=0.4)
    assert list(bounded(utterance)) == [utterance]


def test_speaking_needs_neither_torch_nor_network() -> None:
    program = """
import socket, sys
def refuse(*_a, **_k):
    raise AssertionError("the network was used")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import numpy as np
from hometone_client.audio.encoding import encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.voices import from_bytes, stock_parameters, to_bytes
sessions = Sessions(model_folder())
voice = from_bytes(to_bytes(stock_parameters("af_heart", base_sha256=sessions.base_sha256)))
sound = np.concatenate([s.samples for s in Synthesizer(model_folder(), voice, sessions=sessions).speak("Good morning, 早上好。")])
assert sound.size > 12000
encode(sound, fmt="mp3", label=SyntheticLabel.fresh())
import hometone_client.web
forbidden = {"torch", "torchaudio", "onnx", "flwr", "sounddevice", "faster_whisper", "transformers"} & set(sys.modules)
assert not forbidden, forbidden
"""
    done = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
