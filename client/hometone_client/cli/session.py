"""What every command needs first: where the data is, who speaks, and her PIN.

What it may see: options and the environment. A PIN lives here only as long as it takes to hand it to the vault.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import platformdirs
import typer

from hometone_client.cli.terminal import Terminal
from hometone_client.federation.newest_release import renew_voice
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.opening import opened_vault
from hometone_client.withdrawal.reconciliation import apply_ended
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import UsageError

PIN_VARIABLE: Final = "HOMETONE_PIN"
_LONGEST_PIN_FILE: Final = 4096

PinFile = Annotated[
    Path | None, typer.Option("--pin-file", help="File whose first line is the PIN; otherwise HOMETONE_PIN, otherwise asked for.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Answer the question with yes, for unattended work.")]


def default_home() -> Path:
    """The user's data folder for Hometone."""
    return Path(platformdirs.user_data_dir("hometone", appauthor=False))


def read_pin_file(path: Path) -> str:
    """The first line of a file, without its end.

    Raises:
        UsageError: It cannot be read, is empty, or is not text.
    """
    try:
        with path.open("rb") as source:
            data = source.readline(_LONGEST_PIN_FILE)  # and no more: a pipe may stay open, a device may have no end
        first = data.decode("utf-8-sig").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise UsageError("the PIN file cannot be read", hint="give a text file whose first line is the PIN") from error
    if not first:
        raise UsageError("the PIN file is empty", hint="give a text file whose first line is the PIN")
    return first


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command.

    Attributes:
        terminal: Who is spoken to.
        home: Folder of everything that belongs to people.
    """

    terminal: Terminal
    home: Path

    @contextmanager
    def vault(self, *, create: bool = False, although_damaged: bool = False) -> Iterator[Vault]:
        """Open the vault; whoever has withdrawn, and whoever was being forgotten when a process was killed, is forgotten first.

        Args:
            create: Make one where there is none.
            although_damaged: Go on where what this laptop knows of its coordinator is damaged; only for what forgets somebody itself.

        Raises:
            UsageError: There is no vault yet.
            VaultError: The vault refuses.
        """
        if not create and not Vault.exists(self.home):
            raise UsageError("there is no speaker on this computer yet", hint="begin with: hometone enroll NAME")
        finished = functools.partial(self.terminal.say, "finished-forgetting")
        with opened_vault(self.home, finished=finished, although_damaged=although_damaged) as vault:
            yield vault

    def pin(self, pin_file: Path | None) -> str:
        """The PIN of somebody who has one, from the file, the environment, or the keyboard.

        Raises:
            UsageError: None of the three gives one.
        """
        if pin_file is not None:
            return read_pin_file(pin_file)
        from_environment = os.environ.get(PIN_VARIABLE)
        if from_environment:
            return from_environment
        return self.terminal.ask_secret("ask-pin", option="--pin-file")

    def new_pin(self, pin_file: Path | None) -> str:
        """A PIN that is being chosen; at the keyboard it is asked for twice.

        Raises:
            UsageError: The two differ, or nobody can be asked.
        """
        if pin_file is not None or os.environ.get(PIN_VARIABLE):
            return self.pin(pin_file)
        first = self.terminal.ask_secret("ask-new-pin", option="--pin-file")
        if self.terminal.ask_secret("ask-pin-again", option="--pin-file") != first:
            raise UsageError("the two PINs differ", hint="try again")
        return first

    @contextmanager
    def speaker(self, name: str, *, pin_file: Path | None) -> Iterator[SpeakerRoom]:
        """Unlock a speaker for as long as the block lasts.

        Raises:
            WrongSecretError: That is not her PIN.
            UsageError: There is no such speaker.
        """
        with self.vault() as vault, self.unlocked(vault, vault.find(name), pin_file=pin_file) as room:
            yield room

    @contextmanager
    def unlocked(self, vault: Vault, entry: SpeakerEntry, *, pin_file: Path | None) -> Iterator[SpeakerRoom]:
        """Unlock a speaker of an open vault: what she has taken back has ended, and no withdrawn release is left in her voice.

        Raises:
            WrongSecretError: That is not her PIN.
            UsageError: It is a lent copy, which has no PIN.
        """
        with SpeakerRoom(vault.unlock(entry.speaker_id, "" if entry.is_guest else self.pin(pin_file))) as room:
            apply_ended(self.home, vault, room)
            renew_voice(room, self.home)
            yield room
