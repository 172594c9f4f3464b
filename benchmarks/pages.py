"""How long until a page can be used, and what it weighs: the requirement is 1 s on two cores and 200 kB.

    PYTHONPATH=. python benchmarks/pages.py                                        the coordinator's public page, started here
    PYTHONPATH=. python benchmarks/pages.py --of laptop                            a laptop with somebody who has a voice, started here
    PYTHONPATH=. python benchmarks/pages.py --of dashboard                         the dashboard of a coordinator with a history
    PYTHONPATH=. python benchmarks/pages.py --at http://127.0.0.1:8411 / /new      pages of a running program
    PYTHONPATH=. python benchmarks/pages.py --at ... --enter '/enter?key=...' /me  the same, after an address that is opened first

Cold is a fresh browser context with an empty cache, so with a new connection (after coming in, where one has to); warm is the same
page again in it. Times are those of the browser: from the beginning of the navigation to the first text (first contentful paint), and to
when the heading is there. Of a laptop it is told, too, how long `hometone open` takes from the start of the process until its link can be
followed, and until the first page is there.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page
from tests.browser import chromium
from tests.browser.page_weight import MOST_BYTES, weighed
from tests.opened_laptop import add_person, opened_laptop
from tests.registered_people import PAGE, registered_people
from tests.village import PIN, until
from tools.coordinator_pictures import served
from tools.picture_studio import Studio

from hometone_client.speakers.consent import Purpose

MOST_MS: Final = 1000.0
_LAPTOP: Final = (
    "/",
    "/new",
    "/stop",
    "/announcements",
    "/announcements/new",
    "/presenter",
    "/listening",
    "/borrowed",
    "/me",
    "/me/recording",
    "/me/recording/read/zh-everyday/1",
    "/me/making",
    "/me/speak",
    "/me/uses",
    "/me/privacy",
    "/me/consents",
    "/me/lending",
    "/me/recovery",
)
_DASHBOARD: Final = ("/", "/rounds", "/rounds/order", "/laptops", "/balance", "/quality", "/listening", "/withdrawals", "/log")
Enter = Callable[[Page], None]
_WATCH_HEADING: Final = """
const seen = new MutationObserver(() => {
    if (document.querySelector("h1")?.checkVisibility()) {
        requestAnimationFrame(() => { window.headingAt ??= performance.now(); });
        seen.disconnect();
    }
});
seen.observe(document, {childList: true, subtree: true});
"""
_TIMES: Final = """() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
    heading: window.headingAt ?? null,
})"""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a page; times in ms."""

    paint_ms: float
    heading_ms: float
    page_bytes: int
    sound_bytes: int


def look(page: Page, address: str) -> Look:
    """Open it and wait until it can be used."""
    with weighed(page) as weight:
        page.goto(address)
        until(lambda: None not in page.evaluate(_TIMES).values(), "a heading")
    times = page.evaluate(_TIMES)
    return Look(times["paint"], times["heading"], weight.page_bytes, weight.sound_bytes)


def measure(browser: Browser, origin: str, path: str, *, enter: Enter, times: int) -> tuple[list[Look], list[Look]]:
    """Looks, cold and warm."""
    cold, warm = [], []
    for _ in range(times):
        context = chromium.new_context(browser, screen="phone")
        page = context.new_page()
        enter(page)
        context.add_init_script(_WATCH_HEADING)
        cold.append(look(page, origin + path))
        warm.append(look(page, origin + path))
        context.close()
    return cold, warm


def report(path: str, cold: Sequence[Look], warm: Sequence[Look]) -> bool:
    """Print a line; whether the page does what is required."""
    worst = max(max(each.paint_ms, each.heading_ms) for each in [*cold, *warm])
    figures = [
        f"{name}: paint {statistics.median(each.paint_ms for each in looks):.0f}, heading "
        f"{statistics.median(each.heading_ms for each in looks):.0f} ms"
        for name, looks in (("cold", cold), ("warm", warm))
    ]
    heaviest = max(each.page_bytes for each in [*cold, *warm])
    print(f"{path}  {'; '.join(figures)}; worst {worst:.0f} ms; {heaviest / 1000:.1f} kB, sound {cold[0].sound_bytes / 1000:.1f} kB")
    return worst <= MOST_MS and heaviest <= MOST_BYTES


def laptop(browser: Browser, folder: Path, *, times: int) -> bool:
    """Start one, and measure its pages."""
    with opened_laptop(folder) as opened:
        with opened.laptop.vault() as vault:
            place = add_person(vault, "Mei", purposes=(Purpose.FEDERATED, Purpose.ANNOUNCEMENTS))
        linked, shown = [], []
        for _ in range(times):
            page = chromium.new_context(browser).new_page()
            began = time.perf_counter()
            link = opened.open()
            linked.append(time.perf_counter() - began)
            page.goto(link)
            page.locator("h1").wait_for()
            shown.append(time.perf_counter() - began)
            page.context.close()
            opened.close()
        for what, figures in (("link", linked), ("first page", shown)):
            print(f"process to {what}: median {statistics.median(figures):.2f} s, worst {max(figures):.2f} s")
        opened.open()

        def enter(page: Page) -> None:
            page.goto(opened.link())
            page.goto(f"{opened.origin}/unlock/{place}")
            page.locator("#pin").fill(PIN)
            page.locator("#main button[type=submit]").click()
            page.wait_for_url("**/me")

        return all_of(browser, opened.origin, _LAPTOP, enter=enter, times=times)


def all_of(browser: Browser, origin: str, paths: Sequence[str], *, enter: Enter, times: int) -> bool:
    """Measure pages of a program that runs; all are told."""
    measure(browser, origin, paths[0], enter=enter, times=1)  # the browser's own first time
    measured = [(path, *measure(browser, origin, path, enter=enter, times=times)) for path in paths]
    return min([report(*each) for each in measured])


def main(arguments: list[str]) -> int:
    """Measure; 1 if a page is too slow or too heavy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[PAGE], help="pages, such as /me")
    parser.add_argument("--of", choices=("public", "laptop", "dashboard"), default="public", help="what is started here")
    parser.add_argument("--at", default="", help="origin of a running program, instead")
    parser.add_argument("--enter", default="", help="an address that is opened first in every browser, such as /enter?key=...")
    parser.add_argument("--times", type=int, default=7, help="looks of each kind")
    chosen = parser.parse_args(arguments)
    origin, times = chosen.at.rstrip("/"), chosen.times

    def enter(page: Page) -> None:
        if chosen.enter:
            page.goto(origin + chosen.enter)

    with tempfile.TemporaryDirectory() as name, ExitStack() as programs, chromium.chromium() as browser:
        folder = Path(name)
        if origin:
            good = all_of(browser, origin, chosen.paths, enter=enter, times=times)
        elif chosen.of == "laptop":
            good = laptop(browser, folder, times=times)
        elif chosen.of == "dashboard":
            studio = Studio(browser=browser, folder=folder, out=folder, wanted="", programs=programs)
            office, there = programs.enter_context(served(studio))

            def come_in(page: Page) -> None:
                page.goto(f"{there}/enter?key={office.keys.new()}")

            good = all_of(browser, there, _DASHBOARD, enter=come_in, times=times)
        else:
            people = programs.enter_context(registered_people(folder, each=1))
            good = all_of(browser, people.origin, chosen.paths, enter=enter, times=times)
        programs.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
