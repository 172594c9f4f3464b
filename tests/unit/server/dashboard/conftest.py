"""A coordinator with a history, its pages in this process, and a browser that keeps a cookie and reads forms."""

import re
from collections.abc import Callable
from html import unescape

import anyio
import httpx
import pytest
from tests.populated_coordinator import LAPTOPS, FakeFlower, populate
from tests.replaying_federation import Federation

from hometone_server.dashboard.app import create_dashboard
from hometone_server.dashboard.office import Office

ORIGIN = "http://127.0.0.1:8574"


class Browser:
    """Keeps a cookie, reads the token of forms, sends what browsers send."""

    def __init__(self, office: Office) -> None:
        self.app = create_dashboard(office)
        self.cookie = ""
        self.token = ""

    def ask(self, method: str, path: str, *, peer: str = "127.0.0.1", headers=None, **more) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(peer, 1))
            sent = {"Cookie": self.cookie} if self.cookie else {}
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, path, headers={**sent, **(headers or {})}, **more)

        answered = anyio.run(answer)
        if set_cookie := answered.headers.get("set-cookie"):
            self.cookie = set_cookie.partition(";")[0]
        if found := re.search(r'name="_token" value="([^"]+)"', answered.text):
            self.token = found[1]
        return answered

    def enter(self, office: Office) -> httpx.Response:
        answer = self.ask("GET", f"/enter?key={office.keys.new()}")
        self.ask("GET", "/")
        return answer

    def look(self, path: str) -> str:
        """The words of a page that is there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, (answer.status_code, answer.text[:500])
        return unescape(answer.text)

    def post(self, path: str, *, token: str | None = None, origin: str | None = ORIGIN, **fields) -> httpx.Response:
        headers = {} if origin is None else {"Origin": origin, "Sec-Fetch-Site": "same-origin" if origin == ORIGIN else "cross-site"}
        return self.ask("POST", path, headers=headers, data={"_token": self.token if token is None else token, **fields})

    def act(self, path: str, **fields) -> str:
        """Post a form and give the words of the page that answers."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, (answer.status_code, answer.text[:500])
        return self.look(answer.headers["location"])


@pytest.fixture
def flower() -> FakeFlower:
    return FakeFlower()


@pytest.fixture
def make_office(flower):
    made: list[Office] = []

    def make(home, **more) -> Office:
        made.append(Office(home, flower=flower, **more))
        return made[-1]

    yield make
    for office in made:
        office.close()


@pytest.fixture
def office(home, make_office) -> Office:
    """Of a coordinator that was founded, and no more."""
    return make_office(home)


@pytest.fixture
def browser(office) -> Browser:
    """Somebody who has come in."""
    browser = Browser(office)
    browser.enter(office)
    return browser


@pytest.fixture
def make_browser() -> Callable[[Office], Browser]:
    return Browser


@pytest.fixture
def populated(make_village, make_order, flower):
    """See `tests.populated_coordinator`."""
    return populate(Federation(make_village(LAPTOPS), make_order), flower)
