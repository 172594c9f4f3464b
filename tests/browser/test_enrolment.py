"""Somebody new, from the first page to her own voice: real Chromium, the served pages, a microphone that hears recordings.

The five sentences are read by a stock voice, because no recording of the campaign exists; what comes from a telephone is a real person.
"""

import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.browser.accessibility import assert_accessible
from tests.browser.page_weight import assert_light, weighed
from tests.opened_laptop import Opened, opened_laptop
from tests.sound_devices import SoundDevices
from tests.village import PIN

from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.takes import campaign
from hometone_client.voices import VoiceRegistry

OpenPage = Callable[..., Page]
SAMPLE = Path(__file__).parents[2] / "sample" / "allison"
JUDGED_MS = 120_000
MADE_MS = 600_000


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sound files of the five English sentences."""
    folder = tmp_path_factory.mktemp("sentences")
    sessions = Sessions(model_folder())
    voice = VoiceRegistry(base_sha256=sessions.base_sha256).get("stock:bf_emma").load()
    reader = Synthesizer(model_folder(), voice, sessions=sessions)
    found = []
    for number, sentence in enumerate(campaign("en").sentences, start=1):
        silence = np.zeros(7_200, np.float32)
        samples = np.concatenate([silence, *(0.6 * part.samples for part in reader.speak(sentence)), silence])
        path = folder / f"{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(24_000)
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        found.append(path)
    return found


@pytest.fixture
def opened(tmp_path: Path, sound_devices: SoundDevices) -> Iterator[Opened]:
    """A laptop on which nobody has a voice, with the pages served."""
    with opened_laptop(tmp_path, sound_devices.environment) as opened:
        opened.open()
        yield opened


def agree(page: Page) -> None:
    page.check("[name='own-voice']")
    page.check("[name=read][value=self]")
    page.get_by_role("button", name="I agree to what I have chosen").click()
    page.wait_for_url("**/new/name")


@pytest.mark.slow
@pytest.mark.models
def test_from_consent_to_her_own_voice(
    opened: Opened, open_page: OpenPage, sound_devices: SoundDevices, sentences: list[Path], tmp_path: Path
) -> None:
    page = open_page(opened.origin)
    page.goto(opened.link())
    with weighed(page) as weight:
        page.goto(f"{opened.origin}/new")
    assert_light(weight)
    assert_accessible(page)
    agree(page)
    assert not (opened.home / "vault").exists()
    assert_accessible(page)
    page.get_by_label("What shall we call you?").fill("Ada")
    page.get_by_label("PIN", exact=True).fill(PIN)
    page.get_by_label("The same PIN once more").fill(PIN)
    page.get_by_role("button", name="Keep name and PIN").click()
    page.wait_for_url("**/new/about")
    assert_accessible(page)
    page.get_by_role("link", name="Go on without").click()
    page.wait_for_url("**/me/recording")
    assert_accessible(page)

    # (1) Five sentences, by the keys alone.
    page.goto(f"{opened.origin}/me/recording/read/en-everyday/1")
    assert_accessible(page)
    for number, path in enumerate(sentences, start=1):
        expect(page.locator("h1")).to_have_text(f"Sentence {number} of 5")
        page.keyboard.press("Space")
        page.wait_for_selector("meter")
        sound_devices.microphone.play(path)
        expect(page.locator("[data-live]")).to_contain_text("Good")
        page.keyboard.press("Space")
        page.wait_for_selector("#take", timeout=JUDGED_MS)
        if number == 1:
            assert_accessible(page)
        page.keyboard.press("k")
        expect(page.get_by_role("status").first).to_contain_text("All five" if number == len(sentences) else "Kept")

    # (2) Recordings of a telephone, one of them damaged.
    page.goto(f"{opened.origin}/me/recording/import")
    damaged = tmp_path / "damaged.m4a"
    damaged.write_bytes(b"no sound" * 100)
    good = sorted(SAMPLE.rglob("*.flac"))[:3]
    page.set_input_files("#files", [str(damaged), *map(str, good)])
    page.get_by_role("button", name="Look at them").click()
    expect(page.get_by_text(f"{len(good)} of {len(good) + 1} recordings were kept.")).to_be_visible(timeout=JUDGED_MS)
    assert_accessible(page)

    # (3) The voice is made while she is locked, and it speaks.
    page.goto(f"{opened.origin}/me/making")
    page.check("[value=quick]")
    assert_accessible(page)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("h1")).to_have_text("Your voice is being made")
    assert_accessible(page)
    page.get_by_role("button", name="Lock, and let it go on").click()
    page.get_by_role("link", name=re.compile("Ada")).click()
    page.get_by_label("PIN or phrase").fill(PIN)
    page.get_by_role("button", name="Open", exact=True).click()
    page.goto(f"{opened.origin}/me/making")
    expect(page.locator("h1")).to_have_text("This is your voice", timeout=MADE_MS)
    assert_accessible(page)
    with page.expect_response("**/me/making/hear/en/1") as heard:
        page.get_by_role("button", name="Hear my voice").first.click()
    assert heard.value.status == 200
    assert heard.value.headers["content-type"] == "audio/wav"


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_in_chinese_on_both_screens(opened: Opened, open_page: OpenPage, screen: str) -> None:
    page = open_page(opened.origin, screen=screen, language="zh")
    page.goto(opened.link())
    page.goto(f"{opened.origin}/new")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert_accessible(page)
    page.check("[name='own-voice']")
    page.check("[name=read][value=aloud]")
    page.get_by_role("button", name="我同意以上所选内容").click()
    page.get_by_label("我们怎么称呼您？").fill("梅")
    page.locator("#pin").fill(PIN)
    page.locator("#pin_again").fill("8642")
    page.get_by_role("button", name="保存名字和 PIN 码").click()
    expect(page.get_by_role("alert")).to_contain_text("两次输入的 PIN 码不一样")
    expect(page.get_by_label("我们怎么称呼您？")).to_have_value("梅")
    expect(page.locator("#pin")).to_have_value("")
    page.locator("#pin").fill(PIN)
    page.locator("#pin_again").fill(PIN)
    page.get_by_role("button", name="保存名字和 PIN 码").click()
    page.wait_for_url("**/new/about")
    assert_accessible(page)
    for path in (
        "/me",
        "/me/recording",
        "/me/recording/read/zh-everyday/1",
        "/me/recording/takes",
        "/me/recording/import",
        "/me/making",
        "/me/pin",
    ):
        page.goto(f"{opened.origin}{path}")
        assert_accessible(page)
