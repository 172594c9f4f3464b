"""One reminder: what is refused, in words; what is kept is what was entered."""

# ruff: noqa: DTZ001 - reminders are entered in the time of the wall clock

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.announcing.conftest import reminder

from hometone_client.announcing.reminder import GONE, Kind, Reminder, Repeat
from hometone_shared.errors import DamagedVaultError, UsageError


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kind": Kind.MEDICINE, "title": "药", "text": "史太太，请吃药。", "language": "en-GB", "audible_label": False, "twice": True},
        {"repeat": Repeat.WEEKDAYS, "weekdays": frozenset({0, 6}), "until": dt.date(2027, 1, 1), "on": False},
        {"repeat": Repeat.EVERY, "every_days": 366, "pause_s": 30, "gain_db": -20.0},
        {"repeat": Repeat.MONTHLY, "voice": GONE},
        {"repeat": Repeat.ONCE, "voice": "spk-abcdefghijklmnop", "until": dt.date(2026, 11, 24)},
    ],
)
def test_what_was_entered_comes_back(change: dict) -> None:
    entered = reminder(**change)
    assert Reminder.from_record(entered.to_record()) == entered


def test_every_reminder_has_a_number_of_its_own_and_shows_no_text() -> None:
    assert len({reminder().reminder_id for _ in range(20)}) == 20
    assert "Stein" not in repr(reminder())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": ""}, "a title has"),
        ({"title": "  "}, "a title has"),
        ({"title": "a\nb"}, "a title has"),
        ({"title": "x" * 101}, "a title has"),
        ({"text": " \n"}, "nothing to say"),
        ({"text": "x" * 2001}, "2001 characters"),
        ({"voice": "mei"}, "lent or stock"),
        ({"voice": "stock:"}, "lent or stock"),
        ({"voice": "stock:../x"}, "lent or stock"),
        ({"voice": "spk-abcdefghijklmnop\n"}, "lent or stock"),
        ({"first": dt.datetime(2026, 11, 24, 8, 0, 1)}, "begins at a date and time"),
        ({"first": dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)}, "begins at a date and time"),
        ({"first": dt.datetime(1999, 11, 24, 8, 0)}, "begins at a date and time"),
        ({"first": dt.datetime(2101, 1, 1, 8, 0)}, "begins at a date and time"),
        ({"until": dt.date(2026, 11, 23)}, "last day"),
        ({"repeat": Repeat.WEEKDAYS}, "days of the week"),
        ({"repeat": Repeat.DAILY, "weekdays": frozenset({1})}, "days of the week"),
        ({"repeat": Repeat.WEEKDAYS, "weekdays": frozenset({7})}, "days of the week"),
        ({"repeat": Repeat.EVERY, "every_days": 0}, "every 1 to 366"),
        ({"repeat": Repeat.EVERY, "every_days": 367}, "every 1 to 366"),
        ({"repeat": Repeat.EVERY, "every_days": True}, "every 1 to 366"),
        ({"repeat": Repeat.DAILY, "every_days": 2}, "every 1 to 366"),
        ({"language": "English"}, "not a language"),
        ({"gain_db": 6.1}, "volume"),
        ({"gain_db": float("nan")}, "volume"),
        ({"pause_s": 0}, "pause"),
        ({"pause_s": 1.5}, "pause"),
        ({"on": "yes"}, "on or off"),
        ({"reminder_id": "../../x"}, "no such number"),
    ],
)
def test_what_cannot_be_is_refused_in_words(change: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        reminder(**change)
    assert "Stein" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(record=JSON, name=st.sampled_from(sorted(reminder().to_record())), value=JSON)
def test_a_record_of_another_shape_is_damage(record: object, name: str, value: object) -> None:
    whole = reminder().to_record()
    for attempt in (record, {key: kept for key, kept in whole.items() if key != name}, whole | {"more": value}):
        with pytest.raises(DamagedVaultError):
            Reminder.from_record(attempt)
    try:
        read = Reminder.from_record(whole | {name: value})
    except DamagedVaultError:
        return
    assert Reminder.from_record(read.to_record()) == read
