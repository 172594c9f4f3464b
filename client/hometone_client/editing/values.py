"""Values of SSML's attributes as expressions (W3C, Speech Synthesis Markup Language 1.1, sections 3.2.2 to 3.2.4).

What the recommendation leaves to the processor is decided here: labels, because it names no figures; the pauses of <break>'s strengths.
Values that are relative (with a sign) count from what encloses the element, others from the voice's own.
"""

import re
from math import log2
from typing import Any, Final

from hometone_client.editing.expression import ContourPoint, Expression, checked
from hometone_shared.errors import UsageError

_NUMBER: Final = r"(?:\d+(?:\.\d*)?|\.\d+)"
_PITCH_LABELS: Final = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
_RANGE_LABELS: Final = {"x-low": 0.3, "low": 0.6, "medium": 1.0, "default": 1.0, "high": 1.4, "x-high": 1.8}
_RATE_LABELS: Final = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.33, "x-fast": 1.75}
_VOLUME_LABELS: Final = {"silent": -60.0, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0}
PAUSES_S: Final = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
_SEMITONES: Final = re.compile(rf"([+-]{_NUMBER})st")
_HERTZ: Final = re.compile(rf"([+-]?)({_NUMBER})Hz")
_PERCENT: Final = re.compile(rf"([+-]?)({_NUMBER})%")
_DECIBELS: Final = re.compile(rf"([+-]{_NUMBER})dB")
_TIME: Final = re.compile(rf"\+?({_NUMBER})(m?)s")
_POINT: Final = re.compile(rf"\(\s*({_NUMBER})%\s*,\s*([^()\s]+)\s*\)")
TYPICAL_HZ: Final = 180.0
"""What a change in Hz is a change of: halfway between voices of men and women. F0 is heard in ratios, so +20Hz is a fixed ratio here."""


def pause_s(*, strength: str | None, time: str | None) -> float:
    """Return the seconds of a <break>.

    Raises:
        UsageError: A value cannot be read.
    """
    if strength is not None and strength not in PAUSES_S:
        raise UsageError(f"{strength[:40]!r} is no strength", hint=f"choose one of {', '.join(PAUSES_S)}")
    if time is None:
        return PAUSES_S[strength or "medium"]
    return checked(_seconds(time), (0.0, 10.0), what="pause in seconds")


def prosody(values: dict[str, str]) -> Expression:
    """Return what <prosody> with these attributes asks for.

    Raises:
        UsageError: A value cannot be read, or lies outside its bounds.
    """
    found: dict[str, Any] = {}
    anew: set[str] = set()
    if "pitch" in values:
        found |= _pitch(values["pitch"].strip(), anew)
    if "contour" in values:
        found["contour"] = _contour(values["contour"].strip())
    if "range" in values:
        found["pitch_range"] = _range(values["range"].strip())
    if "rate" in values:
        found["rate"] = _rate(values["rate"].strip(), anew)
    if "duration" in values:
        found["duration_s"] = _seconds(values["duration"].strip())
    if "volume" in values:
        found["gain_db"] = _gain(values["volume"].strip(), anew)
    return Expression(**found, anew=frozenset(anew))


def _seconds(value: str) -> float:
    match = _TIME.fullmatch(value)
    if match is None:
        raise UsageError(f"{value[:40]!r} is no time", hint="write it as 0.5s or 500ms")
    return float(match[1]) / (1000.0 if match[2] else 1.0)


def _semitones(value: str) -> float | None:
    """A relative change of pitch in semitones, or None if it is not one."""
    if match := _SEMITONES.fullmatch(value):
        return float(match[1])
    ratio: float | None = None
    if (match := _PERCENT.fullmatch(value)) and match[1]:
        ratio = 1.0 + float(match[1] + match[2]) / 100.0
    if (match := _HERTZ.fullmatch(value)) and match[1]:
        ratio = 1.0 + float(match[1] + match[2]) / TYPICAL_HZ
    if ratio is None:
        return None
    return 12.0 * log2(max(ratio, 1e-3))


def _pitch(value: str, anew: set[str]) -> dict[str, float]:
    if value in _PITCH_LABELS:
        anew.add("pitch")
        return {"pitch_semitones": _PITCH_LABELS[value]}
    if (relative := _semitones(value)) is not None:
        return {"pitch_semitones": relative}
    if match := _HERTZ.fullmatch(value):
        return {"pitch_hz": float(match[2])}
    raise UsageError(f"{value[:40]!r} is no pitch", hint="write it as +2st, -10%, +20Hz, 120Hz, low or x-high")


def _range(value: str) -> float:
    if value in _RANGE_LABELS:
        return _RANGE_LABELS[value]
    if (match := _PERCENT.fullmatch(value)) and match[1]:
        return 1.0 + float(match[1] + match[2]) / 100.0
    raise UsageError(f"{value[:40]!r} is no pitch range", hint="write it as +50%, -30%, low or x-high; Hz and semitones are not understood")


def _rate(value: str, anew: set[str]) -> float:
    if value in _RATE_LABELS:
        anew.add("rate")
        return _RATE_LABELS[value]
    if match := _PERCENT.fullmatch(value):
        if match[1]:
            return 1.0 + float(match[1] + match[2]) / 100.0
        anew.add("rate")
        return float(match[2]) / 100.0
    if re.fullmatch(_NUMBER, value):
        anew.add("rate")
        return float(value)
    raise UsageError(f"{value[:40]!r} is no rate", hint="write it as 80%, +20%, 0.8, slow or x-fast")


def _gain(value: str, anew: set[str]) -> float:
    if value in _VOLUME_LABELS:
        anew.add("gain")
        return _VOLUME_LABELS[value]
    if match := _DECIBELS.fullmatch(value):
        return float(match[1])
    raise UsageError(f"{value[:40]!r} is no volume", hint="write it as +6dB, -3dB, soft or x-loud")


def _contour(value: str) -> tuple[ContourPoint, ...]:
    points = []
    for match in _POINT.finditer(value):
        relative = _semitones(match[2])
        absolute = _HERTZ.fullmatch(match[2])
        if relative is not None:
            points.append(ContourPoint(at=float(match[1]) / 100.0, semitones=relative))
        elif absolute:
            points.append(ContourPoint(at=float(match[1]) / 100.0, hz=float(absolute[2])))
        elif match[2] in _PITCH_LABELS:
            points.append(ContourPoint(at=float(match[1]) / 100.0, semitones=_PITCH_LABELS[match[2]]))
    if not points or _POINT.sub("", value).strip() or len(points) != len(_POINT.findall(value)):
        raise UsageError(f"{value[:40]!r} is no contour", hint="write it as (0%,+2st) (50%,-10%) (100%,120Hz)")
    return tuple(sorted(points, key=lambda point: point.at))
