"""Runs the local API with uvicorn, on loopback and nowhere else (requirement 57)."""

import ipaddress
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from threading import Thread
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp

from hometone_shared.errors import ResourceError, UsageError

DEFAULT_PORT: Final = 8573
_START_TIMEOUT_S: Final = 10.0
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


def _server(app: ASGIApp, beside: Beside | None) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # addresses and times of requests are nobody's business
            server_header=False,
            proxy_headers=False,  # a header must not be able to pretend that a peer is local
            lifespan="off",
            ws="none",
            http="h11",
            limit_concurrency=64,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        ),
        beside,
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
        if on_ready is not None:
            on_ready(_url(listener))
        with suppress(KeyboardInterrupt):  # uvicorn has ended in good order and raises the signal once more
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
