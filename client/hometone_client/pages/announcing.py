"""The calendar of reminders: this week, what was missed, one reminder to be written, heard, changed, removed (requirements 28, 29).

What it may see: the reminders of this computer; they belong to it, so no PIN is asked. What it must never do: put a text into an address.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hometone_client.announcing.book import Announced, missed_since
from hometone_client.announcing.occurrences import occurrences
from hometone_client.announcing.reminder import GONE, Kind, Reminder, Repeat
from hometone_client.announcing.voices import announcing_voices, name_of
from hometone_client.pages.announcements import Announcements, today
from hometone_client.pages.forms import Form
from hometone_client.pages.house import STOCK_SHOWN, House
from hometone_client.pages.visit import Here, Posted, Visit
from hometone_shared.errors import HometoneError, UsageError

router: Final = APIRouter()
PATH: Final = "/announcements"
_SHOWN: Final = dt.timedelta(days=7)
_MISSED_SHOWN: Final = dt.timedelta(days=7)
_HISTORY_SHOWN: Final = 60


def announcements(house: House, *, create: bool = False) -> Announcements:
    """The reminders of a house; they are played from then on.

    Raises:
        UsageError: There is no vault yet, and none is to be made.
    """
    vault = house.vault(create=create)
    return house.kept(Announcements, lambda: Announcements(vault, home=house.home, models=house.models))


@router.get(PATH)
def calendar(visit: Here) -> Response:
    """Seven days, and what was missed."""
    now = visit.house.now()
    if not visit.house.has_vault:
        return visit.page("announcing/calendar.html", days=_empty_week(), missed=(), plays=True, reminders=())
    service = announcements(visit.house)
    reminders = service.book.reminders()
    missed = [_line(visit, reminder, entry) for entry, reminder in missed_since(service.book, now - _MISSED_SHOWN, now=now)]
    shown = [_shown(visit, reminder) for reminder in reminders]
    return visit.page(
        "announcing/calendar.html", days=_week(visit, reminders, service, now=now), missed=missed, plays=service.plays, reminders=shown
    )


@router.get(f"{PATH}/history")
def history(visit: Here) -> Response:
    """What became of each time, newest first."""
    lines: list[dict[str, Any]] = []
    if visit.house.has_vault:
        book = announcements(visit.house).book
        reminders = {reminder.reminder_id: reminder for reminder in book.reminders()}
        entries = [entry for entry in reversed(book.history()) if entry.reminder_id in reminders][:_HISTORY_SHOWN]
        lines = [_line(visit, reminders[entry.reminder_id], entry) for entry in entries]
    return visit.page("announcing/history.html", lines=lines)


@router.get(f"{PATH}/new")
def new(visit: Here) -> Response:
    """An empty reminder."""
    return visit.page("announcing/edit.html", reminder=None, values=_values(None), **_choices(visit))


@router.get(f"{PATH}/{{number}}")
def edit(visit: Here, number: str) -> Response:
    """One reminder."""
    try:
        reminder = announcements(visit.house).book.get(number)
    except HometoneError as error:
        return visit.again(PATH, error=error)
    return visit.page("announcing/edit.html", reminder=reminder, values=_values(reminder), **_choices(visit))


@router.post(f"{PATH}/new")
def add(visit: Here, form: Posted) -> Response:
    """Keep a new one."""
    return _keep(visit, form, path=f"{PATH}/new", number=None)


@router.post(f"{PATH}/{{number}}")
def change(visit: Here, form: Posted, number: str) -> Response:
    """Keep a changed one."""
    return _keep(visit, form, path=f"{PATH}/{number}", number=number)


@router.post(f"{PATH}/{{number}}/play")
async def play_now(visit: Here, form: Posted, number: str) -> Response:
    """Hear it now, on the loudspeaker of this computer."""
    _ = form
    path = f"{PATH}/{number}"

    def rehearse() -> None:
        service = announcements(visit.house)
        service.rehearse(service.book.get(number))

    try:
        await run_in_threadpool(rehearse)
    except HometoneError as error:
        return visit.again(path, error=error)
    return visit.go(path, notice="announcing-played-now")


@router.get(f"{PATH}/{{number}}/remove")
def ask_remove(visit: Here, number: str) -> Response:
    """Whether it shall really go."""
    try:
        reminder = announcements(visit.house).book.get(number)
    except HometoneError as error:
        return visit.again(PATH, error=error)
    return visit.page("announcing/remove.html", reminder=reminder)


@router.post(f"{PATH}/{{number}}/remove")
def remove(visit: Here, form: Posted, number: str) -> Response:
    """Remove it, with its history."""
    _ = form
    try:
        announcements(visit.house).book.remove(number)
    except HometoneError as error:
        return visit.again(PATH, error=error)
    return visit.go(PATH, notice="announcing-removed")


def _keep(visit: Visit, form: Form, *, path: str, number: str | None) -> Response:
    try:
        reminder = _reminder(form, number=number)
        vault = visit.house.vault(create=True)
        if reminder.voice not in {voice.ref for voice in announcing_voices(vault)}:
            raise UsageError("the voice of this reminder is no longer here", hint="choose another one")
        book = announcements(visit.house, create=True).book
        if number is not None:
            book.get(number)  # it may have been removed in another window
        book.keep(reminder, now=visit.house.now())
    except HometoneError as error:
        return visit.again(path, error=error, form=form)
    return visit.go(PATH, notice="announcing-kept", title=reminder.title)


def _reminder(form: Form, *, number: str | None) -> Reminder:
    """What a form means.

    Raises:
        UsageError: Something is missing or impossible.
    """
    try:
        kind, repeat = Kind(form.text("kind", Kind.OTHER)), Repeat(form.text("repeat", Repeat.ONCE))
        weekdays = frozenset(int(day) for day in form.several("weekdays"))
    except ValueError as error:
        raise UsageError("this is not a form of this page", hint="go back and try again") from error
    fields: dict[str, Any] = {} if number is None else {"reminder_id": number}
    return Reminder(
        title=form.text("title").strip(),
        text=form.text("text").strip(),
        voice=form.text("voice"),
        first=_moment(form.text("date"), form.text("time")),
        kind=kind,
        repeat=repeat,
        weekdays=weekdays if repeat is Repeat.WEEKDAYS else frozenset(),
        every_days=_days(form.text("every_days")) if repeat is Repeat.EVERY else 1,
        until=_day(form.text("until")),
        on=form.flag("on"),
        audible_label=form.flag("label"),
        twice=form.flag("twice"),
        gain_db=form.number("gain_db", 0.0),
        **fields,
    )


def _moment(day: str, time: str) -> dt.datetime:
    try:
        return dt.datetime.combine(dt.date.fromisoformat(day), dt.time.fromisoformat(time).replace(second=0, microsecond=0, tzinfo=None))
    except ValueError as error:
        raise UsageError("day or time of the reminder is missing", hint="choose both") from error


def _days(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UsageError("this is not a number", hint="write it in digits, such as 2 or 0.5") from error


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError("the last day is not a day", hint="choose one, or leave it empty") from error


def _choices(visit: Visit) -> dict[str, Any]:
    words = visit.words
    vault = visit.house.vault() if visit.house.has_vault else None
    stock = {name: words(f"stock-{name.removeprefix('stock:')}") for name in STOCK_SHOWN}
    voices = [
        (voice.ref, voice.name if voice.kind == "lent" else stock[voice.ref])
        for voice in announcing_voices(vault)
        if voice.kind == "lent" or voice.ref in stock
    ]
    return {
        "gone": GONE,
        "kinds": [(kind.value, words(f"announcing-kind-{kind.value}")) for kind in Kind],
        "repeats": [(repeat.value, words(f"announcing-repeat-{repeat.value}")) for repeat in Repeat],
        "voices": voices,
        "weekdays": [(str(day), words(f"announcing-day-{day}")) for day in range(7)],
    }


def _values(reminder: Reminder | None) -> dict[str, Any]:
    if reminder is None:
        soon = dt.datetime.now().astimezone() + dt.timedelta(hours=1)
        return {
            "title": "", "text": "", "voice": STOCK_SHOWN[0], "date": soon.date().isoformat(), "time": f"{soon.hour:02d}:00",
            "kind": Kind.MEDICINE.value, "repeat": Repeat.DAILY.value, "weekdays": [], "every_days": 2, "until": "", "on": True,
            "label": True, "twice": False, "gain_db": 0,
        }  # fmt: skip
    return {
        "title": reminder.title,
        "text": reminder.text,
        "voice": reminder.voice,
        "date": reminder.first.date().isoformat(),
        "time": reminder.first.strftime("%H:%M"),
        "kind": reminder.kind.value,
        "repeat": reminder.repeat.value,
        "weekdays": [str(day) for day in sorted(reminder.weekdays)],
        "every_days": reminder.every_days,
        "until": reminder.until.isoformat() if reminder.until else "",
        "on": reminder.on,
        "label": reminder.audible_label,
        "twice": reminder.twice,
        "gain_db": reminder.gain_db,
    }


def _shown(visit: Visit, reminder: Reminder) -> dict[str, Any]:
    words = visit.words
    name = name_of(visit.house.vault(), reminder.voice)
    stock = f"stock-{reminder.voice.removeprefix('stock:')}"
    voice = words("announcing-gone") if reminder.voice == GONE or name is None else words(stock) if stock in words else name
    how = words(f"announcing-repeat-{reminder.repeat.value}")
    if reminder.repeat is Repeat.WEEKDAYS:
        how = words("list-comma").join(words(f"announcing-day-{day}") for day in sorted(reminder.weekdays))
    elif reminder.repeat is Repeat.EVERY:
        how = words("announcing-every", days=reminder.every_days)
    return {
        "number": reminder.reminder_id,
        "title": reminder.title,
        "kind": words(f"announcing-kind-{reminder.kind.value}"),
        "time": reminder.first.strftime("%H:%M"),
        "how": how,
        "voice": voice,
        "gone": reminder.voice == GONE,
        "on": reminder.on,
    }


def _line(visit: Visit, reminder: Reminder, entry: Announced) -> dict[str, Any]:
    return {
        "number": reminder.reminder_id,
        "title": reminder.title,
        "due": _when(visit, entry.due),
        "outcome": visit.words(f"announcing-outcome-{entry.outcome.value}"),
        "heard": entry.was_heard,
    }


def _when(visit: Visit, moment: dt.datetime) -> str:
    local = moment.astimezone()
    return f"{visit.words(f'announcing-day-{local.weekday()}')} {local.strftime('%Y-%m-%d %H:%M')}"


def _empty_week() -> list[dict[str, Any]]:
    return [{"date": today() + dt.timedelta(days=number), "lines": []} for number in range(_SHOWN.days)]


def _week(visit: Visit, reminders: tuple[Reminder, ...], service: Announcements, *, now: dt.datetime) -> list[dict[str, Any]]:
    begin = dt.datetime.combine(today(), dt.time.min).astimezone()
    known = {entry.key: entry for entry in service.book.history()}

    def lines(day: dt.date) -> Iterator[dict[str, Any]]:
        start = dt.datetime.combine(day, dt.time.min).astimezone() - dt.timedelta(microseconds=1)
        end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min).astimezone() - dt.timedelta(microseconds=1)
        times = sorted(
            (due, reminder.title, reminder)
            for reminder in reminders
            if reminder.on
            for due in occurrences(reminder, after=start, until=end)
        )
        for due, _, reminder in times:
            entry = known.get((reminder.reminder_id, due.astimezone(dt.UTC)))
            yield {
                **_shown(visit, reminder),
                "time": due.astimezone().strftime("%H:%M"),
                "outcome": visit.words(f"announcing-outcome-{entry.outcome.value}") if entry else "",
                "heard": entry is not None and entry.was_heard,
                "over": due < now,
            }

    days = [begin.date() + dt.timedelta(days=number) for number in range(_SHOWN.days)]
    return [{"date": day, "lines": list(lines(day))} for day in days]
