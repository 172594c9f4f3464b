"""Takes the pictures of `docs/pictures/`: starts the real programs, walks to a page as a person would, and photographs what is there.

    python -m tools.page_pictures                 all pictures
    python -m tools.page_pictures withdraw-2      those whose name begins so

To add a picture: `studio.take(page, "name")` where a walk has come to it. To add a walk: a function that gets a `Studio`, and a line in
`WALKS`; walks of the laptop are in `laptop_pictures`, of the coordinator in `coordinator_pictures`.

Everybody in them is made up for the moment, in a temporary folder; codes and numbers are good for nothing afterwards. What it must never
do: photograph a home that somebody uses.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, get_args

from tests.browser import chromium
from tests.browser.chromium import Language
from tools.coordinator_pictures import dashboard
from tools.laptop_pictures import listening, my_voice, someone_new
from tools.picture_studio import PICTURES, Studio


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


WALKS: Final[tuple[tuple[tuple[str, ...], Callable[[Studio], None]], ...]] = (
    (("withdraw",), withdrawing),
    (("laptop-welcome", "laptop-consent-", "laptop-recording", "laptop-verdict", "laptop-making"), someone_new),
    (
        (
            "laptop-me",
            "laptop-hearing",
            "laptop-speak",
            "laptop-privacy",
            "laptop-consents",
            "laptop-calendar",
            "laptop-presenter",
            "laptop-stop",
            "laptop-receipt",
        ),
        my_voice,
    ),
    (("laptop-question",), listening),
    (("dashboard",), dashboard),
)
"""The beginnings of the names of a walk's pictures, and the walk."""


def main(arguments: list[str]) -> int:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="?", default="", help="the beginning of the names of those that are wanted")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder for the pictures")
    chosen = parser.parse_args(arguments)
    walks = [walk for names, walk in WALKS if any(name.startswith(chosen.wanted) or chosen.wanted.startswith(name) for name in names)]
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
