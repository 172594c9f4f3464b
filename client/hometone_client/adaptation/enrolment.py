"""What is known about a speaker before anything is learnt: takes, whose centre they have, how wide and how loud they are.

Embeddings and recordings stay in memory (requirement 39).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hometone_client.adaptation import calibration
from hometone_client.adaptation.mixture import Mixture, nearest_mixture
from hometone_client.base.analysis import Floats
from hometone_client.embedding.ge2e import SpeakerEncoder, centroid
from hometone_client.evaluation import ltas
from hometone_shared.errors import AudioError

LONGEST_PHRASE_S = 15.0
SHORTEST_SPEECH_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentTake:
    """One piece of speech to learn from.

    Attributes:
        samples: float32 [n], mono, in [-1, 1].
        sample_rate_hz: Native rate.
        text: What is said, or None when nobody knows.
        language: ISO 639 code of it.
    """

    samples: Floats
    sample_rate_hz: int
    text: str | None
    language: str

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return float(self.samples.size / self.sample_rate_hz)

    @property
    def sound(self) -> tuple[Floats, int]:
        """Samples and rate."""
        return self.samples, self.sample_rate_hz


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """What listening found.

    Attributes:
        takes: Pieces of at most fifteen seconds.
        centroid: float32 [256], unit length: mean GE2E embedding of the takes.
        language: The one most is spoken in.
        bandwidth_hz: Above this the recordings hold nothing.
        spectrum: float64 [bins], long-term average power spectrum (`evaluation.ltas`).
        level_dbfs: How loud the voice is to speak.
        mixture: The nearest mixture of stock voices.
    """

    takes: tuple[EnrolmentTake, ...]
    centroid: Floats
    language: str
    bandwidth_hz: float
    spectrum: np.ndarray
    level_dbfs: float
    mixture: Mixture


def listen(takes: Sequence[EnrolmentTake], encoder: SpeakerEncoder) -> Enrolment:
    """Measure a speaker's takes. Those longer than fifteen seconds are cut into equal parts without words.

    Raises:
        AudioError: There is too little speech.
    """
    short: list[EnrolmentTake] = []
    for take in takes:
        parts = int(np.ceil(take.seconds / LONGEST_PHRASE_S))
        if parts <= 1:
            short.append(take)
        else:
            short += [dataclasses.replace(take, samples=piece, text=None) for piece in np.array_split(take.samples, parts)]
    if sum(take.seconds for take in short) < SHORTEST_SPEECH_S:
        raise AudioError(
            "there is too little speech to learn a voice from", hint="record about a minute; thirty seconds are the least that helps"
        )
    spoken: dict[str, float] = {}
    for take in short:
        spoken[take.language] = spoken.get(take.language, 0.0) + take.seconds
    language = max(spoken, key=lambda each: spoken[each])
    sounds = [take.sound for take in short]
    spectrum = ltas.average_spectrum(sounds)
    centre = centroid([encoder.embed(*sound) for sound in sounds])
    return Enrolment(
        takes=tuple(short),
        centroid=centre,
        language=language,
        bandwidth_hz=float(min(min(rate for _, rate in sounds) / 2, ltas.bandwidth_hz(spectrum))),
        spectrum=spectrum,
        level_dbfs=calibration.own_level_dbfs(sounds),
        mixture=nearest_mixture(centre, language),
    )
