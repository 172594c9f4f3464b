"""One speaker's update: bounded in every recording, repeatable, inside d coordinates, prepared once; and a release that is spoken."""

import csv
import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hometone_client.adaptation import EnrolmentTake
from hometone_client.adaptation.checkpoint import MemoryStore
from hometone_client.audio import decode
from hometone_client.base.styles import stock_style
from hometone_client.models import ensure, model_folder
from hometone_client.sharedmodel import training
from hometone_client.sharedmodel.basis import shared_basis
from hometone_client.sharedmodel.likeness import similarity
from hometone_client.sharedmodel.training import SharedLearner, SharedTraining, descend
from hometone_client.speaking import Sessions
from hometone_client.voices.parameters import SharedRelease, VoiceParameters
from hometone_shared.errors import AudioError, ModelError

ROOT = Path(__file__).parents[4]
SAMPLE = ROOT / "sample" / "carlo"


def quiet(_: float) -> None:
    pass


def test_every_recording_is_bounded_in_every_step() -> None:
    """Opacus' clipping against the same arithmetic written out (Abadi et al. 2016, algorithm 1, without noise)."""
    goals = torch.tensor([[10.0, 0.0], [0.0, 0.2], [-0.1, -0.1]])
    settings = SharedTraining(steps=4, learning_rate=0.3, recording_clip=0.5)
    found = descend(lambda point: point - goals, theta=torch.zeros(2), settings=settings, recordings=3, told=quiet)
    point = np.zeros(2)
    for _ in range(4):
        gradients = point - goals.numpy().astype(np.float64)
        norms = np.linalg.norm(gradients, axis=1, keepdims=True)
        point = point - 0.3 * (gradients * np.minimum(1, 0.5 / norms)).mean(0)
    np.testing.assert_allclose(found.numpy(), point, atol=1e-5)


def test_one_recording_cannot_move_an_update_further_than_its_share() -> None:
    settings = SharedTraining(steps=3, learning_rate=1.0, recording_clip=0.5)

    def with_last(goal: float) -> torch.Tensor:
        goals = torch.tensor([[0.1], [0.2], [goal]])
        return descend(
            lambda point: torch.clamp(point - goals, -1e6, 1e6), theta=torch.zeros(1), settings=settings, recordings=3, told=quiet
        )

    difference = float((with_last(1e9) - with_last(-1e9)).abs())
    assert difference <= 3 * 1.0 * 2 * 0.5 / 3 * 1.01


def pieces(split: str, count: int) -> list[EnrolmentTake]:
    with (SAMPLE / "takes.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == split][:count]
    sounds = [decode(SAMPLE / row["file"]) for row in rows]
    return [
        EnrolmentTake(samples=sound.samples, sample_rate_hz=sound.sample_rate_hz, text=row["text"], language="it")
        for sound, row in zip(sounds, rows, strict=True)
    ]


@pytest.fixture(scope="module")
def learner() -> SharedLearner:
    return SharedLearner(model_folder())


@pytest.fixture(scope="module")
def takes() -> list[EnrolmentTake]:
    return pieces("enrol", 5)


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    return MemoryStore()


def update(
    learner: SharedLearner, takes: list[EnrolmentTake], store: MemoryStore, *, theta: np.ndarray, dimension: int, steps: int = 1
) -> np.ndarray:
    told: list[float] = []
    found = learner.local_update(
        takes, theta=theta, dimension=dimension, settings=SharedTraining(steps=steps), checkpoint=store, progress=told.append
    )
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    return found


@pytest.mark.models
@pytest.mark.slow
def test_an_update_is_repeatable_inside_its_dimension_and_makes_her_recordings_likelier(
    learner: SharedLearner, takes: list[EnrolmentTake], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = np.zeros(60, np.float32)
    zero.flags.writeable = False  # as releases come from their store
    first = update(learner, takes, store, theta=zero, dimension=60, steps=4)
    assert first.dtype == np.float64
    assert first.shape == (60,)
    assert 0.1 < np.linalg.norm(first) < 4 * 3.0 * 1.5
    before = learner.evaluate(takes, theta=zero, checkpoint=store)
    after = learner.evaluate(takes, theta=first.astype(np.float32), checkpoint=store)
    assert 0 < after.reconstruction_error < before.reconstruction_error <= 1
    assert after.recordings == before.recordings > 2

    # what was prepared is taken from the sealed state by another process, not made again
    def never(*_: object, **__: object) -> None:
        raise AssertionError("prepared again")

    monkeypatch.setattr(training, "prepare", training.prepare)
    monkeypatch.setattr("hometone_client.sharedmodel.preparation.gather", never)
    learner.forget()
    np.testing.assert_array_equal(update(learner, takes, store, theta=zero, dimension=60, steps=4), first)
    other = SharedLearner(model_folder())
    np.testing.assert_allclose(update(other, takes, store, theta=zero, dimension=60, steps=4), first, rtol=1e-4, atol=1e-5)


@pytest.mark.models
@pytest.mark.slow
def test_coordinates_beyond_the_dimension_stay_as_released(learner: SharedLearner, takes: list[EnrolmentTake], store: MemoryStore) -> None:
    theta = np.zeros(80, np.float32)
    theta[70] = 1.5
    moved = update(learner, takes, store, theta=theta, dimension=30)
    plain = update(learner, takes, store, theta=theta[:30], dimension=30)
    assert moved.shape == plain.shape == (30,)
    assert not np.allclose(moved, plain)  # the release counts where it is not trained, too
    one_step = update(learner, takes, store, theta=theta[:30], dimension=50)
    np.testing.assert_allclose(one_step[:30] / np.linalg.norm(one_step[:30]), plain / np.linalg.norm(plain), atol=0.1)


@pytest.mark.models
@pytest.mark.slow
def test_the_simulation_trains_as_the_laptop_does(
    learner: SharedLearner, takes: list[EnrolmentTake], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import federated_utility

    settings = SharedTraining(steps=2)
    _, studied = learner.known(takes, checkpoint=store, told=quiet)
    found = federated_utility.together(learner, [studied, studied[:2]], np.zeros(40), settings)
    np.testing.assert_allclose(
        found[0], update(learner, takes, store, theta=np.zeros(40, np.float32), dimension=40, steps=2), rtol=1e-3, atol=1e-4
    )


@pytest.mark.models
@pytest.mark.slow
def test_a_release_leaves_the_voice_alike(learner: SharedLearner, takes: list[EnrolmentTake], store: MemoryStore) -> None:
    prepared, _ = learner.known(takes, checkpoint=store, told=quiet)
    theta = update(learner, takes, store, theta=np.zeros(60, np.float32), dimension=60, steps=4).astype(np.float32)
    base, released = (similarity(prepared, theta=t, models=model_folder(), most=1) for t in (np.zeros(1, np.float32), theta))
    assert 0.4 < base < 1
    assert released > base - 0.05


@pytest.mark.models
def test_recordings_without_words_teach_no_prosody(learner: SharedLearner) -> None:
    unknown = [
        EnrolmentTake(samples=take.samples, sample_rate_hz=take.sample_rate_hz, text=None, language="it") for take in pieces("enrol", 3)
    ]
    with pytest.raises(AudioError, match="words are known"):
        update(learner, unknown, MemoryStore(), theta=np.zeros(4, np.float32), dimension=4)


@pytest.mark.models
@pytest.mark.parametrize(
    ("theta", "dimension"), [(np.zeros(4, np.float32), 0), (np.zeros(4, np.float32), 10**6), (np.full(4, np.nan, np.float32), 4)]
)
def test_a_release_that_does_not_fit_is_refused(learner: SharedLearner, theta: np.ndarray, dimension: int) -> None:
    with pytest.raises(ModelError):
        update(learner, [], MemoryStore(), theta=theta, dimension=dimension)


@pytest.mark.models
def test_a_voice_speaks_with_the_release_that_it_carries() -> None:
    folder = ensure("kokoro-82m-v1.0")
    sessions = Sessions(model_folder())
    rng = np.random.default_rng(3)
    theta = (0.5 * rng.standard_normal(100)).astype(np.float32)

    def voice(shared: SharedRelease | None) -> VoiceParameters:
        return VoiceParameters(
            style=stock_style("af_heart", 80),
            base_sha256=sessions.base_sha256,
            recipe="stock-1",
            created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            shared=shared,
        )

    tokens = next(iter(sessions.frontend.utterances("The old clock has not worked since the winter.", language="en"))).tokens
    release = SharedRelease(number=1, basis_sha256=shared_basis().sha256, theta=theta)
    plain, shared = (sessions.runtime(voice(each)).prosody(tokens, stock_style("af_heart", 80)) for each in (None, release))
    assert sessions.runtime(voice(release)) is sessions.runtime(
        voice(SharedRelease(number=2, basis_sha256=release.basis_sha256, theta=theta))
    )
    assert plain.durations.tolist() != shared.durations.tolist() or not np.allclose(plain.f0_hz, shared.f0_hz)
    expected = shared_basis().replacements(theta, folder)
    assert expected
    with pytest.raises(ModelError, match="another version"):
        sessions.runtime(voice(SharedRelease(number=1, basis_sha256="0" * 64, theta=theta)))
