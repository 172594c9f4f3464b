"""What a piece of work took from this machine: time, processor, memory, money; and whether there is room for it beforehand."""

import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import psutil

from hometone_shared.errors import ResourceError

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What it took.

    Attributes:
        wall_s: Seconds on the clock.
        cpu_s: Seconds of processor time, all cores together.
        peak_mib: Largest memory of this process so far, MiB.
        price_per_hour: What an hour of this machine costs, in whatever currency the centre uses; `None` if nobody said.
        cost: wall_s in hours times that.
    """

    wall_s: float
    cpu_s: float
    peak_mib: int
    price_per_hour: float | None
    cost: float | None

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def peak_memory_mib() -> int:
    """Largest resident memory of this process so far, MiB (Linux counts KiB, macOS bytes, Windows has a counter of its own)."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset) // _MIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // _MIB if sys.platform == "darwin" else peak // 1024


class Meter:
    """Measures from when it is made."""

    def __init__(self, *, price_per_hour: float | None = None) -> None:
        """Start."""
        self._price = price_per_hour
        self._wall = time.monotonic()
        self._cpu = time.process_time()

    def usage(self) -> Usage:
        """What it took until now."""
        wall_s = time.monotonic() - self._wall
        return Usage(
            wall_s=round(wall_s, 2),
            cpu_s=round(time.process_time() - self._cpu, 2),
            peak_mib=peak_memory_mib(),
            price_per_hour=self._price,
            cost=None if self._price is None else round(self._price * wall_s / 3600.0, 6),
        )


def available_mib() -> int:
    """Memory that can be had now without swapping, MiB."""
    return int(psutil.virtual_memory().available) // _MIB


def require_memory(needed_mib: int, *, available: int | None = None) -> None:
    """Refuse work that would not fit, before it begins.

    Args:
        needed_mib: What the work takes, MiB.
        available: What there is; measured when not given.

    Raises:
        ResourceError: There is too little.
    """
    free = available_mib() if available is None else available
    if free < needed_mib:
        raise ResourceError(
            f"this needs {needed_mib} MiB of memory and {free} MiB are free",
            hint="close other programs, or choose the quick tier: --tier quick",
        )
