"""When a reply that depends on private work leaves: on a grid, so that its time says nothing about the work (docs/protocol.md, section 3).

Training takes as long as somebody's recordings, and an exact sampler of noise takes as long as its numbers want. What it may see: clocks.
What it must never do: let a reply out early.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplySlots:
    """The grid of one plan.

    Attributes:
        slot_ms: Its width; 0 means that there is none.
        monotonic: Seconds of a clock that nobody sets.
        sleep: Waits so many seconds.
    """

    slot_ms: int
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait(self, began_s: float) -> None:
        """Wait until the next multiple of the slot after the work began.

        Args:
            began_s: What `monotonic` said then.
        """
        if not self.slot_ms:
            return
        slot_s = self.slot_ms / 1000
        passed = int((self.monotonic() - began_s) / slot_s) + 1
        while (left_s := began_s + passed * slot_s - self.monotonic()) > 1e-9:
            self.sleep(left_s)
