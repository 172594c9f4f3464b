"""The way in: `hometone COMMAND ...`.

1. Options that hold for every command (`--home`, `--json`, `--lang`, `--models`, `--debug`) may stand anywhere on the line; they are
   moved to the front.
2. typer reads the rest and calls the command.
3. Whatever is raised becomes one message and an exit code here, and nowhere else.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import click
import typer

from hometone_client.cli import (
    announce,
    consent,
    contribute,
    convert,
    doctor,
    enroll,
    evaluate,
    federation,
    heritage,
    lend,
    open_pages,
    panel,
    queueing,
    receipt,
    revoke,
    say,
    serve,
    sweep,
    syncing,
    take,
    train,
    voices,
    withdraw,
    witness,
)
from hometone_client.cli.session import Session, default_home
from hometone_client.cli.terminal import Terminal
from hometone_client.models.folder import ENVIRONMENT_VARIABLE as MODELS_VARIABLE
from hometone_shared.command_line import INTERRUPTED_EXIT_CODE, LANGUAGES, CommonOptions, chosen_language
from hometone_shared.errors import HometoneError, UsageError

OPTIONS: Final = CommonOptions(
    flags=("--json", "--debug"),
    with_value=("--home", "--lang", "--models"),
    groups=frozenset({"take", "queue", "receipt", "witness", "panel", "announce", "heritage"}),
)

EPILOG: Final = """\b
A first voice in five lines:
  hometone enroll mei                              consent, PIN, an empty place in the vault
  hometone take add mei --microphone               read a sentence; or: take add mei recording.m4a
  hometone train mei --tier quick                  one to two minutes on two cores
  hometone say mei "今天天气很好" --out park.wav
  hometone revoke mei                              everything of hers is gone

Options that hold for every command may stand anywhere on the line. Unattended: --pin-file or HOMETONE_PIN, --yes, --json."""

app = typer.Typer(
    name="hometone",
    help="A synthetic voice of one's own, made and spoken on this computer. No recording and no voice is sent anywhere.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (
    doctor,
    enroll,
    take,
    train,
    say,
    convert,
    voices,
    evaluate,
    panel,
    queueing,
    serve,
    open_pages,
    lend,
    heritage,
    announce,
    consent,
    federation,
    contribute,
    revoke,
    sweep,
    withdraw,
    receipt,
    syncing,
    witness,
):
    room.register(app)


@app.callback()
def every_command(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(envvar="HOMETONE_HOME", readable=False, help="Folder of everything that belongs to people, all of it sealed."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object on standard output and nothing else.")] = False,
    lang: Annotated[str | None, typer.Option(help="Language of messages, en or zh; default: that of this computer.")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of public weights; default: HOMETONE_MODELS or the cache folder.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Add a traceback when something fails.")] = False,
) -> None:
    """Read the options that hold for every command."""
    if lang is not None and lang not in LANGUAGES:
        raise UsageError("messages come in two languages", hint="--lang en or --lang zh")
    if models is not None:
        os.environ[MODELS_VARIABLE] = str(models)
    terminal = Terminal(language=chosen_language(lang, os.environ), as_json=as_json, debug=debug)
    context.obj = Session(terminal=terminal, home=(home or default_home()).expanduser().absolute())


def run(arguments: Sequence[str], *, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Run one command line.

    Args:
        arguments: The line without the program's name.
        interrupted: Whether Ctrl+C was pressed; libraries that are being loaded then make an error of their own of it.

    Returns:
        The exit code: 0, that of the error, 2 for a line that cannot be understood, 130 when interrupted, 70 for a mistake of ours.
    """
    line = OPTIONS.hoisted(arguments)
    asked = line[line.index("--lang") + 1] if "--lang" in line[:-1] else None
    terminal = Terminal(language=chosen_language(asked, os.environ), as_json="--json" in line, debug="--debug" in line)
    name = OPTIONS.command_name(line)
    try:
        code = app(args=line, prog_name="hometone", standalone_mode=False)
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
        hint = f"see hometone {name} --help".replace("  ", " ")
        return terminal.fail(name, UsageError(error.format_message().rstrip("."), hint=hint))
    except Exception as error:
        return terminal.fail(name, KeyboardInterrupt() if interrupted() else error)
    if code == INTERRUPTED_EXIT_CODE:  # what typer makes of Ctrl+C
        return terminal.fail(name, KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the `hometone` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if "--debug" not in sys.argv and not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries are for developers
    pressed = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        code = run(sys.argv[1:], interrupted=pressed.is_set)
    except KeyboardInterrupt:  # once more, while the answer was given
        code = INTERRUPTED_EXIT_CODE
    sys.exit(code)
