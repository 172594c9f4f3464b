"""At switches of language the pitch jumps less, Chinese tones stay, and everything else is untouched."""

from itertools import pairwise

import numpy as np
import pytest

from hometone_client.base.prosody import Prosody
from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import TYPICAL_TOKENS, stock_style
from hometone_client.models import BASE, ensure
from hometone_client.speaking.joins import CAP, joined, switches
from hometone_client.text import Frontend, Utterance
from hometone_client.text.characters import is_han
from hometone_client.text.utterance import WordSpan

MIXED = ("Let's go to the 超市吧", "我昨天买了一个 sandwich 当午饭", "She lives in 北京 with her family", "这是 Tom's 车")


def read(text: str) -> Utterance:
    return next(Frontend().utterances(text))


def frames(prosody: Prosody, word: WordSpan) -> slice:
    starts = prosody.starts
    return slice(2 * int(starts[word.start + 1]), 2 * int(starts[word.stop + 1]))


def jump(prosody: Prosody, before: WordSpan, after: WordSpan) -> float:
    first, second = (prosody.f0_hz[frames(prosody, word)] for word in (before, after))
    return 12 * float(np.log2(np.median(second[second > 10][:3]) / np.median(first[first > 10][-3:])))


def flat(hz: tuple[float, float], utterance: Utterance) -> Prosody:
    """Ten frames a token; the first word on one pitch, everything behind it on another."""
    durations = np.full(len(utterance.tokens) + 2, 5, np.int64)
    f0_hz = np.full(10 * durations.size, hz[1], np.float32)
    f0_hz[: 10 * (utterance.words[0].stop + 1)] = hz[0]
    # A word reaches high and low somewhere, else nothing of it may move.
    f0_hz[10:12] = 50.0
    f0_hz[12:14] = 500.0
    return Prosody(np.zeros((1, 512, 5 * durations.size), np.float32), f0_hz, np.zeros_like(f0_hz), durations)


@pytest.mark.parametrize(
    ("hz", "expected"), [((100.0, 200.0), CAP), ((200.0, 100.0), -CAP), ((100.0, 2 ** (7 / 12) * 100.0), 4.0), ((100.0, 110.0), 1.65)]
)
def test_what_goes_beyond_the_knee_is_kept_at_two_fifths(hz: tuple[float, float], expected: float) -> None:
    utterance = read("Happy 妈妈")
    before, after = next(switches(utterance))
    assert jump(joined(flat(hz, utterance), utterance), before, after) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("text", ["今天天气很好。", "The weather is very good.", "OK，那我们明天见", "你好。"])
def test_without_a_switch_nothing_is_touched(text: str) -> None:
    utterance = read(text)
    prosody = flat((100.0, 300.0), utterance)
    assert joined(prosody, utterance) is prosody


def test_parts_without_words_and_foreign_durations_are_left_alone() -> None:
    utterance = read("Happy 妈妈")
    prosody = flat((100.0, 200.0), utterance)
    assert joined(prosody, read("Happy birthday 妈妈")) is prosody


@pytest.fixture(scope="module")
def runtime() -> BaseRuntime:
    return BaseRuntime(ensure(BASE), threads=1)


@pytest.mark.models
@pytest.mark.parametrize("text", MIXED)
def test_real_sentences_jump_less_and_chinese_words_keep_their_tones(runtime: BaseRuntime, text: str) -> None:
    utterance = read(text)
    prosody = runtime.prosody(utterance.tokens, stock_style("af_heart", TYPICAL_TOKENS))
    smooth = joined(prosody, utterance)
    pairs = list(switches(utterance))
    assert pairs
    assert all(abs(jump(smooth, *pair)) <= max(CAP, abs(jump(prosody, *pair))) for pair in pairs)
    for word in utterance.words:
        if any(map(is_han, word.text)):
            np.testing.assert_array_equal(smooth.f0_hz[frames(smooth, word)], prosody.f0_hz[frames(prosody, word)])
    np.testing.assert_array_equal(smooth.f0_hz > 10, prosody.f0_hz > 10)
    assert (smooth.durations is prosody.durations, smooth.energy is prosody.energy, smooth.content is prosody.content) == (True, True, True)


@pytest.mark.models
def test_the_largest_jumps_of_mixed_sentences_are_no_larger_than_inside_a_language(runtime: BaseRuntime) -> None:
    switching: list[float] = []
    inside: list[float] = []
    for text in MIXED:
        utterance = read(text)
        prosody = joined(runtime.prosody(utterance.tokens, stock_style("zf_xiaoxiao", TYPICAL_TOKENS)), utterance)
        pairs = list(switches(utterance))
        for pair in pairwise(utterance.words):
            voiced = all((prosody.f0_hz[frames(prosody, word)] > 10).any() for word in pair)
            if voiced:
                (switching if pair in pairs else inside).append(abs(jump(prosody, *pair)))
    assert np.percentile(switching, 95) <= np.percentile(inside, 95)
