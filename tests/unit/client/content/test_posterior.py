"""The posterior encoder: shapes and times, agreement of what is carried with what was said, and what happens without it."""

import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.base.styles import stock_style
from hometone_client.content import posterior
from hometone_client.content.posterior import NETWORK, NETWORK_SHA256, Posterior, PosteriorEncoder, positions
from hometone_client.models import ensure
from hometone_client.text import Frontend
from hometone_shared.errors import AudioError, ModelError

TAKE = Path(__file__).parents[4] / "sample" / "allison" / "enrol-02.flac"

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def encoder() -> PosteriorEncoder:
    return PosteriorEncoder(ensure("whisper-base").parent)


def test_the_network_is_the_pinned_one_and_small() -> None:
    data = (files("hometone_client.content") / "data" / NETWORK).read_bytes()
    assert hashlib.sha256(data).hexdigest() == NETWORK_SHA256
    assert len(data) < 10_000_000


@pytest.mark.parametrize(("rate", "samples"), [(16_000, 16_001), (24_000, 600), (48_000, 100_000), (8_000, 1)])
def test_forty_frames_a_second(encoder: PosteriorEncoder, rate: int, samples: int) -> None:
    heard = encoder.posterior(np.random.default_rng(1).normal(0, 0.01, samples).astype(np.float32), rate)
    assert heard.mean.shape == heard.log_variance.shape == (512, int(np.ceil(samples * 40 / rate)))
    assert heard.mean.dtype == heard.log_variance.dtype == np.float32
    assert np.isfinite(heard.mean).all()
    assert np.isfinite(heard.log_variance).all()


def test_frames_lie_where_the_decoder_makes_them_sound() -> None:
    left, share = positions(100, 125)
    heard_s = (left + share) / 50
    assert heard_s[50] == pytest.approx(50.5 / 40 - 0.055)
    assert left.min() == 0
    assert left.max() <= 123
    assert positions(3, 1)[0].tolist() == [0, 0, 0]


def test_it_hears_what_the_base_said_and_knows_how_surely(encoder: PosteriorEncoder) -> None:
    utterance = next(iter(Frontend().utterances("The garden behind the house was full of yellow flowers.", language="en")))
    base = BaseRuntime(ensure("kokoro-82m-v1.0"), threads=1)
    style = stock_style("bf_emma", len(utterance.tokens))
    prosody = base.prosody(utterance.tokens, style)
    heard = encoder.posterior(base.decode(prosody, style, seed=3), SAMPLE_RATE_HZ)
    said = prosody.content[0]
    assert heard.mean.shape == said.shape
    cosine = np.sum(heard.mean * said, axis=0) / np.linalg.norm(heard.mean, axis=0) / np.linalg.norm(said, axis=0)
    assert np.median(cosine) > 0.8
    error = (heard.mean - said) ** 2
    scored = float(np.mean(error * np.exp(-heard.log_variance)))
    assert 0.4 < scored < 2.0  # squared error in units of the variance: 1 where the spread is right
    assert np.corrcoef(heard.log_variance.mean(axis=0), np.log(error.mean(axis=0)))[0, 1] > 0.3  # less sure where it is wrong


def test_a_real_take_through_a_telephone_says_the_same(encoder: PosteriorEncoder) -> None:
    samples, rate = soundfile.read(TAKE, dtype="float32")
    clean = encoder.posterior(samples, rate).mean
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(samples.size, 1 / rate)
    spectrum[(hz < 300) | (hz > 3_400)] = 0
    thin = np.fft.irfft(spectrum, samples.size).astype(np.float32) * np.float32(0.3)
    cosine = np.sum(clean * encoder.posterior(thin, rate).mean) / np.linalg.norm(clean) / np.linalg.norm(encoder.posterior(thin, rate).mean)
    assert cosine > 0.85


def test_samples_lie_around_the_mean() -> None:
    middle = np.random.default_rng(1).normal(size=(512, 200)).astype(np.float32)
    spread = Posterior(mean=middle, log_variance=np.full((512, 200), np.log(0.04), np.float32))
    assert np.array_equal(spread.sample(0.0)[0], middle)
    drawn = spread.sample(0.5, seed=7)
    assert drawn.shape == (1, 512, 200)
    assert drawn.dtype == np.float32
    assert np.std(drawn[0] - middle) == pytest.approx(0.1, rel=0.02)
    assert np.array_equal(drawn, spread.sample(0.5, seed=7))
    assert not np.array_equal(drawn, spread.sample(0.5, seed=8))


def test_limits(encoder: PosteriorEncoder) -> None:
    for bad in (np.zeros(0, np.float32), np.zeros(480_001, np.float32), np.full(100, np.nan, np.float32)):
        with pytest.raises(AudioError):
            encoder.posterior(bad, 16_000)


def test_missing_or_damaged_weights_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError):
        PosteriorEncoder(tmp_path)
    monkeypatch.setattr(posterior, "NETWORK_SHA256", "1" * 64)
    with pytest.raises(ModelError, match="content encoder"):
        PosteriorEncoder(ensure("whisper-base").parent)
