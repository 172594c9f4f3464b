"""How a child process of the coordinator speaks to the supervisor: one line when it is ready or cannot be, and an end when its parent ends.

The line is JSON on the standard output: `{"ready": true}`, or `{"message": ..., "hint": ...}` and an exit code. The supervisor holds the
other end of the child's standard input; when that closes, because the supervisor stopped or was killed, the child stops. So nothing is left
running, on any system.
"""

import json
import os
import sys
import threading
from collections.abc import Callable

from hometone_shared.errors import HometoneError


def announce_ready() -> None:
    """Say that work can begin."""
    _say({"ready": True})


def announce_failure(error: HometoneError) -> int:
    """Say why it cannot; returns the exit code."""
    _say({"message": error.message, "hint": error.hint})
    return error.exit_code


def when_parent_ends(stop: Callable[[], object]) -> None:
    """Call `stop` from a thread of its own when the standard input closes."""

    def wait() -> None:
        # The descriptor, not `sys.stdin`: a buffered reader that is blocked in a daemon thread makes the interpreter abort when it ends.
        while os.read(0, 1024):
            pass
        stop()

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _say(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
