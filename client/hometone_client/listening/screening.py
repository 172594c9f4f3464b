"""Whether a session counts (after ITU-T P.808, 6.3 and 7): only who has listened is believed.

Every clip has been played to its end before an answer is taken, which the session itself sees to. Here, over a finished session:

1. there were traps, and every one was answered as it asked;
2. hidden references were found more natural than their anchors, on the whole;
3. not all other answers on the scales from 1 to 5 are the same.

Nothing else is held against anybody: not how he judged a voice, nor how long he took.
"""

from collections.abc import Sequence
from enum import StrEnum
from statistics import fmean

from hometone_client.listening.clips import Role
from hometone_client.listening.trials import Trial
from hometone_shared.records.panel import Scale


class Reason(StrEnum):
    """Why a session does not count."""

    UNFINISHED = "unfinished"
    TRAPS = "traps"
    REFERENCE = "reference"
    ALL_SAME = "all-same"


def screen(answered: Sequence[tuple[Trial, int]]) -> tuple[Reason, ...]:
    """Why a session does not count; nothing if it does.

    Args:
        answered: All questions with their answers.
    """
    reasons = []
    traps = [value == trial.clip.answer for trial, value in answered if trial.is_trap]
    if not traps or not all(traps):
        reasons.append(Reason.TRAPS)
    natural = {
        role: [value for trial, value in answered if trial.scale is Scale.NATURALNESS and trial.clip.role is role]
        for role in (Role.REFERENCE, Role.ANCHOR)
    }
    if not all(natural.values()) or fmean(natural[Role.REFERENCE]) <= fmean(natural[Role.ANCHOR]):
        reasons.append(Reason.REFERENCE)
    if len({value for trial, value in answered if not trial.is_trap and trial.scale is not Scale.PREFERENCE}) == 1:
        reasons.append(Reason.ALL_SAME)
    return tuple(reasons)
