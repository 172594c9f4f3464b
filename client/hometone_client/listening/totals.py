"""What one speaker may give to a `listening` round: her means over her listeners, and how she was recorded (requirement 35).

How she was recorded is told from what was measured on her takes: a telephone by the bandwidth, a noisy room by the signal-to-noise ratio,
and a headset by one that no microphone on a table reaches. What it may see: one speaker's unlocked things. What it must never do: give a
mean of a few listeners.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final

from hometone_client.listening.clips import Role
from hometone_client.listening.ratings import means, newest_listeners
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import UsageError
from hometone_shared.privacy.listening import SCALES, Condition
from hometone_shared.records.panel import Scale

LEAST_LISTENERS: Final = 4
"""Fewer say little, and would make a single answer too large a part of her mean."""
NARROW_BELOW_HZ: Final = 4_300.0
"""As `takes.quality`: telephone recordings reach 3.9 kHz."""
NOISY_BELOW_DB: Final = 20.0
"""As the aim of `takes.quality`."""
HEADSET_FROM_DB: Final = 35.0
"""A microphone two fingers from the mouth is some 20 dB nearer to it than one at arm's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningTotals:
    """One speaker's figures for a round.

    Attributes:
        means: Scale -> mean over listeners of their means, for her synthetic voice; scales with enough listeners only.
        condition: How she was recorded.
        listeners: How many have judged her in the newest panel.
    """

    means: Mapping[Scale, float]
    condition: Condition
    listeners: int


def condition_of(qualities: Sequence[Mapping[str, Any]]) -> Condition:
    """How a speaker was recorded, by the medians of what was measured on her takes.

    Raises:
        UsageError: Nothing was measured.
    """
    ratios = [float(quality["snr_db"]) for quality in qualities if quality.get("snr_db") is not None]
    bands = [float(quality["bandwidth_hz"]) for quality in qualities if quality.get("bandwidth_hz") is not None]
    if not ratios or not bands:
        raise UsageError("nothing was measured on her recordings", hint="record or import some again: hometone take add")
    if median(bands) < NARROW_BELOW_HZ:
        return Condition.NARROW_BAND
    if median(ratios) < NOISY_BELOW_DB:
        return Condition.NOISY_ROOM
    return Condition.HEADSET if median(ratios) >= HEADSET_FROM_DB else Condition.QUIET_ROOM


def listening_totals(room: SpeakerRoom) -> ListeningTotals:
    """What she may give to a round.

    Args:
        room: Her things, unlocked.

    Raises:
        UsageError: Too few have judged her, or nothing was measured on her recordings.
        DamagedVaultError: What listeners answered is damaged.
    """
    heard = newest_listeners(room.vault)
    found = {scale: means(heard, scale, Role.SYNTHETIC) for scale in SCALES}
    enough = {scale: fmean(values) for scale, values in found.items() if len(values) >= LEAST_LISTENERS}
    if not enough:
        raise UsageError(
            f"fewer than {LEAST_LISTENERS} people have judged this voice", hint="let more people take the listening test on this computer"
        )
    return ListeningTotals(means=enough, condition=condition_of([record.quality for record in room.takes()]), listeners=len(heard))
