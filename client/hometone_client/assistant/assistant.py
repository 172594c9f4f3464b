"""The assistants' server: where it listens, who may connect, and when it ends.

1. It binds to loopback and nowhere else (requirement 57).
2. At most sixteen programs are connected at once; a further one is turned away.
3. A program must belong to the same user (`web.peers`); others are turned away without a word.
4. Each connection is served on its own (`wyoming_events`): whatever it sends, the others go on.
5. It runs in the event loop of the local API, because both share one desk: whoever asks, one sentence is computed at a time.

What it must never do: write down what was said, or by whom.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import anyio.to_thread

from hometone_client.assistant.wyoming_events import Conversation
from hometone_client.voices.parameters import VoiceParameters
from hometone_client.voices.registry import VoiceRegistry
from hometone_client.web.peers import Address, is_same_user
from hometone_client.web.server import bound
from hometone_client.web.state import Desk, Limits, Speaks
from hometone_shared.errors import ResourceError
from hometone_shared.pages.access import is_loopback

_LOG: Final = logging.getLogger(__name__)
DEFAULT_PORT: Final = 10_200
_MOST_CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantState:
    """What the assistants' server works with.

    Attributes:
        registry: The voices that may speak; each of them notes that an assistant used it.
        speaker: Makes a voice ready to speak.
        desk: The local API's desk.
        limits: The local API's limits.
        audible_label: Say before each answer that the voice is synthetic. The protocol carries bare samples, in which no mark of a file can
            stand, so that this is so unless the owner of the computer has switched it off (docs/assistant.md).
    """

    registry: VoiceRegistry
    speaker: Callable[[VoiceParameters], Speaks]
    desk: Desk
    limits: Limits
    audible_label: bool = True


class Assistant:
    """Listens for voice assistants while `running` is entered, in the loop that enters it."""

    def __init__(
        self,
        state: AssistantState,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        allowed: Callable[[Address, Address], bool] = is_same_user,
    ) -> None:
        """Bind the port; nobody is answered yet.

        Args:
            state: Voices and desk.
            host: 127.0.0.1, ::1 or localhost.
            port: 0 picks a free one.
            allowed: Whether a program may connect, by the addresses of both ends.

        Raises:
            UsageError: The host is not loopback.
            ResourceError: The port is taken.
        """
        self._state = state
        self._allowed = allowed
        self._listener = bound(host, port)  # (1)
        try:
            self._listener.listen(_MOST_CONNECTIONS)
        except OSError as error:  # somebody else has bound it too, and was first
            self._listener.close()
            raise ResourceError("voice assistants cannot be listened for there", hint="choose another port") from error
        self._open: set[asyncio.Task[None]] = set()
        address, taken = self._listener.getsockname()[:2]
        self.url = f"tcp://[{address}]:{taken}" if ":" in address else f"tcp://{address}:{taken}"

    def close(self) -> None:
        """Give the port back; for a server that never ran."""
        self._listener.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer for as long as the block lasts; then every connection ends, after the sentence that is being computed."""
        server = await asyncio.start_server(self._accepted, sock=self._listener, limit=self._state.limits.body_bytes)
        try:
            yield
        finally:
            server.close()
            open_now = [task for task in self._open if task is not asyncio.current_task()]
            for task in open_now:
                task.cancel()
            await asyncio.gather(*open_now, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= _MOST_CONNECTIONS:  # (2)
            writer.close()
            return
        self._open.add(task)
        try:
            if await self._may_connect(writer):
                await Conversation(reader, writer, state=self._state).run()
        except asyncio.CancelledError:
            pass  # the server ends
        except Exception as error:  # (4)
            _LOG.error("unexpected %s in a connection of an assistant", type(error).__name__)
        finally:
            self._open.discard(task)
            with suppress(OSError):
                writer.close()

    async def _may_connect(self, writer: asyncio.StreamWriter) -> bool:
        peer, here = (writer.get_extra_info(name) for name in ("peername", "sockname"))
        if not peer or not here or not is_loopback(peer[0]):
            return False
        return await anyio.to_thread.run_sync(self._allowed, (peer[0], peer[1]), (here[0], here[1]))  # (3)
