"""What one speaker gives to one round, by the purpose of its plan, clipped and in integers (docs/protocol.md, section 4).

* `model`: how the coordinates of the shared model would have to change for her recordings;
* `balance`: a one in each of the four cells of what she declared;
* `evaluation`: the same with how well the plan's release and the one before it read for her;
* `listening`: the same, and how she was recorded, with what listeners gave her voice, if she has agreed to listening tests, too.

What it may see: one speaker's unlocked things. What it must never do: let anything out but a `ClippedUpdate`. Recordings stay in the
workshop.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from hometone_client.listening.totals import listening_totals
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.privacy.clipping import encode
from hometone_shared.privacy.groups import CELLS, EVALUATION_DIMENSION, cells_of, evaluation_vector, one_hot, weight_of
from hometone_shared.privacy.listening import LISTENING_DIMENSION, listening_vector
from hometone_shared.records.plan import RoundPlan, RoundPurpose
from hometone_shared.updates import ClippedUpdate

FIXED_DIMENSIONS: Final = {
    RoundPurpose.BALANCE: len(CELLS),
    RoundPurpose.EVALUATION: EVALUATION_DIMENSION,
    RoundPurpose.LISTENING: LISTENING_DIMENSION,
}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well the shared model does for one speaker, on recordings that nothing was learnt from.

    Attributes:
        error_before: With the release before the plan's, 0 to 1.
        error_after: With the plan's release, 0 to 1.
        similarity: Of what the release speaks to her recordings, 0 to 1.
    """

    error_before: float
    error_after: float
    similarity: float


class Workshop(Protocol):
    """Makes numbers out of recordings; the only place of a round that hears any.

    Raises:
        HometoneError: From `update` and `figures`: this speaker has nothing to give, and why.
    """

    def update(self, room: SpeakerRoom, plan: RoundPlan) -> NDArray[np.float64]:
        """How the release's coordinates would have to change for her: float64 [d], not clipped."""
        ...

    def figures(self, room: SpeakerRoom, plan: RoundPlan) -> Figures:
        """How well the release does for her."""
        ...

    def forget(self) -> None:
        """Drop everything that was kept of anybody."""
        ...


def cells_of_speaker(declaration: Declaration) -> tuple[str, ...]:
    """The four cells of what she declared."""
    return cells_of(age_band=declaration.age_band, gender=declaration.gender, settlement=declaration.settlement, region=declaration.region)


def clipped_contribution(room: SpeakerRoom, plan: RoundPlan, *, workshop: Workshop, now: Callable[[], dt.datetime] = _now) -> ClippedUpdate:
    """One speaker's contribution to a plan that was checked.

    Args:
        room: Her things, unlocked.
        plan: The plan.
        workshop: Hears her recordings, where the purpose needs it.
        now: Gives the time.

    Raises:
        HometoneError: She has nothing to give, and why.
    """
    cells = cells_of_speaker(room.declaration())
    if plan.purpose is RoundPurpose.MODEL:
        vector = workshop.update(room, plan)
    elif plan.purpose is RoundPurpose.BALANCE:
        vector = one_hot(cells)
    elif plan.purpose is RoundPurpose.LISTENING:
        room.require(Purpose.LISTENING, now=now())
        totals = listening_totals(room)
        vector = listening_vector(cells=cells, condition=totals.condition, means=totals.means)
    else:
        figures = workshop.figures(room, plan)
        vector = evaluation_vector(
            cells=cells, error_before=figures.error_before, error_after=figures.error_after, similarity=figures.similarity
        )
    try:
        return encode(vector, clip_norm=plan.clip_norm, weight_permille=weight_of(cells, plan.weights_permille))
    finally:
        vector.fill(0.0)
