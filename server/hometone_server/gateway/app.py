"""The routes of the gateway, under `/hometone/v1` (docs/log.md, "Asking for it"). They hold no state but the counts of attempts.

All are described in `data/openapi.json`. What reads is public. What writes is joining (`joining`), what withdrawals need (`withdrawing`),
and the page for people (`page`). Answers are canonical JSON, signed notes as text, or bytes; refusals are `{"error": {"code", "message",
"hint"}}`. What it may see: the log, public keys, tokens. What it must never do: log a name, an address, a key or a token, or tell of an
error more than its message.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from hometone_server.certificates import Certificates
from hometone_server.gateway.answers import (
    DOCUMENT,
    answer,
    answered,
    busy,
    document_answer,
    not_here,
    path_number,
    proof_answer,
    queried_number,
)
from hometone_server.gateway.joining import NodeRegistration, join
from hometone_server.gateway.limits import Attempts, bounded_body, peer_of
from hometone_server.gateway.page import WithdrawalPage
from hometone_server.gateway.withdrawing import WithdrawalDesk
from hometone_server.home import CoordinatorHome
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.records.panels import Panels
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.withdrawal.bundle import Filings
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.records.canonical import Document
from hometone_shared.records.signing import Envelope

PREFIX: Final = "/hometone/v1"
PAGE: Final = "/hometone/withdraw"
_NOTE: Final = "text/plain; charset=utf-8"
PEER_DELIVERIES_PER_MINUTE: Final = 600
ALL_DELIVERIES_PER_MINUTE: Final = 6000
"""Signed records may come oftener than attempts to join: a whole care home has one address."""


def build(
    home: Path,
    *,
    register_node: NodeRegistration | None = None,
    attempts: Attempts | None = None,
    deliveries: Attempts | None = None,
) -> Starlette:
    """Build the gateway.

    Args:
        home: The coordinator's folder, after `init`.
        register_node: How Flower learns a node key; Flower's own way if not given.
        attempts: Limits of attempts to join, and of codes typed into the page.
        deliveries: Limits of signed records that are delivered.

    Raises:
        UsageError: There is no coordinator in this folder.
        DamagedVaultError: Its files cannot be read.
    """
    folder = CoordinatorHome(home).require()
    log = LogStore.open(folder)
    attempts = attempts or Attempts()
    deliveries = deliveries or Attempts(peer_per_minute=PEER_DELIVERIES_PER_MINUTE, all_per_minute=ALL_DELIVERIES_PER_MINUTE)
    withdrawals, filings = Withdrawals.open(folder, log), Filings.open(folder, log)
    gateway = _Gateway(folder, log, register_node=register_node or _with_flower(folder), attempts=attempts)
    desk = WithdrawalDesk(withdrawals, filings=filings, attempts=deliveries)
    page = WithdrawalPage(withdrawals, filings=filings, attempts=attempts, name=folder.settings()["name"])

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.keep_scrubbing)
            yield
            tasks.cancel_scope.cancel()
        log.close()

    def route(path: str, answer: Callable[[Request], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await answered(lambda: run_in_threadpool(answer, request))

        return Route(path, endpoint, methods=["GET"])

    routes: list[Route | Mount] = [
        route("/ca", gateway.authority),
        route("/descriptor", gateway.descriptor),
        route("/openapi.json", _description),
        route("/log/checkpoint", gateway.checkpoint),
        route("/log/checkpoint/cosigned", gateway.cosigned_checkpoint),
        route("/log/entries", gateway.entries),
        route("/log/consistency", gateway.consistency),
        route("/log/inclusion", gateway.inclusion),
        route("/panel", gateway.panel),
        route("/releases/{number}", gateway.release),
        route("/releases/{number}/vector", gateway.vector),
        Route("/join", gateway.join, methods=["POST"]),
        route("/withdrawals/{pseudonym}", desk.bundle),
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in desk.deliveries().items()),
    ]
    return Starlette(
        routes=[Mount(PREFIX, routes=routes), Route(PAGE, page.show, methods=["GET"]), Route(PAGE, page.act, methods=["POST"])],
        exception_handlers={HTTPException: not_here},
        lifespan=lifespan,
    )


def _description(_request: Request) -> Response:
    return answer(resources.files("hometone_server.gateway").joinpath("data/openapi.json").read_bytes(), DOCUMENT)


def _with_flower(home: CoordinatorHome) -> NodeRegistration:
    from hometone_server.flower.runs import register_node

    def register(node_key: bytes) -> None:
        register_node(home, node_key)

    return register


class _Gateway:
    def __init__(self, home: CoordinatorHome, log: LogStore, *, register_node: NodeRegistration, attempts: Attempts) -> None:
        self._home = home
        self._log = log
        self._cosignatures = Cosignatures(log)
        self._releases = Releases.open(home, log)
        self._panels = Panels(home)
        self._register_node = register_node
        self._attempts = attempts

    def authority(self, _request: Request) -> Response:
        return answer(Certificates(self._home.certificates).authority.read_bytes(), "application/x-pem-file")

    def descriptor(self, _request: Request) -> Response:
        return answer(self._home.descriptor.read_bytes(), DOCUMENT)

    def checkpoint(self, _request: Request) -> Response:
        return answer(self._cosignatures.newest_head(), _NOTE)

    def cosigned_checkpoint(self, _request: Request) -> Response:
        return answer(self._cosignatures.cosigned_head(), _NOTE)

    def entries(self, request: Request) -> Response:
        leaves = self._log.leaves(queried_number(request, "first"), queried_number(request, "last"))
        return answer(b'{"entries":[' + b",".join(leaves) + b"]}", DOCUMENT)  # canonical, because its parts are

    def consistency(self, request: Request) -> Response:
        return proof_answer(self._log.consistency(queried_number(request, "first"), queried_number(request, "second")))

    def inclusion(self, request: Request) -> Response:
        return proof_answer(self._log.inclusion(queried_number(request, "index"), queried_number(request, "size")))

    def panel(self, _request: Request) -> Response:
        return answer(self._panels.newest().to_bytes(), DOCUMENT)

    def release(self, request: Request) -> Response:
        return answer(self._releases.envelope(path_number(request)).to_bytes(), DOCUMENT)

    def vector(self, request: Request) -> Response:
        return answer(self._releases.vector(path_number(request)), "application/octet-stream")

    async def join(self, request: Request) -> Response:
        return await answered(lambda: self._let_in(request))

    async def _let_in(self, request: Request) -> Response:
        if not self._attempts.allow(peer_of(request)):
            return busy("too many laptops are joining at once")
        body = await bounded_body(request)
        return document_answer(await run_in_threadpool(self._join, body))

    def _join(self, body: bytes) -> Document:
        descriptor = Envelope.from_bytes(self._home.descriptor.read_bytes())
        return join(body, log=self._log, descriptor=descriptor, register_node=self._register_node)
