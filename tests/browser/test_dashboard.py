"""The coordinator's pages in real Chromium: both languages, a phone and a desk, and a walk through what a coordinator does."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page
from tests.browser.accessibility import assert_accessible
from tests.browser.chromium import visible_text
from tests.browser.page_weight import assert_light, weighed
from tests.populated_coordinator import LAPTOPS, FakeFlower, populate
from tests.replaying_federation import Federation
from tests.unit.server.conftest import Village

from hometone_server import founding
from hometone_server.dashboard.office import Office
from hometone_server.dashboard.server import web_server
from hometone_server.home import CoordinatorHome
from hometone_server.rounds.order import Order
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.shared_model import SharedModel

PATHS = (
    "/",
    "/rounds",
    "/rounds/0000000000000001",
    "/rounds/00000000000000a0",
    "/rounds/order",
    "/rounds/releases/1",
    "/laptops",
    "/balance",
    "/quality",
    "/listening",
    "/withdrawals",
    "/withdrawals/replay",
    "/log",
    "/nowhere",
)


@dataclass
class Served:
    """A coordinator's pages behind a port of loopback."""

    office: Office
    origin: str

    @property
    def link(self) -> str:
        return f"{self.origin}/enter?key={self.office.keys.new()}"


def _order(**changes: object) -> Order:
    model = SharedModel.of_this_version()
    fields = {"purpose": RoundPurpose.MODEL, "epsilon": 2.0, "delta": 1e-5, "clip_norm": 1.0, "minimum_cohort": 3, "gather_s": 0.0}
    return Order(**{**fields, "base_sha256": model.base_sha256, "basis_sha256": model.basis_sha256, **changes})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = CoordinatorHome(tmp_path_factory.mktemp("coordinator"))
    founding.found(home, name="Village hall", address="192.0.2.77:8443")
    village, flower = Village(home, LAPTOPS), FakeFlower()
    populate(Federation(village, _order), flower)
    village.close()
    office = Office(home, flower=flower)
    server = web_server(office)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield Served(office, f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.should_exit = True
        thread.join(10)
    office.close()


@pytest.fixture
def come_in(served: Served, open_page: Callable[..., Page]) -> Callable[..., Page]:
    def enter(**how: str) -> Page:
        page = open_page(served.origin, **how)
        page.goto(served.link)
        return page

    return enter


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_everybody_can_read_and_use_every_page(served, come_in, screen, language):
    page = come_in(screen=screen, language=language)
    for path in PATHS:
        with weighed(page) as weight:
            page.goto(served.origin + path)
        assert_light(weight)
        assert_accessible(page)
        assert page.locator("html").get_attribute("lang") == ("zh-Hans" if language == "zh" else "en")
    page.goto(served.origin + "/rounds/order")
    page.locator("form#main button[type=submit]").click()
    assert_accessible(page)
    page.goto(served.origin + "/laptops")
    page.locator("form#main button[type=submit]").click()
    assert_accessible(page)


def test_who_has_no_link_sees_how_to_come_in(served, open_page):
    page = open_page(served.origin, language="zh")
    page.goto(served.origin + "/rounds")
    assert page.url == served.origin + "/enter"
    assert "hometone-coordinator dashboard" in visible_text(page)
    assert_accessible(page)


def test_a_campaign_is_ordered_with_the_keyboard_and_stopped(served, come_in):
    page = come_in()
    page.goto(served.origin + "/rounds/order")
    page.get_by_label("Count who takes part").focus()
    page.keyboard.press("Space")
    page.get_by_label("People expected").fill("40")
    page.get_by_role("button", name="中文").click()
    assert page.locator("#speakers").input_value() == "40"
    assert page.locator("input[value=balance]").is_checked()
    page.get_by_role("button", name="English").click()
    assert page.locator("#speakers").input_value() == "40"
    page.locator("#speakers").press("Enter")
    assert "Nothing has begun yet" in visible_text(page)
    page.get_by_role("button", name="Yes, begin").press("Enter")
    page.wait_for_url(re.compile(r"/rounds/[0-9a-f]{16}$"))
    assert "It is ordered" in visible_text(page)
    page.get_by_role("button", name="Stop after this attempt").click()
    assert "stopped" in visible_text(page)


def test_a_page_shows_by_itself_that_a_round_has_begun_and_ended(served, come_in):
    page = come_in()
    page.goto(served.origin + "/")
    assert "No round is under way" in visible_text(page)
    with served.office.journal() as journal:
        journal.add_campaign("c" * 16, _order(rounds=1, dimension=4, noise_multiplier=1.0))
        page.get_by_text("waiting for enough laptops").wait_for()
        journal.stop("c" * 16)
        page.get_by_text("No round is under way").wait_for()


def test_pages_work_without_script(served, browser):
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(served.link)
    page.get_by_role("link", name="Invite a laptop").click()
    page.get_by_role("button", name="Make invitations").click()
    assert "HT1-" in visible_text(page)
    context.close()
