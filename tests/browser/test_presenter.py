"""The presenter in Chromium: the face says a text along with sound that really plays."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.browser import chromium
from tests.browser.accessibility import assert_accessible
from tests.browser.chromium import visible_text
from tests.browser.page_weight import assert_light, weighed
from tests.opened_laptop import Opened, opened_laptop
from tests.village import until

LOOKS = [("phone", "zh"), ("desktop", "en")]
TEXTS = {"en": ("It is a fine day.", "Let us go for a walk."), "zh": ("今天天气很好。", "我们出去走走吧。")}
PATIENCE_MS = 120_000
_WATCH = """() => {
    window.seen = {mouths: new Set(), subtitles: new Set(), times: []};
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () { window.audio = this; return play.call(this); };
    const look = () => {
        window.seen.mouths.add(document.querySelector("#mouth .lips").getAttribute("d"));
        window.seen.subtitles.add(document.querySelector("#subtitle").textContent.trim());
        if (window.audio) window.seen.times.push(window.audio.currentTime);
        requestAnimationFrame(look);
    };
    look();
}"""
_SEEN = "({mouths: seen.mouths.size, subtitles: [...seen.subtitles], furthest: Math.max(0, ...seen.times), length: audio.duration})"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A laptop without anybody: stock voices need no vault."""
    with opened_laptop(tmp_path_factory.mktemp("presenter")) as opened:
        opened.open()
        yield opened


def presenter(opened: Opened, open_page, **how: str) -> Page:
    page = open_page(opened.origin, **how)
    page.goto(opened.link())
    with weighed(page) as weight:
        page.goto(opened.origin + "/presenter")
    assert_light(weight)
    page.evaluate(_WATCH)
    page.locator("input[name=label]").uncheck()
    return page


def mouth(page: Page) -> str:
    return page.locator("#mouth .lips").get_attribute("d")


@pytest.mark.parametrize(("screen", "language"), LOOKS)
def test_the_face_says_a_text(opened, open_page, screen, language) -> None:
    page = presenter(opened, open_page, screen=screen, language=language)
    assert_accessible(page)
    page.wait_for_timeout(300)
    at_rest = mouth(page)
    page.locator("#text").fill(" ".join(TEXTS[language]))
    page.locator("#voice").select_option("stock:zf_xiaoxiao" if language == "zh" else "stock:af_heart")
    page.locator("#main button[type=submit]").click()
    page.locator("body[data-presenter=speaking]").wait_for(timeout=PATIENCE_MS)
    until(lambda: page.evaluate("window.audio && audio.currentTime > 0.3"), "sound")
    assert page.locator("#presenter-stop").is_visible()
    assert_accessible(page)
    page.locator("body[data-presenter=ended]").wait_for(timeout=PATIENCE_MS)
    page.wait_for_timeout(300)
    seen = page.evaluate(_SEEN)
    assert seen["mouths"] > 8
    assert seen["furthest"] == pytest.approx(seen["length"], abs=0.4)
    assert [text for text in seen["subtitles"] if text] == list(TEXTS[language])
    assert mouth(page) == at_rest
    assert not page.locator("#presenter-stop").is_visible()
    assert not page.locator("#presenter-busy").is_visible()


def test_it_stops_at_once_and_speaks_again(opened, open_page) -> None:
    page = presenter(opened, open_page)
    page.wait_for_timeout(300)
    at_rest = mouth(page)
    for _ in range(2):
        page.locator("#text").fill(" ".join(TEXTS["en"] * 3))
        page.locator("#voice").select_option("stock:af_heart")
        page.locator("#text").press("Tab")
        page.locator("#main button[type=submit]").press("Enter")
        until(lambda: page.evaluate("window.audio && !audio.paused && audio.currentTime > 0.3"), "sound")
        page.locator("#presenter-stop").press("Enter")
        assert page.evaluate("audio.paused")
        assert page.evaluate("audio.currentTime < audio.duration - 1")
        page.wait_for_timeout(300)
        assert mouth(page) == at_rest
        assert page.locator("#subtitle").inner_text().strip() == ""


@pytest.mark.parametrize(("screen", "language"), LOOKS)
def test_a_text_that_cannot_be_read_says_why(opened, browser, screen, language) -> None:
    context = chromium.new_context(browser, screen=screen, language=language)  # unwatched: the refusal is a status of 400
    page = context.new_page()
    page.goto(opened.link())
    page.goto(opened.origin + "/presenter")
    page.locator("#text").fill("☃☃")
    page.locator("#main button[type=submit]").click()
    problem = page.locator("#presenter-problem")
    problem.wait_for(timeout=PATIENCE_MS)
    assert {"en": "nothing to read aloud", "zh": "朗读"}[language] in problem.inner_text()
    assert page.locator("#text").input_value() == "☃☃"
    assert_accessible(page)
    context.close()


def test_without_script_the_sound_is_there(opened, browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(opened.link())
    page.get_by_role("link", name="Presenter").click()
    assert page.locator("audio").count() == 0
    page.locator("#text").fill("Good morning.")
    page.locator("#main button[type=submit]").click(timeout=PATIENCE_MS)
    page.locator("audio").wait_for(timeout=PATIENCE_MS)
    assert "What was said last" in visible_text(page)
    assert page.locator("#text").input_value() == "Good morning."
    sound = context.request.get(opened.origin + page.locator("audio").get_attribute("src"))
    assert sound.headers["content-type"] == "audio/wav"
    assert sound.body()[:4] == b"RIFF"
    context.close()
