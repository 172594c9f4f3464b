"""`hometone-coordinator init` and `invite`."""

import sys
from typing import Annotated

import segno
import typer

from hometone_server import founding
from hometone_server.cli.session import Session
from hometone_server.records.invitations import LONGEST_DAYS, VALID_DAYS, Invitations
from hometone_server.records.store import LogStore

INIT_EPILOG = """\b
Examples:
  hometone-coordinator init "Village hall" --address 192.168.1.20:8443
  hometone-coordinator init 乡音 --address voices.example.org:443 --home /srv/hometone

The address is what laptops connect to. Set HOMETONE_COORDINATOR_PASSPHRASE before to seal the signing key;
it is then needed at every start."""
INVITE_EPILOG = """\b
Examples:
  hometone-coordinator invite               one code, for one laptop, valid for a week
  hometone-coordinator invite --count 5 --no-picture
  on the laptop: hometone join CODE

The code can be read out on the telephone. It holds the address, the fingerprint of this coordinator and a token that works once."""


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="init", epilog=INIT_EPILOG)
    def init(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="What laptops call this coordinator.")],
        address: Annotated[str, typer.Option(help="HOST:PORT by which laptops reach it.")],
    ) -> None:
        """Make a coordinator: its keys, its certificate authority and its log."""
        session: Session = context.obj
        terminal = session.terminal
        descriptor = founding.found(session.home, name=name, address=address)
        values = {"name": descriptor.name, "address": descriptor.address, "ca_sha256": descriptor.ca_sha256}
        terminal.answer("init", values, lines=[terminal.words("founded", name=name, address=address)])
        terminal.hint(terminal.words("founded-hint"))

    @app.command(name="invite", epilog=INVITE_EPILOG)
    def invite(
        context: typer.Context,
        count: Annotated[int, typer.Option(help="How many codes; each lets one laptop in.", min=1, max=1000)] = 1,
        days: Annotated[int, typer.Option(help="How long they are valid.", min=1, max=LONGEST_DAYS)] = VALID_DAYS,
        picture: Annotated[bool, typer.Option(help="Show each code as a picture to scan, too.")] = True,
        take_back: Annotated[bool, typer.Option("--take-back", help="Let nobody in by codes that are still open, and make none.")] = False,
    ) -> None:
        """Print one-time codes by which laptops join."""
        session: Session = context.obj
        terminal = session.terminal
        home = session.home.require()
        with LogStore.open(home) as log:
            invitations = Invitations(log)
            if take_back:
                taken = [waiting.name for waiting in invitations.waiting()]
                for name in taken:
                    invitations.take_back(name)
                terminal.answer("invite", {"taken_back": len(taken)}, lines=[terminal.words("taken-back", count=len(taken))])
                return
            codes = [invitations.issue(address=home.address, valid_days=days).to_text() for _ in range(count)]
        if picture and not terminal.as_json and sys.stdout.isatty():
            for code in codes:
                segno.make(code, error="m").terminal(compact=True)
        terminal.answer("invite", {"codes": codes, "days": days}, lines=codes)
        terminal.hint(terminal.words("invited-hint", days=days))
