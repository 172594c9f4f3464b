"""How much care a voice is made with, and the memory that takes."""

from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """Two sizes of work on two cores: one to two minutes, and at most five."""

    QUICK = "quick"
    STANDARD = "standard"


NEEDED_MIB: Final = {Tier.QUICK: 1800, Tier.STANDARD: 2200}
"""Peak of the worker process with one minute of enrolment, measured 2026-11-23: 1.72 GiB quick, 2.08 GiB standard; rounded up, MiB."""


def needed_mib(tier: Tier) -> int:
    """Memory that must be free before work of this tier begins, MiB."""
    return NEEDED_MIB[tier]
