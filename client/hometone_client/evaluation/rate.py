"""Speaking rate: syllables per second of speech, pauses left out.

Speech is what the Silero voice detector (the one that faster-whisper carries) marks, with gaps shorter than 0.2 s filled; syllables are
estimated from the text. The rate of all utterances together is the sum of syllables over the sum of speech.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from hometone_client.embedding.mel import Floats
from hometone_client.evaluation.normalisation import syllables

_SAMPLE_RATE_HZ = 16000
_SHORTEST_PAUSE_MS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStatistics:
    """How fast some utterances are spoken.

    Attributes:
        syllables_per_s: Syllables per second of speech, pauses left out; NaN when there is no speech.
        speech_s: Speech, seconds.
        pause_fraction: Share of the time between the first and the last speech that is pause, 0 to 1.
    """

    syllables_per_s: float
    speech_s: float
    pause_fraction: float


def rate_statistics(utterances: Sequence[tuple[Floats, int, str, str]]) -> RateStatistics:
    """Return the speaking rate of some utterances.

    Args:
        utterances: Samples (float32 [n], mono, in [-1, 1]), rate in Hz, text, and language.
    """
    spoken = 0
    speech_s = 0.0
    span_s = 0.0
    for samples, rate, text, language in utterances:
        pieces = speech_pieces(samples, rate)
        if not pieces:
            continue
        spoken += syllables(text, language)
        speech_s += sum(end - start for start, end in pieces)
        span_s += pieces[-1][1] - pieces[0][0]
    if speech_s == 0.0:
        return RateStatistics(syllables_per_s=float("nan"), speech_s=0.0, pause_fraction=0.0)
    return RateStatistics(syllables_per_s=spoken / speech_s, speech_s=speech_s, pause_fraction=1.0 - speech_s / span_s)


def speech_pieces(samples: Floats, rate: int) -> list[tuple[float, float]]:
    """Return start and end, seconds, of each piece of speech between pauses of 0.2 s or more."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    signal = np.asarray(samples, dtype=np.float32)
    if rate != _SAMPLE_RATE_HZ:
        signal = soxr.resample(signal, rate, _SAMPLE_RATE_HZ)
    options = VadOptions(min_silence_duration_ms=_SHORTEST_PAUSE_MS, speech_pad_ms=0)
    pieces = get_speech_timestamps(signal, options, sampling_rate=_SAMPLE_RATE_HZ)
    return [(piece["start"] / _SAMPLE_RATE_HZ, piece["end"] / _SAMPLE_RATE_HZ) for piece in pieces]
