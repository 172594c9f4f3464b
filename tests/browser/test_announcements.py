"""Announcements as a nurse meets them: written in Chromium, said at their time on a real loudspeaker by the program that serves the pages.

Nothing waits faster than the clock on the wall: a reminder is for one of the next minutes.
"""

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.browser.accessibility import assert_accessible
from tests.browser.chromium import visible_text
from tests.opened_laptop import Opened, add_person, lend_to_itself, opened_laptop
from tests.sound_devices import RATE_HZ, SoundDevices
from tests.village import until

from hometone_client.announcing.book import ReminderBook
from hometone_client.speakers.consent import Purpose

LENT = "Morning voice"
KEPT = {"en": "is in the calendar", "zh": "已写入日历"}
PATIENCE_S = 180.0


@pytest.fixture
def opened(tmp_path: Path, sound_devices: SoundDevices) -> Iterator[Opened]:
    """A home where Mei has lent her voice to this computer."""
    with opened_laptop(tmp_path, sound_devices.environment) as opened:
        with opened.laptop.vault() as vault:
            mei = add_person(vault, "mei", purposes=(Purpose.ANNOUNCEMENTS,))
            lend_to_itself(vault, opened.home, mei, name=LENT)
        yield opened


def come_in(opened: Opened, open_page: Callable[..., Page], link: str, **how: str) -> Page:
    page = open_page(opened.origin, **how)
    page.goto(link)
    page.goto(opened.origin + "/announcements")
    return page


def soon(minutes: int = 2) -> dt.datetime:
    """A full minute that leaves time to write a reminder."""
    return (dt.datetime.now().astimezone() + dt.timedelta(minutes=minutes)).replace(second=0, microsecond=0)


def write(page: Page, title: str, text: str, *, voice: str, when: dt.datetime, language: str = "en") -> None:
    """Fill in the form as a person does, and keep it."""
    page.locator('a[href="/announcements/new"]').click()
    page.locator("#kind").select_option("medicine")
    page.locator("#title").fill(title)
    page.locator("#text").fill(text)
    page.locator("#voice").select_option(label=voice)
    page.locator("#date").fill(when.date().isoformat())
    page.locator("#time").fill(when.strftime("%H:%M"))
    page.locator("#repeat").select_option("once")
    page.locator("#main button[type=submit]").click()
    assert KEPT[language] in visible_text(page)


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2))) if samples.size else 0.0


@pytest.mark.parametrize("language", ["zh"])
def test_two_reminders_are_said_at_their_time(opened, open_page, sound_devices, language) -> None:
    page = come_in(opened, open_page, opened.open(), language=language)
    when = soon()
    text = {"en": "Please take your tablets with a glass of water.", "zh": "请用一杯温水服药，慢慢来。"}[language]
    stock = {"en": "Heart: woman, American English", "zh": "晓晓：女声，普通话"}[language]
    write(page, "A", text, voice=LENT, when=when, language=language)
    write(page, "B", text, voice=stock, when=when, language=language)
    assert_accessible(page)
    assert dt.datetime.now().astimezone() < when, "writing took too long for this test"
    tape = sound_devices.loudspeaker
    mark = tape.mark()
    while dt.datetime.now().astimezone() < when:
        time.sleep(0.01)
    due = tape.mark()  # a place on the tape, not a time: beside other programs the tape runs late

    def said() -> int:
        page.goto(opened.origin + "/announcements/history")
        return visible_text(page).count({"en": "– said", "zh": "– 已播放"}[language])

    until(lambda: said() == 2, "both reminders", patience_s=PATIENCE_S, pause_s=1)
    assert_accessible(page)

    def loud() -> list[int]:
        """Seconds after the time in which something is said; sound takes a while to the tape."""
        heard = tape.recorded(since=due)
        return [second for second in range(heard.size // RATE_HZ) if loudness(heard[second * RATE_HZ :][:RATE_HZ]) > 0.01]

    until(lambda: len(loud()) >= 6, "two sentences, and twice that the voice is synthetic", patience_s=30, pause_s=1)
    assert loud()[0] <= 15
    before = tape.recorded(since=mark)[: max(0, due - mark - RATE_HZ)]
    assert loudness(before) < 1e-4, "nothing is said before the time"
    page.goto(opened.origin + "/announcements")
    assert {"en": "said", "zh": "已播放"}[language] in page.locator("section").first.inner_text()


def test_a_reminder_that_was_missed_is_reported(opened, open_page) -> None:
    page = come_in(opened, open_page, opened.open())
    write(page, "Tablets", "Please take your tablets.", voice=LENT, when=soon(60))
    opened.close()
    an_hour_ago(opened)
    page = come_in(opened, open_page, opened.open(), language="zh")
    missed = page.locator("section.alert")
    assert "最近七天漏掉的提醒" in missed.inner_text()
    assert "Tablets" in missed.inner_text()
    assert "乡音没有打开" in missed.inner_text()
    assert_accessible(page)

    def noted() -> bool:
        page.goto(opened.origin + "/announcements/history")
        return "Tablets – 漏掉：电脑关机" in visible_text(page)

    until(noted, "the note", pause_s=1)


def an_hour_ago(opened: Opened) -> None:
    """Let the reminder have been for an hour ago, and have been written before, while nothing runs: nobody waits for an hour here."""
    then = soon(-60)
    with opened.laptop.vault() as vault, ReminderBook(vault) as book:
        (reminder,) = book.reminders()
        book.keep(replace(reminder, first=then.replace(tzinfo=None)), now=then - dt.timedelta(minutes=1))


def test_when_a_voice_is_taken_back_its_reminder_says_so_and_can_be_mended(opened, open_page) -> None:
    page = come_in(opened, open_page, opened.open())
    write(page, "Lunch", "Lunch is ready.", voice=LENT, when=soon(60))
    assert LENT in visible_text(page)
    opened.laptop.command("revoke", "mei", "--pin-file", opened.laptop.village.pin, "--yes").ok()
    page.goto(opened.origin + "/announcements")
    assert LENT not in visible_text(page)
    assert "a voice that is no longer here" in visible_text(page)
    assert "Please choose another voice." in visible_text(page)
    assert_accessible(page)
    page.get_by_role("link", name="Lunch").last.click()
    assert "Please choose another voice." in visible_text(page)
    assert_accessible(page)
    assert page.locator("#text").input_value() == "Lunch is ready."
    page.locator("#voice").select_option(label="Emma: woman, British English")
    page.locator("#main button[type=submit]").click()
    assert KEPT["en"] in visible_text(page)
    assert "no longer here" not in visible_text(page)
    assert "Emma" in visible_text(page)


def test_it_can_be_heard_at_once(opened, open_page, sound_devices) -> None:
    page = come_in(opened, open_page, opened.open(), screen="phone")
    write(page, "Walk", "It is time for a walk.", voice=LENT, when=soon(60))
    page.get_by_role("link", name="Walk").last.click()
    mark = sound_devices.loudspeaker.mark()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.locator("#play button").click()
    page.get_by_text("It was played.").wait_for()

    def loudest() -> float:
        heard = sound_devices.loudspeaker.recorded(since=mark)
        return max(loudness(part) for part in np.array_split(heard, max(1, heard.size // RATE_HZ)))

    until(lambda: loudest() > 0.01, "the sound on the tape", patience_s=30)


@pytest.mark.parametrize(("screen", "language"), [("phone", "zh"), ("desktop", "en")])
def test_what_is_wrong_is_told_and_nothing_typed_is_lost(opened, open_page, screen, language) -> None:
    page = come_in(opened, open_page, opened.open(), screen=screen, language=language)
    page.locator('a[href="/announcements/new"]').click()
    page.locator("#title").fill("Tablets")
    page.locator("#text").fill("Please take your tablets.")
    page.locator("#repeat").select_option("weekdays")
    page.locator("input[name=twice]").check()
    page.locator("input[name=label]").uncheck()
    page.locator("#gain_db").fill("-6")
    page.locator("#language button").click()
    page.locator("#language button").click()
    page.locator("#main button[type=submit]").click()
    alert = page.get_by_role("alert").inner_text()
    assert re.search({"en": "days of the week", "zh": "星期"}[language], alert), alert
    assert page.locator("#title").input_value() == "Tablets"
    assert page.locator("#text").input_value() == "Please take your tablets."
    assert page.locator("#repeat").input_value() == "weekdays"
    assert page.locator("input[name=twice]").is_checked()
    assert not page.locator("input[name=label]").is_checked()
    assert page.locator("#gain_db").input_value() == "-6"
    assert_accessible(page)
    page.locator("input[name=weekdays][value='1']").check()
    page.locator("input[name=weekdays][value='4']").check()
    page.locator("#until").fill("2020-01-01")
    page.locator("#main button[type=submit]").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.locator("input[name=weekdays]:checked").count() == 2
    page.locator("#until").fill("")
    page.locator("#main button[type=submit]").click()
    assert KEPT[language] in visible_text(page)
    page.get_by_role("link", name="Tablets").last.click()
    assert page.locator("input[name=weekdays]:checked").count() == 2
    page.locator("a[href$='/remove']").click()
    assert_accessible(page)
    page.locator("#main button[type=submit]").click()
    assert "Tablets" not in visible_text(page)
