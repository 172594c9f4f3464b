"""Takes the pictures of `docs/pictures/`: starts the real programs, walks to a page as a person would, and photographs what is there.

    python -m tools.page_pictures                 all pictures
    python -m tools.page_pictures withdraw-2      those whose name begins so

To add a picture: `studio.take(page, "name")` where a walk has come to it. To add a walk: a function that gets a `Studio`, and a line in
`WALKS`.

Everybody in them is made up for the moment, in a temporary folder; codes and numbers are good for nothing afterwards. What it must never
do: photograph a home that somebody uses.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, get_args

from PIL import Image
from playwright.sync_api import Browser, Page
from tests.browser import chromium
from tests.browser.chromium import Language, Screen
from tests.registered_people import RegisteredPeople, registered_people

PICTURES: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_COLOURS: Final = 64


@dataclass
class Studio:
    """Where the pictures are taken.

    Attributes:
        browser: Runs.
        folder: For homes, gone afterwards.
        out: Where pictures go.
        wanted: The beginning of the names of those that are wanted.
    """

    browser: Browser
    folder: Path
    out: Path
    wanted: str
    programs: ExitStack

    @cached_property
    def people(self) -> RegisteredPeople:
        """A running coordinator with people; started when somebody asks for it."""
        (self.folder / "people").mkdir()
        return self.programs.enter_context(registered_people(self.folder / "people", each=3))

    @contextmanager
    def page(self, address: str, *, screen: Screen = "phone", language: Language = "en") -> Iterator[Page]:
        """A page of a fresh browser."""
        context = chromium.new_context(self.browser, screen=screen, language=language, scale=1)
        try:
            page = context.new_page()
            page.goto(address)
            yield page
        finally:
            context.close()

    def take(self, page: Page, name: str) -> None:
        """A picture of the whole page, `name.png`, in few colours."""
        if not name.startswith(self.wanted):
            return
        page.evaluate("document.activeElement?.blur()")
        with Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled", caret="hide"))) as picture:
            few = picture.convert("RGB").quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(self.out / f"{name}.png", optimize=True)
        print(f"{name}.png  {(self.out / f'{name}.png').stat().st_size / 1000:.0f} kB")


def withdrawing(studio: Studio) -> None:
    """The coordinator's public page on a telephone: a mistake, the three steps."""
    for language in get_args(Language):
        secret = studio.people.with_round.pop()
        with studio.page(studio.people.page, language=language) as page:
            studio.take(page, f"withdraw-1-{language}")
            words = secret.words("en").split()
            page.fill("#code", " ".join([*words[:4], "vapour", *words[5:]]))
            page.click("button[value=preview]:not(.language)")
            studio.take(page, f"withdraw-1-mistake-{language}")
            page.fill("#code", secret.code())
            page.click("button[value=preview]:not(.language)")
            studio.take(page, f"withdraw-2-{language}")
            page.click("button[value=confirm]")
            studio.take(page, f"withdraw-3-{language}")


WALKS: Final[dict[str, Callable[[Studio], None]]] = {"withdraw": withdrawing}
"""The beginning of the names of a walk's pictures, and the walk."""


def main(arguments: list[str]) -> int:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="?", default="", help="the beginning of the names of those that are wanted")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder for the pictures")
    chosen = parser.parse_args(arguments)
    walks = [walk for name, walk in WALKS.items() if name.startswith(chosen.wanted) or chosen.wanted.startswith(name)]
    if not walks:
        print(f"no picture begins with {chosen.wanted}", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as programs, chromium.chromium() as browser:
        studio = Studio(browser=browser, folder=Path(name), out=chosen.out, wanted=chosen.wanted, programs=programs)
        for walk in walks:
            walk(studio)
        programs.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
