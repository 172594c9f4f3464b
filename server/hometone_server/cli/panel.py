"""`hometone-coordinator panel`: what people are asked to listen to."""

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hometone_server.cli.session import Session
from hometone_server.cli.terminal import when
from hometone_server.records.panels import LONGEST_DRAFT, Panels, panel_of_draft
from hometone_shared.errors import StorageError, UsageError

EPILOG = """\b
Examples:
  hometone-coordinator panel new draft.json                      laptops that ask get it from now on
  hometone-coordinator panel new draft.json --out panel.json     and a file, for laptops without a network
  hometone-coordinator panel

A draft is a small file with a title, sentences in each language, what is asked, and how often; docs/listening.md has one. No sound
travels: every laptop makes its own, and only of voices whose owners agreed."""


class Action(StrEnum):
    """What is done."""

    LIST = "list"
    NEW = "new"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="panel", epilog=EPILOG)
    def panel(
        context: typer.Context,
        action: Annotated[Action, typer.Argument(help="list or new.")] = Action.LIST,
        file: Annotated[Path | None, typer.Argument(help="The draft, JSON.")] = None,
        out: Annotated[Path | None, typer.Option(help="Write the signed panel to this file, too.")] = None,
    ) -> None:
        """Make a listening panel, or show those that there are."""
        session: Session = context.obj
        terminal = session.terminal
        if (action is Action.NEW) != (file is not None) or (out is not None and file is None):
            raise UsageError("new needs the file of a draft, and list none", hint="hometone-coordinator panel new FILE --out panel.json")
        panels = Panels(session.home.require())
        lines = []
        if file is not None:
            made = panel_of_draft(_draft(file), made=int(time.time()))
            envelope = panels.sign(made)
            lines.append(terminal.words("panel-made", number=made.number, title=made.title))
            if out is not None:
                _write(out, envelope.to_bytes())
        known = [found for found, _ in panels.all()]
        table = Table(box=None, pad_edge=False)
        for key in ("column-panel", "column-title", "column-when", "column-languages", "column-questions"):
            table.add_column(terminal.words(key))
        for each in known:
            table.add_row(each.number, each.title, when(each.made), " ".join(each.sentences), f"{each.trials} + {each.traps}")
        values = {"panels": [each.to_document() for each in known], "out": None if out is None else str(out)}
        terminal.answer("panel", values, lines=lines or ([] if known else [terminal.words("panels-none")]), table=table if known else None)


def _draft(file: Path) -> Any:
    try:
        with file.open("rb") as source:
            data = source.read(LONGEST_DRAFT + 1)
        if len(data) > LONGEST_DRAFT:
            raise UsageError("the draft of a panel is too long", hint="a panel has at most 20 sentences in each language")
        return json.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError("the draft cannot be read", hint="check its name and its permissions") from error
    except (ValueError, RecursionError) as error:
        raise UsageError("the draft is not JSON in UTF-8", hint="docs/listening.md has an example") from error


def _write(out: Path, data: bytes) -> None:
    try:
        out.write_bytes(data)
    except OSError as error:
        raise StorageError("the panel cannot be written there", hint="choose another folder with --out") from error
