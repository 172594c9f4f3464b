"""Chooses how much of what was learnt a voice keeps: as much likeness as the words can bear.

At every strength, the largest first, the voice speaks the same lines; the recogniser writes them down; likeness is measured against the
centroid of the enrolment. The near mixture of stock voices, which has learnt nothing, is the standard for intelligibility. The first
strength whose words are clear enough is kept; where none is, the one with the fewest errors.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hometone_client.adaptation import calibration
from hometone_client.adaptation.enrolment import Enrolment
from hometone_client.adaptation.learnt import Learnt
from hometone_client.adaptation.material import Line, Words
from hometone_client.base.analysis import Floats
from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.sharedmodel.basis import release_and_voice
from hometone_client.speaking.finishing import filtered, limited
from hometone_client.takes.agreement import error_rate, units
from hometone_client.takes.transcription import Transcriber
from hometone_client.voices.parameters import VoiceParameters

# More errors than the mixture makes, in characters (words of five letters: about one word in a hundred).
ALLOWED_ERRORS = 0.006
JUDGEABLE_ERRORS = 0.4


@dataclass(frozen=True, slots=True)
class Trial:
    """One strength and what came of it.

    Attributes:
        strength: Share of the learnt change that was kept.
        likeness: Mean GE2E cosine of the utterances to the centroid of the enrolment.
        errors: Character error rate by the recogniser, or None where there is none for the language.
        sounds: float32 at 24 kHz, one for each line.
        f0_curves: Of the same, Hz at 80 Hz, the speaker's map applied.
        energies: Of the same, N at 80 Hz.
    """

    strength: float
    likeness: float
    errors: float | None
    sounds: list[Floats]
    f0_curves: list[Floats]
    energies: list[Floats]


def character_errors(sentences: Sequence[Words], heard: Sequence[str]) -> float:
    """Errors over all sentences, characters as units."""
    wrong = total = 0.0
    for sentence, text in zip(sentences, heard, strict=True):
        count = max(1, len("".join(units(sentence.text, sentence.language))))
        wrong += count * min(
            1.0,
            error_rate(" ".join("".join(units(sentence.text, sentence.language))), " ".join("".join(units(text, sentence.language))), "en"),
        )
        total += count
    return wrong / max(total, 1.0)


def likeness(encoder: SpeakerEncoder, sounds: Sequence[Floats], centroid: Floats) -> float:
    """Mean cosine of the sounds' embeddings to a unit centroid."""
    return float(np.mean([encoder.embed(sound, SAMPLE_RATE_HZ) @ centroid for sound in sounds]))


def choose(trials: Sequence[Trial], standard: float | None) -> Trial | None:
    """The first that is within the allowed errors; None if there is none yet.

    The first of all where errors are not counted, or say nothing: words that the recogniser does not even understand from the plain mixture
    (isolated syllables, a language it hardly knows) are no reason to give up likeness.
    """
    if standard is None or standard > JUDGEABLE_ERRORS:
        return next(iter(trials), None)
    return next((t for t in trials if t.errors is None or t.errors <= standard + ALLOWED_ERRORS), None)


def fewest_errors(trials: Sequence[Trial]) -> Trial:
    """The clearest; the more alike of equals."""
    return min(trials, key=lambda trial: (trial.errors, -trial.likeness))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was tried, what the unadapted mixture's errors are, and which trial won."""

    best: Trial
    trials: list[Trial]
    standard: float | None


class Selection:
    """Tries strengths of one learnt voice on some lines."""

    def __init__(
        self, lines: Sequence[Line], enrolment: Enrolment, *, base: Path, encoder: SpeakerEncoder, recogniser: Transcriber
    ) -> None:
        """Keep what all trials share.

        Args:
            lines: What is spoken.
            enrolment: Whose voice it should be.
            base: Folder of the base voice.
            encoder: Judges likeness.
            recogniser: Judges words.
        """
        self._lines, self._enrolment, self._base = lines, enrolment, base
        self._encoder, self._recogniser = encoder, recogniser

    def choose(self, draft: VoiceParameters, learnt: Learnt, *, strengths: Sequence[float], told: Callable[[float], None]) -> Chosen:
        """Try strengths in turn until one is clear enough.

        Args:
            draft: The voice without what was learnt.
            learnt: What was learnt.
            strengths: Shares of it, the wanted one first. A single one is only spoken, its words are not counted.
            told: Called with the fraction done.
        """
        several = len(strengths) > 1
        standard = self._errors([line.sound for line in self._lines]) if several else None
        trials: list[Trial] = []
        for number, strength in enumerate(strengths):
            told((number + 1) / (len(strengths) + 1))
            trials.append(self._tried(learnt.applied(draft, strength=strength), strength, counted=several))
            if (found := choose(trials, standard)) is not None:
                return Chosen(found, trials, standard)
        return Chosen(fewest_errors(trials), trials, standard)

    def _tried(self, voice: VoiceParameters, strength: float, *, counted: bool) -> Trial:
        runtime = BaseRuntime(self._base, replacements=release_and_voice(voice, self._base))
        sounds, f0_curves, energies = [], [], []
        for line in self._lines:
            prosody = runtime.prosody(line.words.tokens, voice.style, length_scale=voice.length_scale)
            f0_curves.append(voice.f0_map(prosody.f0_hz))
            energies.append(prosody.energy)
            sounds.append(runtime.decode(dataclasses.replace(prosody, f0_hz=f0_curves[-1]), voice.style, seed=0))
        coloured = [filtered(sound, voice.tone_filter, delay=voice.tone_delay) for sound in sounds]
        loudness = np.float32(10 ** (calibration.gain_db(coloured, self._enrolment.level_dbfs) / 20))
        heard = [limited(sound * loudness) for sound in coloured]
        alike = likeness(self._encoder, heard, self._enrolment.centroid)
        return Trial(strength, alike, self._errors(heard) if counted else None, sounds, f0_curves, energies)

    def _errors(self, sounds: Sequence[Floats]) -> float:
        heard = [
            self._recogniser.transcribe(sound, SAMPLE_RATE_HZ, language=line.words.language.partition("-")[0]).text
            for sound, line in zip(sounds, self._lines, strict=True)
        ]
        return round(character_errors([line.words for line in self._lines], heard), 4)
