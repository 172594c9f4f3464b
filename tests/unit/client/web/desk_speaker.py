"""A speaker for the API's tests that needs no weights: it speaks tones, one for each sentence, through the real interface."""

import datetime as dt
import threading
import time
from collections.abc import Iterator

import numpy as np

from hometone_client.speaking.settings import SpeakingSettings
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.text import Utterance
from hometone_client.voices.parameters import VoiceParameters
from hometone_client.voices.registry import Voice, VoiceRegistry
from hometone_client.web import ApiState, Limits
from hometone_shared.errors import ConsentError, TextError

TOKEN = "t" * 43
BASE = "ab" * 32


def parameters() -> VoiceParameters:
    return VoiceParameters(
        style=np.zeros(256, np.float32), base_sha256=BASE, recipe="quick-1", created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )


class ToneSpeaker:
    """Speaks "word." as half a second of 220 Hz; "!bad" cannot be read; it counts what it did and how many did it at once."""

    def __init__(self, *, sentence_s: float = 0.0) -> None:
        self.sentence_s = sentence_s
        self.spoken: list[str] = []
        self.settings: list[SpeakingSettings] = []
        self.audible: list[bool] = []
        self.closed = 0
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, voice: VoiceParameters) -> "ToneSpeaker":
        assert voice.base_sha256 == BASE
        return self

    def speak(
        self, text: str, *, language: str | None = None, settings: SpeakingSettings | None = None, audible_label: bool = False
    ) -> Iterator[SpokenSentence]:
        self.settings.append(settings or SpeakingSettings())
        self.audible.append(audible_label)
        try:
            for sentence in text.split("."):
                if not sentence.strip():
                    continue
                with self._lock:
                    self._now += 1
                    self.most_at_once = max(self.most_at_once, self._now)
                time.sleep(self.sentence_s)
                with self._lock:
                    self._now -= 1
                if sentence.strip() == "!bad":
                    raise TextError("this cannot be read aloud", hint="write it in another way")
                self.spoken.append(sentence)
                samples = (0.3 * np.sin(2 * np.pi * 220 * np.arange(12_000) / 24_000)).astype(np.float32)
                yield SpokenSentence(
                    samples=samples,
                    utterance=Utterance(text=sentence, language=language or "en", phonemes="a", tokens=(43,), pause_after_s=0.0),
                )
        finally:
            self.closed += 1


def state(speaker: ToneSpeaker | None = None, **limits: float) -> ApiState:
    own = {
        "anna": Voice(id="anna", kind="own", languages=("zh",), load=parameters),
        "withdrawn": Voice(id="withdrawn", kind="own", languages=("zh",), load=_refused),
    }
    return ApiState(
        token=TOKEN,
        registry=VoiceRegistry(base_sha256=BASE, own=own.values),
        speaker=speaker or ToneSpeaker(),
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


def _refused() -> VoiceParameters:
    raise ConsentError("this voice was withdrawn", hint="choose another one")
