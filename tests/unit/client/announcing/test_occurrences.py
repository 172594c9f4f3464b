"""When a reminder is due: the wall clock decides, also on the nights on which it is changed."""

# ruff: noqa: DTZ001 - reminders are entered in the time of the wall clock

import datetime as dt
import time
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.client.announcing.conftest import BERLIN, reminder

from hometone_client.announcing.occurrences import next_occurrence, occurrences
from hometone_client.announcing.reminder import Repeat

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def walls(each, start: str, end: str, zone=BERLIN) -> list[str]:
    after, until = (dt.datetime.fromisoformat(text).replace(tzinfo=zone) for text in (start, end))
    found = occurrences(each, after=after, until=until, zone=zone)
    assert all(moment.tzinfo is dt.UTC for moment in found)
    return [f"{moment.astimezone(zone):%a %m-%d %H:%M}" for moment in found]


def test_once_is_once() -> None:
    once = reminder(repeat=Repeat.ONCE)
    assert walls(once, "2026-01-01", "2030-01-01") == ["Tue 11-24 08:00"]
    assert walls(once, "2026-11-24T08:00", "2030-01-01") == []
    assert walls(once, "2026-01-01", "2026-11-24T08:00") == ["Tue 11-24 08:00"]


def test_every_day_every_other_day_and_chosen_days() -> None:
    assert walls(reminder(), "2026-11-23", "2026-11-26T12:00") == ["Tue 11-24 08:00", "Wed 11-25 08:00", "Thu 11-26 08:00"]
    other = reminder(repeat=Repeat.EVERY, every_days=2)
    assert walls(other, "2026-11-23", "2026-11-29") == ["Tue 11-24 08:00", "Thu 11-26 08:00", "Sat 11-28 08:00"]
    chosen = reminder(repeat=Repeat.WEEKDAYS, weekdays=frozenset({0, 3}))
    assert walls(chosen, "2026-11-01", "2026-12-04") == ["Thu 11-26 08:00", "Mon 11-30 08:00", "Thu 12-03 08:00"]


def test_the_31st_of_a_shorter_month_is_its_last_day() -> None:
    monthly = reminder(repeat=Repeat.MONTHLY, first=dt.datetime(2027, 1, 31, 9, 0))
    assert walls(monthly, "2027-01-01", "2027-06-01") == [
        "Sun 01-31 09:00",
        "Sun 02-28 09:00",
        "Wed 03-31 09:00",
        "Fri 04-30 09:00",
        "Mon 05-31 09:00",
    ]
    assert walls(reminder(repeat=Repeat.MONTHLY, first=dt.datetime(2027, 1, 15, 9, 0)), "2035-02-01", "2035-04-01") == [
        "Thu 02-15 09:00",
        "Thu 03-15 09:00",
    ]


def test_until_counts_its_own_day() -> None:
    each = reminder(until=dt.date(2026, 11, 25))
    assert walls(each, "2026-11-01", "2027-01-01") == ["Tue 11-24 08:00", "Wed 11-25 08:00"]
    assert next_occurrence(each, after=dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC), zone=BERLIN) is None


def test_eight_stays_eight_when_the_clocks_change() -> None:
    each = reminder(first=dt.datetime(2026, 10, 1, 8, 0))
    assert walls(each, "2026-10-24", "2026-10-27") == ["Sat 10-24 08:00", "Sun 10-25 08:00", "Mon 10-26 08:00"]
    moments = occurrences(each, after=dt.datetime(2026, 10, 24, tzinfo=dt.UTC), until=dt.datetime(2026, 10, 26, tzinfo=dt.UTC), zone=BERLIN)
    assert [moment.hour for moment in moments] == [6, 7]


def test_a_time_that_is_skipped_sounds_an_hour_later_by_the_clock_and_one_that_comes_twice_sounds_once() -> None:
    night = reminder(first=dt.datetime(2026, 3, 1, 2, 30))
    assert walls(night, "2026-03-28T12:00", "2026-03-30T12:00") == ["Sun 03-29 03:30", "Mon 03-30 02:30"]
    autumn = occurrences(
        reminder(first=dt.datetime(2026, 10, 1, 2, 30)),
        after=dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC),
        until=dt.datetime(2026, 10, 25, 12, tzinfo=dt.UTC),
        zone=BERLIN,
    )
    assert autumn == (dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC),)  # the first of the two


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has one time zone for all programs")
def test_without_a_zone_the_operating_system_says_where_the_computer_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    each = reminder(first=dt.datetime(2026, 10, 1, 8, 0))
    window = {"after": dt.datetime(2026, 10, 24, tzinfo=dt.UTC), "until": dt.datetime(2026, 11, 2, tzinfo=dt.UTC)}
    try:
        for name, zone in (("Europe/Berlin", BERLIN), ("America/New_York", NEW_YORK), ("Asia/Shanghai", SHANGHAI)):
            monkeypatch.setenv("TZ", name)
            time.tzset()
            assert occurrences(each, **window) == occurrences(each, **window, zone=zone)
    finally:
        monkeypatch.undo()
        time.tzset()


@st.composite
def reminders(draw: st.DrawFn):
    repeat = draw(st.sampled_from([each for each in Repeat if each is not Repeat.ONCE]))
    return reminder(
        first=draw(st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 12, 31))).replace(second=0, microsecond=0),
        repeat=repeat,
        weekdays=draw(st.frozensets(st.integers(0, 6), min_size=1)) if repeat is Repeat.WEEKDAYS else frozenset(),
        every_days=draw(st.integers(1, 366)) if repeat is Repeat.EVERY else 1,
    )


@settings(deadline=None)
@given(each=reminders(), zone=st.sampled_from([BERLIN, SHANGHAI, NEW_YORK]), days=st.integers(0, 2000), span=st.integers(1, 70))
def test_the_short_cut_gives_what_counting_from_the_first_day_gives(each, zone: ZoneInfo, days: int, span: int) -> None:
    after = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(days=days)
    until = after + dt.timedelta(days=span)
    how = {
        Repeat.DAILY: {"freq": rrule.DAILY},
        Repeat.EVERY: {"freq": rrule.DAILY, "interval": each.every_days},
        Repeat.WEEKDAYS: {"freq": rrule.WEEKLY, "byweekday": sorted(each.weekdays)},
    }
    if each.repeat is Repeat.MONTHLY:
        counted = []
        for month in range(200):
            year, index = divmod(each.first.year * 12 + each.first.month - 1 + month, 12)
            last = ((dt.date(year, index + 1, 28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)).day
            counted.append(each.first.replace(year=year, month=index + 1, day=min(each.first.day, last)))
    else:
        counted = rrule.rrule(dtstart=each.first, until=until.replace(tzinfo=None) + dt.timedelta(days=2), **how[each.repeat])
    moments = [wall.replace(tzinfo=zone).astimezone(dt.UTC) for wall in counted]
    expected = tuple(moment for moment in moments if after < moment <= until)
    assert occurrences(each, after=after, until=until, zone=zone) == expected
    if expected:
        assert next_occurrence(each, after=after, zone=zone) == expected[0]
