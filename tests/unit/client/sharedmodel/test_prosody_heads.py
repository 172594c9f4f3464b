"""The differentiable heads are the base's own, padded or not, with a release in them or not; gradients are those of single recordings."""

import numpy as np
import pytest
import torch

from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import stock_style
from hometone_client.models import ensure
from hometone_client.sharedmodel.basis import shared_basis
from hometone_client.sharedmodel.errors import errors_of, goal_of
from hometone_client.sharedmodel.heads import Batch, Coordinates, ProsodyHeads, Studied, batch_of, study
from hometone_client.sharedmodel.readings import Reading
from hometone_client.text import Frontend
from hometone_client.torchbase.loading import load_torch_base

TEXTS = (
    ("en", "Take one tablet after breakfast.", "af_heart"),
    ("zh", "孩子们放学回来，第一件事就是去看那只小黄猫。", "zf_xiaobei"),
    ("en", "The old clock in the hallway has not worked since the winter.", "am_adam"),
)
pytestmark = pytest.mark.models


def tokens_of(text: str, language: str) -> tuple[int, ...]:
    return next(iter(Frontend().utterances(text, language=language))).tokens


@pytest.fixture(scope="module")
def heads() -> ProsodyHeads:
    basis = shared_basis()
    return ProsodyHeads(ensure("kokoro-82m-v1.0"), basis.left, basis.right)


def readings(runtime: BaseRuntime) -> list[Reading]:
    """Three sentences as a runtime reads them."""
    made = []
    for language, text, name in TEXTS:
        tokens = tokens_of(text, language)
        style = stock_style(name, 80)
        prosody = runtime.prosody(tokens, style)
        octaves = np.where(prosody.f0_hz > 55, np.log2(np.maximum(prosody.f0_hz, 55)), 0).astype(np.float32)
        made.append(Reading((0, *tokens, 0), style[128:], prosody.durations, octaves))
    return made


@pytest.fixture(scope="module")
def theta() -> np.ndarray:
    return (0.5 * np.random.default_rng(0).standard_normal(2000) * np.where(np.arange(2000) < 150, 1, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def released(theta: np.ndarray) -> BaseRuntime:
    folder = ensure("kokoro-82m-v1.0")
    return BaseRuntime(folder, replacements=shared_basis().replacements(theta, folder))


@pytest.fixture(scope="module")
def studied(released: BaseRuntime, heads: ProsodyHeads) -> list[Studied]:
    return study(readings(released), load_torch_base(ensure("kokoro-82m-v1.0")).language, heads)


@pytest.fixture(scope="module")
def batch(studied: list[Studied]) -> Batch:
    return batch_of(studied)


def test_a_padded_batch_with_a_release_is_what_the_graph_speaks(batch: Batch, heads: ProsodyHeads, theta: np.ndarray) -> None:
    """Durations and F0 of the ONNX graph with `Basis.deltas` merged into it, against the heads with the same theta."""
    raw = Coordinates(shared_basis())(torch.from_numpy(theta)[None]).expand(3, -1)
    frames, f0 = heads.predict(batch, raw)
    for k, each in enumerate(batch.studied):
        said = each.reading
        np.testing.assert_array_equal(frames[k, : len(said.tokens)].round().clamp(min=1).numpy(), said.durations)
        voiced = said.octaves != 0
        np.testing.assert_allclose(f0[k, : voiced.size][torch.from_numpy(voiced)], 2 ** said.octaves[voiced], atol=0.1)


def test_the_release_is_heard(batch: Batch, heads: ProsodyHeads, theta: np.ndarray) -> None:
    coordinates = Coordinates(shared_basis())
    goal = goal_of(batch)
    with torch.no_grad():
        released, base = (
            errors_of(heads.predict(batch, coordinates(torch.from_numpy(t)[None]).expand(3, -1)), goal) for t in (theta, 0 * theta)
        )
    assert (released.duration < 0.9 * base.duration).all()  # whole frames are as near as it gets
    assert (released.f0 < 0.01 * base.f0).all()
    assert (base.f0 > 1e-3).all()


def test_coordinates_are_those_of_the_basis(theta: np.ndarray) -> None:
    for size in (5, 100, 2000):
        expected = shared_basis().raw(theta[:size])
        np.testing.assert_allclose(Coordinates(shared_basis())(torch.from_numpy(theta[None, :size]))[0], expected, atol=1e-6)


def test_a_gradient_belongs_to_one_recording_and_is_the_slope(studied: list[Studied], heads: ProsodyHeads) -> None:
    coordinates = Coordinates(shared_basis())

    def loss(several: list[Studied], theta: torch.Tensor) -> torch.Tensor:
        batch = batch_of(several)
        return errors_of(heads.predict(batch, coordinates(theta)), goal_of(batch)).loss

    start = torch.zeros(3, 40, requires_grad=True)
    together = torch.autograd.grad(loss(studied, start).sum(), start)[0]
    for k, each in enumerate(studied):
        own = torch.zeros(1, 40, requires_grad=True)
        torch.testing.assert_close(torch.autograd.grad(loss([each], own).sum(), own)[0][0], together[k], rtol=1e-3, atol=1e-4)
    along = torch.zeros(3, 40)
    along[:, 7] = 1e-2
    with torch.no_grad():
        slope = (loss(studied, along) - loss(studied, -along)) / 2e-2
    torch.testing.assert_close(slope, together[:, 7], rtol=0.05, atol=5e-3)


def test_pace_and_pitch_of_a_speaker_do_not_count(studied: list[Studied], heads: ProsodyHeads) -> None:
    """Another octave is no error at all; another pace almost none (durations are whole frames)."""
    raw = torch.zeros(3, Coordinates(shared_basis())(torch.zeros(1, 1)).shape[1])
    batch = batch_of(studied)
    frames, f0 = heads.predict(batch, raw)
    goal = goal_of(batch)
    plain, moved = errors_of((frames, f0), goal), errors_of((1.3 * frames, f0 * 1.2), goal)
    torch.testing.assert_close(moved.duration, plain.duration)
    torch.testing.assert_close(moved.f0, plain.f0, rtol=1e-3, atol=1e-6)
