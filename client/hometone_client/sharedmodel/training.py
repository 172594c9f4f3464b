"""One speaker's contribution to the shared model, before it is clipped and noised, and how well a release reads for her.

1. Recordings become readings (`preparation`), readings are studied (`heads.study`); both are kept for the next call in this process.
2. A few steps of gradient descent inside the first d coordinates, from the release. Opacus bounds every recording's part in every step
   (`DPOptimizer`: gradients of single recordings, clipped to `recording_clip`, averaged). Its noise stays off: the noise that protects a
   speaker is the round's (docs/protocol.md, section 4), and it comes from the operating system.
3. The change of the d coordinates is the update. Whoever calls clips it, whatever it is.

Takes that were held out must not be among the pieces: what hands them over knows which those are. Nothing here is random.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from opacus.optimizers import DPOptimizer
from torch import Tensor

from hometone_client.adaptation.checkpoint import CheckpointStore
from hometone_client.adaptation.enrolment import EnrolmentTake
from hometone_client.base.parameters import base_hash
from hometone_client.models.catalogue import BASE, ensure
from hometone_client.sharedmodel.basis import Basis, Floats, shared_basis
from hometone_client.sharedmodel.errors import errors_of, goal_of
from hometone_client.sharedmodel.heads import Batch, Coordinates, ProsodyHeads, Studied, batch_of, study
from hometone_client.sharedmodel.preparation import Prepared, name_of, prepare
from hometone_client.torchbase.loading import load_torch_base
from hometone_shared.errors import AudioError, ModelError

_AT_ONCE = 8
_KEPT_SPEAKERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTraining:
    """How a speaker trains; the same for everybody in a round.

    Attributes:
        steps: Of gradient descent.
        learning_rate: In the basis' own units, in which curvature along the principal directions is about one.
        recording_clip: The most that one recording's gradient may be, Euclidean norm.
    """

    steps: int = 1
    learning_rate: float = 3.0
    recording_clip: float = 1.5


@dataclass(frozen=True, slots=True)
class SharedError:
    """How far the prosody that a release predicts is from recordings.

    Attributes:
        duration: Robust root mean square error of logarithms of durations, pace taken out.
        f0: The same of F0 in octaves, median and range taken out.
        reconstruction_error: Both in one number between 0 and 1: root of the mean of the squares of `duration` and twice `f0`, at most 1.
        recordings: How many were compared.
    """

    duration: float
    f0: float
    reconstruction_error: float
    recordings: int


def descend(
    gradients: Callable[[Tensor], Tensor], *, theta: Tensor, settings: SharedTraining, recordings: int, told: Callable[[float], None]
) -> Tensor:
    """(2) A few bounded steps.

    Args:
        gradients: theta [d] -> gradient of every recording, [recordings, d].
        theta: Where to start, [d].
        settings: Steps and bounds.
        recordings: How many there are: the mean is over all of them.
        told: Called with the fraction done.

    Returns:
        theta after the steps, [d].
    """
    point = torch.nn.Parameter(theta.clone())
    optimizer = DPOptimizer(
        torch.optim.SGD([point], lr=settings.learning_rate),
        noise_multiplier=0.0,
        max_grad_norm=settings.recording_clip,
        expected_batch_size=recordings,
        loss_reduction="mean",
    )
    for step in range(settings.steps):
        optimizer.zero_grad()
        point.grad_sample = gradients(point.detach())  # type: ignore[attr-defined]  # what Opacus's optimizer reads
        optimizer.step()
        told((step + 1) / settings.steps)
    return point.detach()


class SharedLearner:
    """Trains and judges the shared model for the speakers of this laptop; keeps what was prepared until it is told to forget."""

    def __init__(self, models: Path, *, threads: int | None = None, basis: Basis | None = None) -> None:
        """Load the language part of the base.

        Args:
            models: The model folder.
            threads: For torch and onnxruntime; theirs by default.
            basis: The public basis; this version's by default.

        Raises:
            ModelError: Public weights are missing.
        """
        if threads:
            torch.set_num_threads(threads)
        self._models, self._threads = models, threads
        self.folder = ensure(BASE, folder=models)
        self.basis = basis or shared_basis()
        self.heads = ProsodyHeads(self.folder, self.basis.left, self.basis.right)
        self.coordinates = Coordinates(self.basis)
        self.language = load_torch_base(self.folder).language
        self._known: OrderedDict[str, tuple[Prepared, list[Studied]]] = OrderedDict()

    def local_update(
        self,
        pieces: Sequence[EnrolmentTake],
        *,
        theta: Floats,
        dimension: int,
        settings: SharedTraining,
        checkpoint: CheckpointStore,
        progress: Callable[[float], None],
    ) -> NDArray[np.float64]:
        """The change of the first `dimension` coordinates that recordings ask for.

        Args:
            pieces: The speaker's recordings that may be learnt from; held-out takes are not among them.
            theta: float32, the release's coordinates.
            dimension: d of the round.
            settings: How to train.
            checkpoint: Seals what is prepared.
            progress: Called with the fraction done.

        Returns:
            float64 [dimension], finite, not clipped.

        Raises:
            AudioError: There is too little speech, or none whose words are known.
            ModelError: Weights are missing, or release and basis do not fit.
        """
        self._check(theta, dimension)
        _, studied = self.known(pieces, checkpoint=checkpoint, told=lambda done: progress(0.8 * done))
        start = np.zeros(max(dimension, theta.size), dtype=np.float32)
        start[: theta.size] = theta
        first, beyond = torch.from_numpy(start[:dimension]), torch.from_numpy(start[dimension:])
        batches = [batch_of(studied[k : k + _AT_ONCE]) for k in range(0, len(studied), _AT_ONCE)]
        found = descend(
            lambda point: torch.cat([self.gradients(batch, point, beyond) for batch in batches]),
            theta=first,
            settings=settings,
            recordings=len(studied),
            told=lambda done: progress(0.8 + 0.2 * done),
        )
        update = (found - first).numpy().astype(np.float64)
        if not np.isfinite(update).all():
            raise ModelError("training the shared model went wrong: its change is not a number")
        return update

    def gradients(self, batch: Batch, first: Tensor, beyond: Tensor) -> Tensor:
        """Gradient of every recording's own loss with respect to the first coordinates.

        Args:
            batch: B recordings.
            first: [d], or [B, d] where each recording has its own.
            beyond: Further coordinates of the release that stay.

        Returns:
            [B, d].
        """
        count = len(batch.studied)
        each = first.expand(count, -1).clone().requires_grad_()
        raw = self.coordinates(torch.cat([each, beyond.expand(count, -1)], dim=1))
        loss = errors_of(self.heads.predict(batch, raw), goal_of(batch)).loss
        return torch.autograd.grad(loss.sum(), each)[0]

    def evaluate(self, pieces: Sequence[EnrolmentTake], *, theta: Floats, checkpoint: CheckpointStore) -> SharedError:
        """How far a release is from recordings: on takes that were held out of every training.

        Raises:
            AudioError: There is too little speech, or none whose words are known.
            ModelError: Weights are missing, or release and basis do not fit.
        """
        self._check(theta, 1)
        _, studied = self.known(pieces, checkpoint=checkpoint, told=lambda _: None)
        return self.error_of(studied, theta)

    def error_of(self, studied: Sequence[Studied], theta: Floats) -> SharedError:
        """Error over studied recordings, each weighing the same."""
        durations, curves = [], []
        row = torch.from_numpy(np.array(theta, dtype=np.float32))[None]
        with torch.no_grad():
            for start in range(0, len(studied), _AT_ONCE):
                batch = batch_of(studied[start : start + _AT_ONCE])
                raw = self.coordinates(row).expand(len(batch.studied), -1)
                found = errors_of(self.heads.predict(batch, raw), goal_of(batch))
                durations.append(found.duration)
                curves.append(found.f0)
        duration, f0 = (float(torch.cat(x).mean().sqrt()) for x in (durations, curves))
        return SharedError(duration, f0, min(1.0, float(np.sqrt((duration**2 + (2 * f0) ** 2) / 2))), len(studied))

    def known(
        self, pieces: Sequence[EnrolmentTake], *, checkpoint: CheckpointStore, told: Callable[[float], None]
    ) -> tuple[Prepared, list[Studied]]:
        """(1) A speaker's recordings, prepared and studied.

        Raises:
            AudioError: There is too little speech, or none whose words are known.
        """
        name = name_of(pieces, base_hash(self.folder))
        if name not in self._known:
            prepared = prepare(pieces, models=self._models, checkpoint=checkpoint, told=told, threads=self._threads)
            if not prepared.readings:
                raise AudioError("the shared model learns from recordings whose words are known", hint="record the sentences of a campaign")
            self._known[name] = (prepared, study(prepared.readings, self.language, self.heads))
            while len(self._known) > _KEPT_SPEAKERS:
                self._known.popitem(last=False)
        return self._known[name]

    def forget(self) -> None:
        """Drop everything that was prepared: whoever withdraws consent or locks a speaker calls this."""
        self._known.clear()

    def _check(self, theta: Floats, dimension: int) -> None:
        longest = max(theta.size, dimension)
        if theta.ndim != 1 or dimension < 1 or longest > self.basis.dimension or not np.isfinite(theta).all():
            raise ModelError("the shared model does not fit this version of Hometone", hint="update Hometone on this computer")
