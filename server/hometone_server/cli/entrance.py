"""The way in: `hometone-coordinator COMMAND ...`.

1. Options that hold for every command (`--home`, `--json`, `--lang`, `--debug`) may stand anywhere; they are moved to the front.
2. typer reads the rest and calls the command.
3. Whatever is raised becomes one message and an exit code here, and nowhere else.
"""

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import click
import typer

from hometone_server.cli import dashboard, founding, panel, planning, records, replaying, rounds, serving, simulating, withdrawing
from hometone_server.cli.session import Session
from hometone_server.cli.terminal import Terminal
from hometone_server.home import HOME_VARIABLE, CoordinatorHome, default_home
from hometone_shared.command_line import INTERRUPTED_EXIT_CODE, LANGUAGES, CommonOptions, chosen_language
from hometone_shared.errors import HometoneError, UsageError

OPTIONS: Final = CommonOptions(flags=("--json", "--debug"), with_value=("--home", "--lang"))

EPILOG: Final = """\b
A first round in five lines:
  hometone-coordinator init "Village hall" --address 192.168.1.20:8443
  hometone-coordinator serve                       leave it running; the rest in a second window
  hometone-coordinator invite                      a code for one laptop; there: hometone join CODE
  hometone-coordinator plan --speakers 127 --rounds 10 --epsilon 4
  hometone-coordinator round --rounds 10 --epsilon 4 --speakers 127

A coordinator learns sums and never an update, a recording or a name."""

app = typer.Typer(
    name="hometone-coordinator",
    help="Lets laptops improve the shared voice together. It learns noised sums and nothing else.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (founding, serving, dashboard, planning, rounds, panel, replaying, withdrawing, records, simulating):
    room.register(app)


@app.callback()
def every_command(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(envvar=HOME_VARIABLE, help="Folder of all that this coordinator keeps.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object on standard output and nothing else.")] = False,
    lang: Annotated[str | None, typer.Option(help="Language of messages, en or zh; default: that of this computer.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Add a traceback when something fails.")] = False,
) -> None:
    """Read the options that hold for every command."""
    if lang is not None and lang not in LANGUAGES:
        raise UsageError("messages come in two languages", hint="--lang en or --lang zh")
    terminal = Terminal(language=chosen_language(lang, os.environ), as_json=as_json, debug=debug)
    context.obj = Session(terminal=terminal, home=CoordinatorHome((home or default_home()).expanduser().absolute()))


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0, that of the error, 2 for a line that cannot be understood, 130 when interrupted, 70 for a mistake of ours.
    """
    line = OPTIONS.hoisted(arguments)
    asked = line[line.index("--lang") + 1] if "--lang" in line[:-1] else None
    terminal = Terminal(language=chosen_language(asked, os.environ), as_json="--json" in line, debug="--debug" in line)
    name = OPTIONS.command_name(line)
    try:
        code = app(args=line, prog_name="hometone-coordinator", standalone_mode=False)
    except HometoneError as error:
        return terminal.fail(name, error)
    except (KeyboardInterrupt, typer.Abort):
        return terminal.fail(name, KeyboardInterrupt())
    except typer.Exit as leaving:
        return leaving.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - the reader went away; say nothing more
        return 0
    except click.ClickException as error:
        hint = f"see hometone-coordinator {name} --help".replace("  ", " ")
        return terminal.fail(name, UsageError(error.format_message().rstrip("."), hint=hint))
    except Exception as error:
        return terminal.fail(name, error)
    if code == INTERRUPTED_EXIT_CODE:
        return terminal.fail(name, KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the `hometone-coordinator` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if "--debug" not in sys.argv and not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED_EXIT_CODE
    sys.exit(code)
