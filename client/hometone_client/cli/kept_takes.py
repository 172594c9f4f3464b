"""`hometone take list` and `hometone take remove`: what is stored of a speaker's recordings, and taking some of it out again."""

from typing import Annotated, Any

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import DamagedVaultError, UsageError

LIST_EPILOG = """\b
Examples:
  hometone take list mei           numbers, seconds, language and whether each can still be read
  hometone take list mei --json"""
REMOVE_EPILOG = """\b
Examples:
  hometone take remove mei 3       the third take and everything measured on it
  hometone take remove mei 3 5 --yes

A voice that was trained with the take stays as it is until it is trained again; hometone revoke removes everything."""


def looked_at(room: SpeakerRoom, name: str) -> dict[str, Any]:
    """One stored take: its figures, or why it cannot be read."""
    number = int(name.removeprefix("take-"))
    try:
        record = room.whole_take(name)
    except DamagedVaultError as error:
        return {"number": number, "take": name, "readable": False, "error": error.message}
    return {
        "number": number,
        "take": name,
        "readable": True,
        "seconds": record.seconds,
        "speech_s": record.speech_s,
        "language": record.language,
        "held_out": record.held_out,
    }


def add_commands(group: typer.Typer) -> None:
    """Add both to the group `hometone take`."""

    @group.command(name="list", epilog=LIST_EPILOG)
    def list_takes(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose recordings they are.")],
        pin_file: PinFile = None,
    ) -> None:
        """Show the stored recordings: numbers and figures, no words."""
        session: Session = context.obj
        terminal = session.terminal
        with session.speaker(speaker, pin_file=pin_file) as room:
            found = [looked_at(room, name) for name in room.take_names()]
        table = Table(box=None, pad_edge=False)
        for key in ("column-number", "column-seconds", "column-language", "column-result"):
            table.add_column(terminal.words(key))
        for take in found:
            if take["readable"]:
                state = terminal.words("take-held-out" if take["held_out"] else "take-learnt-from")
                table.add_row(str(take["number"]), f"{take['seconds']:.1f}", take["language"], state)
            else:
                table.add_row(str(take["number"]), "", "", take["error"])
        terminal.answer("take list", {"speaker": speaker, "takes": found}, table=table)

    @group.command(name="remove", epilog=REMOVE_EPILOG)
    def remove(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose recordings they are.")],
        numbers: Annotated[list[int], typer.Argument(help="Which: numbers as take list shows them.", min=1)],
        yes: Yes = False,
        pin_file: PinFile = None,
    ) -> None:
        """Remove recordings; a damaged one can be removed, too."""
        session: Session = context.obj
        terminal = session.terminal
        with session.speaker(speaker, pin_file=pin_file) as room:
            names = [f"take-{number:04d}" for number in dict.fromkeys(numbers)]
            if not set(names) <= set(room.take_names()):
                raise UsageError("there is no such take", hint="hometone take list shows the numbers")
            question = terminal.words("ask-remove-takes", count=len(names))
            if not yes and not terminal.confirm(question, expected=terminal.words("yes-word"), option="--yes"):
                raise UsageError("nothing was removed", hint=f"to remove them, type {terminal.words('yes-word')}")
            for name in names:
                room.remove_take(name)
        terminal.answer("take remove", {"speaker": speaker, "removed": names})
        terminal.say("takes-removed", count=len(names))
