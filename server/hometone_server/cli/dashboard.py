"""`hometone-coordinator dashboard`."""

import webbrowser
from contextlib import suppress
from typing import Annotated

import typer

from hometone_server.cli.session import Session

EPILOG = """\b
Examples:
  hometone-coordinator dashboard               opens the pages in this computer's browser
  hometone-coordinator dashboard --no-browser  only shows the link, which is good once and for ten minutes
  hometone-coordinator dashboard --new-key     makes an access key to come in with later, shows it once, and ends

It works beside serve and answers this computer only. Where the coordinator is another computer, lay a tunnel with the same port:
ssh -L 8574:127.0.0.1:8574 COORDINATOR"""
_DEFAULT_PORT = 8574


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="dashboard", epilog=EPILOG)
    def dashboard(
        context: typer.Context,
        port: Annotated[int, typer.Option(help="Where to listen on this computer; 0 takes a free one.", min=0, max=65_535)] = _DEFAULT_PORT,
        browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the pages in a browser.")] = True,
        new_key: Annotated[bool, typer.Option("--new-key", help="Make an access key, show it, and end; an older one is void.")] = False,
    ) -> None:
        """Show the coordinator in a browser, until Ctrl+C."""
        from hometone_server.dashboard.access_key import make_access_key

        session: Session = context.obj
        terminal, home = session.terminal, session.home.require()
        if new_key:
            key = make_access_key(home)
            terminal.answer("dashboard", {"key": key}, lines=[key])
            terminal.hint(terminal.words("dashboard-key-hint"))
            return
        from hometone_server.dashboard.office import Office
        from hometone_server.dashboard.server import serve_dashboard
        from hometone_server.flower.link import RunningFlower

        def told(link: str) -> None:
            terminal.answer("dashboard", {"link": link}, lines=[link])
            terminal.hint(terminal.words("dashboard-hint"))
            if browser:
                with suppress(webbrowser.Error):
                    webbrowser.open(link)

        office = Office(home, flower=RunningFlower(home))
        try:
            serve_dashboard(office, port=port, told=told)
        finally:
            office.close()
