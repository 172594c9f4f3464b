"""Stands in front of the pages: who may look at all (docs/pages.md, section 2). The API has a guard of its own (`web.guard`).

1. The peer is on this machine, the Host header names it, and no other origin asks.
2. What changes something comes from a page of ours.
3. Whoever has no session gets the entrance, and assets, and nothing else.
4. A request is at most so large, and comes in time.
5. Every answer carries the security headers.
6. What nobody foresaw is logged by its kind and nothing more.
"""

import logging
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hometone_client.pages.forms import MOST_BYTES
from hometone_client.pages.house import House
from hometone_shared.pages.access import PAGE_HEADERS
from hometone_shared.pages.gate import Asked, refusal, session_name

_LOG: Final = logging.getLogger(__name__)
COOKIE: Final = "hometone"
SESSION: Final = "hometone.session"
"""Where the guard puts the session, in the scope of a request."""
_OPEN_PATHS: Final = ("/enter", "/static/")


class _TooLargeError(Exception):
    pass


class PageGuard:
    """ASGI middleware with the five rules above."""

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        """Stand in front of `app`."""
        self._app = app
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            return  # no websockets, no lifespan work
        sender = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, sender)
            return
        session = self._house.browsers.find(session_name(Headers(scope=scope).get("cookie", ""), cookie=COOKIE))
        if session is None and not scope["path"].startswith(_OPEN_PATHS):  # (3)
            await RedirectResponse("/enter", status_code=303)(scope, receive, sender)
            return
        scope[SESSION] = session
        try:
            await self._app(scope, _bounded(receive), sender)
        except _TooLargeError:
            await PlainTextResponse("too large", status_code=413, headers={"Connection": "close"})(scope, receive, sender)
        except Exception as error:  # it has been told on a page; a traceback would tell the log what somebody typed (6)
            _LOG.error("a page failed: %s", type(error).__name__)

    @staticmethod
    def _refusal(scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        client, server = scope.get("client"), scope.get("server")
        asked = Asked(
            method=scope["method"],
            scheme=scope["scheme"],
            peer=None if client is None else client[0],
            port=None if server is None else int(server[1] or 80),
            hosts=headers.getlist("host"),
            origin=headers.get("origin"),
            fetch_site=headers.get("sec-fetch-site"),
            length=headers.get("content-length", "0"),
        )
        refused = refusal(asked, most_bytes=MOST_BYTES)  # (1) (2) (4)
        return None if refused is None else PlainTextResponse(refused[1], status_code=refused[0], headers={"Connection": "close"})


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES:
            raise _TooLargeError
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in PAGE_HEADERS.items():  # (5)
                if name not in headers:
                    headers[name] = value
        await send(message)

    return sender
