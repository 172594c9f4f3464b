"""Recordings of one speaker, made ready for adaptation. Nothing here is written anywhere.

1. `analyse`: to 24 kHz; leading and trailing silence shortened to a tenth of a second; F0 and energy.
2. `aligned_phrase`: the recording is aligned to the same words spoken by a near mixture of stock voices (`alignment`), and its energy
   brought to the level the base expects.
3. Takes without words, or whose alignment says that something else was spoken, serve for timbre alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hometone_client.adaptation.alignment import carry_durations, warp
from hometone_client.audio.resampling import resample
from hometone_client.base.analysis import ENERGY_OFFSET, Floats, energy_curve, f0_curve
from hometone_client.base.prosody import Prosody
from hometone_client.base.runtime import CONTENT_HOP, SAMPLE_RATE_HZ
from hometone_client.embedding.content import ContentEncoder

MISREAD_DISTANCE = 0.55
TYPICAL_ENERGY = 7.0  # 80th percentile, where there is no synthesis to compare with
EDGE_S = 0.1
_SILENCE_DB = -45.0


@dataclass(frozen=True, slots=True)
class Phrase:
    """One piece of the enrolment, at most 15 s.

    Attributes:
        samples: float32 [600 T] at 24 kHz, at the level the decoder is expected to make.
        f0_hz: float32 [2T], 0 where unvoiced.
        energy: float32 [2T], N as the decoder is fed with.
        tokens: Phoneme tokens with padding, or empty when the text is unknown or unreadable.
        durations: int64 [tokens] at 40 Hz summing up to T, or empty.
        distance: Mean alignment distance, or NaN.
    """

    samples: Floats
    f0_hz: Floats
    energy: Floats
    tokens: tuple[int, ...]
    durations: NDArray[np.int64]
    distance: float

    @property
    def aligned(self) -> bool:
        """Whether phonemes and sound are known to belong together."""
        return bool(self.tokens) and self.distance < MISREAD_DISTANCE

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return float(self.samples.shape[0] / SAMPLE_RATE_HZ)


def trim(samples: Floats, rate_hz: int) -> Floats:
    """Shorten silence at both ends to a tenth of a second; frames of 10 ms, 45 dB below the 95th percentile count as silent."""
    hop = rate_hz // 100
    count = samples.shape[0] // hop
    if count < 10:
        return samples
    level = 10 * np.log10(np.mean(samples[: count * hop].reshape(count, hop).astype(np.float64) ** 2, axis=1) + 1e-12)
    noise = np.percentile(level, 10)
    loud = np.flatnonzero(level > max(np.percentile(level, 95) + _SILENCE_DB, noise + 6))
    if loud.size == 0:
        return samples
    edge = int(EDGE_S * 100)
    return samples[max(0, loud[0] - edge) * hop : min(count, loud[-1] + 1 + edge) * hop]


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """A recording as the base voice knows it: samples float32 [600 T] at 24 kHz, F0 in Hz and energy N, float32 [2T] each."""

    samples: Floats
    f0_hz: Floats
    energy: Floats

    @property
    def frames(self) -> int:
        """T, at 40 Hz."""
        return int(self.samples.shape[0] // CONTENT_HOP)


def analyse(samples: Floats, rate_hz: int) -> Analysed:
    """Measure one recording of at most 15 s, float32 [n], mono."""
    sound = resample(trim(samples, rate_hz), from_hz=rate_hz, to_hz=SAMPLE_RATE_HZ)
    frames = sound.shape[0] // CONTENT_HOP
    sound = np.ascontiguousarray(sound[: frames * CONTENT_HOP], dtype=np.float32)
    return Analysed(sound, f0_curve(sound)[: 2 * frames], energy_curve(sound)[: 2 * frames])


def speakable(tokens: Sequence[int], recording: Analysed) -> bool:
    """Whether there are words, and the recording is long enough to hold them."""
    return 0 < len(tokens) + 2 <= recording.frames


def unaligned_phrase(recording: Analysed) -> Phrase:
    """A phrase of unknown words, at a typical level."""
    return _levelled(recording, TYPICAL_ENERGY, tokens=(), durations=np.zeros(0, dtype=np.int64), distance=float("nan"))


def aligned_phrase(recording: Analysed, tokens: Sequence[int], *, predicted: Prosody, reference: Floats, content: ContentEncoder) -> Phrase:
    """Align one recording to a synthesis of the same words, and level it.

    Args:
        recording: From `analyse`.
        tokens: Phoneme tokens of what is said, without padding; `speakable`.
        predicted: What the language part made of them in a near voice.
        reference: float32 [n] at 24 kHz, how that sounds.
        content: Whisper's encoder.
    """
    positions, distance = warp(content.features(reference, SAMPLE_RATE_HZ), content.features(recording.samples, SAMPLE_RATE_HZ))
    durations = carry_durations(predicted.durations, positions, recording.frames)
    goal = float(np.percentile(predicted.energy, 80))
    return _levelled(recording, goal, tokens=(0, *tokens, 0), durations=durations, distance=distance)


def _levelled(recording: Analysed, goal: float, *, tokens: tuple[int, ...], durations: NDArray[np.int64], distance: float) -> Phrase:
    gain = float(np.exp((goal - np.percentile(recording.energy, 80)) / 2))
    level = recording.samples * np.float32(gain * np.exp(-ENERGY_OFFSET / 2))
    return Phrase(level, recording.f0_hz, recording.energy + np.float32(2 * np.log(gain)), tokens, durations, distance)
