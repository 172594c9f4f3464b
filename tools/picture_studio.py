"""Where pictures of pages are taken: a browser, a folder for homes that are gone afterwards, and how a picture is made small.

What it must never do: photograph a home that somebody uses.
"""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page
from tests.browser import chromium
from tests.browser.chromium import Language, Screen
from tests.registered_people import RegisteredPeople, registered_people
from tests.sound_devices import SoundDevices, sound_devices

PICTURES: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_COLOURS: Final = 48
_HIGHEST_PX: Final = 1000


@dataclass
class Studio:
    """Where the pictures are taken.

    Attributes:
        browser: Runs.
        folder: For homes, gone afterwards.
        out: Where pictures go.
        wanted: The beginning of the names of those that are wanted.
        programs: End with it.
    """

    browser: Browser
    folder: Path
    out: Path
    wanted: str
    programs: ExitStack

    @cached_property
    def people(self) -> RegisteredPeople:
        """A running coordinator with people; started when somebody asks for it."""
        return self.programs.enter_context(registered_people(self.new_folder("people"), each=3))

    @cached_property
    def sound(self) -> SoundDevices:
        """A microphone that hears sound files, and a loudspeaker."""
        return self.programs.enter_context(sound_devices())

    def new_folder(self, name: str) -> Path:
        """A folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        return folder

    @contextmanager
    def page(
        self, address: str, *, screen: Screen = "phone", language: Language = "en", size: tuple[int, int] | None = None
    ) -> Iterator[Page]:
        """A page of a fresh browser; `size` in px if its window is neither a telephone's nor a large one."""
        context = chromium.new_context(self.browser, screen=screen, language=language, scale=1)
        try:
            page = context.new_page()
            if size is not None:
                page.set_viewport_size({"width": size[0], "height": size[1]})
            page.goto(address)
            yield page
        finally:
            context.close()

    def take(self, page: Page, name: str) -> None:
        """A picture of the whole page, `name.png`, in few colours; of a very long one the beginning."""
        if not name.startswith(self.wanted):
            return
        page.evaluate("document.activeElement?.blur()")
        with Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled", caret="hide"))) as picture:
            part = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, _HIGHEST_PX)))
            few = part.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(self.out / f"{name}.png", optimize=True)
        print(f"{name}.png  {(self.out / f'{name}.png').stat().st_size / 1000:.0f} kB")
