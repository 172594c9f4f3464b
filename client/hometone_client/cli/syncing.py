"""`hometone sync`: one contact with the coordinator, for everything but rounds."""

from dataclasses import asdict

import typer

from hometone_client.cli.session import Session

EPILOG = """\b
Examples:
  hometone sync
  hometone sync --json

Hands over withdrawals that wait here, takes the log, removes whoever has withdrawn elsewhere, renews lent voices, and files receipts. A
hometone node that runs does all this by itself."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="sync", epilog=EPILOG)
    def sync(context: typer.Context) -> None:
        """Exchange withdrawals and receipts with the coordinator."""
        from hometone_client.federation.node import joined
        from hometone_client.withdrawal.delivery import Courier

        session: Session = context.obj
        terminal = session.terminal
        with session.vault(create=True) as vault:
            contact = Courier(session.home, vault, joined(session.home)).contact()
        lines = [terminal.words("synchronised", **asdict(contact))]
        if contact.unreadable:
            lines.append(terminal.words("outbox-unreadable", count=contact.unreadable))
        terminal.answer("sync", asdict(contact), lines=lines)
