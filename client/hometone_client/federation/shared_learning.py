"""The workshop of real rounds: recordings out of the vault, the shared model's training and judgement on them, numbers back.

Torch is loaded when the first round needs it, and what was prepared of anybody is dropped when the round ends; the vault keeps it sealed.
What it may see: one speaker's recordings at a time. What it must never do: write any of it but through her own sealed checkpoint, or learn
from a recording that was kept for judging.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hometone_client.federation.contribution import Figures
from hometone_client.federation.willing import EVALUATION, TRAINING
from hometone_client.jobs.making import enrolment
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import AudioError
from hometone_shared.records.plan import RoundPlan

if TYPE_CHECKING:
    from hometone_client.sharedmodel.training import SharedLearner

Coordinates = Callable[[int], NDArray[np.float32]]
"""Number of a release that is held here -> its vector."""


class SharedWorkshop:
    """Makes contributions to the shared model of Hometone."""

    def __init__(self, *, models: Path, coordinates: Coordinates, progress: Callable[[float], None] = lambda _: None) -> None:
        """Prepare; nothing is loaded yet.

        Args:
            models: The model folder.
            coordinates: Gives the vectors of releases.
            progress: Called with the fraction done of one speaker's training.
        """
        self._models = models
        self._coordinates = coordinates
        self._progress = progress
        self._learner: SharedLearner | None = None

    def update(self, room: SpeakerRoom, plan: RoundPlan) -> NDArray[np.float64]:
        """How the release's coordinates would have to change for her: float64 [d].

        Raises:
            AudioError: There is too little speech whose words are known.
            ModelError: Weights are missing, or release and basis do not fit.
        """
        from hometone_client.sharedmodel.training import SharedTraining

        return self._loaded().local_update(
            enrolment(room),
            theta=self._coordinates(plan.release),
            dimension=plan.dimension,
            settings=SharedTraining(),
            checkpoint=room.checkpoint(TRAINING),
            progress=self._progress,
        )

    def figures(self, room: SpeakerRoom, plan: RoundPlan) -> Figures:
        """How well the release and the one before it do for her, on recordings that were held out.

        Raises:
            AudioError: None were held out, or their words are not known.
            ModelError: Weights are missing, or release and basis do not fit.
        """
        from hometone_client.sharedmodel.likeness import similarity

        pieces = enrolment(room, held_out=True)
        if not pieces:
            raise AudioError("no recordings were kept for judging", hint="add some: hometone take add NAME FILE --held-out")
        learner, checkpoint, theta = self._loaded(), room.checkpoint(EVALUATION), self._coordinates(plan.release)
        prepared, _ = learner.known(pieces, checkpoint=checkpoint, told=self._progress)
        before = learner.evaluate(pieces, theta=self._coordinates(plan.release_before), checkpoint=checkpoint)
        after = learner.evaluate(pieces, theta=theta, checkpoint=checkpoint)
        return Figures(
            error_before=before.reconstruction_error,
            error_after=after.reconstruction_error,
            similarity=max(0.0, similarity(prepared, theta=theta, models=self._models)),
        )

    def forget(self) -> None:
        """Drop everything that was kept of anybody."""
        if self._learner is not None:
            self._learner.forget()

    def _loaded(self) -> "SharedLearner":
        if self._learner is None:
            from hometone_client.sharedmodel.training import SharedLearner

            self._learner = SharedLearner(self._models)
        return self._learner
