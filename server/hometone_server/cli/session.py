"""What every command of the coordinator needs: whom to speak to and where the data is."""

from dataclasses import dataclass

from hometone_server.cli.terminal import Terminal
from hometone_server.home import CoordinatorHome


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command.

    Attributes:
        terminal: Who is spoken to.
        home: The coordinator's folder; `home.require()` where it has to exist.
    """

    terminal: Terminal
    home: CoordinatorHome
