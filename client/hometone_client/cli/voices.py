"""`hometone voices`: who can speak here."""

import datetime as dt
from typing import Annotated, Any

import typer
from rich.table import Table

from hometone_client.cli.session import Session
from hometone_client.lending.guests import guests
from hometone_keys import Vault

EPILOG = """\b
Examples:
  hometone voices
  hometone voices --stock --json"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="voices", epilog=EPILOG)
    def voices(
        context: typer.Context,
        stock: Annotated[bool, typer.Option("--stock", help="List the stock voices too.")] = False,
    ) -> None:
        """List the speakers of this computer and, with --stock, the stock voices.

        Names are shown without a PIN; what lies behind them is not.
        """
        from hometone_client.base.styles import stock_language, stock_names

        session: Session = context.obj
        terminal = session.terminal
        own: list[dict[str, Any]] = []
        if Vault.exists(session.home):
            with session.vault() as vault:
                until = {guest.speaker_id: guest.speaks_until for guest in guests(vault)}
                own = [
                    {
                        "id": entry.name,
                        "kind": "lent" if entry.is_guest else "own",
                        "speaker_id": entry.speaker_id,
                        "created": dt.datetime.fromtimestamp(entry.created_ms / 1000, dt.UTC).isoformat(timespec="seconds"),
                        "work_allowed": entry.work_allowed,
                        **({"until": _iso(until.get(entry.speaker_id))} if entry.is_guest else {}),
                    }
                    for entry in vault.speakers()
                ]
        listed = (
            [{"id": f"stock:{name}", "kind": "stock", "language": stock_language(name)} for name in sorted(stock_names())] if stock else []
        )
        table = Table(box=None, pad_edge=False)
        for key in ("column-voice", "column-kind", "column-about"):
            table.add_column(terminal.words(key))
        for row in own:
            if row["kind"] == "lent":
                about = terminal.words("consent-until", date=row["until"][:10]) if row["until"] else terminal.words("lent-damaged")
                table.add_row(row["id"], terminal.words("kind-lent"), about)
            else:
                table.add_row(row["id"], terminal.words("kind-own"), row["created"][:10])
        for row in listed:
            table.add_row(row["id"], terminal.words("kind-stock"), row["language"])
        if not own:
            terminal.say("no-speakers")
        terminal.answer("voices", {"voices": [*own, *listed]}, table=table if own or listed else None)


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
