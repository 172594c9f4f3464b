"""Somebody with a browser, without a socket: keeps the cookie, follows redirects if asked, and sends forms with their token."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

from hometone_client.pages.house import House

HOST = "127.0.0.1:8573"
ORIGIN = f"http://{HOST}"


class Visitor:
    """One browser."""

    def __init__(self, app: ASGIApp, house: House, *, language: str = "en") -> None:
        self.app = app
        self.house = house
        self.cookies: dict[str, str] = {}
        self.language = language
        self.token = ""

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, peer: str = "127.0.0.1", host: str = HOST, **more: Any
    ) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 5000))
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=self.cookies) as http:
                response = await http.request(
                    method, path, headers={"Accept-Language": self.language, "Host": host} | dict(headers or {}), **more
                )
                self.cookies.update(http.cookies)
                return response

        return asyncio.run(run())

    def get(self, path: str, **more: Any) -> httpx.Response:
        response = self.request("GET", path, **more)
        found = re.search(r'name="_token" value="([^"]*)"', response.text)
        if found:
            self.token = found[1]
        return response

    def post(self, path: str, fields: Mapping[str, Any] | None = None, *, token: str | None = None, **more: Any) -> httpx.Response:
        """Post a form of our own page."""
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"} | dict(more.pop("headers", {}))
        return self.request(
            "POST", path, data={"_token": self.token if token is None else token} | dict(fields or {}), headers=headers, **more
        )

    def follow(self, response: httpx.Response) -> httpx.Response:
        """The page that an answer leads to."""
        assert response.status_code == 303, response.text
        return self.get(response.headers["location"])

    def enter(self) -> httpx.Response:
        """Come in by a fresh link."""
        return self.follow(self.get(f"/enter?key={self.house.keys.new()}"))
