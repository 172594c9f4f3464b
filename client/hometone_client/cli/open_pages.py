"""`hometone open`: the pages, in the browser of whoever sits here."""

import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from hometone_client.cli.session import Session
from hometone_client.cli.sweep import upkeep
from hometone_client.models import model_folder

EPILOG: Final = """\b
Examples:
  hometone open                     starts the pages, or shows them again if they run already
  hometone open --no-browser        prints the link, to be opened by hand; good once and for ten minutes
  hometone open --icon              puts an icon on the desktop that does the same, and ends

Only this computer can reach the pages. They end with Ctrl+C; whoever was unlocked is locked then."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="open", epilog=EPILOG)
    def open_pages(
        context: typer.Context,
        port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 picks a free one.", min=0, max=65_535)] = 8573,
        browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
        token_file: Annotated[Path | None, typer.Option(help="Write the token of the local API there, readable by you only.")] = None,
        icon: Annotated[bool, typer.Option("--icon", help="Put an icon on the desktop that opens the pages, and end.")] = False,
    ) -> None:
        """Open Hometone's pages: record, train, speak, announce, and stop the use of a voice."""
        from hometone_client.pages.announcing import announcements
        from hometone_client.pages.house import House
        from hometone_client.pages.running import link_of, running_pages, told_running
        from hometone_client.pages.site import LocalSite
        from hometone_client.web import new_token, write_token
        from hometone_client.web import serve as run_server

        session: Session = context.obj
        terminal = session.terminal
        if icon:
            from hometone_client.pages.desktop import icons, write_icons

            written = [str(path) for path in write_icons(icons(session.home))]
            terminal.answer("open", {"icons": written}, lines=[terminal.words("open-icon"), *written])
            return
        found = running_pages(session.home)
        if found is not None:
            shown = {"url": found.url, "link": found.link, "already_running": True}
            terminal.answer("open", shown, lines=[terminal.words("open-again"), found.link])
            if browser:
                webbrowser.open(found.link)
            return
        token = new_token()
        with ExitStack() as stack:
            house = stack.enter_context(House(session.home, models=model_folder()))

            def ready(url: str) -> None:
                stack.enter_context(told_running(session.home, url=url, token=token))
                if token_file is not None:
                    write_token(token_file, token)
                link = link_of(url, house.keys.new())
                shown = {"url": url, "link": link, "already_running": False}
                terminal.answer("open", shown, lines=[terminal.words("open-link"), link])
                if browser:
                    webbrowser.open(link)

            if house.has_vault:
                announcements(house)  # reminders are played from now on
            with upkeep(session, contact=house.after_contact):
                run_server(LocalSite(house, token=token), port=port, on_ready=ready)
        terminal.say("served")
