"""`hometone announce`: spoken reminders, played on this computer's loudspeaker at their time."""

import datetime as dt
import threading
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from hometone_client.announcing.book import Announced, ReminderBook, missed_since
from hometone_client.announcing.reminder import Kind, Reminder, Repeat
from hometone_client.announcing.voices import name_of, voice_named
from hometone_client.cli.session import Session
from hometone_client.cli.sweep import upkeep
from hometone_client.models import model_folder
from hometone_client.withdrawal.delivery import contact_if_joined
from hometone_keys import Vault
from hometone_shared.errors import HometoneError

EPILOG: Final = """\b
Examples:
  hometone announce add "tablets" "Please take your tablets." --voice grandson --at "2027-01-15 08:00" --repeat daily --kind medicine
  hometone announce add "choir" "The choir sings at four." --voice af_heart --at "2027-01-15 15:45" --on mon --on thu
  hometone announce list
  hometone announce run                             plays them until Ctrl+C; the computer must be on
  hometone announce history --missed

Voices are stock ones, or lent to this computer. Whose voice lives here can lend it to this very computer: recipient, lend, borrow --as."""


class Day(StrEnum):
    """Days of the week, as they are typed."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Spoken reminders at their time.", rich_markup_mode=None)
    app.add_typer(group, name="announce")
    _register_add(group)
    _register_list(group)
    _register_history(group)
    _register_run(group)


def _register_add(group: typer.Typer) -> None:
    @group.command(name="add", epilog=EPILOG)
    def add(
        context: typer.Context,
        title: Annotated[str, typer.Argument(help="What the list calls it.")],
        text: Annotated[str, typer.Argument(help="What is said.")],
        voice: Annotated[str, typer.Option(help="A lent or a stock voice (hometone voices --stock).")],
        at: Annotated[
            dt.datetime, typer.Option(formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"], help="First date and time, by the clock here.")
        ],
        kind: Annotated[Kind, typer.Option(help="What it is about.")] = Kind.OTHER,
        repeat: Annotated[Repeat | None, typer.Option(help="How often; default: once, or on the days of --on.")] = None,
        on: Annotated[list[Day] | None, typer.Option(help="Day of the week; repeatable.")] = None,
        every: Annotated[int | None, typer.Option(help="Every so many days.")] = None,
        until: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day.")] = None,
        language: Annotated[str | None, typer.Option(help="How Latin words are read: en, es, fr, it, pt ...; default: guessed.")] = None,
        audible_label: Annotated[bool, typer.Option(help="Say first that the voice is synthetic.")] = True,
        twice: Annotated[bool, typer.Option("--twice", help="Say it twice, with a pause.")] = False,
        pause: Annotated[int, typer.Option(help="Seconds of that pause.")] = 3,
        gain: Annotated[float, typer.Option(help="Louder or softer, in dB, -20 to 6.")] = 0.0,
    ) -> None:
        """Add a reminder."""
        from hometone_client.announcing.speech import check_readable

        session: Session = context.obj
        usual = Repeat.WEEKDAYS if on else Repeat.EVERY if every is not None else Repeat.ONCE
        check_readable(text, language=language)
        with session.vault(create=True) as vault, ReminderBook(vault) as book:
            reminder = Reminder(
                title=title.strip(),
                text=text,
                voice=voice_named(vault, voice),
                first=at,
                kind=kind,
                repeat=repeat or usual,
                weekdays=frozenset(list(Day).index(day) for day in on or ()),
                every_days=1 if every is None else every,
                until=None if until is None else until.date(),
                language=language,
                audible_label=audible_label,
                twice=twice,
                pause_s=pause,
                gain_db=gain,
            )
            book.keep(reminder, now=_now())
            values = _values(vault, reminder)
        session.terminal.answer("announce add", values, lines=[session.terminal.words("announce-added", number=reminder.reminder_id)])

    @group.command(name="remove", epilog=EPILOG)
    def remove(context: typer.Context, number: Annotated[str, typer.Argument(help="Its number in the list.")]) -> None:
        """Remove a reminder, and what became of it."""
        session: Session = context.obj
        with session.vault() as vault, ReminderBook(vault) as book:
            book.remove(number)
        session.terminal.answer("announce remove", {"id": number}, lines=[session.terminal.words("announce-removed")])


def _register_list(group: typer.Typer) -> None:
    @group.command(name="list", epilog=EPILOG)
    def list_reminders(context: typer.Context) -> None:
        """Show the reminders, and when each is due next."""
        session: Session = context.obj
        terminal = session.terminal
        table = Table(box=None, pad_edge=False)
        for key in ("column-number", "column-title", "column-voice", "column-next"):
            table.add_column(terminal.words(key))
        rows: list[dict[str, Any]] = []
        if Vault.exists(session.home):
            with session.vault() as vault, ReminderBook(vault) as book:
                rows = [_values(vault, reminder) for reminder in book.reminders()]
        for row in rows:
            following = row["next"] or terminal.words("announce-over")
            table.add_row(
                row["id"], row["title"], row["voice_name"] or terminal.words("announce-voice-gone"), following[:16].replace("T", " ")
            )
        if not rows:
            terminal.say("announce-none")
        terminal.answer("announce list", {"reminders": rows}, table=table if rows else None)


def _register_history(group: typer.Typer) -> None:
    @group.command(name="history", epilog=EPILOG)
    def history(
        context: typer.Context,
        missed: Annotated[bool, typer.Option("--missed", help="Only those that were not heard.")] = False,
        days: Annotated[int, typer.Option(help="Of how many days.", min=1, max=30)] = 30,
    ) -> None:
        """Show what was played and what was missed, newest first."""
        session: Session = context.obj
        terminal = session.terminal
        now = _now()
        since = now - dt.timedelta(days=days)
        rows: list[dict[str, Any]] = []
        if Vault.exists(session.home):
            with session.vault() as vault, ReminderBook(vault) as book:
                titles = {reminder.reminder_id: reminder.title for reminder in book.reminders()}
                found = {entry.key: entry for entry, _ in missed_since(book, since, now=now)}
                if not missed:
                    found |= {entry.key: entry for entry in book.history() if entry.due >= since}
                entries = sorted(found.values(), key=lambda entry: entry.due, reverse=True)
                rows = [_settled(entry, titles) for entry in entries if entry.reminder_id in titles]
        table = Table(box=None, pad_edge=False)
        for key in ("column-due", "column-title", "column-result"):
            table.add_column(terminal.words(key))
        for row in rows:
            table.add_row(row["due"][:16].replace("T", " "), row["title"], terminal.words(f"announced-{row['outcome']}"))
        if not rows:
            terminal.say("announce-nothing-yet")
        terminal.answer("announce history", {"announcements": rows}, table=table if rows else None)


def _register_run(group: typer.Typer) -> None:
    @group.command(name="run", epilog=EPILOG)
    def run(
        context: typer.Context,
        device: Annotated[str | None, typer.Option(help="Loudspeaker, or a part of its name; default: the system's choice.")] = None,
    ) -> None:
        """Play reminders at their time until Ctrl+C; hears of withdrawals and sweeps meanwhile."""
        from hometone_client.announcing.announcer import Announcer
        from hometone_client.announcing.speech import Samples, Speech
        from hometone_client.audio.player import output_devices, play

        session: Session = context.obj
        terminal = session.terminal

        def loudspeaker(samples: Samples, *, sample_rate_hz: int, stop: threading.Event) -> bool:
            return play(samples, sample_rate_hz=sample_rate_hz, stop=stop, device=device)

        def told(entry: Announced, _: Reminder) -> None:
            terminal.say(
                "announce-told", time=f"{entry.due.astimezone():%H:%M}", outcome=terminal.words(f"announced-{entry.outcome.value}")
            )

        def failed(error: HometoneError) -> None:
            terminal.line(error.message)

        with session.vault(create=True) as vault, ReminderBook(vault) as book:
            contact_if_joined(session.home, vault)  # whoever has withdrawn while this machine was off is gone before the first word
            with suppress(HometoneError):
                if not output_devices():
                    terminal.say("announce-no-loudspeaker")
            speech = Speech(vault, home=session.home, models=model_folder())
            announcer = Announcer(book, speech=speech, play=loudspeaker, told=told)
            with announcer.running(home=session.home, failed=failed), upkeep(session, contact=lambda: None):
                count = sum(reminder.on for reminder in book.reminders())
                terminal.answer("announce run", {"reminders": count}, lines=[terminal.words("announce-running", count=count)])
                with suppress(KeyboardInterrupt):
                    threading.Event().wait()
        terminal.say("announce-ended")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _values(vault: Vault, reminder: Reminder) -> dict[str, Any]:
    from hometone_client.announcing.occurrences import next_occurrence

    following = next_occurrence(reminder, after=_now()) if reminder.on else None
    return {
        **reminder.to_record(),
        "voice_name": name_of(vault, reminder.voice),
        "next": None if following is None else following.astimezone().isoformat(timespec="minutes"),
    }


def _settled(entry: Announced, titles: dict[str, str]) -> dict[str, Any]:
    return {
        "id": entry.reminder_id,
        "title": titles[entry.reminder_id],
        "due": entry.due.astimezone().isoformat(timespec="minutes"),
        "at": entry.at.astimezone().isoformat(timespec="seconds"),
        "outcome": entry.outcome.value,
    }
