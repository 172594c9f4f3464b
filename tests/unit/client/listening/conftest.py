"""A laptop that has joined a coordinator, voices without models, and listeners whose true opinions are known."""

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.client.federation.records.conftest import Coordinator

from hometone_client.audio import Origin, RawTake
from hometone_client.federation.membership import join
from hometone_client.listening.clips import Clip, Role, keep_clips
from hometone_client.listening.panels import PanelShelf
from hometone_client.listening.sitting import Question, Sitting
from hometone_client.listening.sittings import Sittings
from hometone_client.listening.trials import Trial
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.records.panel import Panel, Scale

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
PIN = "1234"
SECONDS = 0.05


def a_panel(**changes: Any) -> Panel:
    fields: dict[str, Any] = {
        "number": "0123456789abcdef",
        "title": "Spring",
        "sentences": {
            "en": tuple(f"Sentence number {n}." for n in range(4)),
            "zh": ("一二三。", "四五六。", "七八九。", "十百千。"),
            "mixed": ("去 shop 吧。", "喝 tea 吗？"),
        },
        "scales": frozenset(Scale),
        "trials": 20,
        "traps": 2,
        "baseline": "zf_xiaobei",
        "made": 1_800_000_000,
    }
    return Panel(**{**fields, **changes})


@dataclass
class Clock:
    """Seconds that pass when somebody says so."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Hall:
    """One laptop with its panel, voices and sessions."""

    home: Path
    vault: Vault
    coordinator: Coordinator
    panel: Panel
    clock: Clock = field(default_factory=Clock)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.sittings = Sittings(self.home, self.vault, monotonic=self.clock, chance=self.chance)

    def enrol(
        self, name: str, *, languages: tuple[str, ...] = ("zh", "mixed"), agrees: bool = True, traps: tuple[str, ...] = ("zh",)
    ) -> str:
        """Somebody with clips of nothing but noise; what they are is what counts."""
        with SpeakerRoom(self.vault.enroll(name, PIN)) as room:
            samples = np.random.default_rng(list(name.encode())).uniform(-0.3, 0.3, 800).astype(np.float32)
            for number in range(2):
                quality = {"snr_db": 25.0 + number, "bandwidth_hz": 7000.0}
                room.add_take(RawTake(samples, 8_000, Origin.FILE), text="", language="zh", speech_s=2.0, quality=quality)
            now = dt.datetime.now(dt.UTC)
            room.keep_consent(give_consent(locale="en", now=now))
            if agrees:
                room.keep_consent(give_consent(locale="en", now=now, purpose=Purpose.LISTENING))
                self.vault.allow_work(room.vault)
            keep_clips(room.vault, self.clips(languages, traps))
            return room.speaker_id

    def clips(self, languages: tuple[str, ...], traps: tuple[str, ...]) -> list[tuple[Clip, Any]]:
        noise = np.random.default_rng(3).uniform(-0.1, 0.1, round(SECONDS * 24_000)).astype(np.float32)

        def clip(role: Role, language: str, **about: Any) -> tuple[Clip, Any]:
            return Clip(panel=self.panel.number, role=role, language=language, seconds=SECONDS, **about), noise

        made = [clip(Role.KNOWN, languages[0], take="take-0001")]
        for _ in range(3):
            made += [clip(Role.REFERENCE, languages[0], take="take-0002"), clip(Role.ANCHOR, languages[0], take="take-0002")]
        for language in languages:
            for number in range(len(self.panel.sentences[language])):
                figures = {"error_rate": 0.1, "dnsmos": 3.0}
                made.append(clip(Role.SYNTHETIC, language, sentence=number, figures=figures))
                if language == "mixed":
                    made.append(clip(Role.BASELINE, language, sentence=number))
        return made + [clip(Role.TRAP, language, answer=answer) for language in traps for answer in (1, 3, 5)]

    def room(self, speaker_id: str) -> SpeakerRoom:
        return SpeakerRoom(self.vault.unlock(speaker_id, PIN))

    def trial(self, sitting: Sitting, question: Question) -> Trial:
        """What a question really is: a session hides it, a test has to look behind."""
        return next(asked.trial for asked in sitting._asked if asked.token == question.token)

    def listen(self, sitting: Sitting, opinion: Callable[[Trial], int]) -> None:
        """Answer everything, having heard it."""
        while (question := sitting.question()) is not None:
            for sound in question.sounds:
                sitting.sound(sound)
            self.clock.now_s += 2 * SECONDS
            sitting.answer(question.token, opinion(self.trial(sitting, question)))


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    coordinator = Coordinator(tmp_path / "coordinator")
    home = tmp_path / "home"
    with Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP) as vault:
        code = coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()
        join(code, home=home, identity=vault.device, transport=coordinator.bridge)
        panel = a_panel()
        PanelShelf(home).add(panel.signed(coordinator.key).to_bytes())
        yield Hall(home, vault, coordinator, panel)
    coordinator.log.close()


@dataclass(frozen=True)
class Crowd:
    """Listeners with true scores: each voice has one for each scale, each listener his own strictness, each answer its noise."""

    truth: dict[tuple[str, Scale], float]
    chance: random.Random
    strictness: float = 0.4
    noise: float = 0.5

    def opinion(self) -> Callable[[Trial], int]:
        own = self.chance.gauss(0, self.strictness)

        def judge(trial: Trial) -> int:
            scale = trial.scale
            if trial.is_trap:
                return trial.clip.answer
            if trial.clip.role is Role.ANCHOR:
                score = 1.5
            elif trial.clip.role is Role.REFERENCE:
                score = 4.6
            else:
                score = self.truth[trial.speaker_id, scale]
            felt = score + (0 if scale is Scale.PREFERENCE else own) + self.chance.gauss(0, self.noise)
            answer = min(max(round(felt), scale.lowest), scale.highest)
            return -answer if trial.flipped else answer

        return judge


def clicker(chance: random.Random) -> Callable[[Trial], int]:
    """Somebody who clicks anywhere."""
    return lambda trial: chance.randint(trial.scale.lowest, trial.scale.highest)
