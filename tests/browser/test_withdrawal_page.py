"""The coordinator's public page in a real browser, against a real coordinator over TLS: on a telephone and a desk, Chinese and English."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.accessibility import assert_accessible
from tests.browser.chromium import visible_text
from tests.browser.page_weight import assert_light, weighed
from tests.registered_people import RegisteredPeople

from hometone_shared.withdrawal.recovery import RecoverySecret

A_MINUTE = 30
"""Codes that the page takes of one address (docs/log.md)."""
LOOKS = [(screen, language) for screen in ("phone", "desktop") for language in ("en", "zh")]
GO_ON, CONFIRM = "button[value=preview]:not(.language)", "button[value=confirm]"
STRANGER = RecoverySecret(bytes(range(16)))
DONE = {"en": "You have withdrawn", "zh": "您已撤回"}
PREVIEW = {"en": "This is what will go", "zh": "以下内容将被删除"}
BEGIN = {"en": "Stop using my voice", "zh": "停止使用我的声音"}
OTHER = {"en": "zh", "zh": "en"}


@pytest.fixture(scope="session")
def codes_left() -> dict[str, float]:
    """What the coordinator still takes of this address, as it counts."""
    return {"left": float(A_MINUTE), "at": time.monotonic()}


@pytest.fixture
def visit(people: RegisteredPeople, open_page: Callable[..., Page], codes_left: dict[str, float]) -> Callable[..., Page]:
    """Opens the page; waits before a test until the coordinator takes twelve codes."""

    def filled() -> float:
        now = time.monotonic()
        codes_left.update(left=min(A_MINUTE, codes_left["left"] + (now - codes_left["at"]) * A_MINUTE / 60), at=now)
        return codes_left["left"]

    while filled() < 12:
        time.sleep(0.5)

    def sent(request: object) -> None:
        codes_left["left"] = filled() - (request.method == "POST")

    def open_one(screen: str = "phone", language: str = "en") -> Page:
        page = open_page(people.origin, screen=screen, language=language)
        page.on("request", sent)
        page.goto(people.page)
        return page

    return open_one


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def type_code(page: Page, code: str) -> None:
    page.locator("#code").fill(code)
    page.locator(GO_ON).click()


@pytest.mark.parametrize(("screen", "language"), LOOKS)
def test_three_steps_and_a_receipt_that_can_be_verified(visit, people, tmp_path: Path, screen, language) -> None:
    page, secret = visit(screen, language), people.with_round.pop()
    assert heading(page) == BEGIN[language]
    assert_accessible(page)
    type_code(page, secret.code())
    assert heading(page) == PREVIEW[language]
    assert secret.pseudonym in visible_text(page)
    assert_accessible(page)
    page.get_by_role("radio").nth(1).check()
    page.locator(CONFIRM).click()
    assert heading(page) == DONE[language]
    assert_accessible(page)
    with page.expect_download() as waiting:
        page.locator("a[download]").click()
    receipt = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(receipt)
    assert receipt.name == "hometone-receipt.json"
    verified = people.laptop.command("receipt", "verify", receipt).ok()
    assert (verified["pseudonym"], verified["complete"]) == (secret.pseudonym, False)
    assert secret.code() not in page.url


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_twelve_words_and_a_second_visit(visit, people, language) -> None:
    secret = people.without_round.pop()
    page = visit("phone", language)
    type_code(page, "\n".join(secret.words(language).split()))
    assert page.get_by_role("radio").count() == 0, "there was no round: nothing is asked"
    page.locator(CONFIRM).click()
    assert heading(page) == DONE[language]
    again = visit("desktop", language)
    type_code(again, secret.code())
    assert heading(again) == DONE[language], "nothing is asked again"
    assert again.locator("a[download]").count() == 1


@pytest.mark.parametrize(("screen", "language"), LOOKS)
def test_mistakes_are_found_and_nothing_typed_is_lost(visit, people, screen, language) -> None:
    page, secret = visit(screen, language), people.without_round[0]
    words, groups = secret.words("en").split(), secret.code().split("-")
    unknown = " ".join([*words[:6], "vapour", *words[7:]])
    short = "-".join([*groups[:4], groups[4][:4], *groups[5:]])
    for typed, told in (
        (short, r"Group 4 after HR1; you have typed: " + groups[4][:4] if language == "en" else "第 4 组"),
        (unknown, "Word 7, .vapour.*: vapor" if language == "en" else "第 7 个词：.vapour.*vapor"),
        (STRANGER.code(), "nobody is registered" if language == "en" else "没有对应的登记"),
    ):
        type_code(page, typed)
        alert = page.get_by_role("alert")
        assert re.search(told, alert.inner_text()), alert.inner_text()
        expect(alert).to_be_focused()
        expect(alert).to_be_in_viewport()
        assert page.locator("#code").input_value() == typed
        assert alert.locator("strong").inner_text() in page.title() or typed == STRANGER.code()
        assert "HR1" not in page.url
        assert words[0] not in page.url
    assert_accessible(page)
    type_code(page, secret.code())
    assert heading(page) == PREVIEW[language]


def test_a_wrong_character_is_looked_for_where_it_can_be(visit, people) -> None:
    page, code = visit(), people.without_round[0].code()
    type_code(page, code[:10] + ("2" if code[10] != "2" else "7") + code[11:])
    alert = page.get_by_role("alert").inner_text()
    assert "Group 2 after HR1" in alert or "group by group" in alert
    assert page.locator("#code").get_attribute("aria-invalid") == "true"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_language_can_be_changed_at_every_step_and_nothing_is_lost(visit, people, language) -> None:
    page, secret = visit("phone", language), people.with_round.pop()
    page.locator("#code").fill("half of it")
    page.locator(".language").click()
    assert heading(page) == BEGIN[OTHER[language]]
    assert page.locator("#code").input_value() == "half of it"
    page.locator("#code").fill(secret.code())
    page.locator(".language").click()
    assert heading(page) == BEGIN[language]
    page.locator(GO_ON).click()
    page.get_by_role("radio").nth(1).check()
    page.locator(".language").click()
    assert heading(page) == PREVIEW[OTHER[language]]
    assert page.get_by_role("radio").nth(1).is_checked()
    page.locator(CONFIRM).click()
    assert heading(page) == DONE[OTHER[language]]
    page.locator(".language").click()
    assert heading(page) == DONE[language]
    assert page.locator("a[download]").count() == 1


def test_the_keyboard_is_enough_and_the_return_key_alone_withdraws_nobody(visit, people) -> None:
    page, secret = visit("desktop"), people.with_round.pop()

    def go_to(selector: str) -> None:
        for _ in range(12):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if focused.count() and focused.evaluate("(element, selector) => element.matches(selector)", selector):
                assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid", "the focus can be seen"
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    go_to(".language")
    go_to("#code")
    page.keyboard.type(secret.code().lower())
    go_to(GO_ON)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(PREVIEW["en"])
    go_to("input[type=radio]")
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("radio").nth(1).is_checked()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert heading(page) == PREVIEW["en"]
    go_to(CONFIRM)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(DONE["en"])
    go_to("a[download]")


def test_going_back_withdraws_nobody(visit, people) -> None:
    page, secret = visit("phone"), people.without_round[0]
    type_code(page, secret.code())
    page.get_by_role("link", name="No, go back").click()
    assert heading(page) == BEGIN["en"]
    assert page.locator("#code").input_value() == ""
    type_code(page, secret.code())
    page.go_back()
    assert heading(page) == BEGIN["en"]
    type_code(page, secret.code())
    assert heading(page) == PREVIEW["en"], "she is still registered"


def test_two_clicks_are_one_withdrawal(visit, people) -> None:
    page, secret = visit("phone"), people.without_round.pop()
    type_code(page, secret.code())
    page.locator(CONFIRM).dblclick(no_wait_after=True)
    expect(page.locator("h1")).to_have_text(DONE["en"])
    listed = people.village.coordinator("withdrawals").ok()["withdrawals"]
    assert [each["pseudonym"] for each in listed].count(secret.pseudonym) == 1


def test_the_page_is_light_and_nothing_of_a_code_is_in_the_coordinators_log(visit, people, open_page) -> None:
    page, secret = open_page(people.origin, screen="phone"), people.without_round[0]
    with weighed(page) as weight:
        page.goto(people.page)
    assert_light(weight)
    typed = visit()
    type_code(typed, secret.code()[:-1])
    type_code(typed, secret.code())
    log = (people.village.folder / "coordinator.log").read_text()
    assert secret.code()[:-1] not in log
    assert secret.pseudonym not in log
