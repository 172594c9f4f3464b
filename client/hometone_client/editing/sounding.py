"""What edits do to the finished sound of an utterance: gain of stretches, and pauses of exactly the length that was asked for.

1. Gain: what belongs to a token is heard 55 ms before its frames begin (`speaking.timing`); the gain changes over 30 ms, so nothing clicks.
2. A pause is the time in which the sound stays 40 dB below the loudest 5 ms of the sentence. It is made longer by silence and shorter by
   leaving out of its middle; both joins are cross-faded over 5 ms. Where the base made no pause at its mark, the sound is opened at its
   quietest 5 ms.
3. Times of phonemes move along: whoever asks gets a function from old to new times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.editing.expression import Edits
from hometone_client.editing.marking import Rest

SAMPLE_RATE_HZ: Final = 24_000
_FRAME: Final = 600
_AHEAD: Final = 1_320  # 55 ms
_WINDOW: Final = 120  # 5 ms
_QUIET: Final = 10.0 ** (-40.0 / 10.0)  # power
_SOFT: Final = 720  # 30 ms
_FADE: Final = 120  # 5 ms
_MUTED_DB: Final = -60.0

Samples = NDArray[np.float32]


def gained(samples: Samples, durations: NDArray[np.int64], edits: Edits) -> Samples:
    """Return the sound louder or softer where that was asked.

    Args:
        samples: float32 [600 * sum of durations], from the decoder.
        durations: Frames of each token, the padding at both ends included.
        edits: Their tokens are those of the utterance, without padding.
    """
    if all(not change.expression.gain_db and "gain" not in change.expression.anew for change in edits.changes):
        return samples
    bounds = np.concatenate([[0], np.cumsum(durations)]) * _FRAME - _AHEAD
    gain_db = np.zeros(samples.size)
    for change in edits.changes:
        # What encloses whole utterances reaches to their ends.
        start = 0 if change.start == 0 else max(0, int(bounds[change.start + 1]))
        stop = samples.size if change.stop >= durations.size - 2 else max(0, int(bounds[change.stop + 1]))
        asked = change.expression
        gain_db[start:stop] = asked.gain_db + (0.0 if "gain" in asked.anew else gain_db[start:stop])
    gain_db = np.maximum(gain_db, _MUTED_DB)
    if gain_db.min() != gain_db.max():
        window = np.hanning(_SOFT + 2)[1:-1]
        padded = np.pad(gain_db, _SOFT // 2, mode="edge")
        gain_db = np.convolve(padded, window / window.sum(), mode="same")[_SOFT // 2 : _SOFT // 2 + samples.size]
    return (samples * 10.0 ** (gain_db / 20.0)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Place:
    """A pause in a sound.

    Attributes:
        low: Sample at or after which it begins.
        high: Sample before or at which it ends.
        seconds: How long it is to last.
    """

    low: int
    high: int
    seconds: float


def places(rests: Sequence[Rest], durations: NDArray[np.int64], *, begin: int, size: int) -> list[Place]:
    """Return where in a finished sound the pauses of these tokens are found: between the phonemes beside them, which keep a frame each.

    Args:
        rests: Tokens without padding.
        durations: Frames of each token, the padding at both ends included.
        begin: The decoder's sample that the sound begins with.
        size: Samples of the sound.
    """
    bounds = np.concatenate([[0], np.cumsum(durations)]) * _FRAME - _AHEAD - begin
    found = []
    for rest in rests:
        low = min(bounds[rest.start] + _FRAME, bounds[rest.start + 1])
        high = max(bounds[rest.stop + 2] - _FRAME, bounds[rest.stop + 1])
        low, high = (int(np.clip(bound, 0, size)) for bound in (low, high))
        if high - low >= _WINDOW:
            found.append(Place(low, high, rest.seconds))
    return found


@dataclass(frozen=True, slots=True)
class Moves:
    """Where samples of a sound went: `at` in the old one is `to` in the new one, straight lines between."""

    at: tuple[int, ...]
    to: tuple[int, ...]

    def time(self, seconds: float) -> float:
        """Return when something is heard that was heard at this time before."""
        return float(np.interp(seconds * SAMPLE_RATE_HZ, self.at, self.to)) / SAMPLE_RATE_HZ


def paused(
    samples: Samples, places: Sequence[Place], *, before_s: float | None = None, after_s: float | None = None
) -> tuple[Samples, Moves]:
    """Return the sound with its pauses as long as was asked.

    Args:
        samples: float32 [n] at 24,000 Hz.
        places: In order, apart from each other.
        before_s: Silence before the first sound; None leaves it.
        after_s: Silence after the last one; None leaves it.
    """
    loud = _loud(samples)
    heard = np.flatnonzero(loud)
    if not heard.size:
        return samples, Moves((0, samples.size), (0, samples.size))
    gaps = [_gap(samples, loud, place) for place in places]
    if before_s is not None:
        gaps.insert(0, (0, int(heard[0]) * _WINDOW, round(before_s * SAMPLE_RATE_HZ)))
    if after_s is not None:
        gaps.append(((int(heard[-1]) + 1) * _WINDOW, samples.size, round(after_s * SAMPLE_RATE_HZ)))
    pieces, at, to, end, length = [], [0], [0], 0, 0
    for start, stop, wanted in gaps:
        if start < end:
            continue
        pause = _resized(samples[start:stop], wanted)
        pieces += [samples[end:start], pause]
        length += start - end
        at += [start, stop]
        to += [length, length + pause.size]
        length, end = length + pause.size, stop
    pieces.append(samples[end:])
    return np.concatenate(pieces), Moves((*at, samples.size), (*to, length + samples.size - end))


def _loud(samples: Samples) -> NDArray[np.bool_]:
    windows = samples.size // _WINDOW
    power = np.mean(samples[: windows * _WINDOW].reshape(windows, _WINDOW).astype(np.float64) ** 2, axis=1)
    found: NDArray[np.bool_] = power > power.max(initial=0.0) * _QUIET
    return found


def _gap(samples: Samples, loud: NDArray[np.bool_], place: Place) -> tuple[int, int, int]:
    """The longest silence within a place, or a cut of no length at its quietest window; and how long it is to be, all in samples."""
    window = slice(place.low // _WINDOW, max(place.low // _WINDOW + 1, place.high // _WINDOW))
    wanted = round(place.seconds * SAMPLE_RATE_HZ)
    edges = np.concatenate([[window.start - 1], np.flatnonzero(loud[window]) + window.start, [window.stop]])
    gaps = np.diff(edges) - 1
    longest = int(np.argmax(gaps))
    if gaps[longest] > 0:
        return int(edges[longest] + 1) * _WINDOW, int(edges[longest + 1]) * _WINDOW, wanted
    part = samples[window.start * _WINDOW : window.stop * _WINDOW].astype(np.float64)
    power = np.mean(part[: part.size // _WINDOW * _WINDOW].reshape(-1, _WINDOW) ** 2, axis=1)
    cut = (window.start + int(np.argmin(power))) * _WINDOW + _WINDOW // 2
    low, high = max(0, cut - 2 * _FADE), min(samples.size, cut + 2 * _FADE)
    return low, high, wanted + high - low


def _resized(pause: Samples, wanted: int) -> Samples:
    """Silence of another length: its own ends stay, each faded towards the middle over 5 ms."""
    size = min(pause.size, wanted)
    head = tail = size // 2
    made = np.zeros(wanted, dtype=np.float32)
    if not size:
        return made
    if wanted == pause.size:
        return pause
    ramp = np.ones(head)
    fade = min(_FADE, head)
    ramp[head - fade :] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(1, fade))
    made[:head] += (pause[:head] * ramp).astype(np.float32)
    made[wanted - tail :] += (pause[pause.size - tail :] * ramp[::-1]).astype(np.float32)
    return made
