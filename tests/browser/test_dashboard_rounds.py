"""A coordinator who uses nothing but the dashboard: she invites laptops, orders a round, watches it, and takes a laptop off the list.

The coordinator, its dashboard and three laptops are the real commands as processes, over TLS.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.chromium import visible_text
from tests.village import Village, free_port, together, until, write_name_of_base

pytestmark = pytest.mark.federation

NAMES = ("Wilhelmine Oberhauser", "Concetta Malaspina", "Agnieszka Wojciechowska")
PATIENCE_MS = 120_000


def _dashboard(village: Village, folder: Path) -> str:
    """Start it, and give the link that it prints."""
    log = folder / "dashboard.log"
    port = free_port()
    process = village.spawn(
        ["-m", "hometone_server.cli", "--home", str(village.root), "dashboard", "--no-browser", "--port", str(port)], log
    )
    until(lambda: b"/enter?key=" in log.read_bytes() or process.poll() is not None, "the dashboard")
    link = re.search(r"http://\S+", log.read_text(encoding="utf-8"))
    assert link is not None, log.read_text(encoding="utf-8")
    return link[0]


def test_a_round_is_ordered_and_watched_from_the_dashboard(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    with Village(tmp_path, port=free_port(), models=write_name_of_base(tmp_path / "models")) as village:
        for number, name in enumerate(NAMES, start=1):
            village.laptop(f"laptop-{number}").enrol(name)
        village.found()
        link = _dashboard(village, tmp_path)
        origin = link.partition("/enter")[0]
        page = open_page(origin)
        page.goto(link)

        page.get_by_role("link", name="Invite a laptop").click()
        page.get_by_label("How many", exact=True).fill("3")
        page.get_by_role("button", name="Make invitations").click()
        codes = page.locator("li p.code").all_inner_texts()

        def join(laptop, code: str) -> None:
            laptop.contribute_quickly(laptop.ids)
            laptop.join(code, minimum_cohort=2)

        together(*(lambda pair=pair: join(*pair) for pair in zip(village.laptops, codes, strict=True)))
        village.everybody_here()
        page.goto(origin + "/")
        expect(page.locator(".now dd").first).to_have_text("3", timeout=PATIENCE_MS)

        page.get_by_role("link", name="Order a round").click()
        page.get_by_label("Count who takes part").check()
        for label, value in (("People expected", "3"), ("What a person may lose at most (epsilon)", "1"), ("Least number of laptops", "3")):
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_role("button", name="Look at what it means").click()
        page.get_by_role("button", name="Yes, begin").click()
        page.wait_for_url(re.compile(r"/rounds/[0-9a-f]{16}$"))
        expect(page.locator("h2 .tag.finished").first).to_be_visible(timeout=PATIENCE_MS)
        run = page.url.rpartition("/")[2]
        attempt = village.attempts(run)[-1]
        assert (attempt["state"], attempt["figures"]["survivors"], attempt["figures"]["speakers"]) == ("finished", 3, 3)
        assert "laptops send what they have, hidden" in visible_text(page)
        assert "for each laptop" in visible_text(page)
        page.goto(origin + "/balance")
        assert "The noise is about" in visible_text(page)

        gone = village.laptops[2].device
        page.goto(f"{origin}/laptops/{gone}/revoke")
        page.get_by_role("button", name="Yes, take it off the list for good").click()
        assert "is off the list" in visible_text(page)
        until(lambda: village.status()["laptops"] == 2, "the revocation")

        for path in ("/", "/rounds", f"/rounds/{run}", "/laptops", "/balance", "/log", "/withdrawals"):
            page.goto(origin + path)
            shown = page.content()
            assert village.address not in shown
            assert not [name for name in NAMES if name in shown or name.split()[0] in shown]
