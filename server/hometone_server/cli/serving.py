"""`hometone-coordinator serve`."""

from typing import Annotated

import typer

from hometone_server.cli.session import Session

EPILOG = """\b
Examples:
  hometone-coordinator serve
  hometone-coordinator serve --bind 0.0.0.0:8443     behind a router that forwards the address's port

It starts Flower's SuperLink on loopback, the gateway for laptops, and what runs rounds, and starts again what dies. Rounds that were
interrupted are taken up with: hometone-coordinator round --resume RUN."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="serve", epilog=EPILOG)
    def serve(
        context: typer.Context,
        bind: Annotated[str | None, typer.Option(help="HOST:PORT to listen on where it differs from the address.")] = None,
    ) -> None:
        """Keep the coordinator running until Ctrl+C."""
        from hometone_server.flower import supervisor

        session: Session = context.obj
        terminal = session.terminal
        home = session.home.require()
        home.signing_key()  # a missing passphrase is said now, not at the first round
        supervisor.serve(home, bind=bind, told=lambda _ready: terminal.say("serving", address=home.address))
        terminal.answer("serve", {"address": home.address}, lines=[terminal.words("served")])
