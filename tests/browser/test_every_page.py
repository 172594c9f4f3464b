"""Every page that can be reached by links, in both languages, on a telephone and a desk, with and without somebody unlocked.

Pages that come later are found by themselves. What a page needs beyond a link, such as a form that was sent, has tests of its own.
"""

import re
from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from playwright.sync_api import Page
from tests.browser.accessibility import accessibility_faults
from tests.browser.page_weight import MOST_BYTES, weighed
from tests.opened_laptop import Opened, add_person, lend_to_itself, opened_laptop
from tests.village import PIN

from hometone_client.speakers.consent import Purpose

LOOKS = [(screen, language) for screen in ("phone", "desktop") for language in ("en", "zh")]
TAGS = {"en": "en", "zh": "zh-Hans"}
MOST_PAGES = 80
_KEY = re.compile(r"\b[a-z]+(?:-[a-z0-9]+){2,}\b")
_ENGLISH = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?(?:[ ,]+[A-Za-z]+(?:['’][a-z]+)?){4,}")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_WORDS = """() => {
    const left_out = "code, script, style, noscript, svg, textarea, input, select, kbd, [lang]:not(html)";
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [document.title];
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(left_out)) found.push(walker.currentNode.data.trim());
    for (const each of document.querySelectorAll("[aria-label], [title], [placeholder], [alt]"))
        for (const name of ["aria-label", "title", "placeholder", "alt"]) if (each.getAttribute(name)) found.push(each.getAttribute(name));
    return found.filter(Boolean);
}"""
_LINKS = """() => [...document.querySelectorAll("a[href]")].filter(a => !a.hasAttribute("download")).map(a => a.href)"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A laptop with somebody who has a voice, and a copy that she has lent to it."""
    with opened_laptop(tmp_path_factory.mktemp("every")) as opened:
        with opened.laptop.vault() as vault:
            mei = add_person(vault, "梅", purposes=(Purpose.FEDERATED, Purpose.ANNOUNCEMENTS, Purpose.LISTENING))
            lend_to_itself(vault, opened.home, mei, name="梅的声音")
        opened.open()
        yield opened


def faults_of(page: Page, address: str, *, language: str) -> tuple[list[str], list[str]]:
    """What is wrong with a page, and where it leads. What is a file and no page has no faults here."""
    with weighed(page) as weight:
        try:
            answer = page.goto(address)
        except Exception as error:
            if "Download is starting" in str(error) or "ERR_ABORTED" in str(error):
                return [], []
            raise
    faults = []
    if answer.status != 200:
        faults.append(f"answer {answer.status}")
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return faults, []
    if not 0 < weight.page_bytes <= MOST_BYTES:
        faults.append(f"{weight.page_bytes} bytes")
    if (count := page.locator("h1").count()) != 1:
        faults.append(f"{count} headings of the first order")
    if page.title().split("·")[0].strip() == "":
        faults.append("no title")
    if (tag := page.locator("html").get_attribute("lang")) != TAGS[language]:
        faults.append(f"language {tag}")
    faults += accessibility_faults(page)
    for text in page.evaluate(_WORDS):
        if language == "zh":  # English has words with hyphens of its own
            faults += [f"a key instead of words: {found}" for found in _KEY.findall(text)]
            faults += [f"English: {found}" for found in _ENGLISH.findall(text)]
        if language == "en" and len(_HAN.findall(text)) > 8:
            faults.append(f"Chinese: {text[:40]}")
    return faults, page.evaluate(_LINKS)


def crawl(page: Page, origin: str, *, language: str, unlocked: bool) -> tuple[dict[str, list[str]], set[str]]:
    """Follow every link; what is wrong by page, and all pages."""
    waiting, seen, wrong = ["/", *(["/me"] if unlocked else [])], set(), {}
    while waiting:
        path = waiting.pop(0)
        kind = re.sub(r"spk-[a-z2-7]{16}|[0-9a-f]{16,}", "*", path)
        if kind in seen:
            continue
        seen.add(kind)
        assert len(seen) <= MOST_PAGES, sorted(seen)
        faults, links = faults_of(page, origin + path, language=language)
        if faults:
            wrong[path] = faults
        for link in links:
            place = urldefrag(urljoin(page.url, link)).url
            if place.startswith(origin + "/"):
                parts = urlsplit(place)
                waiting.append(parts.path + (f"?{parts.query}" if parts.query else ""))
            elif not place.startswith("blob:"):
                wrong.setdefault(path, []).append(f"leads elsewhere: {place}")
    return wrong, seen


@pytest.mark.parametrize(
    ("screen", "language", "unlocked"),
    [("phone", "zh", True), ("desktop", "en", True), ("phone", "en", False), ("desktop", "zh", False)],
)
def test_every_page_can_be_read_and_used(opened, open_page, screen, language, unlocked) -> None:
    page = open_page(opened.origin, screen=screen, language=language)
    page.goto(opened.link())
    if unlocked:
        page.get_by_role("link", name="梅", exact=False).first.click()
        page.locator("#pin").fill(PIN)
        page.locator("#main button[type=submit]").click()
        page.wait_for_url("**/me")
    wrong, seen = crawl(page, opened.origin, language=language, unlocked=unlocked)
    assert wrong == {}, "\n".join(f"{path}: {fault}" for path, faults in wrong.items() for fault in faults)
    assert {"/", "/new", "/announcements", "/presenter", "/listening", "/borrowed", "/stop"} <= seen
    assert ("/me" in seen) == unlocked


def test_who_has_come_from_nowhere_reads_how_to_come_in(opened, open_page) -> None:
    for screen, language in LOOKS:
        page = open_page(opened.origin, screen=screen, language=language)
        faults, _ = faults_of(page, opened.origin + "/announcements", language=language)
        assert faults == []
        assert page.url == opened.origin + "/enter"
