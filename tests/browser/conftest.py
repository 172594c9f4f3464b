"""A browser for this folder, a page for each test, and real programs for it to speak to.

Without Chromium these tests are left out, with the reason; with `HOMETONE_NEEDS_BROWSER=1`, as in CI, they fail.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests import sound_devices as sound
from tests.browser import chromium
from tests.browser.chromium import Language, Screen, Watch
from tests.registered_people import RegisteredPeople, registered_people
from tests.village import Laptop, Village, free_port

from hometone_client.models import model_folder

HERE = Path(__file__).parent
OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _leave_out(reason: str) -> None:
    if chromium.is_needed():
        pytest.fail(f"{reason} ({chromium.NEEDED}=1)")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a file; it ends with them, because Playwright keeps the thread's event loop, which other tests need."""
    if chromium.executable() is None:
        _leave_out("there is no browser: install chromium, and fonts-noto-cjk for Chinese")
    with chromium.chromium() as running, chromium.patient_hands():
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """`open_page(origin, screen=, language=)`: a page of a browser in which nothing is yet. Faults of any fail the test at its end."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_one(origin: str, *, screen: Screen = "desktop", language: Language = "en") -> Page:
        context = chromium.new_context(browser, screen=screen, language=language)
        opened.append((context, Watch(origin).over(context)))
        return context.new_page()

    yield open_one
    for context, _ in opened:
        context.close()
    faults = [fault for _, watch in opened for fault in watch.faults]
    assert faults == []


@pytest.fixture(scope="session")
def sound_devices() -> Iterator[sound.SoundDevices]:
    """A microphone and a loudspeaker for the programs of a laptop: `laptop.village.surroundings.update(sound_devices.environment)`."""
    if absent := sound.missing():
        _leave_out(f"there are no sound devices for tests: install pulseaudio and libasound2-plugins ({', '.join(absent)})")
    with sound.sound_devices() as devices:
        yield devices


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    """A laptop that has joined nobody: `command(...)` runs one command with --json, `village.spawn` a program beside it."""
    with Village(tmp_path, port=free_port(), models=model_folder()) as village:
        yield village.laptop("laptop")


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegisteredPeople]:
    """A coordinator over TLS and people who are registered with it."""
    with registered_people(tmp_path_factory.mktemp("people"), each=20) as people:
        yield people
