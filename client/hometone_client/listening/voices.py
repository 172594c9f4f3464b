"""Whose voices can be heard in a listening test on this laptop now, looked up anew every time.

What it may see: places that may be opened without a PIN, one at a time. What it must never do: open a speaker who did not agree, or
remember an answer.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hometone_client.listening.clips import Clip, Role, clips_of
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, HometoneError
from hometone_shared.records.panel import Panel

Now = Callable[[], dt.datetime]


def now_utc() -> dt.datetime:
    """The time, with its zone."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardVoice:
    """A voice that can be heard.

    Attributes:
        speaker_id: Whose.
        clips: What there is of it for the panel.
    """

    speaker_id: str
    clips: tuple[Clip, ...]

    def of(self, *roles: Role) -> tuple[Clip, ...]:
        """Its clips of some roles, by language and sentence."""
        return tuple(
            sorted((clip for clip in self.clips if clip.role in roles), key=lambda clip: (clip.language, clip.sentence, clip.name))
        )

    @property
    def is_complete(self) -> bool:
        """Whether there is everything that a test needs of it."""
        return all(self.of(role) for role in (Role.SYNTHETIC, Role.KNOWN, Role.REFERENCE, Role.ANCHOR, Role.TRAP))


@contextmanager
def opened_for_listening(vault: Vault, speaker_id: str, *, now: Now = now_utc) -> Iterator[SpeakerRoom]:
    """Open a speaker who has agreed to listening tests without her PIN, for as long as the block lasts.

    Raises:
        ConsentError: She has not agreed, her consent has ended, or she is about to be forgotten.
        VaultError: She allows no work, or her things are damaged.
        UsageError: She was forgotten.
    """
    with SpeakerRoom(vault.unlock_for_work(speaker_id)) as room:
        if room.consent(Purpose.LISTENING) is None or room.vault.has("job", "forget"):
            raise ConsentError(
                "this speaker has not agreed to listening tests", hint="ask her: hometone consent NAME --purpose listening-test"
            )
        room.require(Purpose.OWN_VOICE, now=now())
        room.require(Purpose.LISTENING, now=now())
        yield room


def heard_voices(vault: Vault, panel: Panel, *, now: Now = now_utc) -> tuple[HeardVoice, ...]:
    """Those that were prepared for a panel and can be heard now; whoever cannot be opened is left out, and stops nobody else.

    Args:
        vault: The open vault.
        panel: The panel.
        now: Gives the time.
    """
    found = []
    for entry in vault.speakers():
        if entry.is_guest or not entry.work_allowed:
            continue
        try:
            with opened_for_listening(vault, entry.speaker_id, now=now) as room:
                voice = HeardVoice(speaker_id=entry.speaker_id, clips=clips_of(room.vault, panel.number))
        except HometoneError:
            continue
        if voice.is_complete:
            found.append(voice)
    return tuple(found)
