"""Variation: nothing at 0, repeatable, silence and voicing untouched, pace kept, as large as asked for."""

import numpy as np
import pytest

from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import stock_style
from hometone_client.content.variation import smooth_noise, spreads, varied
from hometone_client.models import ensure
from hometone_client.text import Frontend, Utterance
from hometone_client.text.utterance import silent_tokens

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def said() -> tuple[Prosody, Utterance]:
    utterance = next(iter(Frontend().utterances("Yesterday, my neighbour brought a basket of apples from her garden.", language="en")))
    base = BaseRuntime(ensure("kokoro-82m-v1.0"), threads=1)
    return base.prosody(utterance.tokens, stock_style("af_heart", len(utterance.tokens))), utterance


def test_nothing_varies_at_zero(said: tuple[Prosody, Utterance]) -> None:
    prosody, utterance = said
    assert varied(prosody, utterance.tokens, noise_scale=0.0, seed=1) is prosody


def test_a_seed_makes_it_repeatable(said: tuple[Prosody, Utterance]) -> None:
    prosody, utterance = said
    one, again, other = (varied(prosody, utterance.tokens, noise_scale=0.667, seed=seed) for seed in (1, 1, 2))
    for name in ("content", "f0_hz", "energy", "durations"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(one.durations, other.durations)
    unseeded = [varied(prosody, utterance.tokens, noise_scale=0.667) for _ in range(2)]
    assert not np.array_equal(unseeded[0].content, unseeded[1].content)


def test_what_varies_and_what_does_not(said: tuple[Prosody, Utterance]) -> None:
    prosody, utterance = said
    silent = np.isin([0, *utterance.tokens, 0], sorted(silent_tokens()))
    for seed in range(5):
        new = varied(prosody, utterance.tokens, noise_scale=0.667, seed=seed)
        assert new.content.dtype == new.f0_hz.dtype == np.float32
        assert new.content.shape[2] == new.durations.sum() == new.f0_hz.size // 2 == new.energy.size // 2
        assert np.array_equal(new.durations > 0, prosody.durations > 0)
        assert new.durations.sum() == pytest.approx(prosody.durations.sum(), rel=0.08)
        timed = prosody.retimed(new.durations)
        assert np.array_equal(new.f0_hz > VOICED_HZ, timed.f0_hz > VOICED_HZ)
        assert np.array_equal(new.energy, timed.energy)
        quiet = np.repeat(silent, new.durations)
        assert np.array_equal(new.content[0][:, quiet], timed.content[0][:, quiet])
        assert np.all(np.abs(new.content - timed.content)[0][:, ~quiet].max(axis=0) > 0)
        voiced = timed.f0_hz > VOICED_HZ
        semitones = 12 * np.log2(new.f0_hz[voiced] / timed.f0_hz[voiced])
        assert 0.05 < np.std(semitones) < 2.5
        assert abs(semitones.mean()) < 0.3


def test_twice_the_scale_is_twice_the_deviation(said: tuple[Prosody, Utterance]) -> None:
    prosody, utterance = said
    sizes = []
    for noise_scale in (0.5, 1.0, 2.0):
        off = []
        for seed in range(6):
            new = varied(prosody, utterance.tokens, noise_scale=noise_scale, seed=seed)
            off.append(np.sqrt(np.mean((new.content - prosody.retimed(new.durations).content) ** 2)))
        sizes.append(np.mean(off))
    assert sizes[1] / sizes[0] == pytest.approx(2.0, rel=0.1)
    assert sizes[2] / sizes[1] == pytest.approx(2.0, rel=0.1)


def test_unvoiced_speech_has_no_melody_to_vary(said: tuple[Prosody, Utterance]) -> None:
    prosody, utterance = said
    whispered = Prosody(prosody.content, np.zeros_like(prosody.f0_hz), prosody.energy, prosody.durations)
    assert not varied(whispered, utterance.tokens, noise_scale=1.0, seed=1).f0_hz.any()


def test_tokens_must_fit(said: tuple[Prosody, Utterance]) -> None:
    prosody, utterance = said
    with pytest.raises(ValueError, match="tokens"):
        varied(prosody, utterance.tokens[:-1], noise_scale=1.0)


def test_smooth_noise_has_unit_variance_and_lasts() -> None:
    noise = smooth_noise(40, 4_000, 5.0, np.random.default_rng(3))
    assert noise.std() == pytest.approx(1.0, rel=0.05)
    assert np.mean(noise[:, 1:] * noise[:, :-1]) > 0.95
    assert abs(np.mean(noise[:, 40:] * noise[:, :-40])) < 0.05


def test_the_measured_spreads_are_in_range() -> None:
    table = spreads()
    assert table.directions.shape[1] == 512
    assert table.content_gain.shape == table.duration_spread.shape == (178,)
    assert not table.content_gain[sorted(silent_tokens())].any()
    assert 0.0 < table.f0_semitones < 3.0
    assert np.all((table.duration_spread > 0) & (table.duration_spread < 1))
