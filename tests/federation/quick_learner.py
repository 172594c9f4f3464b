"""The real `hometone` command, but for one thing: what recordings ask of the shared model follows a small rule and is not learnt.

    python quick_learner.py --home HOME node

Rounds of the purpose `model` then need no weights of the base voice. All that a round checks, pays, noises and sends is the command's own.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from hometone_client.federation import node
from hometone_client.federation.contribution import Figures
from hometone_client.federation.shared_learning import Coordinates
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.records.plan import RoundPlan


class QuickWorkshop:
    """Everybody wishes for a point of her own, and moves half of the way to it."""

    def __init__(self, *, models: Path, coordinates: Coordinates, **_: Any) -> None:
        self._coordinates = coordinates

    def update(self, room: SpeakerRoom, plan: RoundPlan) -> np.ndarray:
        held = self._coordinates(plan.release)
        theta = np.zeros(plan.dimension)
        theta[: held.size] = held[: plan.dimension]
        wished = np.random.default_rng(list(room.name.encode())).standard_normal(plan.dimension)
        return (wished - theta) / 2

    def figures(self, room: SpeakerRoom, plan: RoundPlan) -> Figures:
        return Figures(error_before=0.5, error_after=0.5, similarity=0.5)

    def forget(self) -> None:
        pass


if __name__ == "__main__":
    node.SharedWorkshop = QuickWorkshop  # type: ignore[misc, assignment]
    from hometone_client.cli.entrance import run

    sys.exit(run(sys.argv[1:]))
