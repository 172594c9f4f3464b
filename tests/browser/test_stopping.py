"""Stop using my voice, in a real browser: from any page, without a PIN, in two steps, without a network."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.browser.accessibility import assert_accessible
from tests.opened_laptop import Opened, add_person, opened_laptop
from tests.village import PIN

from hometone_client.speakers.consent import Purpose
from hometone_shared.withdrawal.receipt_bundle import ReceiptBundle
from hometone_shared.withdrawal.recovery import RecoverySecret


@pytest.fixture
def opened(tmp_path) -> Iterator[Opened]:
    with opened_laptop(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(("screen", "language"), [("phone", "zh"), ("desktop", "en")])
def test_a_voice_is_stopped_and_the_receipt_is_kept(opened, open_page, tmp_path, screen, language) -> None:
    with opened.laptop.vault() as vault:
        add_person(vault, "梅", purposes=(Purpose.ANNOUNCEMENTS,))
        add_person(vault, "Otto")
    opened.open()
    page = open_page(opened.origin, screen=screen, language=language)
    page.goto(opened.link())
    page.locator(".foot .danger").click()
    page.get_by_role("link", name="梅").click()
    assert_accessible(page)
    page.locator("#main button.strong").click()
    page.locator("#name").fill("Otto")
    page.locator("#main button.danger").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)
    page.locator("#name").fill("梅")
    page.locator("#main button.danger").click()
    expect(page.get_by_role("heading", level=1)).to_have_text({"en": "Your receipt", "zh": "您的回执"}[language])
    assert_accessible(page)
    with page.expect_download() as waiting:
        page.locator("a[download]").click()
    path = tmp_path / "receipt.json"
    waiting.value.save_as(path)
    assert ReceiptBundle.from_bytes(path.read_bytes()).verified().tombstone.ends(Purpose.OWN_VOICE)
    page.goto(opened.origin + "/stop")
    assert page.get_by_role("link", name="梅").count() == 0
    expect(page.get_by_role("link", name="Otto")).to_be_visible()
    assert_accessible(page)
    opened.kill()
    with opened.laptop.vault() as vault:
        assert [entry.name for entry in vault.speakers()] == ["Otto"]


def test_her_own_page_counts_what_goes_and_she_is_locked_afterwards(opened, open_page) -> None:
    with opened.laptop.vault() as vault:
        add_person(vault, "Mei")
    opened.open()
    page = open_page(opened.origin)
    page.goto(opened.link())
    page.get_by_role("link", name="Mei").first.click()
    page.locator("#pin").fill(PIN)
    page.locator("#main button[type=submit]").click()
    page.get_by_role("link", name="Stop using my voice").click()
    page.get_by_role("link", name="My voice: Mei").click()
    page.locator("#main button.strong").click()
    expect(page.get_by_text("recordings: 1, together 1 seconds")).to_be_visible()
    page.locator("#name").fill(" mei ")
    page.locator("#name").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your receipt")
    page.wait_for_load_state("load")
    page.goto(opened.origin + "/me")
    assert page.url == opened.origin + "/"
    expect(page.get_by_text("Nobody has a voice on this computer yet.")).to_be_visible()


def test_a_sheet_of_paper_is_enough(opened, open_page) -> None:
    with opened.laptop.vault() as vault:
        words = RecoverySecret(vault.withdrawal_secret(add_person(vault, "Mei"))).words("en")
    opened.open()
    page = open_page(opened.origin, screen="phone")
    page.goto(opened.link())
    page.goto(opened.origin + "/stop")
    page.get_by_role("link", name="I have a recovery sheet").click()
    page.get_by_label("Code, or twelve words").fill(words.upper())
    page.get_by_role("button", name="Go on").click()
    assert words not in page.content()
    assert_accessible(page)
    page.get_by_label("Yes, end everything").check()
    page.get_by_role("button", name="Stop, and erase everything").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your receipt")
