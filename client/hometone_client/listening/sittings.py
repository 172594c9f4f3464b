"""The sessions that are under way on this laptop, and what can be listened to.

They live in memory: who walks away may go on for a day, then what he answered is dropped; so it is when the program ends. What it may see:
the vault, through `voices`. What it must never do: keep more sessions than a room has chairs for.
"""

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from hometone_client.listening.panels import PanelShelf
from hometone_client.listening.sitting import Sitting
from hometone_client.listening.trials import Rater, draw
from hometone_client.listening.voices import HeardVoice, Now, heard_voices, now_utc
from hometone_keys import Vault
from hometone_shared.errors import UsageError
from hometone_shared.records.panel import Panel

LONGEST_S: Final = 86_400.0
MOST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A panel as it can be taken here now.

    Attributes:
        panel: The panel.
        voices: How many voices can be heard; none: not prepared, or nobody agrees.
        languages: Languages and dialects of their clips, `mixed` among them: a listener is asked which he grew up with.
        trials: How many questions a session has at most, traps among them.
    """

    panel: Panel
    voices: int
    languages: tuple[str, ...]
    trials: int

    @property
    def can_be_taken(self) -> bool:
        """Whether there is anything to listen to."""
        return self.voices > 0


class Sittings:
    """The sessions of one laptop; safe to use from several threads."""

    def __init__(
        self,
        home: Path,
        vault: Vault,
        *,
        now: Now = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        """Begin with none.

        Args:
            home: The laptop's `--home`.
            vault: Its open vault; it has to stay open.
            now: Gives the time, for consent.
            monotonic: Seconds of a clock that nobody sets.
            chance: The operating system's generator by default.
        """
        self._shelf = PanelShelf(home)
        self._vault = vault
        self._now = now
        self._monotonic = monotonic
        self._chance = chance or secrets.SystemRandom()
        self._open: dict[str, Sitting] = {}
        self._lock = Lock()

    def offers(self) -> tuple[Offer, ...]:
        """The panels that this laptop knows, newest first."""
        return tuple(_offer(panel, self._voices(panel)) for panel in self._shelf.panels())

    def begin(self, rater: Rater, *, panel: str | None = None) -> Sitting:
        """Begin a session.

        Args:
            rater: Who listens.
            panel: Number of the panel; the newest that can be taken by default.

        Raises:
            UsageError: There is no panel, no voice, nothing in a language of this listener, or too many sessions are under way.
        """
        known = self._shelf.panels() if panel is None else (self._shelf.find(panel),)
        chosen, voices = next(((each, voices) for each in known if (voices := self._voices(each))), (None, ()))
        if chosen is None:
            raise UsageError(
                "no voice on this computer is ready for a listening test", hint="its owner prepares it: hometone panel prepare NAME"
            )
        trials = draw(chosen, voices, rater, chance=self._chance)
        if not trials:
            raise UsageError("no voice here speaks a language that you grew up with", hint="name all languages that you grew up with")
        sitting = Sitting(chosen, rater, trials, vault=self._vault, now=self._now, monotonic=self._monotonic)
        with self._lock:
            self._tidy()
            if len(self._open) >= MOST:
                raise UsageError("too many listening tests are under way on this computer", hint="finish one of them first")
            self._open[sitting.token] = sitting
        return sitting

    def find(self, token: str) -> Sitting:
        """A session by its token.

        Raises:
            UsageError: It is over, or there never was one.
        """
        with self._lock:
            self._tidy()
            found = self._open.get(token)
        if found is None:
            raise UsageError("this listening test is over", hint="begin a new one")
        return found

    def leave(self, token: str) -> None:
        """Drop a session and everything in it; none of that name changes nothing."""
        with self._lock:
            self._open.pop(token, None)

    def _tidy(self) -> None:
        ends_s = self._monotonic() - LONGEST_S
        self._open = {token: sitting for token, sitting in self._open.items() if sitting.began_s > ends_s and not sitting.is_over}

    def _voices(self, panel: Panel) -> tuple[HeardVoice, ...]:
        return heard_voices(self._vault, panel, now=self._now)


def _offer(panel: Panel, voices: tuple[HeardVoice, ...]) -> Offer:
    languages = sorted({clip.language for voice in voices for clip in voice.clips if not clip.answer})
    return Offer(panel=panel, voices=len(voices), languages=tuple(languages), trials=panel.trials + panel.traps if voices else 0)
