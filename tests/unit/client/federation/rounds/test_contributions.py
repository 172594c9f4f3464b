"""What a speaker gives, by purpose: bounded integers, and nothing else."""

from typing import Any

import numpy as np
import pytest

from hometone_client.federation.contribution import Figures, cells_of_speaker, clipped_contribution
from hometone_client.federation.participation import wipe
from hometone_client.federation.reply_slots import ReplySlots
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import ProtocolError
from hometone_shared.privacy.groups import CELLS, EVALUATION_DIMENSION, evaluation_vector, one_hot
from hometone_shared.records.plan import SCALE, RoundPurpose

World = Any


class Workshop:
    """Gives what the test says."""

    def __init__(self, vector: Any = None) -> None:
        self.vector = vector

    def update(self, room: SpeakerRoom, plan: Any) -> Any:
        return self.vector

    def figures(self, room: SpeakerRoom, plan: Any) -> Figures:
        return Figures(error_before=0.5, error_after=0.25, similarity=0.75)

    def forget(self) -> None:
        """Nothing to forget."""


@pytest.fixture
def room(world: World) -> Any:
    desk = world.desks[0]
    with SpeakerRoom(desk.vault.unlock_for_work(desk.vault.speakers()[0].speaker_id)) as opened:
        opened.keep_declaration(Declaration(age_band="80+", settlement="rural", gender="女", region="陕西"))
        yield opened


def test_a_long_update_is_cut_to_the_norm_and_a_short_one_is_not(world: World, room: SpeakerRoom) -> None:
    plan = world.coordinator.plan(clip_norm=2.0)
    long = clipped_contribution(room, plan, workshop=Workshop(np.full(12, 1e6)))
    assert SCALE**2 * 0.999 < (long.values.astype(object) ** 2).sum() <= SCALE**2
    short = clipped_contribution(room, plan, workshop=Workshop(np.full(12, 0.25)))
    assert short.values.tolist() == [2048] * 12  # 0.25 / 2 * 2^14


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_does_not_leave(world: World, room: SpeakerRoom, value: float) -> None:
    with pytest.raises(ProtocolError, match="not a number"):
        clipped_contribution(room, world.coordinator.plan(), workshop=Workshop(np.full(12, value)))


def test_the_clear_update_is_overwritten(world: World, room: SpeakerRoom) -> None:
    vector = np.full(12, 0.25)
    clipped_contribution(room, world.coordinator.plan(), workshop=Workshop(vector))
    assert not vector.any()


def test_balance_and_evaluation_come_from_what_she_declared(world: World, room: SpeakerRoom) -> None:
    cells = cells_of_speaker(room.declaration())
    assert cells[0] == "age:80+"
    assert cells[2] == "settlement:rural"
    plan = world.coordinator.plan(purpose=RoundPurpose.BALANCE, dimension=len(CELLS), clip_norm=2.0)
    assert clipped_contribution(room, plan, workshop=Workshop()).values.tolist() == (one_hot(cells) * SCALE / 2).astype(int).tolist()
    plan = world.coordinator.plan(purpose=RoundPurpose.EVALUATION, dimension=EVALUATION_DIMENSION, clip_norm=4.0)
    expected = evaluation_vector(cells=cells, error_before=0.5, error_after=0.25, similarity=0.75)
    assert clipped_contribution(room, plan, workshop=Workshop()).values.tolist() == (expected * SCALE / 4).astype(int).tolist()


def test_the_least_weight_of_her_groups_counts(world: World, room: SpeakerRoom) -> None:
    plan = world.coordinator.plan(clip_norm=2.0, weights_permille={"settlement:rural": 500, "age:80+": 250, "age:0-17": 1})
    assert clipped_contribution(room, plan, workshop=Workshop(np.full(12, 0.25))).values.tolist() == [512] * 12


def test_overwriting_leaves_views_of_other_memory_alone() -> None:
    own = np.arange(5)
    own.flags.writeable = False
    wipe(own)
    assert not own.any()
    wipe(np.frombuffer(b"1234", dtype=np.uint8))


@pytest.mark.parametrize(("slot_ms", "took_s", "leaves_s"), [(0, 3.3, 3.3), (250, 0.0, 0.25), (250, 0.2501, 0.5), (1000, 59.99, 60.0)])
def test_slots(slot_ms: int, took_s: float, leaves_s: float) -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds * 0.7 if seconds > 1e-3 else seconds  # wakes too early, as sleeping may

    began = now[0]
    now[0] += took_s
    ReplySlots(slot_ms, monotonic=lambda: now[0], sleep=sleep).wait(began)
    assert now[0] - began == pytest.approx(leaves_s, abs=1e-3)
