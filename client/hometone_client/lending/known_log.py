"""What this machine knows of who has taken a voice back: the tombstones of the log that it has pinned, and those of its own outbox.

What it may see: public records. What it must never do: take a log that cannot be read for one without tombstones.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.membership import Membership
from hometone_client.withdrawal.outbox import Outbox
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.tombstone import NO_COORDINATOR, coordinator_name
from hometone_shared.withdrawal.tombstones import TombstoneBook


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log at one moment.

    Attributes:
        coordinator: Whose, as tombstones name it; `NO_COORDINATOR` when this machine has joined none.
        book: What it says; empty then.
        outbox: Tombstones that were given to this machine itself.
    """

    coordinator: str = NO_COORDINATOR
    book: TombstoneBook = field(default_factory=TombstoneBook)
    outbox: Outbox | None = None

    @staticmethod
    def of(home: Path) -> "KnownLog":
        """The pinned log of this machine, read once.

        Args:
            home: The machine's `--home`.

        Raises:
            DamagedVaultError: The copy is not what was written.
            StorageError: The disk refuses.
        """
        return watched_log(home)()

    @property
    def is_joined(self) -> bool:
        """Whether there is a log at all."""
        return self.coordinator != NO_COORDINATOR

    def has_ended(self, pseudonym: str, purpose: Purpose = Purpose.ANNOUNCEMENTS) -> bool:
        """Whether this person has taken this purpose back."""
        if self.book.has_ended(pseudonym, purpose):
            return True
        return self.outbox is not None and any(item.tombstone.ends(purpose) for item in self.outbox.items(pseudonym))


def watched_log(home: Path) -> Callable[[], KnownLog]:
    """A way to ask for the pinned log again and again, from any thread; what has not changed is not read anew.

    Args:
        home: The machine's `--home`.
    """
    lock = threading.Lock()
    kept: list[tuple[Membership, PinnedLog]] = []
    outbox = Outbox(home)

    def known() -> KnownLog:
        with lock:
            membership = Membership.load(home)
            if membership is None:
                return KnownLog(outbox=outbox)
            if not kept or kept[0][0] != membership:
                kept[:] = [(membership, membership.log())]
            return KnownLog(coordinator_name(membership.coordinator_key), kept[0][1].tombstones(), outbox)

    return known
