"""The real workshop on real recordings in a real vault: numbers come out; recordings that judge are never learnt from."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hometone_client.audio import decode
from hometone_client.federation.shared_learning import SharedWorkshop
from hometone_client.federation.willing import EVALUATION, TRAINING
from hometone_client.models import model_folder
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import AudioError

World = Any
SAMPLE = Path(__file__).parents[5] / "sample" / "carlo"


@pytest.fixture
def carlo(world: World) -> Any:
    desk = world.desks[0]
    with (SAMPLE / "takes.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "enrol"][:5]
    with SpeakerRoom(desk.vault.enroll("carlo", "1234")) as room:
        for number, row in enumerate(rows):
            sound = decode(SAMPLE / row["file"])
            passages = ((0.0, sound.duration_s, row["text"]),)
            room.add_take(sound, text=row["text"], language="it", speech_s=3.0, quality={}, passages=passages, held_out=number >= 3)
        yield room


def test_without_recordings_for_judging_there_are_no_figures(world: World) -> None:
    desk = world.desks[0]
    workshop = SharedWorkshop(models=Path("nowhere"), coordinates=lambda _: np.zeros(8, dtype=np.float32))
    unlocked = desk.vault.unlock_for_work(desk.vault.speakers()[0].speaker_id)
    with SpeakerRoom(unlocked) as room, pytest.raises(AudioError, match="judging"):
        workshop.figures(room, world.coordinator.plan())
    workshop.forget()


@pytest.mark.models
@pytest.mark.slow
def test_an_update_and_figures_of_a_real_speaker(world: World, carlo: SpeakerRoom) -> None:
    asked: list[int] = []

    def coordinates(number: int) -> Any:
        asked.append(number)
        return np.zeros(8, dtype=np.float32)

    told: list[float] = []
    workshop = SharedWorkshop(models=model_folder(), coordinates=coordinates, progress=told.append)
    plan = world.coordinator.plan(dimension=24)
    update = workshop.update(carlo, plan)
    assert (update.shape, update.dtype) == ((24,), np.float64)
    assert np.isfinite(update).all()
    assert update.any()
    assert told[-1] == pytest.approx(1.0)
    assert carlo.vault.has("checkpoint", TRAINING)
    assert not carlo.vault.has("checkpoint", EVALUATION)
    assert asked == [0]
    figures = workshop.figures(carlo, replace(plan, release=2))
    assert asked == [0, 2, 1], "the newest release is compared with the one before it, not with the base"
    assert 0.0 < figures.error_before <= 1.0
    assert figures.error_after == pytest.approx(figures.error_before), "both are zeros here"
    assert 0.3 < figures.similarity <= 1.0
    assert carlo.vault.has("checkpoint", EVALUATION)
    workshop.forget()
    again = workshop.update(carlo, plan)
    np.testing.assert_allclose(again, update, rtol=1e-5, atol=1e-7)
