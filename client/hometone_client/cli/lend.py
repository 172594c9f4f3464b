"""`hometone recipient`, `lend`, `lent`, `borrow`: a voice on another machine, for as long as its owner says."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import DEFAULT_LABEL, checked_card, lend, lent_copies, recipient_card
from hometone_client.lending.known_log import KnownLog
from hometone_client.lending.package import LONGEST_PACKAGE
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.exports import check_place, write_file
from hometone_client.withdrawal.delivery import contact_if_joined
from hometone_shared.errors import UsageError
from hometone_shared.records.lease import LONGEST_LEASE_DAYS, words_of_card
from hometone_shared.records.signing import Envelope

_LONGEST_CARD: Final = 4096
RECIPIENT_EPILOG = """\b
Examples:
  hometone recipient --label "Sunrise home" --out sunrise.card

Hand the card to whoever lends the voice, and read the four words out to them: they have to see the same."""
LEND_EPILOG = """\b
Examples:
  hometone lend mei --to sunrise.card --out mei.htvoice
  hometone lend mei --to sunrise.card --out mei.htvoice --days 7 --pin-file pin.txt --yes

Only the computer of the card can open the file. There the voice speaks without a PIN, for announcements, until the consent ends, it is
taken back (hometone revoke), or that computer has not been in contact with the coordinator for so many days."""
LENT_EPILOG = """\b
Examples:
  hometone lent mei --json"""
BORROW_EPILOG = """\b
Examples:
  hometone borrow mei.htvoice
  hometone borrow mei.htvoice --as announcer
  hometone say announcer "Supper is ready." --out supper.wav"""


def read_file(path: Path, *, longest: int, what: str) -> bytes:
    """A file as somebody handed it over.

    Raises:
        UsageError: It cannot be read, or is too long to be one.
    """
    try:
        with path.open("rb") as source:
            data = source.read(longest + 1)
    except OSError as error:
        raise UsageError(f"the {what} cannot be read", hint="check its name and its permissions") from error
    if len(data) > longest:
        raise UsageError(f"this is too long for a {what}", hint="choose the file that Hometone has written")
    return data


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _register_recipient(app)
    _register_lend(app)
    _register_lent(app)
    _register_borrow(app)


def _register_recipient(app: typer.Typer) -> None:
    @app.command(name="recipient", epilog=RECIPIENT_EPILOG)
    def recipient(
        context: typer.Context,
        out: Annotated[Path, typer.Option(help="The card.")],
        label: Annotated[str, typer.Option(help="What this computer is called, for whoever lends.")] = DEFAULT_LABEL,
    ) -> None:
        """Write the card of this computer, for somebody who wants to lend it a voice."""
        session: Session = context.obj
        check_place(out)
        with session.vault(create=True) as vault:
            envelope = recipient_card(vault, coordinator=KnownLog.of(session.home).coordinator, label=label)
        write_file(out, envelope.to_bytes())
        words = words_of_card(envelope)
        values = {"out": str(out), "label": label.strip(), "check_words": words}
        session.terminal.answer("recipient", values, lines=[session.terminal.words("card-written", out=out, words=words)])


def _register_lend(app: typer.Typer) -> None:
    @app.command(name="lend", epilog=LEND_EPILOG)
    def lend_command(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose voice.")],
        to: Annotated[Path, typer.Option(help="The card of the computer that wants it (hometone recipient).")],
        out: Annotated[Path, typer.Option(help="The file for that computer, .htvoice.")],
        days: Annotated[
            int, typer.Option(help="Days that it speaks without a contact with the coordinator.", min=1, max=LONGEST_LEASE_DAYS)
        ] = LONGEST_LEASE_DAYS,
        label: Annotated[str | None, typer.Option(help="What that computer shall call the voice; it can be read in the file.")] = None,
        yes: Yes = False,
        pin_file: PinFile = None,
    ) -> None:
        """Lend a voice to one other computer, for announcements.

        The four words of the card are shown; --yes says that they are the ones that the borrower sees.
        """
        session: Session = context.obj
        terminal = session.terminal
        envelope = Envelope.from_bytes(read_file(to, longest=_LONGEST_CARD, what="card"))
        check_place(out)
        with session.vault() as vault:
            log = KnownLog.of(session.home)
            card = checked_card(envelope, log=log)
            words = words_of_card(envelope)
            terminal.say("lend-words", label=card.label, words=words)
            if not yes and not terminal.confirm(terminal.words("ask-lend"), expected=terminal.words("yes-word"), option="--yes"):
                raise UsageError("nothing was lent", hint="compare the four words with the borrower, then try again")
            with session.unlocked(vault, vault.find(speaker), pin_file=pin_file) as room:

                def registered() -> None:
                    from hometone_client.withdrawal.delivery import ensure_registered

                    ensure_registered(session.home, vault, room.speaker_id, purpose=Purpose.ANNOUNCEMENTS)

                copy, package = lend(
                    room, vault, card=card, log=log, register=registered, now=dt.datetime.now(dt.UTC), lease_days=days, label=label
                )
                write_file(out, package)
                name = room.name
        values = {"speaker": name, "out": str(out), "check_words": words, **copy.to_record()}
        ends = _day(copy.ends)
        terminal.answer(
            "lend",
            values,
            lines=[
                terminal.words(
                    "lent-voice" if log.is_joined else "lent-voice-alone", name=name, label=copy.label, out=out, date=ends, days=days
                )
            ],
        )


def _register_lent(app: typer.Typer) -> None:
    @app.command(name="lent", epilog=LENT_EPILOG)
    def lent(context: typer.Context, speaker: Annotated[str, typer.Argument(help="Whose voice.")], pin_file: PinFile = None) -> None:
        """Show who holds copies of a voice, and until when."""
        session: Session = context.obj
        terminal = session.terminal
        with session.speaker(speaker, pin_file=pin_file) as room:
            name, copies = room.name, lent_copies(room)
        table = Table(box=None, pad_edge=False)
        for key in ("column-recipient", "column-lent", "column-until"):
            table.add_column(terminal.words(key))
        for copy in copies:
            table.add_row(copy.label, _day(copy.issued), _day(copy.ends))
        if not copies:
            terminal.say("lent-nothing", name=name)
        terminal.answer("lent", {"speaker": name, "copies": [copy.to_record() for copy in copies]}, table=table if copies else None)


def _register_borrow(app: typer.Typer) -> None:
    @app.command(name="borrow", epilog=BORROW_EPILOG)
    def borrow_command(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="The file that hometone lend has written for this computer.")],
        name: Annotated[str | None, typer.Option("--as", help="What people here call the voice; otherwise as its owner said.")] = None,
    ) -> None:
        """Take in a voice that somebody has lent to this computer."""
        session: Session = context.obj
        terminal = session.terminal
        data = read_file(file, longest=LONGEST_PACKAGE, what="lent voice")
        with session.vault() as vault:
            contact_if_joined(session.home, vault)  # the owner may be new to the log, or have left it
            log = KnownLog.of(session.home)
            guest = borrow(vault, data, log=log, now=dt.datetime.now(dt.UTC), name=name)
        lease = guest.lease
        values = {
            "voice": guest.name,
            "pseudonym": guest.pseudonym,
            "lease": lease.lease,
            "issued": lease.issued,
            "ends": lease.ends,
            "lease_days": lease.lease_days,
        }
        lines = [
            terminal.words("borrowed" if log.is_joined else "borrowed-alone", name=guest.name, date=_day(lease.ends), days=lease.lease_days)
        ]
        terminal.answer("borrow", values, lines=lines)


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
