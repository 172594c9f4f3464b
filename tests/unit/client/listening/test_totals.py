"""What may leave: a speaker's means over enough listeners, with both consents; and what goes when she takes it back."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.plans import a_plan
from tests.unit.client.listening.conftest import Hall

from hometone_client.federation.contribution import FIXED_DIMENSIONS, cells_of_speaker, clipped_contribution
from hometone_client.listening.clips import Role
from hometone_client.listening.ratings import Listener, Rating, keep_listener
from hometone_client.listening.totals import LEAST_LISTENERS, condition_of, listening_totals
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.reconciliation import reconcile
from hometone_client.withdrawal.withdrawing import withdraw
from hometone_shared.errors import ConsentError, UsageError
from hometone_shared.privacy.clipping import decode
from hometone_shared.privacy.listening import LISTENING_CLIP_NORM, LISTENING_DIMENSION, Condition, listening_vector
from hometone_shared.records.panel import Scale
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.records.receipt import Removed

PLAN = a_plan(purpose=RoundPurpose.LISTENING, dimension=LISTENING_DIMENSION, clip_norm=LISTENING_CLIP_NORM)


def judge(room: SpeakerRoom, *values: int, scale: Scale = Scale.NATURALNESS, role: Role = Role.SYNTHETIC, made: int = 10) -> None:
    for value in values:
        rating = Rating(scale=scale, role=role, language="zh", sentence=0, value=value)
        keep_listener(room.vault, Listener(panel=f"{made:016x}", made=made, headphones=True, knows=False, ratings=(rating,)))


@pytest.mark.parametrize(
    ("snr_db", "bandwidth_hz", "condition"),
    [(50, 7000, Condition.HEADSET), (25, 7000, Condition.QUIET_ROOM), (12, 7000, Condition.NOISY_ROOM), (50, 3900, Condition.NARROW_BAND)],
)
def test_how_she_was_recorded(snr_db: float, bandwidth_hz: float, condition: Condition) -> None:
    usual = {"snr_db": snr_db, "bandwidth_hz": bandwidth_hz}
    assert condition_of([usual, usual, {"snr_db": 30.0, "bandwidth_hz": 9000.0}, {}]) is condition
    with pytest.raises(UsageError, match="nothing was measured"):
        condition_of([{}, {"snr_db": None}])


def test_a_mean_needs_listeners_and_the_newest_panel_counts(hall: Hall) -> None:
    with hall.room(hall.enrol("mei")) as room:
        judge(room, 1, 1, 1, 1, 1, made=9)
        judge(room, 5, 5, 4)
        with pytest.raises(UsageError, match=f"fewer than {LEAST_LISTENERS}"):
            listening_totals(room)
        judge(room, 4)
        judge(room, 2, 2, 2, 2, scale=Scale.SIMILARITY, role=Role.REFERENCE)
        judge(room, 3, 3, scale=Scale.DIALECT)
        totals = listening_totals(room)
    assert totals.means == {Scale.NATURALNESS: 4.5}, "of her voice, by enough people"
    assert (totals.condition, totals.listeners) == (Condition.QUIET_ROOM, 10)


def test_her_contribution_is_her_means_and_needs_both_consents(hall: Hall) -> None:
    workshop: Any = SimpleNamespace()
    assert FIXED_DIMENSIONS[RoundPurpose.LISTENING] == LISTENING_DIMENSION
    with hall.room(hall.enrol("mei")) as room:
        judge(room, 4, 4, 5, 5)
        sent = clipped_contribution(room, PLAN, workshop=workshop)
        expected = listening_vector(
            cells=cells_of_speaker(room.declaration()), condition=Condition.QUIET_ROOM, means={Scale.NATURALNESS: 4.5}
        )
        assert np.allclose(decode(sent.values, clip_norm=LISTENING_CLIP_NORM), expected, atol=LISTENING_CLIP_NORM / 2**14)
        room.withdraw_consent(Purpose.LISTENING)
        with pytest.raises(ConsentError, match="listening-test"):
            clipped_contribution(room, PLAN, workshop=workshop)


def test_a_consent_keeps_the_work_slot_and_its_end_removes_everything(hall: Hall) -> None:
    speaker = hall.enrol("mei")
    with hall.room(speaker) as room:
        judge(room, 4, 4, 5, 5)
        assert room.needs_unattended_work
        clips = len(room.vault.list("listening-clip"))
        done = withdraw(hall.home, hall.vault, speaker, room=room, scope=frozenset({Purpose.LISTENING}))
        assert not room.vault.list("listening-clip")
        assert not room.vault.list("listening-rating")
        assert room.consent(Purpose.LISTENING) is None
        assert room.consent() is not None, "her voice stays"
        assert not room.needs_unattended_work
    assert done.removal.removed[Removed.RECORDS] == clips + 4 + 1
    # From a backup, say: it goes again at the next opening.
    with hall.room(speaker) as room:
        room.keep_consent(give_consent(locale="en", now=dt.datetime.now(dt.UTC), purpose=Purpose.LISTENING))
        judge(room, 3)
    reconcile(hall.home, hall.vault)
    with hall.room(speaker) as room:
        assert room.consent(Purpose.LISTENING) is None
        assert not room.vault.list("listening-rating")
