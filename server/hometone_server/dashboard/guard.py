"""Stands in front of the coordinator's pages (docs/pages.md, section 2). What is decided is in `hometone_shared.pages.gate`.

1. Peer, Host, Origin and length are looked at before anything else.
2. Whoever has no session gets the entrance, and assets, and nothing else.
3. Every answer carries the security headers.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hometone_server.dashboard.office import Office
from hometone_server.gateway.limits import LONGEST_BODY
from hometone_shared.pages.access import PAGE_HEADERS
from hometone_shared.pages.gate import Asked, refusal, session_name

COOKIE: Final = "hometone-coordinator"
SESSION: Final = "hometone.session"
"""Where the guard puts the session, in the scope of a request."""
_OPEN_PATHS: Final = ("/enter", "/static/")


class DashboardGuard:
    """ASGI middleware with the three rules above."""

    def __init__(self, app: ASGIApp, *, office: Office) -> None:
        """Stand in front of `app`."""
        self._app = app
        self._office = office

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            return  # no websockets, no lifespan work
        sender = _with_headers(send)
        refused = refusal(_asked(scope), most_bytes=LONGEST_BODY)
        if refused is not None:  # (1)
            status, text = refused
            await PlainTextResponse(text, status_code=status, headers={"Connection": "close"})(scope, receive, sender)
            return
        session = self._office.desks.find(session_name(Headers(scope=scope).get("cookie", ""), cookie=COOKIE))
        if session is None and not scope["path"].startswith(_OPEN_PATHS):  # (2)
            await RedirectResponse("/enter", status_code=303)(scope, receive, sender)
            return
        scope[SESSION] = session
        await self._app(scope, receive, sender)


def _asked(scope: Scope) -> Asked:
    headers = Headers(scope=scope)
    client, server = scope.get("client"), scope.get("server")
    return Asked(
        method=scope["method"],
        scheme=scope["scheme"],
        peer=client[0] if client else None,
        port=int(server[1] or 80) if server else None,
        hosts=headers.getlist("host"),
        origin=headers.get("origin"),
        fetch_site=headers.get("sec-fetch-site"),
        fetch_dest=headers.get("sec-fetch-dest"),
        length=headers.get("content-length", "0"),
    )


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in PAGE_HEADERS.items():  # (3)
                if name not in headers:
                    headers[name] = value
        await send(message)

    return sender
