"""Content features: length, limits, and that short windows say what long ones say."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.embedding.content import ContentEncoder
from hometone_client.models import ensure
from hometone_shared.errors import AudioError, ModelError

TAKE = Path(__file__).parents[4] / "sample" / "allison" / "enrol-02.flac"

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def encoder() -> ContentEncoder:
    return ContentEncoder(ensure("whisper-base"))


def test_fifty_features_a_second(encoder: ContentEncoder) -> None:
    samples, rate = soundfile.read(TAKE, dtype="float32")
    features = encoder.features(samples, rate)
    assert features.shape == (int(np.ceil(samples.size / rate * 50)), 512)
    assert features.dtype == np.float32
    assert encoder.features(np.repeat(samples, 3), 3 * rate).shape == features.shape


def test_a_short_window_hears_what_the_padded_one_hears(encoder: ContentEncoder) -> None:
    samples, rate = soundfile.read(TAKE, dtype="float32")
    short = encoder.features(samples, rate)
    padded = encoder.features(np.pad(samples, (0, 30 * rate - samples.size)), rate)[: len(short)]
    short, padded = short - short.mean(axis=0), padded - padded.mean(axis=0)
    cosines = np.sum(short * padded, axis=1) / np.linalg.norm(short, axis=1) / np.linalg.norm(padded, axis=1)
    assert cosines.mean() > 0.97


def test_limits(encoder: ContentEncoder) -> None:
    assert encoder.features(np.array([0.1], np.float32), 16000).shape == (1, 512)
    assert encoder.features(np.zeros(480000, np.float32), 16000).shape == (1500, 512)
    for bad in (np.zeros(0, np.float32), np.zeros(480001, np.float32), np.full(100, np.inf, np.float32), np.zeros((2, 100), np.float32)):
        with pytest.raises(AudioError):
            encoder.features(bad, 16000)


def test_missing_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        ContentEncoder(tmp_path)
