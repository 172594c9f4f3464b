"""Real Chromium by Playwright, and what a page may not do while it is watched.

A fault is: an error in the console (what the content security policy refused is one), an error of a script, a request that failed, a part
of a page that is not there, a request to another origin, and any answer of 500 or more.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Download, Error, Locator, Page, Request, Response, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
NEEDED: Final = "HOMETONE_NEEDS_BROWSER"
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS: Final = 20_000
_LEAVING: Final = """
addEventListener("submit", event => { if (!event.defaultPrevented) window.isLeaving = true; });
navigation.addEventListener("navigate", event => {
    if (!event.hashChange && event.downloadRequest === null && !event.defaultPrevented) window.isLeaving = true;
});
"""
_IS_SETTLED: Final = "() => document.readyState === 'complete' && !window.isLeaving"
_STAYED: Final = "window.isLeaving = false"

Screen = Literal["phone", "desktop"]
Language = Literal["en", "zh"]
SIZES: Final = {"phone": (390, 844), "desktop": (1280, 800)}
_LOCALES: Final = {"en": "en-GB", "zh": "zh-CN"}


def executable() -> str | None:
    """Where Chromium is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def is_needed() -> bool:
    """Whether tests without a browser are to fail, as in CI, rather than to be left out."""
    return os.environ.get(NEEDED) == "1"


@contextmanager
def chromium(environment: dict[str, str] | None = None) -> Iterator[Browser]:
    """Run it while the block lasts. Needs `executable()`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(_ARGUMENTS), env={**os.environ, **(environment or {})})
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser, *, screen: Screen = "desktop", language: Language = "en", scale: float = 1) -> BrowserContext:
    """One person's browser: nothing in it, and a screen of her own."""
    width, height = SIZES[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        is_mobile=screen == "phone",
        has_touch=screen == "phone",
        device_scale_factor=scale,
        locale=_LOCALES[language],
        timezone_id="UTC",
        ignore_https_errors=True,  # a coordinator has its own authority
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_LEAVING)
    context.on("page", lambda page: page.on("download", _stays))
    return context


def _stays(download: Download) -> None:
    """What looked like another page was a file."""
    download.page.evaluate(_STAYED)


def settled(page: Page) -> None:
    """Wait until the page that a form or a link led to is there. Looks again and again: a page without script waits for nothing itself."""
    ends = time.monotonic() + PATIENCE_MS / 1000
    while not _is_settled(page):
        assert time.monotonic() < ends, f"{page.url} leads nowhere"
        page.wait_for_timeout(20)


def _is_settled(page: Page) -> bool:
    try:
        return bool(page.evaluate(_IS_SETTLED))
    except Error:
        return page.is_closed()  # a page that is being left cannot be asked


@contextmanager
def patient_hands() -> Iterator[None]:
    """While the block lasts, whoever clicks or presses a key at a part of a page comes back when the page that this led to is there.

    Playwright itself waits only for what the browser has begun when the click is over: beside other programs that can be too early.
    """
    hands = {name: getattr(Locator, name) for name in ("click", "press")}

    def patient(act: Callable[..., None]) -> Callable[..., None]:
        @wraps(act)
        def acting(locator: Locator, *words: Any, **more: Any) -> None:
            act(locator, *words, **more)
            settled(locator.page)

        return acting

    for name, act in hands.items():
        setattr(Locator, name, patient(act))
    try:
        yield
    finally:
        for name, act in hands.items():
            setattr(Locator, name, act)


@dataclass
class Watch:
    """Collects the faults of one context.

    Attributes:
        origin: Where all requests go, such as `https://127.0.0.1:8443`.
        faults: In words.
        posts: How many forms were sent.
    """

    origin: str
    faults: list[str] = field(default_factory=list)
    posts: int = 0

    def over(self, context: BrowserContext) -> "Watch":
        """Begin."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        return self

    def _console(self, message: ConsoleMessage) -> None:
        # that an answer was 400 is judged by what was asked for
        if message.type == "error" and not message.text.startswith("Failed to load resource: the server responded with a status of"):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        self.posts += request.method == "POST"
        if not request.url.startswith((self.origin + "/", "data:", "blob:" + self.origin)):
            self.faults.append(f"another origin: {request.url}")

    def _failed(self, request: Request) -> None:
        # "aborted" is what the browser itself gave up: a page that another takes the place of, or that turns out to be a file, and what
        # such a page was still loading
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= (400 if response.request.resource_type != "document" else 500):
            self.faults.append(f"answer {response.status}: {response.url}")


def visible_text(page: Page) -> str:
    """What a person reads."""
    return page.locator("body").inner_text()
