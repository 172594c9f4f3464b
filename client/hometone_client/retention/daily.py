"""Work that a service repeats while it runs, in a thread of its own: the daily sweep, the contact every few minutes.

What it may see: what that work sees. What it must never do: end the service because the work failed, or keep it from ending for longer than
the work takes.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hometone_shared.errors import HometoneError

DAILY_S: Final = 86_400.0
AFTER_FAILURE_S: Final = 3600.0


@contextmanager
def repeated(
    do: Callable[[], None],
    *,
    every_s: float,
    failed: Callable[[HometoneError], None],
    after_failure_s: float = AFTER_FAILURE_S,
    name: str = "repeated",
) -> Iterator[None]:
    """Do something at once and again and again for as long as the block lasts; leaving it waits for what is under way.

    Args:
        do: The work; opens what it needs itself, because it runs in another thread.
        every_s: Seconds between two.
        failed: Told why it could not be done, once for each row of failures.
        after_failure_s: Seconds to wait after a failure, if that is sooner.
        name: Of the thread.
    """
    stop = threading.Event()

    def run() -> None:
        pause_s, was_well = 0.0, True
        while not stop.wait(pause_s):
            try:
                do()
            except HometoneError as error:
                pause_s = min(every_s, after_failure_s)
                if was_well:
                    failed(error)
                was_well = False
            else:
                pause_s, was_well = every_s, True

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
