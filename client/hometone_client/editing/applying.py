"""Puts edits into the prosody of one utterance: durations, then F0. Content, energy and voice stay (requirements 14 and 16).

1. Durations: every token's frames are multiplied by the pace and by the rates that enclose it. They are whole frames of 25 ms; what
   rounding takes from one token the next one gets, so that a stretch is as long as was asked, to half a frame.
2. F0: an offset in semitones for each frame, from pitch, range and contour of each stretch; where two stretches meet inside a voiced sound
   the step becomes a glide, as long as people need for one (Xu and Sun 2002, "Maximum speed of pitch change and how it may relate to
   speech": 89.6 + 8.7 d ms upwards, 100 + 5.8 d ms downwards for d semitones). Unvoiced frames are left alone. A token is heard 55 ms
   before its frames begin (`speaking.timing`), and F0 when its frame comes: a word's F0 is moved where the word is heard.

Loudness is not put into the energy curve: that curve says which sounds are loud among others and must stay the base's (moving it costs half
a point of predicted quality, docs/results.md). It becomes a gain of the finished sound instead (`sounding`).
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_client.editing.expression import Change, ContourPoint, Edits, Expression
from hometone_client.voices.parameters import F0_RANGE_HZ
from hometone_shared.errors import UsageError

FRAMES_HZ: Final = 40
_F0_HZ: Final = 80
_AHEAD: Final = 4  # frames of 1/80 s
_LONGEST_FACTOR: Final = 5.0
_GLIDE_UP_MS: Final = (89.6, 8.7)
_GLIDE_DOWN_MS: Final = (100.0, 5.8)
_SMALLEST_STEP: Final = 0.05  # semitones

Curve = NDArray[np.float64]


def applied(prosody: Prosody, edits: Edits, *, length_scale: float = 1.0) -> Prosody:
    """Return the prosody with the edits in it.

    Args:
        prosody: What the language part and the voice decided.
        edits: Their tokens are those of the utterance, without padding.
        length_scale: Pace of the whole, above 1 is slower (requirement 16).

    Raises:
        UsageError: A duration was asked for that no speech can have.
    """
    prosody = prosody.retimed(diffused(_wanted(prosody.durations, edits.changes, length_scale=length_scale)))
    offsets = _offsets(prosody, edits.changes)
    if offsets is None:
        return prosody
    return _moved(prosody, offsets)


def diffused(wanted: Curve) -> NDArray[np.int64]:
    """Whole frames for each token, at least one where something was wanted; what one is rounded by, the next ones make good."""
    frames = np.zeros(wanted.size, dtype=np.int64)
    owed = 0.0
    for i, want in enumerate(wanted):
        if want > 0.0:
            frames[i] = max(1, round(want + owed))
            owed += want - frames[i]
    return frames


def _wanted(durations: NDArray[np.int64], changes: tuple[Change, ...], *, length_scale: float) -> Curve:
    """Frames of every token, not yet whole ones: float64 [n]."""
    factors = np.ones(durations.size)
    for change in changes:
        here, asked = slice(change.start + 1, change.stop + 1), change.expression
        if asked.duration_s is not None:
            had = float(durations[here].sum()) * length_scale
            factors[here] = asked.duration_s * FRAMES_HZ / had if had else 1.0
        elif "rate" in asked.anew:
            factors[here] = 1.0 / asked.rate
        else:
            factors[here] /= asked.rate
    if np.any(factors > _LONGEST_FACTOR) or np.any(factors < 1.0 / _LONGEST_FACTOR):
        raise UsageError(
            "a stretch would become more than five times as fast or slow", hint="ask for a rate or a duration nearer to its own"
        )
    wanted: Curve = durations * factors * length_scale
    return wanted


def _offsets(prosody: Prosody, changes: tuple[Change, ...]) -> Curve | None:
    """How far F0 moves, semitones for every frame of 1/80 s; None when it does not."""
    pitched = [change for change in changes if _moves_pitch(change.expression) and change.stop > change.start]
    f0_hz = prosody.f0_hz.astype(np.float64)
    sounding = np.flatnonzero(f0_hz >= F0_RANGE_HZ[0])
    if not pitched or not sounding.size:
        return None
    melody = 12.0 * np.log2(np.interp(np.arange(f0_hz.size), sounding, f0_hz[sounding]))
    middle = float(np.median(melody[sounding]))
    frames = np.maximum(2 * prosody.starts - _AHEAD, 0)
    frames[:2], frames[-2:] = 0, f0_hz.size  # what encloses the first or the last sound reaches to the end
    offsets = np.zeros(f0_hz.size)
    for change in pitched:
        first, last = int(frames[change.start + 1]), int(frames[change.stop + 1])
        if last > first:
            inside = sounding[(sounding >= first) & (sounding < last)]
            own = float(np.median(melody[inside])) if inside.size else middle
            offsets[first:last] = _asked(change.expression, offsets[first:last], melody[first:last], middle=middle, own=own)
    edges = sorted({int(frames[place + 1]) for change in pitched for place in (change.start, change.stop)})
    return _glided(offsets, edges, voiced=f0_hz > VOICED_HZ)


def _moves_pitch(expression: Expression) -> bool:
    moved = bool(expression.pitch_semitones) or expression.pitch_hz is not None or expression.pitch_range != 1.0
    return moved or bool(expression.contour) or "pitch" in expression.anew


def _asked(asked: Expression, around: Curve, melody: Curve, *, middle: float, own: float) -> Curve:
    """Offsets of one stretch: `around` is what encloses it, `middle` the utterance's median in semitones, `own` the stretch's."""
    offsets = around
    if asked.pitch_hz is not None:
        offsets = np.full(around.size, 12.0 * np.log2(asked.pitch_hz) - middle)
    elif "pitch" in asked.anew:
        offsets = np.full(around.size, asked.pitch_semitones)
    else:
        offsets = around + asked.pitch_semitones
    offsets = offsets + (melody - own) * (asked.pitch_range - 1.0)
    if asked.contour:
        places = (np.arange(around.size) + 0.5) / around.size
        offsets = offsets + np.interp(places, [point.at for point in asked.contour], [_height(p, middle=middle) for p in asked.contour])
    return offsets


def _height(point: ContourPoint, *, middle: float) -> float:
    return point.semitones if point.hz is None else 12.0 * float(np.log2(point.hz)) - middle


def _glided(offsets: Curve, edges: list[int], *, voiced: NDArray[np.bool_]) -> Curve:
    """The offsets with glides in the place of the steps at these frames, none longer than the stretches beside it."""
    glided = offsets.copy()
    bounds = [0, *[edge for edge in edges if 0 < edge < offsets.size], offsets.size]
    time = np.arange(offsets.size) + 0.5
    for before, edge, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
        step = float(offsets[edge] - offsets[edge - 1])
        if abs(step) < _SMALLEST_STEP:
            continue
        still, more = _GLIDE_UP_MS if step > 0 else _GLIDE_DOWN_MS
        length = min((still + more * abs(step)) / 1000.0 * _F0_HZ, 2.0 * (edge - before), 2.0 * (after - edge))
        centre = float(edge)
        if not voiced[edge] or not voiced[edge - 1]:  # the step hides in silence or a voiceless sound
            first, last = _gap(voiced, edge)
            length, centre = min(length, float(last - first)), float(np.clip(edge, first, last))
            centre = float(np.clip(centre, first + length / 2.0, last - length / 2.0))
        risen = np.clip((time - centre) / max(length, 1e-6) + 0.5, 0.0, 1.0)
        glided += step * ((0.5 - 0.5 * np.cos(np.pi * risen)) - (time > edge))
    return glided


def _gap(voiced: NDArray[np.bool_], edge: int) -> tuple[int, int]:
    """The unvoiced frames around an edge."""
    first = last = edge
    while first > 0 and not voiced[first - 1]:
        first -= 1
    while last < voiced.size and not voiced[last]:
        last += 1
    return first, last


def _moved(prosody: Prosody, offsets: Curve) -> Prosody:
    """F0 moved where it is voiced; the base glides through low values where voicing begins and ends, and those are not lifted."""
    curve = prosody.f0_hz.astype(np.float64)
    low, high = F0_RANGE_HZ
    bounded = np.clip(curve * 2.0 ** (offsets / 12.0), np.minimum(low, curve), np.maximum(high, curve))
    return replace(prosody, f0_hz=np.where(curve > VOICED_HZ, bounded, curve).astype(np.float32))
