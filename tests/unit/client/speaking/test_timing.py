"""Timings against real sound, measured without the base's help: hiss, closures, pauses, onsets; and what the mouth does."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_client.models import model_folder
from hometone_client.speaking import PhonemeTiming, Sessions, SpeakingSettings, SpokenSentence, Synthesizer, mouth_shapes
from hometone_client.speaking.finishing import edged, kept
from hometone_client.speaking.timing import FRAME, mouth_rules, mouths, timings
from hometone_client.text.utterance import silent_tokens, vocabulary
from hometone_client.voices import stock_parameters

RATE = 24_000
SAID = (
    ("af_heart", "Papa keeps a big dog, but it sleeps. She sees six seashells on Susie's shelf."),
    ("bm_george", "Cats and parrots eat apples, grapes, and pears. Stop that dog before it catches the fish."),
    ("zf_xiaobei", "今天天气很好，我想去公园散步。他是四川人，喜欢吃石榴。"),
    ("ef_dora", "Seis sillas, siete mesas. ¿Dónde está la estación?"),
)


@pytest.fixture(scope="module")
def spoken() -> list[SpokenSentence]:
    sessions = Sessions(model_folder())
    sentences = []
    for name, text in SAID:
        voice = stock_parameters(name, base_sha256=sessions.base_sha256)
        speaker = Synthesizer(model_folder(), voice, sessions=sessions)
        sentences += speaker.speak(text, language=voice.languages[0].partition("-")[0], settings=SpeakingSettings(seed=1))
    return sentences


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12)) if samples.size else -120.0


def part(sentence: SpokenSentence, timing: PhonemeTiming) -> np.ndarray:
    return sentence.samples[round(timing.start_s * RATE) : round(timing.end_s * RATE)]


def hiss_share(samples: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(samples.astype(np.float64) * np.hanning(samples.size))) ** 2
    return float(power[np.fft.rfftfreq(samples.size, 1 / RATE) > 4_000].sum() / (power.sum() + 1e-12))


def is_without_gaps(times: tuple[PhonemeTiming, ...], *, samples: int) -> bool:
    whole = [round(moment * RATE) for timing in times for moment in (timing.start_s, timing.end_s)]
    joined = all(one.end_s == other.start_s for one, other in itertools.pairwise(times))
    exact = all(moment * RATE == pytest.approx(sample, abs=1e-6) for moment, sample in zip(
        (m for t in times for m in (t.start_s, t.end_s)), whole, strict=True))  # fmt: skip
    return joined and exact and whole[0] == 0 and whole[-1] == samples and all(t.end_s > t.start_s for t in times)


@pytest.mark.models
def test_timings_fill_the_sentence_to_the_sample(spoken: list[SpokenSentence]) -> None:
    for sentence in spoken:
        assert is_without_gaps(sentence.timings, samples=sentence.samples.size)
        said = "".join(timing.symbol for timing in sentence.timings)
        assert said.rstrip(".?!") == sentence.utterance.phonemes.rstrip(".?!")  # a last mark may be trimmed away with its silence


@pytest.mark.models
def test_the_first_phoneme_begins_where_the_sound_begins(spoken: list[SpokenSentence]) -> None:
    for sentence in spoken:
        power = np.cumsum(sentence.samples.astype(np.float64) ** 2)
        onset = int(np.searchsorted(power, power[-1] * 2e-4))
        first = next(timing for timing in sentence.timings if timing.mouth != "rest")
        assert abs(first.start_s * RATE - onset) <= FRAME
        assert 0.0 < first.start_s < 0.15


@pytest.mark.models
def test_pauses_are_silent_and_vowels_are_not(spoken: list[SpokenSentence]) -> None:
    for sentence in spoken:
        loud = level_db(sentence.samples)
        for timing in sentence.timings:
            if timing.symbol in {"", ","} and timing.end_s - timing.start_s > 0.06:
                assert level_db(part(sentence, timing)) < loud - 20, timing
        vowels = [level_db(part(sentence, t)) for t in sentence.timings if t.mouth in {"open", "mid", "round"} and t.symbol != " "]
        assert np.median(vowels) > loud - 6


@pytest.mark.models
def test_hiss_is_where_sibilants_are(spoken: list[SpokenSentence]) -> None:
    hissing, other = [], []
    for sentence in spoken:
        for timing in sentence.timings:
            if timing.mouth == "rest" or timing.end_s - timing.start_s < 0.02:
                continue
            middle = part(sentence, timing)
            (hissing if timing.symbol in "sʃɕʂʧʨ" else other if timing.mouth in {"open", "mid", "round", "spread"} else []).append(
                hiss_share(middle)
            )
    assert len(hissing) > 15
    assert np.median(hissing) > 0.4
    assert np.median(other) < 0.1


@pytest.mark.models
def test_lips_that_are_pressed_together_let_less_sound_out_than_vowels(spoken: list[SpokenSentence]) -> None:
    def quietest(sentence: SpokenSentence, timing: PhonemeTiming) -> float:
        samples = part(sentence, timing)
        return min(level_db(samples[start : start + 240]) for start in range(0, max(1, samples.size - 239), 120))

    closures, vowels = [], []
    for sentence in spoken:
        for before, timing in itertools.pairwise(sentence.timings):
            if timing.symbol in set("ptk") and before.mouth != "rest":
                closures.append(quietest(sentence, timing) - level_db(sentence.samples))
            elif timing.mouth in {"open", "mid", "round"} and timing.symbol not in {" ", "ˈ"}:
                vowels.append(quietest(sentence, timing) - level_db(sentence.samples))
    assert len(closures) > 15
    assert np.median(closures) < np.median(vowels) - 10


@given(
    durations=st.lists(st.integers(1, 40), min_size=3, max_size=40),
    loud=st.lists(st.booleans(), min_size=1, max_size=60),
    pause=st.integers(0, 12_000),
    data=st.data(),
)
@settings(deadline=None, max_examples=200)
def test_whatever_the_sound_is_timings_fill_it(durations: list[int], loud: list[bool], pause: int, data: st.DataObject) -> None:
    tokens = data.draw(st.lists(st.sampled_from(sorted(vocabulary().values())), min_size=len(durations) - 2, max_size=len(durations) - 2))
    sound = np.resize(np.repeat(np.array(loud, np.float32) * 0.3, 500), sum(durations) * FRAME)
    cut = kept(sound)
    finished = edged(sound[cut], pause_s=pause / RATE)
    times = timings(np.array(durations), tokens, sound=sound, kept=cut, total=finished.size)
    assert is_without_gaps(times, samples=finished.size)
    assert {timing.mouth for timing in times} <= set(mouth_shapes())


def test_every_symbol_of_the_base_has_one_mouth_shape() -> None:
    rules = mouth_rules()
    assert set(vocabulary()) | {""} == set(rules)
    assert set(rules.values()) == set(mouth_shapes()) | {"before", "after"}
    said = "".join(shape.symbols for shape in mouth_shapes().values())
    assert len(said) == len(set(said))
    assert {symbol for symbol, rule in rules.items() if rule == "rest"} == {
        symbol for symbol, token in vocabulary().items() if token in silent_tokens()
    } - {" "} | {""}
    numbers = [number for shape in mouth_shapes().values() for number in shape.mpeg4]
    assert sorted(numbers) == list(range(15))  # the visemes of MPEG-4, each once


def test_tones_and_stress_have_the_mouth_of_their_vowel() -> None:
    assert mouths(list("pˈuː, mˈa")) == [
        "closed", "pucker", "pucker", "pucker", "rest", "rest", "closed", "open", "open"]  # fmt: skip
    assert mouths(list("ma→")) == ["closed", "open", "open"]
    assert mouths(["", "ˈ", ""]) == ["rest", "rest", "rest"]
    assert mouths([" ", "a"]) == ["rest", "open"]
    assert mouths(["ˈ", "ː", "a"]) == ["rest", "rest", "open"]
