"""Pictures of a laptop's pages: somebody new who records, Mei who has a voice, the calendar, the presenter, a listening test.

People are made up, their voices are stock voices, and what the microphone hears is a stock voice that reads.
"""

import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, get_args

import numpy as np
from playwright.sync_api import Page
from tests.browser.chromium import Language
from tests.opened_laptop import Opened, add_person, lend_to_itself, opened_laptop
from tests.plans import a_plan
from tests.prepared_listening import prepare
from tests.village import PIN, until
from tools.picture_studio import Studio

from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.models import model_folder
from hometone_client.speakers.consent import Purpose
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.takes import campaign
from hometone_client.voices import VoiceRegistry

_SMALL: Final = (820, 520)
_JUDGED_MS: Final = 120_000
_STOCK: Final = {"en": "bf_emma", "zh": "zf_xiaoxiao"}
_FAN: Final = {"en": 0.006, "zh": 0.012}
_NAMES: Final = {"en": ("Ada", "Mei"), "zh": ("秀兰", "梅")}
_SAID: Final = {
    "en": "Good morning! The weather is fine. Let us take a walk in the park this afternoon.",
    "zh": "早上好！今天天气很好，下午我们一起去公园散散步吧。",
}
_REMINDERS: Final = {
    "en": (
        ("medicine", "Morning tablets", "Good morning. It is time for the morning tablets, with a glass of water.", "08:00"),
        ("activity", "Singing", "At three o'clock we sing together in the garden room.", "14:45"),
    ),
    "zh": (
        ("medicine", "早上的药", "早上好。该吃早上的药了，请配一杯温水。", "08:00"),
        ("activity", "唱歌", "下午三点，我们在花园厅一起唱歌。", "14:45"),
    ),
}


def someone_new(studio: Studio) -> None:
    """The first page, the consent, a sentence that is recorded and judged, and a voice that is being made."""
    for language in get_args(Language):
        sentences = _sentences(studio, language)
        with opened_laptop(studio.new_folder(f"new-{language}"), studio.sound.environment) as opened:
            with opened.laptop.vault() as vault:
                add_person(vault, _NAMES[language][1], stock=_STOCK[language])
            link = opened.open()
            with studio.page(link, screen="desktop", language=language, size=_SMALL) as page:
                studio.take(page, f"laptop-welcome-{language}")
                page.goto(f"{opened.origin}/new")
                studio.take(page, f"laptop-consent-{language}")
                _enrol(page, _NAMES[language][0])
                _record(studio, page, opened, sentences, language=language)
                _make(studio, page, opened, sentences, language=language)


def _enrol(page: Page, name: str) -> None:
    page.check("[name='own-voice']")
    page.check("[name=read][value=self]")
    page.locator("#main button.large").click()
    page.locator("#name").fill(name)
    page.locator("#pin").fill(PIN)
    page.locator("#pin_again").fill(PIN)
    page.locator("#main button.large").click()
    page.wait_for_url("**/new/about")


def _record(studio: Studio, page: Page, opened: Opened, sentences: list[Path], *, language: Language) -> None:
    page.goto(f"{opened.origin}/me/recording/read/{language}-everyday/2")
    page.keyboard.press("Space")
    page.wait_for_selector("meter")
    playing = studio.sound.microphone.playing(sentences[1])
    until(lambda: page.evaluate("document.querySelector('meter')?.value > 30"), "the level")
    studio.take(page, f"laptop-recording-{language}")
    playing.wait()
    page.keyboard.press("Space")
    page.wait_for_selector("#take", timeout=_JUDGED_MS)
    studio.take(page, f"laptop-verdict-{language}")
    page.keyboard.press("k")
    page.wait_for_selector("[role=status]")


def _make(studio: Studio, page: Page, opened: Opened, sentences: list[Path], *, language: Language) -> None:
    page.goto(f"{opened.origin}/me/recording/import")
    page.set_input_files("#files", [*map(str, sentences[:1]), *map(str, sentences[2:])])
    page.locator("#main button[type=submit]").click()
    page.wait_for_selector("#files", timeout=_JUDGED_MS)
    page.goto(f"{opened.origin}/me/making")
    page.check("[value=quick]")
    page.locator("#begin button").click()
    until(lambda: page.evaluate("document.querySelector('main progress')?.value > 12"), "training")
    studio.take(page, f"laptop-making-{language}")
    page.locator("form[action='/me/making/pause'] button").click()
    page.wait_for_load_state()


def _sentences(studio: Studio, language: Language) -> list[Path]:
    """Sound files of the five sentences, the second with a fan beside it."""
    folder = studio.new_folder(f"sentences-{language}")
    sessions = Sessions(model_folder())
    voice = VoiceRegistry(base_sha256=sessions.base_sha256).get(f"stock:{_STOCK[language]}").load()
    reader = Synthesizer(model_folder(), voice, sessions=sessions)
    fan, silence = np.random.default_rng(1), np.zeros(7_200, np.float32)
    found = []
    for number, sentence in enumerate(campaign(language).sentences, start=1):
        samples = np.concatenate([silence, *(0.6 * part.samples for part in reader.speak(sentence)), silence])
        if number == 2:
            samples += fan.normal(0, _FAN[language], samples.size).astype(np.float32)
        found.append(folder / f"{number}.wav")
        with wave.open(str(found[-1]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(24_000)
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return found


def my_voice(studio: Studio) -> None:
    """Mei, who has a voice: hearing it, speaking, privacy, consents, and the end of it all."""
    for language in get_args(Language):
        name = _NAMES[language][1]
        with opened_laptop(studio.new_folder(f"mine-{language}"), studio.sound.environment) as opened:
            with opened.laptop.vault() as vault:
                purposes = (Purpose.FEDERATED, Purpose.ANNOUNCEMENTS)
                place = add_person(vault, name, stock=_STOCK[language], purposes=purposes)
                with vault.unlock(place, PIN) as unlocked:
                    ledger = PrivacyLedger(unlocked)
                    ledger.reserve(a_plan(noise_multiplier=4.0), digest="ab" * 32)
                    ledger.spend("ab" * 32)
                lend_to_itself(vault, opened.home, place, name={"en": "Mei, announcements", "zh": "梅（播报）"}[language])
            with studio.page(opened.open(), screen="desktop", language=language, size=_SMALL) as page:
                _calendar(studio, page, opened, language=language)
                _presenter(studio, page, opened, language=language)
                page.goto(f"{opened.origin}/unlock/{place}")
                page.locator("#pin").fill(PIN)
                page.locator("#main button[type=submit]").click()
                page.wait_for_url("**/me")
                for path, picture in (("me", "me"), ("me/making", "hearing"), ("me/privacy", "privacy"), ("me/consents", "consents")):
                    page.goto(f"{opened.origin}/{path}")
                    studio.take(page, f"laptop-{picture}-{language}")
                page.goto(f"{opened.origin}/me/speak")
                page.locator("#text").fill(_SAID[language])
                page.locator("#main button").first.click()
                page.wait_for_selector("a[download]", timeout=_JUDGED_MS)
                studio.take(page, f"laptop-speak-{language}")
                _stop(studio, page, opened, place, language=language)


def _calendar(studio: Studio, page: Page, opened: Opened, *, language: Language) -> None:
    for kind, title, text, time in _REMINDERS[language]:
        page.goto(f"{opened.origin}/announcements/new")
        page.locator("#kind").select_option(kind)
        page.locator("#title").fill(title)
        page.locator("#text").fill(text)
        page.locator("#time").fill(time)
        page.locator("#voice").select_option(index=0)
        page.locator("#main button[type=submit]").click()
        page.wait_for_url("**/announcements")
    page.goto(f"{opened.origin}/announcements")
    studio.take(page, f"laptop-calendar-{language}")


def _presenter(studio: Studio, page: Page, opened: Opened, *, language: Language) -> None:
    page.goto(f"{opened.origin}/presenter")
    page.locator("#text").fill(_SAID[language])
    page.locator("#main button[type=submit]").click()
    until(lambda: page.evaluate("document.querySelector('#subtitle').textContent.trim().length > 3"), "the face")
    page.wait_for_timeout(900)
    studio.take(page, f"laptop-presenter-{language}")


def _stop(studio: Studio, page: Page, opened: Opened, place: str, *, language: Language) -> None:
    page.goto(f"{opened.origin}/stop/of/{place}")
    page.locator("#main button.strong").click()
    studio.take(page, f"laptop-stop-{language}")
    page.locator("#name").fill(_NAMES[language][1])
    page.locator("#main button.danger").click()
    page.wait_for_url("**/receipt/**")
    studio.take(page, f"laptop-receipt-{language}")


def listening(studio: Studio) -> None:
    """A question of a listening test."""
    with opened_laptop(studio.new_folder("listening")) as opened, ThreadPoolExecutor(1) as beside:
        beside.submit(prepare, opened, ("Aurelia", "Benedikta")).result()
        opened.open()
        for language in get_args(Language):
            with studio.page(opened.link(), screen="desktop", language=language, size=_SMALL) as page:
                page.goto(f"{opened.origin}/listening")
                page.locator("input[name=native][value=zh]").check()
                page.locator("#main button[type=submit]").click()
                page.locator("#skip button").click()
                studio.take(page, f"laptop-question-{language}")
