"""Stands in front of the pages: who may look at all (docs/pages.md, section 2). The API has a guard of its own (`web.guard`).

1. The peer is on this machine, the Host header names it, and no other origin asks.
2. What changes something comes from a page of ours.
3. Whoever has no session gets the entrance, and assets, and nothing else. A program of another user of this computer has none, whatever it
   brings along: browsers send a cookie to every port of a host, and the link stands in the list of processes while the browser starts.
4. A request is at most so large; only somebody with a session can be slow.
5. Every answer carries the security headers.
6. What nobody foresaw is logged by its kind and nothing more.
"""

import logging
from collections.abc import Callable
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hometone_client.pages.forms import MOST_BYTES
from hometone_client.pages.house import House
from hometone_shared.pages.access import PAGE_HEADERS
from hometone_shared.pages.gate import Asked, refusal, session_name

_LOG: Final = logging.getLogger(__name__)
COOKIE: Final = "hometone"
SESSION: Final = "hometone.session"
"""Where the guard puts the session, in the scope of a request."""
STRANGER: Final = "hometone.stranger"
"""Where the guard says that another user's program asks, for whom no link is good."""
_OPEN_PATHS: Final = ("/enter", "/static/")
Address = tuple[str, int]


def nobody(_peer: Address, _here: Address) -> bool:
    """Take nobody for a stranger: where programs are not told apart."""
    return False


class _TooLargeError(Exception):
    pass


class PageGuard:
    """ASGI middleware with the rules above."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        house: House,
        unforeseen: Callable[[Request, Exception], Response],
        is_stranger: Callable[[Address, Address], bool] = nobody,
    ) -> None:
        """Stand in front of `app`.

        Args:
            app: The pages.
            house: Who has come in.
            unforeseen: Tells on a page that something went wrong (6).
            is_stranger: Whether another user's program is at the other end, by the addresses of both ends (3).
        """
        self._app = app
        self._house = house
        self._unforeseen = unforeseen
        self._is_stranger = is_stranger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            return  # no websockets, no lifespan work
        answer = _Answer(send)
        sender = answer.send
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, sender)
            return
        scope[STRANGER] = await self._is_of_somebody_else(scope)
        cookies = "" if scope[STRANGER] else Headers(scope=scope).get("cookie", "")
        session = self._house.browsers.find(session_name(cookies, cookie=COOKIE))
        if session is None and not scope["path"].startswith(_OPEN_PATHS):  # (3)
            await RedirectResponse("/enter", status_code=303)(scope, receive, sender)
            return
        scope[SESSION] = session
        try:
            await self._app(scope, _bounded(receive), sender)
        except _TooLargeError:
            await PlainTextResponse("too large", status_code=413, headers={"Connection": "close"})(scope, receive, sender)
        except Exception as error:  # a traceback would tell the log what somebody typed (6)
            _LOG.error("a page failed: %s", type(error).__name__)
            if not answer.begun:
                await self._unforeseen(Request(scope), error)(scope, receive, sender)

    async def _is_of_somebody_else(self, scope: Scope) -> bool:
        client, server = scope.get("client"), scope.get("server")
        if client is None or server is None or self._is_stranger is nobody:
            return False
        return await to_thread.run_sync(self._is_stranger, (client[0], client[1]), (server[0], server[1]))

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
            fetch_dest=headers.get("sec-fetch-dest"),
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


class _Answer:
    """One answer on its way, with the security headers (5)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in PAGE_HEADERS.items():
                if name not in headers:
                    headers[name] = value
        await self._send(message)
