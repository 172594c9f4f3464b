"""A reminder's text as sound: in its voice, if that may speak now, with the audible label, twice if wished, at its volume.

1. A lent copy is looked at anew for each piece of work: place, lease, log, purpose, clock (`lending.guests`). Its use is counted.
2. The label is said once, before the first time.
3. Weights of a voice are dropped as soon as its sound is made (`speaking.Sessions` must not outlive a revocation).

What it may see: the text, in memory. What it must never do: write sound anywhere, or speak in a voice that was not lent for announcements.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.announcing.reminder import GONE, Reminder
from hometone_client.announcing.voices import places_here
from hometone_client.federation.newest_release import renew_voice
from hometone_client.lending.guests import lent_voice, read_guest
from hometone_client.lending.known_log import watched_log
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.speaking.finishing import limited
from hometone_client.voices import Voice, VoiceRegistry
from hometone_client.voices.registry import STOCK_PREFIX
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, TextError
from hometone_shared.records.purposes import Purpose

if TYPE_CHECKING:
    from hometone_client.speaking import Sessions

SAMPLE_RATE_HZ: Final = 24_000

Samples = NDArray[np.float32]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def check_readable(text: str, *, language: str | None) -> None:
    """Find out now, not at eight in the morning, whether a text can be read aloud.

    Raises:
        TextError: It cannot.
    """
    from hometone_client.text import Frontend

    if next(iter(Frontend().utterances(text, language=language)), None) is None:
        raise _nothing_to_read()


class Speech:
    """Makes the sound of reminders; from one thread at a time."""

    def __init__(self, vault: Vault, *, home: Path, models: Path, clock: Callable[[], dt.datetime] = _now) -> None:
        """Nothing is loaded yet.

        Args:
            vault: The open vault.
            home: Its home.
            models: The model folder.
            clock: Gives the time.
        """
        self._vault = vault
        self._home = home
        self._models = models
        self._clock = clock
        self._log = watched_log(home)
        self._sessions: Sessions | None = None  # what reads text stays loaded, weights of voices do not

    def require(self, reminder: Reminder) -> None:
        """Make sure that the voice of a reminder may be heard at this moment; counts nothing.

        Raises:
            ConsentError: It may not, or is no longer here.
            DamagedVaultError: Its lease cannot be read.
        """
        if reminder.voice.startswith(STOCK_PREFIX):
            return
        with self._room(reminder) as room:
            guest = read_guest(room.vault)
            guest.require(self._log(), now_s=int(self._clock().timestamp()))
            if guest.lease.purpose is not Purpose.ANNOUNCEMENTS:
                raise ConsentError("this voice was not lent for announcements", hint="choose another one, or ask its owner")

    def warm(self) -> None:
        """Load what reads text, so that the first reminder of the day need not wait for it.

        Raises:
            ModelError: The base is missing.
        """
        from hometone_client.speaking import Sessions

        sessions = self._sessions = self._sessions or Sessions(self._models)
        for text in ("早上好。", "Good morning."):
            next(iter(sessions.frontend.utterances(text)), None)

    def sound(self, reminder: Reminder) -> Samples:
        """Make the sound.

        Args:
            reminder: What to say, and how.

        Returns:
            float32 [n] at 24,000 Hz, magnitude at most 1.

        Raises:
            ConsentError: The voice may not speak.
            TextError: The text cannot be read aloud.
            ModelError: The base is missing, or the voice is damaged.
        """
        from hometone_client.speaking import Sessions, Synthesizer

        self.require(reminder)
        sessions = self._sessions = self._sessions or Sessions(self._models)
        try:
            with self._voice(reminder, base_sha256=sessions.base_sha256) as voice:  # (1)
                synthesizer = Synthesizer(self._models, voice.load(), sessions=sessions)

                def said(*, label: bool) -> list[Samples]:
                    return [part.samples for part in synthesizer.speak(reminder.text, language=reminder.language, audible_label=label)]

                first = said(label=reminder.audible_label)  # (2)
                if not first:
                    raise _nothing_to_read()
                parts = first
                if reminder.twice:
                    again = said(label=False) if reminder.audible_label else first
                    parts = [*first, np.zeros(reminder.pause_s * SAMPLE_RATE_HZ, np.float32), *again]
        finally:
            sessions.forget()  # (3)
        return limited(np.concatenate(parts) * np.float32(10.0 ** (reminder.gain_db / 20.0)))

    @contextmanager
    def _voice(self, reminder: Reminder, *, base_sha256: str) -> Iterator[Voice]:
        if reminder.voice.startswith(STOCK_PREFIX):
            yield VoiceRegistry(base_sha256=base_sha256).get(reminder.voice)
            return
        with self._room(reminder) as room:
            renew_voice(room, self._home)
            yield lent_voice(room, log=self._log, way=Way.ANNOUNCEMENT, clock=self._clock)

    @contextmanager
    def _room(self, reminder: Reminder) -> Iterator[SpeakerRoom]:
        if reminder.voice == GONE or reminder.voice not in places_here(self._vault):
            raise ConsentError("the voice of this reminder is no longer here", hint="choose another one")
        with SpeakerRoom(self._vault.unlock_for_work(reminder.voice)) as room:
            yield room


def _nothing_to_read() -> TextError:
    return TextError("there is nothing in this text that can be read aloud", hint="give at least one word")
