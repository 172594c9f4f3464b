"""How long until a page can be used, and what it weighs: the requirement is 1 s on two cores and 200 kB.

    PYTHONPATH=. python benchmarks/pages.py                                        the coordinator's public page, started here
    PYTHONPATH=. python benchmarks/pages.py --at http://127.0.0.1:8411 / /new      pages of a running program
    PYTHONPATH=. python benchmarks/pages.py --at ... --enter '/enter?key=...' /me  the same, after coming in by a link

Cold is a fresh browser context with an empty cache, so with a new connection; warm is the same page again in it. Times are those of the
browser: from the beginning of the navigation to the first text (first contentful paint), and to when the heading is there.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page
from tests.browser import chromium
from tests.browser.page_weight import MOST_BYTES, weighed
from tests.registered_people import PAGE, registered_people

MOST_MS: Final = 1000.0
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
        page.wait_for_function("window.headingAt && performance.getEntriesByName('first-contentful-paint').length")
    times = page.evaluate(_TIMES)
    return Look(times["paint"], times["heading"], weight.page_bytes, weight.sound_bytes)


def measure(browser: Browser, origin: str, path: str, *, enter: str, times: int) -> tuple[list[Look], list[Look]]:
    """Looks, cold and warm."""
    cold, warm = [], []
    for _ in range(times):
        context = chromium.new_context(browser, screen="phone")
        page = context.new_page()
        if enter:
            page.goto(origin + enter)
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


def main(arguments: list[str]) -> int:
    """Measure; 1 if a page is too slow or too heavy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[PAGE], help="pages, such as /me")
    parser.add_argument("--at", default="", help="origin of a running program; a coordinator is started if not given")
    parser.add_argument("--enter", default="", help="an address that is opened first in every browser, such as /enter?key=...")
    parser.add_argument("--times", type=int, default=7, help="looks of each kind")
    chosen = parser.parse_args(arguments)

    def all_of(origin: str) -> bool:
        with chromium.chromium() as browser:
            measure(browser, origin, chosen.paths[0], enter=chosen.enter, times=1)  # the browser's own first time
            measured = [(path, *measure(browser, origin, path, enter=chosen.enter, times=chosen.times)) for path in chosen.paths]
        return min(report(*each) for each in measured)  # all are told

    if chosen.at:
        return 0 if all_of(chosen.at.rstrip("/")) else 1
    with tempfile.TemporaryDirectory() as name, registered_people(Path(name), each=1) as people:
        return 0 if all_of(people.origin) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
