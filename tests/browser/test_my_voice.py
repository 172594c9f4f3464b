"""Somebody's own voice in a real browser: she says something, sees what it was used for, agrees, lends, and prints her sheet."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.browser.accessibility import assert_accessible
from tests.opened_laptop import Opened, add_person, opened_laptop
from tests.village import PIN

from hometone_client.audio import decode
from hometone_client.audio.labels import read_label
from hometone_client.speakers.consent import Purpose

SPOKEN_MS = 120_000


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened_laptop(tmp_path_factory.mktemp("mine")) as opened:
        with opened.laptop.vault() as vault:
            add_person(vault, "梅", purposes=(Purpose.FEDERATED, Purpose.ANNOUNCEMENTS))
            add_person(vault, "Anna")
        opened.open()
        yield opened


def come_in(opened: Opened, page: Page, name: str) -> None:
    page.goto(opened.link())
    page.get_by_role("link", name=name).first.click()
    page.locator("#pin").fill(PIN)
    page.locator("#main button[type=submit]").click()
    page.wait_for_url("**/me")


def test_she_says_something_hears_it_and_keeps_it(opened, open_page, tmp_path) -> None:
    page = open_page(opened.origin)
    come_in(opened, page, "梅")
    page.goto(opened.origin + "/me/speak")
    page.get_by_label("What shall your voice say?").fill("今天天气很好，我想去公园散步。 Let's go!")
    page.get_by_label("Slower or faster").fill("1.5")
    expect(page.locator("#pace-now")).to_have_text("1.5")
    page.get_by_role("button", name="Speak").first.click()
    expect(page.get_by_text("All of it is spoken")).to_be_visible(timeout=SPOKEN_MS)
    sound = page.locator("audio")
    sound.evaluate("audio => audio.readyState >= 2 || new Promise(done => audio.addEventListener('canplay', done, {once: true}))")
    assert_accessible(page)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="MP3").click()
    path = tmp_path / "kept.mp3"
    waiting.value.save_as(path)
    assert read_label(path.read_bytes()) is not None
    assert decode(path).duration_s > 1.0
    page.locator("#language button").click()
    expect(page.get_by_label("想让您的声音说什么？")).to_have_value("今天天气很好，我想去公园散步。 Let's go!")
    assert "散步" not in opened.log.read_text(encoding="utf-8")
    page.goto(opened.origin + "/me/uses")
    expect(page.get_by_role("row", name=re.compile("您本人")).first).to_contain_text("1")


def test_what_cannot_be_read_keeps_what_was_typed(opened, open_page) -> None:
    page = open_page(opened.origin, screen="phone")
    come_in(opened, page, "梅")
    page.goto(opened.origin + "/me/speak")
    page.get_by_label("What shall your voice say?").fill("☃")
    page.get_by_role("button", name="Speak").first.click()
    expect(page.get_by_role("alert")).to_be_visible(timeout=SPOKEN_MS)
    expect(page.get_by_label("What shall your voice say?")).to_have_value("☃")
    assert_accessible(page)


def test_she_agrees_and_takes_it_back(opened, open_page) -> None:
    page = open_page(opened.origin)
    come_in(opened, page, "Anna")
    page.goto(opened.origin + "/me/privacy")
    page.get_by_role("link", name="Read about it, and decide").click()
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Yes, I agree").click()
    expect(page.get_by_role("status")).to_contain_text("Helping the shared model")
    page.goto(opened.origin + "/me/privacy")
    expect(page.get_by_role("img", name="Of 100 parts of your privacy budget, 0 are used.")).to_be_visible()
    assert_accessible(page)
    page.goto(opened.origin + "/me/consents/federated-learning")
    page.get_by_role("link", name="Take it back").click()
    page.get_by_label("Yes, I am sure").check()
    assert_accessible(page)
    page.get_by_role("button", name="Take it back for good").click()
    expect(page.get_by_text("You have taken this back for good")).to_be_visible()


def test_a_voice_is_lent_to_this_computer_and_tried(opened, open_page) -> None:
    page = open_page(opened.origin)
    come_in(opened, page, "梅")
    page.goto(opened.origin + "/me/lending")
    page.get_by_role("button", name="Lend it to this computer").click()
    page.get_by_label("What shall the voice be called there?").fill("House voice")
    assert_accessible(page)
    page.get_by_role("button", name="Lend my voice").click()
    expect(page.get_by_role("status")).to_contain_text("House voice")
    page.goto(opened.origin + "/borrowed")
    page.get_by_role("button", name="Try: House voice").click()
    expect(page.locator("audio")).to_be_visible(timeout=SPOKEN_MS)
    page.get_by_role("link", name="Remove House voice").click()
    page.get_by_role("button", name="Remove House voice").click()
    expect(page.get_by_text("No voice was lent to this computer yet.")).to_be_visible()


def test_the_card_and_the_sheet_are_shown_large(opened, open_page) -> None:
    page = open_page(opened.origin, screen="phone", language="zh")
    come_in(opened, page, "梅")
    page.goto(opened.origin + "/borrowed")
    page.get_by_role("button", name="生成名片").click()
    expect(page.get_by_role("img", name="名片的二维码")).to_be_visible()
    assert len(page.locator(".sentence").inner_text().split()) == 4
    assert_accessible(page)
    page.goto(opened.origin + "/me/recovery")
    page.locator("#pin").fill(PIN)
    page.get_by_role("button", name="显示恢复码").click()
    expect(page.get_by_text("HR1-")).to_be_visible()
    expect(page.get_by_role("img", name="恢复码的二维码")).to_be_visible()
    assert_accessible(page)
