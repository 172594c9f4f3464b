"""Edits heard in real speech of the base: what was asked for is measured, the rest stays."""

import json

import numpy as np
import pytest
import pyworld

from hometone_client.editing.controls import Controls
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, SpeakingSettings, SpokenSentence, Synthesizer
from hometone_client.voices import stock_parameters

pytestmark = pytest.mark.models
TEXT = "The red book is here."


@pytest.fixture(scope="module")
def speaker() -> Synthesizer:
    sessions = Sessions(model_folder())
    return Synthesizer(model_folder(), stock_parameters("af_heart", base_sha256=sessions.base_sha256), sessions=sessions)


@pytest.fixture(scope="module")
def plain(speaker: Synthesizer) -> SpokenSentence:
    (sentence,) = speaker.speak(TEXT, settings=SpeakingSettings(seed=1))
    return sentence


def said(speaker: Synthesizer, text: str, **wishes: object) -> list[SpokenSentence]:
    return list(speaker.speak(text, settings=SpeakingSettings(seed=1, **wishes)))  # type: ignore[arg-type]


def f0_of(samples: np.ndarray) -> np.ndarray:
    f0, _ = pyworld.harvest(samples.astype(np.float64), 24_000, f0_floor=60.0, f0_ceil=700.0, frame_period=12.5)
    return f0


def pauses_of(samples: np.ndarray) -> list[float]:
    """Stretches 40 dB below the loudest 10 ms, seconds, longest first."""
    level = np.array([np.sqrt(np.mean(samples[i : i + 240].astype(np.float64) ** 2)) for i in range(0, samples.size - 240, 24)])
    loud = np.flatnonzero(level > level.max() / 100)
    return sorted((np.diff(loud) * 0.001).tolist(), reverse=True)


def test_a_pause_is_heard_as_long_as_was_asked_and_times_follow(speaker: Synthesizer) -> None:
    (sentence,) = said(speaker, '<speak xml:lang="en">The red book <break time="400ms"/> is here.</speak>', input_type="ssml")
    assert pauses_of(sentence.samples)[0] == pytest.approx(0.4, abs=0.03)
    assert sentence.timings[0].start_s == 0.0
    assert sentence.timings[-1].end_s == pytest.approx(sentence.samples.size / 24_000)
    assert all(a.end_s == pytest.approx(b.start_s) for a, b in zip(sentence.timings, sentence.timings[1:], strict=False))
    (mark,) = (time for time in sentence.timings if time.symbol == ",")
    assert mark.end_s - mark.start_s > 0.15


def test_a_word_is_moved_and_the_others_are_not(speaker: Synthesizer, plain: SpokenSentence) -> None:
    plan = json.loads(json.dumps(speaker.plan(TEXT)))
    (sentence,) = said(speaker, TEXT, controls=Controls.from_object(plan))
    np.testing.assert_array_equal(sentence.samples, plain.samples)  # a plan changes nothing
    number = next(entry["word"] for entry in plan["words"] if entry["said"]["text"] == "book")
    plan["words"][number]["pitch_semitones"] = 4.0
    (sentence,) = said(speaker, TEXT, controls=Controls.from_object(plan))
    before, after = f0_of(plain.samples), f0_of(sentence.samples)
    size = min(before.size, after.size)
    moved = 12 * np.log2(np.maximum(after[:size], 1) / np.maximum(before[:size], 1))
    both = (before[:size] > 0) & (after[:size] > 0)
    word = plain.utterance.words[number]
    times = {t.symbol: t for t in plain.timings}
    assert times["ʊ"].end_s > times["ʊ"].start_s
    inside = slice(round(times["ʊ"].start_s * 80) + 4, round(times["ʊ"].end_s * 80))
    assert np.median(moved[inside][both[inside]]) == pytest.approx(4.0, abs=0.5)
    far = both.copy()
    far[max(0, round(times["ʊ"].start_s * 80) - 24) : round(times["ʊ"].end_s * 80) + 24] = False
    assert np.median(np.abs(moved[far])) < 0.3
    assert word.text == "book"


def test_pace_is_what_was_asked(speaker: Synthesizer) -> None:
    def length(scale: float) -> float:
        (sentence,) = said(speaker, TEXT, length_scale=scale)
        heard = [time for time in sentence.timings if time.symbol not in {"", "."}]
        return heard[-1].end_s - heard[0].start_s

    usual = length(1.0)
    for scale in (0.8, 1.3):
        assert length(scale) / usual == pytest.approx(scale, rel=0.04)


def test_louder_and_softer(speaker: Synthesizer, plain: SpokenSentence) -> None:
    (soft,) = said(speaker, f'<speak xml:lang="en"><prosody volume="-6dB">{TEXT}</prosody></speak>', input_type="ssml")
    size = min(soft.samples.size, plain.samples.size)
    assert 20 * np.log10(soft.samples[:size].std() / plain.samples[:size].std()) == pytest.approx(-6.0, abs=0.3)
