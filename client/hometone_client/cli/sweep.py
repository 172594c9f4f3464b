"""`hometone sweep`: what is over goes."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Final

import typer

from hometone_client.cli.session import Session
from hometone_client.federation.membership import Membership
from hometone_client.models import model_folder
from hometone_client.retention.daily import DAILY_S, repeated
from hometone_client.retention.sweeping import SweepReport, plain, sweep
from hometone_client.retention.takes import speaker_encoder
from hometone_client.withdrawal.delivery import contact_if_joined
from hometone_keys import Vault
from hometone_shared.errors import HometoneError

CONTACT_EVERY_S: Final = 300.0
EPILOG = """\b
Examples:
  hometone sweep --dry-run
  hometone sweep --json

`hometone serve` and `hometone node` do the same at their start and once a day. Needs no PIN."""


def sweep_home(session: Session, *, dry_run: bool = False) -> SweepReport:
    """One sweep of the home of this session; opens the vault itself.

    Raises:
        VaultError: The vault refuses.
    """
    if not Vault.exists(session.home):
        return SweepReport(due=dry_run)
    with session.vault() as vault:
        return sweep(vault, home=session.home, now=dt.datetime.now(dt.UTC), dry_run=dry_run, encoder=speaker_encoder(model_folder()))


def swept_lines(session: Session, report: SweepReport) -> list[str]:
    """What a sweep did, in words; empty when there was nothing to do."""
    terminal = session.terminal
    lines = []
    if report.takes:
        lines.append(terminal.words("swept-takes", count=report.takes))
    if report.consents:
        lines.append(terminal.words("swept-consents", names=terminal.who(report.consents)))
    if report.lapsed:
        lines.append(terminal.words("swept-lapsed", names=terminal.who(report.lapsed)))
    if report.outbox:
        lines.append(terminal.words("swept-outbox", count=report.outbox))
    if report.due and lines:
        lines.append(terminal.words("swept-later"))
    return [*lines, *(terminal.words("swept-failed", why=why) for why in report.failed)]


@contextmanager
def upkeep(session: Session, *, contact: Callable[[], None] | None = None) -> Iterator[None]:
    """What a service does besides its work, for as long as the block lasts: a sweep a day, and a contact every few minutes.

    Args:
        session: Whose home.
        contact: Called after each contact with the coordinator, where one was joined; without it there are none, for `hometone node`
            makes its own.
    """
    terminal = session.terminal

    def sweep_once() -> None:
        for line in swept_lines(session, sweep_home(session)):
            terminal.line(line)

    def contact_once() -> None:
        if Membership.load(session.home) is None or not Vault.exists(session.home):
            return
        with session.vault() as vault:
            outcome = contact_if_joined(session.home, vault)
        if isinstance(outcome, HometoneError):
            raise outcome
        if contact is not None:
            contact()

    def failed(key: str) -> Callable[[HometoneError], None]:
        return lambda error: terminal.line(terminal.words(key, why=error.message))

    with ExitStack() as stack:
        stack.enter_context(repeated(sweep_once, every_s=DAILY_S, failed=failed("swept-failed"), name="sweep"))
        if contact is not None:
            stack.enter_context(repeated(contact_once, every_s=CONTACT_EVERY_S, failed=failed("contact-failed"), name="contact"))
        yield


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="sweep", epilog=EPILOG)
    def sweep_command(
        context: typer.Context,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is due.")] = False,
    ) -> None:
        """Let go what is over: takes after training, ended consents, lapsed copies, old post."""
        session: Session = context.obj
        report = sweep_home(session, dry_run=dry_run)
        lines = swept_lines(session, report) or [session.terminal.words("swept-nothing")]
        session.terminal.answer("sweep", plain(report), lines=lines)
