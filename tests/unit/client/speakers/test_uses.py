"""The account of what a voice was used for: when and how, never what was said."""

import datetime as dt
import json
from importlib import resources

import pytest
from tests import plans

from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.speakers import uses as uses_module
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import KIND, LENT_KIND, Use, Way, note_speaking
from hometone_shared.errors import DamagedVaultError

MORNING = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)


def test_speaking_is_counted_by_day_and_way(room: SpeakerRoom) -> None:
    for minutes in range(5):
        room.note_speaking(Way.SERVE, now=MORNING + dt.timedelta(minutes=minutes))
    room.note_speaking(Way.SAY, now=MORNING)
    room.note_speaking(Way.SERVE, now=MORNING + dt.timedelta(days=1))
    assert room.uses() == (
        Use(way=Way.SAY, first=MORNING, last=MORNING),
        Use(way=Way.SERVE, first=MORNING, last=MORNING + dt.timedelta(minutes=4), count=5),
        Use(way=Way.SERVE, first=MORNING + dt.timedelta(days=1), last=MORNING + dt.timedelta(days=1)),
    )
    assert len(room.vault.list(KIND)) == 3, "a program that speaks all day fills no vault"


def test_two_processes_lose_no_use(room: SpeakerRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.note_speaking(Way.SERVE, now=MORNING)
    monkeypatch.setattr(uses_module, "_PROCESS", "other")
    room.note_speaking(Way.SERVE, now=MORNING - dt.timedelta(hours=1))
    (use,) = room.uses()
    assert (use.count, use.first, use.last) == (2, MORNING - dt.timedelta(hours=1), MORNING)


def test_times_are_those_of_the_clock_wherever_it_is(room: SpeakerRoom) -> None:
    room.note_speaking(Way.SAY, now=dt.datetime(2026, 3, 2, 1, 0, tzinfo=dt.timezone(dt.timedelta(hours=8))))
    assert room.uses()[0].first == dt.datetime(2026, 3, 1, 17, 0, tzinfo=dt.UTC)


def test_lent_copies_and_rounds_are_in_the_account(room: SpeakerRoom) -> None:
    issued = int(MORNING.timestamp())
    room.vault.put_json("ab" * 16, {"issued": issued, "ends": issued + 86_400, "label": "Sunrise home"}, kind=LENT_KIND)
    ledger = PrivacyLedger(room.vault, clock=lambda: issued + 60)
    ledger.set_budget(8.0)
    plan = plans.a_plan()
    ledger.reserve(plan, digest="ab" * 32)
    assert [use.way for use in room.uses()] == [Way.LENT], "what is only set aside was not used"
    ledger.spend("ab" * 32)
    lent, taken = room.uses()
    assert (lent.way, lent.about, lent.last) == (Way.LENT, "Sunrise home", MORNING + dt.timedelta(days=1))
    assert taken.way is Way.ROUND
    assert plan.purpose.value in taken.about


@pytest.mark.parametrize(
    "record",
    [
        {},
        [],
        {"way": "sung", "first": "2026-03-01T00:00:00+00:00", "last": "2026-03-01T00:00:00+00:00", "count": 1},
        {"way": "say", "first": "2026-03-01T00:00:00", "last": "2026-03-01T00:00:00", "count": 1},
    ],
)
def test_damage_is_told(room: SpeakerRoom, record: object) -> None:
    room.vault.put_json("x", record, kind=KIND)
    with pytest.raises(DamagedVaultError):
        room.uses()


def test_a_damaged_count_is_not_silently_begun_anew(room: SpeakerRoom) -> None:
    room.note_speaking(Way.SAY, now=MORNING)
    (entry,) = room.vault.list(KIND)
    record = room.vault.read_json(entry.name, kind=KIND)
    room.vault.put_json(entry.name, record | {"way": "serve"}, kind=KIND)
    with pytest.raises(DamagedVaultError):
        note_speaking(room.vault, Way.SAY, now=MORNING)


def test_a_use_as_json_says_no_words() -> None:
    use = Use(way=Way.SAY, first=MORNING, last=MORNING)
    assert use.to_record() == {
        "way": "say",
        "first": "2026-03-01T09:30:00+00:00",
        "last": "2026-03-01T09:30:00+00:00",
        "count": 1,
        "about": "",
    }


@pytest.mark.parametrize("way", list(Way))
def test_each_way_of_use_has_words_in_both_languages(way: Way) -> None:
    words = json.loads(resources.files("hometone_client.cli").joinpath("data", "messages.json").read_text(encoding="utf-8"))
    assert all("{count}" in words[f"use-{way}"][language] for language in ("en", "zh"))
