"""Who takes part now, and until when those did who do not any more; read from the log, each entry once.

What it may see: the directory's entries. What it must never do: count a device that the log does not hold.
"""

import threading

from hometone_server.records.store import LogStore
from hometone_shared.records.device import KIND, DeviceEntry
from hometone_shared.records.signing import Envelope


class Membership:
    """The devices of a log, kept up to date. May be used by several threads."""

    def __init__(self, log: LogStore) -> None:
        """Read nothing yet."""
        self._log = log
        self._lock = threading.Lock()
        self._next = 0
        self._revoked_at: dict[str, int | None] = {}

    def is_active(self, device: str) -> bool:
        """Whether a device takes part."""
        return self._read().get(device, -1) is None

    def was_active_after(self, device: str, position: int) -> bool:
        """Whether a device takes part, or did so when the log was longer than `position` entries."""
        revoked_at = self._read().get(device, -1)
        return revoked_at is None or revoked_at > position

    def _read(self) -> dict[str, int | None]:
        with self._lock:
            rows = self._log.query(
                "SELECT position, envelope FROM entries WHERE kind = ? AND position >= ? ORDER BY position", (KIND, self._next)
            )
            for position, data in rows:
                entry = DeviceEntry.from_envelope(Envelope.from_bytes(bytes(data)), key=self._log.key)  # type: ignore[call-overload]
                self._revoked_at[entry.device] = None if entry.is_active else int(str(position))
                self._next = int(str(position)) + 1
            return self._revoked_at
