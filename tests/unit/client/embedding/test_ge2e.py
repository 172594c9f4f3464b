"""The speaker encoder: windows, level, and that it tells two people apart."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.embedding.ge2e import SpeakerEncoder, centroid, normalise_level, partial_starts, similarity
from hometone_client.models import ensure
from hometone_shared.errors import AudioError, ModelError

SAMPLE = Path(__file__).parents[4] / "sample"


@pytest.mark.parametrize(
    ("n_samples", "starts"),
    [
        (1600, [0]),  # shorter than a window: one, filled with silence
        (25600, [0]),  # exactly one window
        (48000, [0, 77, 154]),
    ],
)
def test_windows_cover_the_utterance(n_samples: int, starts: list[int]) -> None:
    found = partial_starts(n_samples)
    assert found[: len(starts)] == starts
    assert all(later - earlier == 77 for earlier, later in itertools.pairwise(found))
    assert len(found) == 1 or (n_samples - found[-1] * 160) / 25600 >= 0.75


def test_quiet_sound_is_raised_and_loud_sound_left() -> None:
    noise = np.random.default_rng(1).standard_normal(16000).astype(np.float32)
    quiet = normalise_level(noise * 0.001)
    assert 20 * np.log10(np.sqrt(np.mean(quiet**2))) == pytest.approx(-30.0, abs=0.01)
    loud = noise * 0.2
    assert normalise_level(loud) is loud


def test_missing_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        SpeakerEncoder(tmp_path)


def test_centroid_needs_something() -> None:
    with pytest.raises(AudioError):
        centroid([])


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder(ensure("ge2e"))


def takes(speaker: str, count: int) -> list[tuple[np.ndarray, int]]:
    with (SAMPLE / speaker / "takes.csv").open(encoding="utf-8", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    return [soundfile.read(SAMPLE / speaker / name, dtype="float32") for name in names[:count]]


@pytest.mark.models
def test_two_people_are_told_apart(encoder: SpeakerEncoder) -> None:
    her, him = (encoder.embed_many(takes(speaker, 6)) for speaker in ("allison", "carlo"))
    same = similarity(centroid(her[:3]), centroid(her[3:]))
    different = similarity(centroid(her), centroid(him))
    assert same > 0.9
    assert different < 0.75


@pytest.mark.models
def test_embeddings_are_unit_vectors_and_do_not_depend_on_company_or_rate(encoder: SpeakerEncoder) -> None:
    (first, rate), (second, _) = takes("carlo", 2)
    alone = encoder.embed(first, rate)
    together = encoder.embed_many([(first, rate), (second, rate)])[0]
    assert alone.shape == (256,)
    assert alone.dtype == np.float32
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-6)
    assert alone.min() >= 0.0
    np.testing.assert_allclose(alone, together, atol=1e-6)
    assert similarity(alone, encoder.embed(np.repeat(first, 3), 3 * rate)) > 0.97


@pytest.mark.models
@pytest.mark.parametrize("bad", [np.zeros(0, np.float32), np.zeros(16000, np.float32), np.full(16000, np.nan, np.float32)])
def test_no_sound_is_no_voice(encoder: SpeakerEncoder, bad: np.ndarray) -> None:
    with pytest.raises(AudioError):
        encoder.embed(bad, 16000)


@pytest.mark.models
def test_one_sample_is_survived(encoder: SpeakerEncoder) -> None:
    assert np.all(np.isfinite(encoder.embed(np.array([0.5], np.float32), 16000)))


@pytest.mark.models
def test_the_graph_is_the_torch_network(encoder: SpeakerEncoder) -> None:
    """Resemblyzer's own checkpoint through torch's LSTM, on the same mel windows."""
    from importlib import metadata

    import torch

    from hometone_client.embedding.ge2e import _windows

    checkpoint = torch.load(
        str(metadata.distribution("Resemblyzer").locate_file("resemblyzer/pretrained.pt")), map_location="cpu", weights_only=True
    )["model_state"]
    lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    lstm.load_state_dict({name.removeprefix("lstm."): value for name, value in checkpoint.items() if name.startswith("lstm.")})
    samples, rate = takes("allison", 1)[0]
    with torch.inference_mode():
        hidden = lstm(torch.from_numpy(_windows(samples, rate)))[1][0][-1]
        raw = torch.relu(hidden @ checkpoint["linear.weight"].T + checkpoint["linear.bias"])
        mean = (raw / raw.norm(dim=1, keepdim=True)).mean(dim=0)
    np.testing.assert_allclose(encoder.embed(samples, rate), (mean / mean.norm()).numpy(), atol=1e-5)
