"""Runs the local API with uvicorn, on loopback and nowhere else (requirement 57)."""

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from threading import Thread, current_thread, main_thread
from types import FrameType, TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from hometone_client.web.peers import is_stranger
from hometone_shared.errors import ResourceError, UsageError

_LOG: Final = logging.getLogger(__name__)
DEFAULT_PORT: Final = 8573
_START_TIMEOUT_S: Final = 10.0
_PLACES: Final = 64
_KEPT_PLACES: Final = 24
"""Connections that only this user's programs can have: whoever wants to stop the use of her voice must get in."""
Beside = Callable[[], AbstractAsyncContextManager[None]]


def loopback_address(host: str) -> str:
    """Return the loopback address that a host stands for.

    Raises:
        UsageError: It is not loopback. Names other than "localhost" are refused too: what they resolve to can change.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError("the local API can be reached from this computer only", hint="use 127.0.0.1 or ::1")
    return str(address)


def bound(host: str, port: int) -> socket.socket:
    """Bind a port of loopback.

    Raises:
        UsageError: The host is not loopback.
        ResourceError: The port is taken.
    """
    address = loopback_address(host)
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: nobody else may take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ResourceError("the local API cannot listen there", hint="another program uses this port; choose another one") from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn, with another listener in the same event loop."""

    def __init__(self, config: uvicorn.Config, beside: Beside | None) -> None:
        super().__init__(config)
        self._beside = beside
        self._stack = AsyncExitStack()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._beside is not None:
            await self._stack.enter_async_context(self._beside())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._stack.aclose()
        await super().shutdown(sockets)


class _Connection(H11Protocol):
    """One connection. Programs of other users of this computer may hold most places, and never the last ones."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _PLACES - _KEPT_PLACES:
            peer, here = (transport.get_extra_info(name) for name in ("peername", "sockname"))
            if not peer or is_stranger(peer[:2], here[:2]):
                transport.abort()


def _without_tracebacks(app: ASGIApp) -> ASGIApp:
    """The app, whose mistakes are logged by their kind: a traceback may quote what somebody asked to be spoken."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            return  # the server ends, and waits no longer
        except Exception as error:  # uvicorn ends an answer that is not whole
            _LOG.error("a request failed: %s", type(error).__name__)

    return quiet


def _server(app: ASGIApp, beside: Beside | None) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            _without_tracebacks(app),
            log_level="warning",
            access_log=False,  # addresses and times of requests are nobody's business
            server_header=False,
            proxy_headers=False,  # a header must not be able to pretend that a peer is local
            lifespan="off",
            ws="none",
            http=_Connection,
            limit_concurrency=_PLACES,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        ),
        beside,
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl+C does, so that whoever served can tidy up; uvicorn raises it once more at its end."""
    if current_thread() is not main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    on_ready: Callable[[str], None] | None = None,
    beside: Beside | None = None,
) -> None:
    """Serve until interrupted (Ctrl+C or SIGTERM).

    Args:
        app: From `create_app`, or the whole site with its pages.
        host: 127.0.0.1, ::1 or localhost.
        port: 0 picks a free one.
        on_ready: Told the address, such as "http://127.0.0.1:8573", when the port is bound.
        beside: Runs in the same event loop from the server's start to its end, such as `Assistant.running`.

    Raises:
        UsageError: The host is not loopback.
        ResourceError: The port is taken.
    """
    listener = bound(host, port)
    try:
        listener.listen(_PLACES)  # whoever is told the address may come at once, and waits until the server runs
        if on_ready is not None:
            on_ready(_url(listener))
        with suppress(KeyboardInterrupt), _ended_in_order():
            _server(app, beside).run(sockets=[listener])
    finally:
        listener.close()


class LocalServer:
    """The same server in a thread, for programs that do something else meanwhile. A context manager."""

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, beside: Beside | None = None) -> None:
        """Bind the port; nothing is answered before the context is entered.

        Raises:
            UsageError: The host is not loopback.
            ResourceError: The port is taken.
        """
        self._listener = bound(host, port)
        self.url = _url(self._listener)
        self._server = _server(app, beside)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, name="hometone-api", daemon=True)

    def __enter__(self) -> Self:
        """Start; connections made before the loop runs wait in the listen queue."""
        self._listener.listen(64)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Finish the answers under way (5 s at most) and stop."""
        self._server.should_exit = True
        self._thread.join(timeout=_START_TIMEOUT_S)
        self._listener.close()
