"""Serves the dashboard on 127.0.0.1 and nowhere else; a coordinator elsewhere is looked at through a tunnel (docs/coordinator.md).

What it must never do: listen where another machine could reach it.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn

from hometone_server.dashboard.app import create_dashboard
from hometone_server.dashboard.office import Office
from hometone_shared.errors import ResourceError

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8574


def serve_dashboard(office: Office, *, port: int, told: Callable[[str], None]) -> None:
    """Serve until interrupted (Ctrl+C or SIGTERM).

    Args:
        office: What is shown.
        port: 0 picks a free one.
        told: Given a one-time link as soon as the port is bound.

    Raises:
        ResourceError: The port is taken.
    """
    with _bound(port) as listener:
        told(f"http://{LOOPBACK}:{listener.getsockname()[1]}/enter?key={office.keys.new()}")
        with suppress(KeyboardInterrupt):  # uvicorn has ended in good order and raises the signal once more
            web_server(office).run(sockets=[listener])


def web_server(office: Office) -> uvicorn.Server:
    """The pages behind uvicorn; it is the caller's to give it a socket of loopback."""
    return uvicorn.Server(
        uvicorn.Config(
            create_dashboard(office),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a header must not be able to pretend that a peer is local
            lifespan="off",
            ws="none",
            http="h11",
            limit_concurrency=64,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
        )
    )


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: nobody else may take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(64)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ResourceError(
            "the dashboard cannot listen there", hint="another program uses this port; choose another with --port"
        ) from error
    return listener
