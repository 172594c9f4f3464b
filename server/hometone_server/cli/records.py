"""`hometone-coordinator log`, `releases` and `devices`: what anybody may audit."""

from typing import Annotated

import typer
from rich.table import Table

from hometone_server.cli.session import Session
from hometone_server.cli.terminal import when
from hometone_server.records.devices import Devices
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore

LOG_EPILOG = """\b
Examples:
  hometone-coordinator log                  the newest entries
  hometone-coordinator log --first 0 --count 100
  hometone-coordinator log --verify         compute the whole tree again and compare it with the signed head

The log holds devices, plans and releases. Entries are never changed or removed; laptops notice if they are."""
RELEASES_EPILOG = """\b
Examples:
  hometone-coordinator releases
  hometone-coordinator releases --restore 3     bring back release 3, as a new one"""
DEVICES_EPILOG = """\b
Examples:
  hometone-coordinator devices
  hometone-coordinator devices --revoke 2f1c...   take a laptop off the list, for good"""
_MOST = 1000


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="log", epilog=LOG_EPILOG)
    def log_(
        context: typer.Context,
        first: Annotated[int | None, typer.Option(help="First entry; default: the newest ones.", min=0)] = None,
        count: Annotated[int, typer.Option(help="How many.", min=1, max=_MOST)] = 20,
        verify: Annotated[bool, typer.Option("--verify", help="Check every entry against the signed head.")] = False,
    ) -> None:
        """Show the log and its signed head."""
        session: Session = context.obj
        terminal = session.terminal
        with LogStore.open(session.home.require()) as log:
            head = log.checkpoint()
            if verify:
                log.verify()
            begin = max(0, head.size - count) if first is None else first
            entries = log.entries(begin, min(begin + count, head.size) - 1) if begin < head.size else []
            note = log.head().decode()
        table = Table(box=None, pad_edge=False)
        for key in ("column-index", "column-type", "column-digest"):
            table.add_column(terminal.words(key))
        for index, entry in enumerate(entries, start=begin):
            table.add_row(str(index), entry.kind, entry.digest)
        values = {
            "size": head.size,
            "root": head.root.hex(),
            "checkpoint": note,
            "verified": verify,
            "entries": [{"index": index, "type": entry.kind, "digest": entry.digest} for index, entry in enumerate(entries, start=begin)],
        }
        lines = [terminal.words("log-verified", size=head.size)] if verify else []
        terminal.answer("log", values, lines=[*lines, note.rstrip()], table=table)

    @app.command(name="releases", epilog=RELEASES_EPILOG)
    def releases(
        context: typer.Context,
        restore: Annotated[int | None, typer.Option(help="Bring back an older release, as a new one.", min=0)] = None,
    ) -> None:
        """Show the releases of the shared model, or go back to one."""
        session: Session = context.obj
        terminal = session.terminal
        home = session.home.require()
        with LogStore.open(home) as log:
            kept = Releases.open(home, log)
            restored = kept.restore(restore).number if restore is not None else None
            chain, withdrawn = kept.chain().releases, kept.withdrawn()
        table = Table(box=None, pad_edge=False)
        for key in ("column-release", "column-when", "column-run", "column-round", "column-dimension"):
            table.add_column(terminal.words(key))
        for release in chain:
            back = "" if release.restores is None else f" = {release.restores}"
            gone = f" ({terminal.words('release-withdrawn')})" if release.number in withdrawn else ""
            row = (
                f"{release.number}{back}{gone}",
                when(release.created),
                release.run[:8],
                str(release.round_number),
                str(release.dimension),
            )
            table.add_row(*row)
        values = {"releases": [release.to_document() for release in chain], "restored": restored, "withdrawn": sorted(withdrawn)}
        terminal.answer("releases", values, table=table)

    @app.command(name="devices", epilog=DEVICES_EPILOG)
    def devices(
        context: typer.Context,
        revoke: Annotated[str | None, typer.Option(metavar="DEVICE", help="Take a laptop off the list, for good.")] = None,
    ) -> None:
        """Show the laptops of the directory, or take one off."""
        from hometone_server.flower.runs import unregister_node

        session: Session = context.obj
        terminal = session.terminal
        home = session.home.require()
        with LogStore.open(home) as log:
            directory = Devices(log)
            if revoke is not None:
                unregister_node(home, directory.revoke(revoke))
            entries = directory.directory().entries
        table = Table(box=None, pad_edge=False)
        for key in ("column-device", "column-state"):
            table.add_column(terminal.words(key))
        for device, entry in entries.items():
            table.add_row(device, entry.status.value)
        values = {"devices": [{"device": device, "status": entry.status.value} for device, entry in entries.items()]}
        terminal.answer("devices", values, table=table)
