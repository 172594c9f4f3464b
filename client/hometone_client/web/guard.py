"""Stands in front of every route: who may speak to this server at all.

1. The peer is on this machine. The server binds to loopback only; this holds even if somebody runs the app another way (requirement 57).
2. The Host header names loopback. A page that rebinds its own DNS name to 127.0.0.1 still sends its own name (DNS rebinding).
3. No Origin but our own: pages of other sites cannot use the API even if they learnt the token. There is no CORS.
4. The bearer token, compared in constant time; only /health answers without.
5. The body is small and comes quickly. It is read here, whole, before any route sees it.
"""

import hmac
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hometone_client.web.problems import problem
from hometone_client.web.state import Limits
from hometone_shared.pages.access import is_foreign, is_loopback, names_this_server

_OPEN_PATHS: Final = frozenset({"/health"})


class _TooLargeError(Exception):
    pass


class Guard:
    """ASGI middleware with the five rules above."""

    def __init__(self, app: ASGIApp, *, token: str, limits: Limits) -> None:
        """Stand in front of `app`."""
        self._app = app
        self._token = token.encode("ascii")
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            return  # no websockets, no lifespan work
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        try:
            with anyio.fail_after(self._limits.body_timeout_s):
                body = await self._body(scope, receive)  # (5)
        except TimeoutError:
            await problem(408, "the request did not arrive in time", kind="invalid_request_error")(scope, receive, send)
            return
        except _TooLargeError:
            message = f"the request is larger than {self._limits.body_bytes} bytes"
            await problem(413, message, kind="invalid_request_error", headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        client, server = scope.get("client"), scope.get("server")
        if client is None or not is_loopback(client[0]):  # (1)
            return problem(403, "this server answers this computer only", kind="permission_error")
        hosts = headers.getlist("host")
        if len(hosts) != 1 or server is None or not names_this_server(hosts[0], port=int(server[1] or 80)):  # (2)
            return problem(403, "this server answers to the name of this computer only", kind="permission_error")
        if is_foreign(headers.get("origin"), scheme=scope["scheme"], host=hosts[0]):  # (3)
            return problem(403, "pages of other sites may not use this server", kind="permission_error")
        if scope["path"] in _OPEN_PATHS:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("utf-8"), self._token):  # (4)
            return problem(
                401,
                "the token is missing or wrong: send it as Authorization: Bearer",
                kind="authentication_error",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return None

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared[:12]) > self._limits.body_bytes:
            raise _TooLargeError
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._limits.body_bytes:
                raise _TooLargeError
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body over once, then let the real channel tell when the client leaves."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed
