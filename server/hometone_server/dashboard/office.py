"""What the coordinator's pages work with: its folder and log, the running coordinator, and who has come in.

The pages hold nothing of their own: whatever they show is read anew, and whatever they do, a command could have done. A session (`Desk`)
keeps its language, one message for the next page, and what was looked at and not confirmed yet (`drafts`), so that a form that arrives
twice does its work once.

What it may see: what the commands see. What it must never do: keep anything about a person.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from hometone_server.flower.link import FlowerLink
from hometone_server.flower.runs import NodeState
from hometone_server.gateway.limits import Attempts
from hometone_server.home import CoordinatorHome
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.journal import Journal
from hometone_shared.command_line import Language
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.pages.flash import Flash
from hometone_shared.pages.sessions import OneTimeKeys, Sessions

KEYS_PER_MINUTE: Final = 10
"""How many access keys may be tried."""
_MOST_DRAFTS: Final = 20
_NODES_GOOD_FOR_S: Final = 1.0


@dataclass(slots=True)
class Draft:
    """Something that was shown and can be agreed to.

    Attributes:
        what: What it is.
        done: Where its result is, once it was agreed to.
    """

    what: Any
    done: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


@dataclass(slots=True, eq=False)
class Desk:
    """The state of one session.

    Attributes:
        language: Of its pages; None until the first request says.
        flash: What the next page says once.
        drafts: Random name -> what waits for a yes.
    """

    language: Language | None = None
    flash: Flash | None = None
    drafts: dict[str, Draft] = field(default_factory=dict, repr=False)

    def keep(self, what: Any) -> str:
        """Keep a draft; its name."""
        name = secrets.token_hex(8)
        while len(self.drafts) >= _MOST_DRAFTS:
            self.drafts.pop(next(iter(self.drafts)))
        self.drafts[name] = Draft(what)
        return name

    def draft(self, name: str) -> Draft:
        """A draft.

        Raises:
            UsageError: There is none of that name any more.
        """
        try:
            return self.drafts[name]
        except KeyError:
            raise UsageError("this was looked at too long ago", hint="begin again") from None

    def leave(self) -> None:
        """The session is over."""
        self.drafts.clear()


class Office:
    """One coordinator, served as pages. Close it when the server ends."""

    def __init__(
        self,
        home: CoordinatorHome,
        *,
        flower: FlowerLink,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Open the log.

        Args:
            home: The coordinator's folder, after `init`.
            flower: The running coordinator.
            clock: Seconds, never backwards.
            wall: Seconds since 1970.

        Raises:
            UsageError: There is no coordinator in this folder.
            DamagedVaultError: Its files cannot be read.
        """
        self.home = home.require()
        self.name = home.settings()["name"]
        self.log = LogStore.open(home)
        self.releases = Releases.open(home, self.log)
        self.flower = flower
        self.wall = wall
        self.keys = OneTimeKeys(clock=clock)
        self.desks: Sessions[Desk] = Sessions(begin=Desk, end=Desk.leave, clock=clock)
        self.attempts = Attempts(peer_per_minute=KEYS_PER_MINUTE, all_per_minute=KEYS_PER_MINUTE, clock=clock)
        self._clock = clock
        self._nodes: tuple[float, Mapping[bytes, NodeState] | None] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """End all sessions and let go of the log."""
        self.desks.close()
        self.log.close()

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """The journal of rounds, for one request."""
        journal = Journal(self.home.rounds_db)
        try:
            yield journal
        finally:
            journal.close()

    def nodes(self) -> Mapping[bytes, NodeState] | None:
        """Node key -> state of the laptops; None if the coordinator does not run. Asked at most once a second."""
        with self._lock:
            now = self._clock()
            if self._nodes is None or now - self._nodes[0] > _NODES_GOOD_FOR_S:
                try:
                    found: Mapping[bytes, NodeState] | None = self.flower.nodes()
                except FederationError:
                    found = None
                self._nodes = (now, found)
            return self._nodes[1]

    def laptops_here(self) -> int | None:
        """How many laptops are connected; None if the coordinator does not run."""
        nodes = self.nodes()
        return None if nodes is None else sum(state.is_online for state in nodes.values())

    def require_running(self) -> None:
        """Whether `serve` runs.

        Raises:
            FederationError: It does not; nothing was ordered.
        """
        if self.nodes() is None:
            raise FederationError(
                "the coordinator is not running, so nothing was begun", hint="start it: hometone-coordinator serve, then try again"
            )
