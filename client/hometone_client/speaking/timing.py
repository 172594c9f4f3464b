"""When each phoneme of a spoken sentence sounds, and which shape the mouth has meanwhile.

The base decides, for each token, for how many frames of 1/40 s it sounds, and the decoder makes 600 samples of each frame, so timing needs
no recogniser. Three things stand between those durations and the ear:

1. The decoder runs ahead: what belongs to a token is heard 55 ms before its frames begin. Measured on eight stock voices in four languages
   (hiss of sibilants, closures of plosives, onsets of sentences: 45 to 65 ms at the median).
2. The base lets the last phoneme before a pause last on in silence, for half a second and more. A pause begins where the sound is 40 dB
   below the loudest 5 ms and ends where it rises again, within the phonemes beside it.
3. `finishing` trims both ends and appends a pause: times count from the first sample of the finished sentence.

Timings follow each other without a gap, from the first sample to the last. What it may see: durations, tokens and sound of one sentence.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.speaking.finishing import SAMPLE_RATE_HZ, Samples
from hometone_client.text.utterance import PAD_ID, vocabulary

FRAME: Final = 600  # samples, 40 Hz
_AHEAD: Final = 1_320  # 55 ms (1)
_WINDOW: Final = 120  # 5 ms
_QUIET: Final = 10.0 ** (-40.0 / 10.0)  # power (2)
SILENCE: Final = ""
"""Symbol of the silence before and after a sentence."""
REST: Final = "rest"
_SHORTEST_PAUSE: Final = 4  # windows; a mark without a pause stays where the base put it
_LIKE_BEFORE, _LIKE_AFTER = "before", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonemeTiming:
    """One phoneme, mark or silence of a spoken sentence.

    Attributes:
        symbol: Symbol of the base's alphabet (IPA and a few of its own); "" for silence before and after the sentence.
        start_s: When it begins, from the sentence's first sample.
        end_s: When it ends; the next one begins there.
        mouth: Name of a shape in `mouth_shapes`.
    """

    symbol: str
    start_s: float
    end_s: float
    mouth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MouthShape:
    """A group of phonemes that look alike.

    Attributes:
        name: Its name here.
        mpeg4: Numbers of the same visemes in MPEG-4 (ISO/IEC 14496-2).
        preston_blair: Name of Preston Blair's drawing.
        looks: In words.
        symbols: The base's symbols that have it.
    """

    name: str
    mpeg4: tuple[int, ...]
    preston_blair: str
    looks: str
    symbols: str


def _data() -> dict[str, object]:
    text = resources.files("hometone_client.speaking").joinpath("data", "mouth_shapes.json").read_text(encoding="utf-8")
    table: dict[str, object] = json.loads(text)
    return table


@cache
def mouth_shapes() -> dict[str, MouthShape]:
    """All shapes, by name."""
    shapes = _data()["shapes"]
    if not isinstance(shapes, dict):  # pragma: no cover - our own file
        raise TypeError("mouth_shapes.json has no shapes")
    return {
        name: MouthShape(
            name=name,
            mpeg4=tuple(shape["mpeg4"]),
            preston_blair=shape["preston_blair"],
            looks=shape["en"],
            symbols=shape["symbols"],
        )
        for name, shape in shapes.items()
    }


@cache
def mouth_rules() -> dict[str, str]:
    """Symbol -> name of its shape, or "before" or "after": that of its neighbour."""
    table = _data()
    rules = {symbol: shape.name for shape in mouth_shapes().values() for symbol in shape.symbols}
    rules |= dict.fromkeys(str(table[_LIKE_BEFORE]), _LIKE_BEFORE) | dict.fromkeys(str(table[_LIKE_AFTER]), _LIKE_AFTER)
    return rules | {SILENCE: REST}


@cache
def _symbols() -> dict[int, str]:
    return {token: symbol for symbol, token in vocabulary().items()} | {PAD_ID: SILENCE}


def mouths(symbols: Sequence[str]) -> list[str]:
    """The shape for each symbol of a sentence, in order."""
    rules = mouth_rules()
    found = [rules[symbol] for symbol in symbols]
    for index, rule in enumerate(found):
        if rule == _LIKE_BEFORE:
            found[index] = found[index - 1] if index and found[index - 1] != _LIKE_AFTER else REST
    for index in reversed(range(len(found))):
        if found[index] == _LIKE_AFTER:
            found[index] = found[index + 1] if index + 1 < len(found) else REST
    return found


def timings(durations: NDArray[np.int64], tokens: Sequence[int], *, sound: Samples, kept: slice, total: int) -> tuple[PhonemeTiming, ...]:
    """When each token sounds in the finished sentence.

    Args:
        durations: Frames of each token, the padding at both ends included.
        tokens: The tokens, without padding.
        sound: float32 [600 * sum of durations], the sentence before it was trimmed.
        kept: Which part of it was kept.
        total: Samples of the finished sentence: what was kept, and the pause.

    Returns:
        Timings without gaps from 0 to `total`; what was trimmed away entirely is left out.
    """
    symbols = [_symbols()[token] for token in (PAD_ID, *tokens, PAD_ID)]
    bounds = np.concatenate([[0], np.cumsum(durations) * FRAME - _AHEAD])  # (1)
    bounds = np.maximum.accumulate(np.clip(bounds, 0, sound.size))
    bounds[-1] = sound.size
    _move_pauses(bounds, symbols, loud=_loud(sound))  # (2)
    bounds = np.clip(bounds, kept.start, kept.stop) - kept.start  # (3)
    bounds[-1] = total
    return tuple(
        PhonemeTiming(symbol=symbol, start_s=int(start) / SAMPLE_RATE_HZ, end_s=int(end) / SAMPLE_RATE_HZ, mouth=mouth)
        for symbol, mouth, start, end in zip(symbols, mouths(symbols), bounds[:-1], bounds[1:], strict=True)
        if end > start
    )


def _loud(sound: Samples) -> NDArray[np.bool_]:
    """In which windows of 5 ms something is heard; a crumb at the end counts with the last whole window."""
    windows = sound.size // _WINDOW
    if not windows:
        return np.zeros(0, np.bool_)
    power = np.mean(sound[: windows * _WINDOW].reshape(windows, _WINDOW).astype(np.float64) ** 2, axis=1)
    loud: NDArray[np.bool_] = power > power.max() * _QUIET
    return loud


def _move_pauses(bounds: NDArray[np.int64], symbols: Sequence[str], *, loud: NDArray[np.bool_]) -> None:
    """Let each pause begin where the sound before it ends, and end where the next sound begins; changes `bounds`."""
    rules, size = mouth_rules(), len(symbols)
    resting = [rules[symbol] == REST for symbol in symbols]
    behind = 0
    while behind < size:
        first = behind
        behind += 1
        if not resting[first]:
            continue
        while behind < size and (resting[behind] or symbols[behind] == " "):
            behind += 1
        # The phonemes on both sides keep a frame each.
        low = min(bounds[first - 1] + FRAME, bounds[first]) if first else 0
        high = max(bounds[behind + 1] - FRAME, bounds[behind]) if behind < size else bounds[-1]
        found = _silence(loud, low=int(low), high=int(high), from_start=first == 0, to_end=behind == size)
        if found is None:
            continue
        bounds[first : behind + 1] = np.linspace(*found, behind - first + 1)  # several marks share the silence


def _silence(loud: NDArray[np.bool_], *, low: int, high: int, from_start: bool, to_end: bool) -> tuple[int, int] | None:
    """The silence before the first sound, after the last one, or else the longest within these bounds; None if there is none."""
    window = slice(low // _WINDOW, high // _WINDOW)
    heard = np.flatnonzero(loud[window]) + window.start
    if not heard.size:
        return low, high
    if from_start:
        return low, int(heard[0]) * _WINDOW
    if to_end:
        return max(low, (int(heard[-1]) + 1) * _WINDOW), high
    edges = np.concatenate([[window.start - 1], heard, [window.stop]])
    gaps = np.diff(edges) - 1
    longest = int(np.argmax(gaps))
    if gaps[longest] < _SHORTEST_PAUSE:
        return None
    return max(low, int(edges[longest] + 1) * _WINDOW), min(high, int(edges[longest + 1]) * _WINDOW)
