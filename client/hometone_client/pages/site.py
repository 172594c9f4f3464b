"""Pages and local API as one site behind one port (docs/pages.md, section 2): each keeps its own guard.

The API is built at its first request: the pages are there at once, and the voices are looked for when somebody wants to hear one. It speaks
with stock voices and with voices that were lent to this computer; whose PIN a page has taken, speaks on that page only.
"""

import threading
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from hometone_client.pages.app import create_pages
from hometone_client.pages.house import House
from hometone_client.speakers.uses import Way
from hometone_client.voices import VoiceRegistry
from hometone_client.web.app import create_app
from hometone_client.web.guard import Guard
from hometone_client.web.peers import is_stranger
from hometone_client.web.state import ApiState

API_PATHS: Final = ("/v1/", "/health")
LINK_PATH: Final = "/v1/pages/link"


class LocalSite:
    """The site, as an ASGI application."""

    def __init__(self, house: House, *, token: str) -> None:
        """Build it.

        Args:
            house: What it works with.
            token: Bearer token of the API.
        """
        self._house = house
        self._token = token
        self._pages: ASGIApp = create_pages(house, is_stranger=is_stranger)
        self._links = Guard(_links(house), token=token, limits=house.limits)
        self._api: ASGIApp | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the one whose path it is."""
        if scope["type"] != "http":
            return
        if scope["path"] == LINK_PATH:
            await self._links(scope, receive, send)
        elif scope["path"].startswith(API_PATHS):
            await self._api_app()(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    def _api_app(self) -> ASGIApp:
        with self._lock:
            if self._api is None:
                house = self._house
                state = ApiState(
                    token=self._token,
                    registry=VoiceRegistry(base_sha256=house.loaded.base_sha256, own=lambda: house.lent(way=Way.SERVE)),
                    speaker=house.synthesizer,
                    limits=house.limits,
                    shared_desk=house.desk,
                )
                self._api = create_app(state)
            return self._api


def _links(house: House) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.post(LINK_PATH)
    async def link() -> dict[str, str]:
        return {"key": house.keys.new()}

    return app
