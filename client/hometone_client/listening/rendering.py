"""Voices as functions from text to sound, and what is measured on it: the networks that preparing a panel needs.

What it may see: texts of a panel, a voice that whoever unlocked it hands over. What it must never do: import torch, keep a voice.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from hometone_client.listening.levels import RATE_HZ, Samples
from hometone_client.models import ensure
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.voices import VoiceParameters
from hometone_client.voices.registry import stock_parameters
from hometone_shared.records.panel import MIXED

_THREADS: Final = 2

Speak = Callable[[str, str], Samples]
"""Called with a text and its language, or `mixed`; returns float32 [n] at 24,000 Hz."""
Measure = Callable[[Samples, str, str], Mapping[str, float]]
"""Called with sound at 24,000 Hz, its text (empty: unknown) and language; returns some of `clips.FIGURES`."""


class Renderer:
    """Speaks in any voice, over shared sessions."""

    def __init__(self, models: Path, *, sessions: Sessions | None = None) -> None:
        """Find the base; nothing is loaded yet.

        Args:
            models: The model folder.
            sessions: Loaded graphs to share.

        Raises:
            ModelError: The base is missing.
        """
        self._models = models
        self._sessions = sessions or Sessions(models)

    def voice(self, voice: VoiceParameters) -> Speak:
        """A voice."""
        synthesizer = Synthesizer(self._models, voice, sessions=self._sessions)

        def speak(text: str, language: str) -> Samples:
            reading = None if language == MIXED or language.partition("-")[0] == "zh" else language
            return np.concatenate([sentence.samples for sentence in synthesizer.speak(text, language=reading)])

        return speak

    def stock(self, name: str) -> Speak:
        """A stock voice.

        Raises:
            UsageError: There is none of that name.
        """
        return self.voice(stock_parameters(name, base_sha256=self._sessions.base_sha256))


def measured_by(models: Path, *, distillmos: Callable[[Samples, int], float] | None = None) -> Measure:
    """What recognisers and predictors say: error rate and DNSMOS, and DistillMOS where somebody brings it.

    Args:
        models: The model folder.
        distillmos: Called with samples and rate; comes from outside because it needs torch.

    Raises:
        ModelError: Weights are missing.
    """
    from hometone_client.evaluation.dnsmos import Dnsmos
    from hometone_client.evaluation.error_rates import count_errors
    from hometone_client.evaluation.recognition import WhisperTranscriber

    opinion = Dnsmos(ensure("dnsmos", folder=models), threads=_THREADS)
    recogniser = WhisperTranscriber(ensure("whisper-base", folder=models), threads=_THREADS)

    def measure(samples: Samples, text: str, language: str) -> Mapping[str, float]:
        spoken = language if language == MIXED else language.partition("-")[0]
        figures = {"dnsmos": opinion.score(samples, RATE_HZ).overall}
        if distillmos is not None:
            figures["distillmos"] = distillmos(samples, RATE_HZ)
        if text:
            figures["error_rate"] = count_errors(text, recogniser(samples, RATE_HZ, spoken), spoken).rate
        return figures

    return measure
