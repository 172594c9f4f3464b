"""What the routes work with, handed to `create_app` by whoever starts the server; nothing of it is a module's global.

`Desk` is the rule of the house: one sentence is computed at a time (a second one would only make both late), a few requests wait for their
turn sentence by sentence, and everybody else is told to come back.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import InitVar, dataclass, field
from typing import Final, Protocol, TypeVar

import anyio
import anyio.to_thread

from hometone_client.speaking.settings import SpeakingSettings
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.voices.parameters import VoiceParameters
from hometone_client.voices.registry import VoiceRegistry
from hometone_shared.errors import ResourceError, UsageError

_TOKEN_SHORTEST: Final = 32
_T = TypeVar("_T")


class Speaks(Protocol):
    """What the API needs of a `Synthesizer`."""

    def speak(
        self, text: str, *, language: str | None = None, settings: SpeakingSettings | None = None, audible_label: bool = False
    ) -> Iterator[SpokenSentence]:
        """Speak sentence by sentence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one server.

    Attributes:
        text_characters: Longest text of one request.
        timed_characters: Longest text of a request whose sound is answered whole (about five minutes; it is kept in memory meanwhile).
        body_bytes: Largest body of one request; a character may take six bytes as a JSON escape, or twelve as a surrogate pair.
        places: Requests that are being spoken or wait, together; the next one gets 429.
        patience_s: How long a request waits for its turn before it gets 503.
        body_timeout_s: How long a client may take to send its body.
    """

    text_characters: int = 20_000
    timed_characters: int = 4_000
    body_bytes: int = 262_144
    places: int = 4
    patience_s: float = 30.0
    body_timeout_s: float = 10.0


class BusyError(ResourceError):
    """All places of the desk are taken."""


class ImpatientError(ResourceError):
    """A request waited longer than it may."""


class Desk:
    """Lets a few requests in and computes one thing at a time, in a thread."""

    def __init__(self, *, places: int, patience_s: float) -> None:
        """Open the desk."""
        self._places = places
        self._patience_s = patience_s
        self._turn = anyio.Lock()
        self._taken = 0

    def enter(self) -> None:
        """Take a place.

        Raises:
            BusyError: None is free.
        """
        if self._taken >= self._places:
            raise BusyError("this computer is speaking for others right now", hint="try again in a few seconds")
        self._taken += 1

    def leave(self) -> None:
        """Give the place back."""
        self._taken -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn.

        Raises:
            ImpatientError: It did not come in time.
        """
        try:
            with anyio.fail_after(self._patience_s):
                await self._turn.acquire()
        except TimeoutError as error:
            raise ImpatientError("this computer is too slow for so many requests", hint="try again in a minute") from error
        try:
            yield
        finally:
            self._turn.release()

    @staticmethod
    async def compute(work: Callable[[], _T]) -> _T:
        """Run work in a thread; when the request is cancelled, the turn is kept until the thread has come back."""
        return await anyio.to_thread.run_sync(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiState:
    """Everything that one server works with.

    Attributes:
        token: Bearer token that each request must show.
        registry: The voices that are unlocked.
        speaker: Makes a voice ready to speak; it may keep sessions (`speaking.Sessions`).
        limits: Bounds.
        shared_desk: A desk that something else speaks at, too; one of its own by default.
        desk: Who is being served.
    """

    token: str
    registry: VoiceRegistry
    speaker: Callable[[VoiceParameters], Speaks]
    limits: Limits = field(default_factory=Limits)
    shared_desk: InitVar[Desk | None] = None
    desk: Desk = field(init=False)

    def __post_init__(self, shared_desk: Desk | None) -> None:
        if len(self.token) < _TOKEN_SHORTEST or not self.token.isascii():
            raise UsageError("the token of the local API is too short", hint="let Hometone make one")
        object.__setattr__(self, "desk", shared_desk or Desk(places=self.limits.places, patience_s=self.limits.patience_s))
