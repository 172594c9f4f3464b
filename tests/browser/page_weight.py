"""What a page weighs on the way: its bytes and those of its parts as they were sent, sound apart (docs/pages.md, section 2, 4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Page

MOST_BYTES: Final = 200_000


@dataclass
class Weight:
    """Of what was loaded.

    Attributes:
        page_bytes: Page, style, scripts, pictures, what scripts asked for; with heads of answers.
        sound_bytes: Sound.
        requests: How many.
    """

    page_bytes: int = 0
    sound_bytes: int = 0
    requests: int = 0


@contextmanager
def weighed(page: Page) -> Iterator[Weight]:
    """Weigh what is loaded within the block, with an empty cache. The figures are there when it is left."""
    weight, sounds = Weight(), set()
    session = page.context.new_cdp_session(page)

    def answered(event: dict[str, Any]) -> None:
        if event["type"] == "Media" or event["response"]["mimeType"].startswith("audio/"):
            sounds.add(event["requestId"])

    def finished(event: dict[str, Any]) -> None:
        weight.requests += 1
        if event["requestId"] in sounds:
            weight.sound_bytes += int(event["encodedDataLength"])
        else:
            weight.page_bytes += int(event["encodedDataLength"])

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    yield weight
    page.wait_for_load_state("load")
    session.detach()


def assert_light(weight: Weight) -> None:
    """Fail if it is too heavy, or was not weighed."""
    assert 0 < weight.page_bytes <= MOST_BYTES, weight
