"""What adaptation is doing, how far it is, and how long it will still take."""

import time
from collections.abc import Callable
from dataclasses import dataclass

# Share of the whole time; measured on two cores with a minute of speech (docs/results.md).
STAGES = {"listening": 0.05, "aligning": 0.20, "learning": 0.58, "choosing": 0.15, "finishing": 0.02}


@dataclass(frozen=True, slots=True)
class Progress:
    """One report.

    Attributes:
        words: The stage: one of `STAGES`.
        fraction: 0 to 1 of the whole.
        remaining_s: Seconds still to go, or None at the very start.
    """

    words: str
    fraction: float
    remaining_s: float | None


class ProgressReporter:
    """Turns stage fractions into a whole, and the time spent so far into the time left."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._started = time.monotonic()
        self._offset: float | None = None

    def __call__(self, stage: str, fraction: float) -> None:
        """Report `fraction` (0 to 1) of a stage."""
        before = 0.0
        for name, share in STAGES.items():
            if name == stage:
                before += share * min(1.0, fraction)
                break
            before += share
        if self._offset is None:
            self._offset = before  # after a resume the earlier stages took no time
        gained = before - self._offset
        elapsed = time.monotonic() - self._started
        remaining = elapsed / gained * (1 - before) if gained > 0.02 else None
        self._tell(Progress(stage, min(1.0, before), remaining))
