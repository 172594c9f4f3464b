"""Recordings of one speaker, made ready for adaptation. Nothing here is written anywhere.

1. To 24 kHz; leading and trailing silence shortened to a tenth of a second.
2. The text is spoken by a near mixture of stock voices, and the recording is aligned to that (`alignment`).
3. Level: the recording's energy is brought to that of the synthesis.
4. Takes without words, or whose alignment says that something else was spoken, serve for timbre alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hometone_client.adaptation.alignment import carry_durations, warp
from hometone_client.adaptation.analysis import Floats, energy_curve, f0_curve
from hometone_client.audio.resampling import resample
from hometone_client.base.runtime import CONTENT_HOP, SAMPLE_RATE_HZ, BaseRuntime, Prosody
from hometone_client.embedding.content import ContentEncoder

MISREAD_DISTANCE = 0.55
# The energy the base predicts lies this much above that of the sound it makes (N units; both parts measured on stock voices).
ENERGY_OFFSET = 0.85
TYPICAL_ENERGY = 7.0  # 80th percentile, where there is no synthesis to compare with
_EDGE_S = 0.1
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
        predicted: What the language part made of the same tokens in the near voice, or None.
    """

    samples: Floats
    f0_hz: Floats
    energy: Floats
    tokens: tuple[int, ...]
    durations: NDArray[np.int64]
    distance: float
    predicted: Prosody | None

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
    edge = int(_EDGE_S * 100)
    return samples[max(0, loud[0] - edge) * hop : min(count, loud[-1] + 1 + edge) * hop]


def prepare_phrase(
    samples: Floats, rate_hz: int, tokens: Sequence[int], *, base: BaseRuntime, style: Floats, content: ContentEncoder
) -> tuple[Phrase, Floats]:
    """Align and level one recording of at most 15 s.

    Args:
        samples: float32 [n], mono.
        rate_hz: Of the samples.
        tokens: Phoneme tokens of what is said, without padding; empty if unknown.
        base: The base voice.
        style: float32 [256], a voice near the speaker's.
        content: Whisper's encoder.

    Returns:
        The phrase, and what the near voice made of the same words (float32 [n] at 24 kHz; empty if they are unknown).
    """
    sound = resample(trim(samples, rate_hz), from_hz=rate_hz, to_hz=SAMPLE_RATE_HZ)
    frames = sound.shape[0] // CONTENT_HOP
    sound = np.ascontiguousarray(sound[: frames * CONTENT_HOP], dtype=np.float32)
    f0 = f0_curve(sound)[: 2 * frames]
    energy = energy_curve(sound)[: 2 * frames]
    durations, distance, goal = np.zeros(0, dtype=np.int64), float("nan"), TYPICAL_ENERGY
    padded: tuple[int, ...] = ()
    predicted, reference = None, np.zeros(0, dtype=np.float32)
    if tokens and len(tokens) + 2 <= frames:
        predicted = base.prosody(tokens, style)
        reference = base.decode(predicted, style, seed=0)
        goal = float(np.percentile(predicted.energy, 80))
        positions, distance = warp(content.features(reference, SAMPLE_RATE_HZ), content.features(sound, SAMPLE_RATE_HZ))
        durations = carry_durations(predicted.durations, positions, frames)
        padded = (0, *tokens, 0)
    gain = float(np.exp((goal - np.percentile(energy, 80)) / 2))
    level = sound * np.float32(gain * np.exp(-ENERGY_OFFSET / 2))
    return Phrase(level, f0, energy + np.float32(2 * np.log(gain)), padded, durations, distance, predicted), reference
