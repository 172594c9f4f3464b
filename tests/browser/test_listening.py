"""The listening test in Chromium: headphones, questions by keys, traps, the verdict, the owner's report, and a voice that is taken back."""

import io
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect
from tests.browser import chromium
from tests.browser.accessibility import assert_accessible
from tests.browser.chromium import visible_text
from tests.opened_laptop import Opened, opened_laptop
from tests.prepared_listening import SECONDS, prepare
from tests.unit.client.listening.conftest import Hall, a_panel
from tests.village import PIN

from hometone_client.listening.clips import Clip, Role, clip_wav, clips_of
from hometone_client.listening.panels import PanelShelf
from hometone_client.listening.trials import Rater, Trial
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.records.panel import Scale

NAMES = ("Aurelia", "Benedikta")


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens a laptop with these people. Preparing has a thread of its own: Playwright keeps the event loop of this one."""
    with opened_laptop(tmp_path) as opened, ThreadPoolExecutor(1) as beside:

        def open_with(*names: str) -> Opened:
            beside.submit(prepare, opened, names).result()
            opened.open()
            return opened

        yield open_with


def clips_by_sound(opened: Opened) -> dict[bytes, Clip]:
    """What each sound really is: the page hides it, a test has to look behind."""
    found = {}
    with opened.laptop.vault() as vault:
        for entry in vault.speakers():
            with SpeakerRoom(vault.unlock(entry.speaker_id, PIN)) as room:
                found |= {clip_wav(room.vault, clip.name): clip for clip in clips_of(room.vault, a_panel().number)}
    return found


def sounds_of(page: Page, origin: str) -> list[bytes]:
    return [page.context.request.get(origin + each.get_attribute("src")).body() for each in page.locator("audio").all()]


def begin(page: Page, opened: Opened, *, native: tuple[str, ...] = ("en", "zh")) -> None:
    page.goto(opened.link())
    page.goto(opened.origin + "/listening")
    for tag in native:
        page.locator(f"input[name=native][value={tag}]").check()
    page.locator("#main button[type=submit]").click()
    assert page.url.endswith("/listening/headphones/1")


def skip_headphones(page: Page) -> None:
    page.locator("#skip button").click()


def opinion(scale: str, clips: list[Clip]) -> int:
    """Of somebody who listens: traps as they ask, real recordings best, what was made worse worst."""
    clip = clips[-1]
    if clip.role is Role.TRAP:
        return clip.answer
    if scale == "preference":
        return 1
    return {Role.REFERENCE: 5, Role.ANCHOR: 1}.get(clip.role, 4)


def answer_all(page: Page, opened: Opened, judge: Callable[[str, list[Clip]], int], *, check: bool = False) -> int:
    """Hear everything to its end and press the key of the answer, until there is no question; how many there were."""
    known, asked = clips_by_sound(opened), 0
    while page.url.endswith("/listening/test"):
        if check and asked == 0:
            assert_accessible(page)
        clips = [known[sound] for sound in sounds_of(page, opened.origin)]
        answers = page.locator(".answers button").all_inner_texts()
        scale = "preference" if len(answers) == 7 else "other"
        for audio in page.locator("audio").all():
            audio.evaluate("async audio => { await audio.play(); await new Promise(done => { audio.onended = done; }); }")
        value = judge(scale, clips)
        key = str(value - (-3 if scale == "preference" else 1) + 1)
        question = page.locator("input[name=question]").input_value()
        with page.expect_navigation(wait_until="load"):
            page.keyboard.press(key)
        assert page.get_by_role("alert").count() == 0
        assert question not in page.content()
        asked += 1
        assert asked < 40
    return asked


@pytest.mark.parametrize(("screen", "language"), [("desktop", "en"), ("phone", "zh")])
def test_a_listener_who_listens_counts_and_the_owner_reads_the_report(prepared, open_page, screen, language) -> None:
    opened = prepared(*NAMES)
    page = open_page(opened.origin, screen=screen, language=language)
    page.goto(opened.link())
    page.goto(opened.origin + "/listening")
    assert_accessible(page)
    page.locator("#main button[type=submit]").click()
    expect(page.get_by_role("alert")).to_be_visible()  # somebody has to say what he grew up with
    begin(page, opened)
    assert_accessible(page)
    for number in range(1, 7):
        assert page.url.endswith(f"/headphones/{number}")
        (tones,) = sounds_of(page, opened.origin)
        samples, rate = soundfile.read(io.BytesIO(tones))
        power = [np.mean(samples[round(start * rate) : round((start + 1.0) * rate), 0] ** 2) for start in (0.0, 1.5, 3.0)]
        with page.expect_navigation():
            page.keyboard.press(str(int(np.argmin(power)) + 1))
    assert answer_all(page, opened, opinion, check=True) == 10
    assert_accessible(page)
    assert all(name not in page.content() for name in NAMES)
    page.locator("#main button[type=submit]").click()
    assert {"en": "Your answers count.", "zh": "您的回答有效。"}[language] in visible_text(page)
    assert_accessible(page)
    more_listeners(opened, 3)
    page.goto(opened.origin + "/")
    page.get_by_role("link", name=NAMES[0]).click()
    page.locator("#pin").fill(PIN)
    page.locator("#main button[type=submit]").click()
    page.wait_for_url("**/me")
    page.goto(opened.origin + "/me/listening")
    said = visible_text(page)
    told = {"en": "4 listeners counted, 1 of them with headphones", "zh": "共有 4 位有效听众，其中 1 位戴耳机"}[language]
    assert told in said
    assert {"en": "your synthetic voice", "zh": "您的合成声音"}[language] in said
    assert NAMES[1] not in said
    assert_accessible(page)


def opinion_of(trial: Trial) -> int:
    return opinion("preference" if trial.scale is Scale.PREFERENCE else "other", [trial.clip])


def more_listeners(opened: Opened, count: int) -> None:
    """Others who have taken the same test here."""
    with opened.laptop.vault() as vault:
        (panel,) = PanelShelf(opened.home).panels()
        for seed in range(count):
            hall = Hall(opened.home, vault, None, panel, chance=random.Random(seed))

            sitting = hall.sittings.begin(Rater(native=frozenset({"en", "zh"}), knows=False, language="en"))
            while (question := sitting.question()) is not None:
                for sound in question.sounds:
                    sitting.sound(sound)
                hall.clock.now_s += 10
                sitting.answer(question.token, opinion_of(hall.trial(sitting, question)))
            assert sitting.finish().accepted


def test_who_only_clicks_is_refused_with_reasons_and_may_try_again(prepared, open_page) -> None:
    opened = prepared(NAMES[0])
    page = open_page(opened.origin)
    begin(page, opened)
    skip_headphones(page)

    def wrong(scale: str, clips: list[Clip]) -> int:
        return 1 if clips[-1].answer == 5 else 5 if clips[-1].answer else 0 if scale == "preference" else 3

    answer_all(page, opened, wrong)
    page.locator("#main button[type=submit]").click()
    said = visible_text(page)
    assert "These answers cannot be used" in said
    assert "A voice asked for a certain answer" in said
    assert "All answers were the same." in said
    assert_accessible(page)
    page.get_by_role("link", name="To the beginning of the test").click()
    expect(page.get_by_role("button", name="Begin")).to_be_visible()


def test_nothing_is_answered_before_it_was_heard_and_an_answer_can_be_changed(prepared, open_page) -> None:
    opened = prepared(NAMES[0])
    page = open_page(opened.origin)
    begin(page, opened)
    skip_headphones(page)
    token = page.locator("input[name=question]").input_value()
    with page.expect_navigation():
        page.keyboard.press("3")
    if page.get_by_role("alert").count():  # otherwise this computer was so slow that there was time to hear it
        assert "listen to the end" in page.get_by_role("alert").inner_text()
        assert page.locator("input[name=question]").input_value() == token
        page.wait_for_timeout(2_500 * SECONDS)
        with page.expect_navigation():
            page.keyboard.press("3")
    assert page.locator("input[name=question]").input_value() != token
    page.locator("#back button").click()
    assert page.locator("input[name=question]").input_value() == token
    assert page.locator("button[aria-pressed=true]").get_attribute("data-key") == "3"
    assert_accessible(page)
    page.locator("#language button").click()
    expect(page).to_have_title(re.compile("第 1 题"))
    page.locator("#leave button").click()
    expect(page.get_by_role("status")).to_contain_text("测试已中止")


@pytest.mark.parametrize("names", [NAMES, NAMES[:1]])
def test_a_voice_that_is_taken_back_leaves_the_test(prepared, browser, names) -> None:
    opened = prepared(*names)
    context = chromium.new_context(browser)  # unwatched: a sound that is gone is a 404
    page = context.new_page()
    begin(page, opened)
    skip_headphones(page)
    opened.laptop.command("revoke", names[0], "--scope", "listening-test", "--pin-file", opened.laptop.village.pin, "--yes").ok()
    page.goto(opened.origin + "/listening/test")
    for _ in range(40):
        if not page.url.endswith("/listening/test"):
            break
        page.wait_for_timeout(2_500 * SECONDS)
        with page.expect_navigation():
            page.keyboard.press("4")
    if len(names) == 1:
        assert page.url == opened.origin + "/listening"
        assert "taken back by their owners" in visible_text(page)
        assert "nothing to listen to" in visible_text(page)
    else:
        expect(page.locator("h1")).to_have_text("That was the last question")
        page.locator("#main button[type=submit]").click()
        expect(page.locator("h1")).to_have_text("Thank you for listening")
    assert_accessible(page)
    context.close()
