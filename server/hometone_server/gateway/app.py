"""The routes of the gateway, under `/hometone/v1` (docs/log.md, "Asking for it"). They hold no state but the count of attempts to join.

Everything but joining is public and read-only. Answers are canonical JSON, signed notes as text, or bytes; refusals are `{"error":
{"code", "message", "hint"}}`. What it may see: the log, public keys, tokens. What it must never do: log a name, an address, a key or a
token, or tell of an error more than its message.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from hometone_server.certificates import Certificates
from hometone_server.gateway.joining import NodeRegistration, join
from hometone_server.gateway.limits import Attempts, bounded_body
from hometone_server.home import CoordinatorHome
from hometone_server.records.devices import DeviceRefusedError
from hometone_server.records.invitations import InvitationRefusedError
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_shared.errors import HometoneError, ProtocolError, UsageError
from hometone_shared.records.canonical import Document, b64, canonical
from hometone_shared.records.signing import Envelope

PREFIX: Final = "/hometone/v1"
_LOG: Final = logging.getLogger(__name__)
_DOCUMENT: Final = "application/json"
_LONGEST_NUMBER: Final = 13


def build(home: Path, *, register_node: NodeRegistration | None = None, attempts: Attempts | None = None) -> Starlette:
    """Build the gateway.

    Args:
        home: The coordinator's folder, after `init`.
        register_node: How Flower learns a node key; Flower's own way if not given.
        attempts: Limits of attempts to join.

    Raises:
        UsageError: There is no coordinator in this folder.
        DamagedVaultError: Its files cannot be read.
    """
    folder = CoordinatorHome(home).require()
    log = LogStore.open(folder)
    gateway = _Gateway(folder, log, register_node=register_node or _with_flower(folder), attempts=attempts or Attempts())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        log.close()

    def route(path: str, answer: Callable[[Request], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answered(lambda: run_in_threadpool(answer, request))

        return Route(path, endpoint, methods=["GET"])

    routes: list[Route | Mount] = [
        route("/ca", gateway.authority),
        route("/descriptor", gateway.descriptor),
        route("/log/checkpoint", gateway.checkpoint),
        route("/log/entries", gateway.entries),
        route("/log/consistency", gateway.consistency),
        route("/log/inclusion", gateway.inclusion),
        route("/releases/{number}", gateway.release),
        route("/releases/{number}/vector", gateway.vector),
        Route("/join", gateway.join, methods=["POST"]),
    ]
    return Starlette(routes=[Mount(PREFIX, routes=routes)], exception_handlers={HTTPException: _not_here}, lifespan=lifespan)


def _with_flower(home: CoordinatorHome) -> NodeRegistration:
    from hometone_server.flower.runs import register_node

    def register(node_key: bytes) -> None:
        register_node(home, node_key)

    return register


class _Gateway:
    def __init__(self, home: CoordinatorHome, log: LogStore, *, register_node: NodeRegistration, attempts: Attempts) -> None:
        self._home = home
        self._log = log
        self._releases = Releases.open(home, log)
        self._register_node = register_node
        self._attempts = attempts

    def authority(self, _request: Request) -> Response:
        return _answer(Certificates(self._home.certificates).authority.read_bytes(), "application/x-pem-file")

    def descriptor(self, _request: Request) -> Response:
        return _answer(self._home.descriptor.read_bytes(), _DOCUMENT)

    def checkpoint(self, _request: Request) -> Response:
        return _answer(self._log.head(), "text/plain; charset=utf-8")

    def entries(self, request: Request) -> Response:
        leaves = self._log.leaves(_number(request, "first"), _number(request, "last"))
        return _answer(b'{"entries":[' + b",".join(leaves) + b"]}", _DOCUMENT)  # canonical, because its parts are

    def consistency(self, request: Request) -> Response:
        return _proof(self._log.consistency(_number(request, "first"), _number(request, "second")))

    def inclusion(self, request: Request) -> Response:
        return _proof(self._log.inclusion(_number(request, "index"), _number(request, "size")))

    def release(self, request: Request) -> Response:
        return _answer(self._releases.envelope(_path_number(request)).to_bytes(), _DOCUMENT)

    def vector(self, request: Request) -> Response:
        return _answer(self._releases.vector(_path_number(request)), "application/octet-stream")

    async def join(self, request: Request) -> Response:
        return await _answered(lambda: self._let_in(request))

    async def _let_in(self, request: Request) -> Response:
        peer = request.client.host if request.client else ""
        if not self._attempts.allow(peer):
            return _refusal(429, code="busy", message="too many laptops are joining at once", hint="try again in a minute")
        body = await bounded_body(request)
        return _document(await run_in_threadpool(self._join, body))

    def _join(self, body: bytes) -> Document:
        descriptor = Envelope.from_bytes(self._home.descriptor.read_bytes())
        return join(body, log=self._log, descriptor=descriptor, register_node=self._register_node)


def _answer(data: bytes, media_type: str, *, status: int = 200) -> Response:
    return Response(data, status_code=status, media_type=media_type, headers={"Cache-Control": "no-store"})


def _document(document: Document) -> Response:
    return _answer(canonical(document), _DOCUMENT)


def _proof(parts: list[bytes]) -> Response:
    return _document({"proof": [b64(part) for part in parts]})


def _refusal(status: int, *, code: str, message: str, hint: str) -> Response:
    return _answer(canonical({"error": {"code": code, "hint": hint, "message": message}}), _DOCUMENT, status=status)


def _number(request: Request, name: str) -> int:
    return _checked_number(request.query_params.get(name, ""))


def _path_number(request: Request) -> int:
    return _checked_number(request.path_params["number"])


def _checked_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise ProtocolError("a request lacks a whole number")
    return int(text)


async def _answered(work: Callable[[], Awaitable[Response]]) -> Response:
    """An answer or a refusal; an error that nobody foresaw goes no further, because a traceback in a log may hold anything."""
    try:
        return await work()
    except InvitationRefusedError as error:
        return _told(403, error.code, error)
    except DeviceRefusedError as error:
        return _told(403, "refused", error)
    except UsageError as error:
        return _told(404, "missing", error)
    except ProtocolError as error:
        return _told(400, "malformed", error)
    except Exception as error:
        _LOG.error("a request failed: %s", type(error).__name__)
        return _refusal(500, code="internal", message="the coordinator has a problem", hint="tell the people who run it")


def _told(status: int, code: str, error: HometoneError) -> Response:
    return _refusal(status, code=code, message=error.message, hint=error.hint)


async def _not_here(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _refusal(status, code="missing", message="there is nothing at this address", hint="")
