"""The reminders of this computer while its pages are served: the book, who plays them at their time, and a rehearsal at any time.

They are played from the moment when there is a vault. If another window of Hometone plays them already, this one only shows the book.
"""

import datetime as dt
import logging
import threading
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

from hometone_client.announcing.announcer import Announcer, rehearse
from hometone_client.announcing.book import ReminderBook
from hometone_client.announcing.reminder import Reminder
from hometone_client.announcing.speech import Speech
from hometone_client.audio.player import play
from hometone_keys import Vault
from hometone_shared.errors import HometoneError, UsageError

_LOG: Final = logging.getLogger(__name__)


class Announcements:
    """One for a house."""

    def __init__(self, vault: Vault, *, home: Path, models: Path) -> None:
        """Open the book and begin to play.

        Args:
            vault: The open vault.
            home: Its home.
            models: Folder of public weights.

        Raises:
            StorageError: The disk refuses.
        """
        self._open = ExitStack()
        self.book = self._open.enter_context(ReminderBook(vault))
        self._speech = Speech(vault, home=home, models=models)
        self._stop = threading.Event()
        self._rehearsing = threading.Lock()
        announcer = Announcer(self.book, speech=self._speech, play=play)
        self.plays = True
        threading.Thread(target=self._warm, name="announcements-warm", daemon=True).start()
        try:
            self._open.enter_context(announcer.running(home=home, failed=partial(_LOG.warning, "announcements: %s")))
        except UsageError:
            self.plays = False  # another window does

    def _warm(self) -> None:
        with suppress(HometoneError):  # said when it is needed
            if self.book.reminders():
                self._speech.warm()

    def rehearse(self, reminder: Reminder) -> None:
        """Play a reminder now; one at a time.

        Raises:
            UsageError: One is being played.
            HometoneError: As `announcing.announcer.rehearse`.
        """
        if not self._rehearsing.acquire(blocking=False):
            raise UsageError("a reminder is being played already", hint="wait until it has ended")
        try:
            rehearse(reminder, speech=self._speech, play=play, stop=self._stop)
        finally:
            self._rehearsing.release()

    def close(self) -> None:
        """End what plays, and close the book."""
        self._stop.set()
        self._open.close()


def today() -> dt.date:
    """The day where this computer stands."""
    return dt.datetime.now().astimezone().date()
