"""Where Mandarin and another language meet in one sentence, the melody is kept from breaking (requirement 22).

The base ends an English word before a Chinese one as it would at the end of a phrase: F0 falls, and the next tone begins high. In fifty
mixed sentences that jump was 3.2 to 4.5 semitones at the median and 8.5 to 21 at the 95th percentile, against 2.4 to 3.1 and 6.4 to 7.2
between Chinese words (docs/results.md). So:

1. At each switch without a mark in between the jump is measured: the last voiced 40 ms of one word against the first of the next.
2. What goes beyond `KNEE` semitones is kept at two fifths, up to `CAP` semitones in all.
3. The difference is taken from the word that is not Chinese, rising from nothing at its other end or `REACH` frames away. Chinese tones
   are words; they stay. A word is never lifted above its own highest or pushed below its own lowest F0.

Durations and energy stay. Between a sentence's words of one language nothing is touched, so texts in one language come out bit for bit.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.prosody import VOICED_HZ, Array, Prosody
from hometone_client.text import Utterance
from hometone_client.text.characters import is_han
from hometone_client.text.utterance import WordSpan
from hometone_client.text.words import MARKS

KNEE: Final = 2.0
CAP: Final = 5.0
_SLOPE: Final = 0.4
REACH: Final = 24  # 300 ms
_EDGE: Final = 3  # frames of 12.5 ms


def joined(prosody: Prosody, utterance: Utterance) -> Prosody:
    """Return the prosody with smaller jumps of F0 at switches of language.

    Args:
        prosody: As the base decided it; f0_hz float32 [2T] at 80 Hz.
        utterance: What is said; without its words nothing is changed.

    Returns:
        The same object when there is no switch.
    """
    if prosody.durations.size != len(utterance.tokens) + 2:
        return prosody
    starts = 2 * prosody.starts
    f0_hz: NDArray[np.float64] | None = None
    for before, after in switches(utterance):
        f0_hz = prosody.f0_hz.astype(np.float64) if f0_hz is None else f0_hz
        first = slice(int(starts[before.start + 1]), int(starts[before.stop + 1]))
        second = slice(int(starts[after.start + 1]), int(starts[after.stop + 1]))
        _join(f0_hz, first, second, chinese_first=_chinese(before))
    return prosody if f0_hz is None else replace(prosody, f0_hz=f0_hz.astype(np.float32))


def switches(utterance: Utterance) -> Iterator[tuple[WordSpan, WordSpan]]:
    """Yield neighbouring words of which one alone is Chinese; a mark between them is a pause, not a join."""
    for before, after in zip(utterance.words, utterance.words[1:], strict=False):
        if before.text not in MARKS and after.text not in MARKS and _chinese(before) != _chinese(after):
            yield before, after


def _chinese(word: WordSpan) -> bool:
    return any(map(is_han, word.text))


def _join(f0_hz: NDArray[np.float64], first: slice, second: slice, *, chinese_first: bool) -> None:
    ends = np.flatnonzero(f0_hz[first] > VOICED_HZ)[-_EDGE:] + first.start
    begins = np.flatnonzero(f0_hz[second] > VOICED_HZ)[:_EDGE] + second.start
    if not ends.size or not begins.size:
        return
    jump = 12.0 * np.log2(np.median(f0_hz[begins]) / np.median(f0_hz[ends]))
    kept = min(abs(jump), KNEE + _SLOPE * max(abs(jump) - KNEE, 0.0), CAP)
    excess = float(np.sign(jump) * (abs(jump) - kept))
    if excess == 0.0:
        return
    if chinese_first:
        where = slice(second.start, min(second.stop, int(begins[0]) + REACH))
        distance = np.arange(where.start, where.stop) - begins[-1]
        shift = -excess
    else:
        where = slice(max(first.start, int(ends[-1]) - REACH), first.stop)
        distance = ends[0] - np.arange(where.start, where.stop)
        shift = excess
    longest = max(1, int(distance.max()))
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance / longest, 0.0, 1.0))
    _shift(f0_hz, where, ramp * shift, word=second if chinese_first else first)


def _shift(f0_hz: NDArray[np.float64], where: slice, semitones: NDArray[np.float64], *, word: slice) -> None:
    voiced = f0_hz[where] > VOICED_HZ
    own: Array | NDArray[np.float64] = f0_hz[word][f0_hz[word] > VOICED_HZ]
    moved = np.clip(f0_hz[where] * 2.0 ** (semitones / 12.0), own.min(), own.max())
    f0_hz[where] = np.where(voiced, moved, f0_hz[where])
