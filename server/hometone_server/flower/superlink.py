"""The SuperLink and the gateway: one program, two listeners over one application.

    python -m hometone_server.flower.superlink --home FOLDER

1. Bind both ports, so that a taken one is said at once, and check certificates and clock.
2. Make Flower's application for this configuration: node keys required, SQLite, tasks for outside processes with a secret, no installing of
   packages at run time.
3. Listen on loopback behind `LoopbackGate` and on the public address behind `PublicGate`, both with TLS 1.3.
4. Every hour, replace the server certificate if it ends soon, and load it into the running listeners.

One process, because the second listener then costs no second hop and no second copy of every body; it can be killed at any moment, since
all state is in SQLite, and both listeners come back together.
"""

import argparse
import asyncio
import contextlib
import errno
import importlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn

from hometone_server.flower.child import announce_failure, announce_ready, when_parent_ends
from hometone_server.flower.folder import LOOPBACK, FlowerFolder, Listeners
from hometone_server.flower.gates import LoopbackGate, Order, PublicGate
from hometone_server.flower.logs import adopt_flower, open_log
from hometone_server.flower.waiting import Application, Receive, Scope, Send
from hometone_server.home import CoordinatorHome
from hometone_shared.errors import FederationError, HometoneError, UsageError

GATEWAY_APPLICATION: Final = "hometone_server.gateway.app:build"
IDLE_MIDDLEWARE: Final = frozenset(
    {
        "ControlEventLogMiddleware",
        "ControlLicenseMiddleware",
        "ControlSensitiveResponseMiddleware",
        "FleetEventLogMiddleware",
        "RuntimeTracingMiddleware",
    }
)
_MOST_CONNECTIONS: Final = 1024
_KEEP_ALIVE_S: Final = 75
_SHUTDOWN_S: Final = 3
_RENEWAL_CHECK_S: Final = 3600.0
_LOG: Final = logging.getLogger("hometone.superlink")


class _Listener(uvicorn.Server):
    """A uvicorn server that leaves signals to its process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: with two servers in one process each would take the other's."""
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the parent's end; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hometone_server.flower.superlink")
    parser.add_argument("--home", type=Path, required=True, help="the coordinator's folder")
    parser.add_argument("--bind", default=None, help="host:port of the public listener (default: the address's port)")
    parser.add_argument("--gateway-app", default=GATEWAY_APPLICATION, help="module:function that builds what is mounted under /hometone/")
    parser.add_argument("--without-gateway-app", action="store_true", help="mount nothing there")
    parser.add_argument("--with-parent", action="store_true", help="stop when the standard input closes")
    options = parser.parse_args(arguments)
    try:
        folder = FlowerFolder(CoordinatorHome(options.home).require())
        listeners = folder.prepare(bind=options.bind)
        folder.enter()
        open_log(folder.home.logs / "superlink.log")
        folder.certificates.check()
        with _bound(LOOPBACK, listeners.loopback_port) as private, _bound(listeners.bind_host, listeners.public_port) as public:
            mounted = None if options.without_gateway_app else _built(options.gateway_app, folder.home)
            # uvicorn's choice: uvloop where it is installed.
            with asyncio.Runner(loop_factory=uvicorn.Config(_nothing, log_config=None).get_loop_factory()) as runner:
                runner.run(_serve(folder, listeners, mounted=mounted, sockets=(private, public), with_parent=options.with_parent))
    except HometoneError as error:
        return announce_failure(error)
    return 0


async def _serve(
    folder: FlowerFolder,
    listeners: Listeners,
    *,
    mounted: Application | None,
    sockets: tuple[socket.socket, socket.socket],
    with_parent: bool,
) -> None:
    superlink = _flower_application(folder, listeners)
    order = Order()
    inside = _listener(LoopbackGate(superlink, order=order, control_secret=folder.secret(folder.control_secret)), folder, lifespan="on")
    outside = _listener(PublicGate(superlink, order=order, mounted=mounted), folder, lifespan="auto", most_connections=_MOST_CONNECTIONS)
    servers = (inside, outside)

    def stop() -> None:
        order.laptops.close()
        order.coordinator.close()
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    if with_parent:
        when_parent_ends(partial(loop.call_soon_threadsafe, stop))
    tasks = [asyncio.create_task(inside.serve(sockets=[sockets[0]]))]
    if await _started(inside, tasks[0]):
        tasks.append(asyncio.create_task(outside.serve(sockets=[sockets[1]])))
        if await _started(outside, tasks[1]):
            announce_ready()
            _LOG.info("listening")
    renewal = asyncio.create_task(_renew(folder, servers))
    finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop()
    renewal.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in finished:
        task.result()
    if not (inside.started and outside.started):
        raise FederationError("the coordinator's server could not start", hint="logs/superlink.log in its folder says more")
    _LOG.info("stopped")


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application for a configuration that is only asked for its event loop."""


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> bool:
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.02)
    return server.started and not task.done()


async def _renew(folder: FlowerFolder, servers: Sequence[uvicorn.Server]) -> None:
    while True:
        await asyncio.sleep(_RENEWAL_CHECK_S)
        try:
            if folder.certificates.renew_if_due(folder.address_host):
                for server in servers:
                    _load_certificate(server.config, folder)
                _LOG.info("the server's certificate was renewed")
        except HometoneError as error:
            _LOG.error("the server's certificate could not be renewed: %s", error.message)


def _flower_application(folder: FlowerFolder, listeners: Listeners) -> Application:
    """Flower's FastAPI application (flwr 1.41, internal; the contract test says what changed)."""
    from flwr.common.constant import ISOLATION_MODE_PROCESS, TRANSPORT_TYPE_GRPC_RERE
    from flwr.superlink.auth_plugin import NoOpControlAuthnPlugin
    from flwr.superlink.cli.flower_superlink import SuperLinkLifespan
    from flwr.superlink.config_loader import SuperLinkLifespanConfig
    from flwr.superlink.main import create_app

    adopt_flower()
    certificates = folder.certificates
    config = SuperLinkLifespanConfig(
        host=LOOPBACK,
        port=listeners.loopback_port,
        insecure=False,
        certificates=(certificates.authority.read_bytes(), certificates.server.read_bytes(), certificates.server_key.read_bytes()),
        ssl_ca_certfile=str(certificates.authority),
        ssl_certfile=str(certificates.server),
        ssl_keyfile=str(certificates.server_key),
        enable_supernode_auth=True,
        superexec_auth_secret=folder.secret(folder.superexec_secret),
        isolation=ISOLATION_MODE_PROCESS,
        runtime_dependency_install=False,
        database=str(folder.database),
        simulation=False,
        control_address="",
        health_server_address=None,
        authn_plugin=NoOpControlAuthnPlugin(),
        event_log_plugin=None,
        fleet_event_log_plugin=None,
        enable_event_log=False,
        artifact_provider=None,
        fleet_api_type=TRANSPORT_TYPE_GRPC_RERE,
        fleet_api_address=None,
    )
    application = create_app(config, SuperLinkLifespan)
    # Every middleware costs each call a fifth of a millisecond; these do nothing without event log, licence, tracing or login.
    application.user_middleware = [each for each in application.user_middleware if getattr(each.cls, "__name__", "") not in IDLE_MIDDLEWARE]
    return application


def _listener(application: Application, folder: FlowerFolder, *, lifespan: str, most_connections: int | None = None) -> _Listener:
    config = uvicorn.Config(
        application,
        lifespan="on" if lifespan == "on" else "auto",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=most_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        ssl_certfile=str(folder.certificates.server),
        ssl_keyfile=str(folder.certificates.server_key),
        ws="none",
    )
    config.load()
    if config.ssl is None:  # pragma: no cover - a certificate was given
        raise FederationError("the coordinator's server has no TLS")
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    return _Listener(config)


def _load_certificate(config: uvicorn.Config, folder: FlowerFolder) -> None:
    if config.ssl is not None:
        config.ssl.load_cert_chain(folder.certificates.server, folder.certificates.server_key)


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host or (not host and socket.has_dualstack_ipv6()) else socket.AF_INET
    try:
        if not host and family is socket.AF_INET6:
            bound = socket.create_server(("", port), family=family, dualstack_ipv6=True, backlog=1024)
        else:
            bound = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise FederationError(f"this account may not listen on port {port}", hint="choose a port above 1023") from error
        if error.errno == errno.EADDRINUSE:
            raise FederationError(
                f"port {port} is taken by another program", hint="stop that program, or the other coordinator, or choose another port"
            ) from error
        raise FederationError("this machine does not have the address to listen on", hint="check --bind") from error
    with bound:
        # Inherited by every connection. Neither asyncio nor uvicorn sets it for sockets made like this one, and an answer in two parts
        # then waits 40 ms for the receiver's acknowledgement.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield bound


def _built(reference: str, home: CoordinatorHome) -> Application:
    """What is mounted under `/hometone/`.

    Raises:
        UsageError: There is no such function.
    """
    module, colon, name = reference.partition(":")
    try:
        build = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError("the application for the gateway cannot be found", hint="it is given as module:function") from error
    if not colon or not callable(build):
        raise UsageError("the application for the gateway is not a function", hint="it is given as module:function")
    application: Application = build(home.root)
    return application


if __name__ == "__main__":
    sys.exit(main())
