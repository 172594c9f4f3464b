"""Announcements at their time: each is heard once, or said to be missed, whatever clock, disk, voice and loudspeaker do."""

# ruff: noqa: DTZ001 - reminders are entered in the time of the wall clock

import datetime as dt
import threading

import pytest
from tests.unit.client.announcing.conftest import BERLIN, EIGHT, MINUTE, START, House, reminder
from tests.unit.client.lending.conftest import open_vault

from hometone_client.announcing.announcer import rehearse
from hometone_client.announcing.book import Outcome, ReminderBook, missed_since
from hometone_client.announcing.reminder import Repeat
from hometone_shared.errors import AudioError, ConsentError, ModelError, StorageError, TextError, UsageError

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def test_it_is_made_a_minute_before_and_played_at_the_time_once(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT - 2 * MINUTE)
    assert house.made == []
    house.run(announcer, until=EIGHT - MINUTE / 2)
    assert (house.made, house.played) == (["tablets"], [])
    house.run(announcer, until=EIGHT + HOUR)
    ((title, at),) = house.played
    assert title == "tablets"
    assert EIGHT <= at < EIGHT + dt.timedelta(seconds=0.1)
    assert house.made == ["tablets"]
    assert house.outcomes == [(EIGHT, Outcome.PLAYED)]
    assert [entry.outcome for entry in house.told] == [Outcome.PLAYED]
    assert missed_since(house.book, START, now=house.now, zone=BERLIN) == ()


def test_it_comes_again_the_next_day_and_a_new_program_knows_what_was_played(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    house.run(house.announcer(), until=EIGHT + MINUTE)
    house.run(house.announcer(), until=EIGHT + 2 * MINUTE)
    house.now = EIGHT + DAY - MINUTE / 2
    house.run(house.announcer(), until=EIGHT + DAY + MINUTE)
    assert [at.date() for _, at in house.played] == [EIGHT.date(), (EIGHT + DAY).date()]
    assert [outcome for _, outcome in house.outcomes] == [Outcome.PLAYED] * 2


def test_two_at_one_time_play_one_after_the_other_however_long_that_takes(house: House) -> None:
    house.playing_s = 400.0
    for title in ("a", "bb", "ccc"):
        house.book.keep(reminder(title=title), now=house.now)
    house.book.keep(reminder(title="later", first=dt.datetime(2026, 11, 24, 8, 3)), now=house.now)
    house.run(house.announcer(), until=EIGHT + HOUR)
    assert [title for title, _ in house.played] == ["a", "bb", "ccc", "later"]  # the last had to wait for this program, not for a person
    assert {outcome for _, outcome in house.outcomes} == {Outcome.PLAYED}


def test_what_fell_into_the_night_of_the_computer_is_missed_and_a_little_late_is_not(house: House) -> None:
    house.book.keep(reminder(title="early"), now=house.now)
    house.book.keep(reminder(title="late", first=dt.datetime(2026, 11, 24, 8, 57)), now=house.now)
    announcer = house.announcer()
    announcer.step()
    house.now = EIGHT + HOUR  # asleep: no other clock has moved either
    announcer.step()
    assert [title for title, _ in house.played] == ["late"]
    assert house.outcomes == [(EIGHT, Outcome.OFF), (EIGHT + 57 * MINUTE, Outcome.PLAYED)]
    ((entry, which),) = missed_since(house.book, START, now=house.now, zone=BERLIN)
    assert (entry.outcome, which.title) == (Outcome.OFF, "early")


def test_missed_ones_are_known_while_nothing_runs_and_a_new_reminder_has_missed_nothing(house: House) -> None:
    house.book.keep(reminder(first=dt.datetime(2026, 11, 1, 8, 0)), now=START)
    assert missed_since(house.book, START - 20 * DAY, now=START, zone=BERLIN) == ()
    later = START + 2 * DAY
    missed = missed_since(house.book, START - 20 * DAY, now=later, zone=BERLIN)
    assert [entry.due for entry, _ in missed] == [EIGHT + DAY, EIGHT]
    assert [entry.due for entry, _ in missed_since(house.book, EIGHT + HOUR, now=later, zone=BERLIN)] == [EIGHT + DAY]
    house.now = later
    house.announcer().step()
    again = missed_since(house.book, START - 20 * DAY, now=later, zone=BERLIN)
    assert [(entry.key, entry.outcome) for entry, _ in again] == [(entry.key, entry.outcome) for entry, _ in missed]
    assert house.played == []


def test_a_changed_time_has_missed_nothing_and_a_changed_text_nothing_either(house: House) -> None:
    each = reminder()
    house.book.keep(each, now=START)
    house.now = EIGHT + HOUR
    import dataclasses

    house.book.keep(dataclasses.replace(each, text="something else"), now=house.now)
    assert len(missed_since(house.book, START, now=house.now, zone=BERLIN)) == 1
    house.book.keep(dataclasses.replace(each, first=dt.datetime(2026, 11, 24, 7, 30)), now=house.now)
    assert missed_since(house.book, START, now=house.now, zone=BERLIN) == ()


def test_switched_off_it_is_silent_and_on_again_it_has_missed_nothing(house: House) -> None:
    import dataclasses

    each = reminder(on=False)
    house.book.keep(each, now=START)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT + HOUR)
    house.book.keep(dataclasses.replace(each, on=True), now=house.now)
    house.run(announcer, until=EIGHT + 2 * HOUR)
    assert (house.played, house.outcomes) == ([], [])


@pytest.mark.parametrize("back", [MINUTE, 20 * MINUTE, HOUR])
def test_an_hour_that_comes_again_plays_nothing_twice(house: House, back: dt.timedelta) -> None:
    house.book.keep(reminder(), now=house.now)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT + MINUTE / 2)
    house.now -= back
    house.run(announcer, until=EIGHT + HOUR)
    assert len(house.played) == 1
    assert house.made == ["tablets"]
    assert house.outcomes == [(EIGHT, Outcome.PLAYED)]


def test_a_leap_forward_leaves_behind_what_was_missed_and_the_way_back_takes_it_along(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    announcer = house.announcer()
    announcer.step()
    house.now = EIGHT + 40 * DAY  # a battery that is empty, say
    house.run(announcer, until=house.now + MINUTE)
    assert len(house.outcomes) == 30  # so many days are kept
    house.played.clear()
    house.now = EIGHT - 2 * MINUTE
    house.run(announcer, until=EIGHT + MINUTE)
    assert [at for _, at in house.played] == [pytest.approx(EIGHT, abs=MINUTE)]
    assert house.outcomes == [(EIGHT, Outcome.PLAYED)]
    assert missed_since(house.book, START, now=house.now, zone=BERLIN) == ()


def test_what_was_played_while_the_clock_was_a_day_ahead_is_played_at_its_right_time(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    announcer = house.announcer()
    house.now = EIGHT + DAY - MINUTE / 2
    house.run(announcer, until=EIGHT + DAY + MINUTE)
    house.now = EIGHT + HOUR
    house.run(announcer, until=house.now + MINUTE)
    house.now = EIGHT + DAY - MINUTE / 2
    house.run(announcer, until=EIGHT + DAY + MINUTE)
    assert len(house.played) == 2


def test_one_that_is_entered_while_the_announcer_looks_has_missed_nothing(house: House) -> None:
    house.book.keep(reminder(first=dt.datetime(2020, 1, 1, 8)), now=house.now + dt.timedelta(milliseconds=40))
    house.announcer().step()
    assert house.outcomes == []


def test_one_that_was_entered_while_the_clock_was_years_ahead_sounds_all_the_same(house: House) -> None:
    house.book.keep(reminder(), now=START + 3000 * DAY)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT + MINUTE)
    assert len(house.played) == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"no_voice": ConsentError("the owner of this voice has taken it back")}, Outcome.VOICE),
        ({"no_sound": TextError("nothing")}, Outcome.TEXT),
        ({"no_sound": ModelError("missing")}, Outcome.FAILED),
        ({"no_sound": ZeroDivisionError()}, Outcome.FAILED),
    ],
)
def test_what_could_not_be_spoken_is_remembered_with_its_reason_and_silences_no_other(house: House, fault: dict, outcome: Outcome) -> None:
    house.book.keep(reminder(), now=house.now)
    house.book.keep(reminder(title="supper", first=dt.datetime(2026, 11, 24, 8, 10)), now=house.now)
    for name, value in fault.items():
        setattr(house, name, value)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT + MINUTE)
    house.no_voice = house.no_sound = None
    house.run(announcer, until=EIGHT + HOUR)
    assert house.outcomes == [(EIGHT, outcome), (EIGHT + 10 * MINUTE, Outcome.PLAYED)]
    assert house.made.count("tablets") <= 2  # beforehand, and at its time


def test_a_voice_that_is_taken_back_in_the_last_minute_is_not_heard(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT - MINUTE / 4)
    assert house.made == ["tablets"]
    house.no_voice = ConsentError("the owner of this voice has taken it back")
    house.run(announcer, until=EIGHT + MINUTE)
    assert house.played == []
    assert house.outcomes == [(EIGHT, Outcome.VOICE)]


def test_a_text_that_is_changed_in_the_last_minute_is_the_new_one(house: House) -> None:
    import dataclasses

    each = reminder()
    house.book.keep(each, now=house.now)
    announcer = house.announcer()
    house.run(announcer, until=EIGHT - MINUTE / 4)
    house.book.keep(dataclasses.replace(each, title="new tablets"), now=house.now)
    house.run(announcer, until=EIGHT + MINUTE)
    assert [title for title, _ in house.played] == ["new tablets"]


def test_a_loudspeaker_that_is_plugged_in_within_five_minutes_is_in_time(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    house.no_loudspeaker = AudioError("this computer has no loudspeaker")
    announcer = house.announcer()
    house.run(announcer, until=EIGHT + 2 * MINUTE)
    assert house.outcomes == []
    house.no_loudspeaker = None
    house.run(announcer, until=EIGHT + 3 * MINUTE)
    assert [title for title, _ in house.played] == ["tablets"]
    assert house.made == ["tablets"]
    assert house.outcomes == [(EIGHT, Outcome.PLAYED)]


@pytest.mark.parametrize("sleeps", [False, True])
def test_without_a_loudspeaker_it_is_missed_after_five_minutes(house: House, sleeps: bool) -> None:
    house.book.keep(reminder(), now=house.now)
    house.no_loudspeaker = AudioError("this computer has no loudspeaker")
    announcer = house.announcer()
    house.run(announcer, until=EIGHT + 2 * MINUTE)
    if sleeps:
        house.now = EIGHT + HOUR
        house.no_loudspeaker = None
    house.run(announcer, until=EIGHT + HOUR + MINUTE)
    assert house.played == []
    assert house.outcomes == [(EIGHT, Outcome.LOUDSPEAKER)]


def test_a_program_that_was_killed_while_it_played_does_not_play_it_again(house: House) -> None:
    house.book.keep(reminder(), now=house.now)

    def killed() -> None:
        raise KeyboardInterrupt

    house.during = killed
    with pytest.raises(KeyboardInterrupt):
        house.run(house.announcer(), until=EIGHT + MINUTE)
    house.during = lambda: None
    house.run(house.announcer(), until=EIGHT + 10 * MINUTE)
    assert len(house.played) == 1
    ((entry, _),) = missed_since(house.book, START, now=house.now, zone=BERLIN)
    assert entry.outcome is Outcome.BEGUN


def test_ended_while_it_plays_it_is_said_to_be_cut_short(house: House) -> None:
    house.book.keep(reminder(), now=house.now)
    house.book.keep(reminder(title="supper"), now=house.now)
    announcer = house.announcer()
    house.whole, house.during = False, announcer.stop
    house.run(announcer, until=EIGHT + MINUTE / 4)
    assert [outcome for _, outcome in house.outcomes] == [Outcome.STOPPED]
    house.whole, house.during = True, lambda: None
    house.run(house.announcer(), until=EIGHT + MINUTE)
    assert {outcome for _, outcome in house.outcomes} == {Outcome.PLAYED, Outcome.STOPPED}  # the other one was still in time


def test_a_full_disk_silences_nobody_and_lets_nothing_sound_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.book.keep(reminder(), now=house.now)
    announcer = house.announcer()

    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(ReminderBook, "note", full)
    house.run(announcer, until=EIGHT + 10 * MINUTE)
    assert len(house.played) == 1


def test_history_is_kept_for_thirty_days_and_goes_with_its_reminder(house: House) -> None:
    each, other = reminder(), reminder(title="supper")
    for kept in (each, other):
        house.book.keep(kept, now=house.now)
    announcer = house.announcer()
    for day in range(33):
        house.now = EIGHT + day * DAY - MINUTE / 4
        house.run(announcer, until=EIGHT + day * DAY + MINUTE)
    assert len(house.book.history()) == 2 * 31
    house.book.remove(each.reminder_id)
    assert {entry.reminder_id for entry in house.book.history()} == {other.reminder_id}


def test_a_reminder_that_is_over_or_only_once_ends(house: House) -> None:
    house.book.keep(reminder(repeat=Repeat.ONCE), now=house.now)
    house.book.keep(reminder(title="course", until=dt.date(2026, 11, 25)), now=house.now)
    announcer = house.announcer()
    for day in range(4):
        house.now = EIGHT + day * DAY - MINUTE / 4
        house.run(announcer, until=EIGHT + day * DAY + MINUTE)
    assert [title for title, _ in house.played] == ["course", "tablets", "course"]
    assert missed_since(house.book, START, now=house.now, zone=BERLIN) == ()


def test_rehearsing_plays_now_and_leaves_no_trace_in_the_history(house: House) -> None:
    each = reminder()
    house.book.keep(each, now=house.now)
    assert rehearse(each, speech=house, play=house.play, stop=threading.Event()) is True
    assert len(house.played) == 1
    assert house.outcomes == []
    house.no_voice = ConsentError("the owner of this voice has taken it back")
    with pytest.raises(ConsentError):
        rehearse(each, speech=house, play=house.play, stop=threading.Event())


def test_a_thread_plays_and_only_one_program_of_a_home_does(house: House) -> None:
    heard = threading.Event()
    house.during = heard.set
    house.now = EIGHT - MINUTE / 4
    house.book.keep(reminder(), now=house.now)
    house.now = EIGHT
    first, second = house.announcer(), house.announcer()
    with first.running(home=house.home):
        assert heard.wait(timeout=20)
        with pytest.raises(UsageError, match="another window"), second.running(home=house.home):
            pytest.fail("two announcers at once")
    with second.running(home=house.home):
        pass
    assert len(house.played) == 1


def test_a_look_that_fails_is_told_once_and_the_next_one_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    announcer = house.announcer()
    failures: list[str] = []
    turns = iter([StorageError("the disk refuses"), ZeroDivisionError(), None])

    def step() -> float:
        fault = next(turns)
        if fault is not None:
            raise fault
        announcer.stop()
        return 0.0

    monkeypatch.setattr(announcer, "step", step)
    monkeypatch.setattr("hometone_client.announcing.announcer._AFTER_FAILURE_S", 0.0)
    announcer.run(failed=lambda error: failures.append(error.message))
    assert failures == ["the disk refuses"]


def test_another_program_may_add_and_remove_while_it_runs(house: House) -> None:
    announcer = house.announcer()
    announcer.step()
    each = reminder(first=dt.datetime(2026, 11, 24, 7, 1))
    with open_vault(house.home) as vault, ReminderBook(vault) as book:
        book.keep(each, now=house.now)
        house.run(announcer, until=START + 2 * MINUTE)
        assert len(house.played) == 1
        book.remove(each.reminder_id)
    house.run(announcer, until=START + 10 * MINUTE)
    assert house.outcomes == []
