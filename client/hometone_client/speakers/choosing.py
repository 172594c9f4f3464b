"""Which voice was meant: a speaker of this computer, or a stock voice of the base."""

import datetime as dt
from collections.abc import Callable, Iterable

from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.voices import Voice, VoiceParameters


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def own_voice(room: SpeakerRoom, *, way: Way, clock: Callable[[], dt.datetime] = _now) -> Voice:
    """An unlocked speaker as a voice; her consent is looked at anew for each piece of work, and the use is noted before it begins.

    Args:
        room: Her things, unlocked for as long as the voice is used.
        way: What is going to speak.
        clock: Gives the time.
    """

    def load() -> VoiceParameters:
        now = clock()
        room.require(Purpose.OWN_VOICE, now=now)
        voice = room.voice()
        room.note_speaking(way, now=now)
        return voice

    languages = tuple(dict.fromkeys(record.language for record in room.takes())) or room.voice_languages
    return Voice(id=room.name, kind="own", languages=languages, load=load)


class UnlockedVoices:
    """The voices of several unlocked speakers, for a program that runs on while they may be locked or forgotten (requirement 48).

    The vault is asked at every call, so that a voice that another process forgot is gone from the next question on.
    """

    def __init__(
        self,
        rooms: Iterable[SpeakerRoom],
        *,
        on_gone: Callable[[], None],
        voice_of: Callable[[SpeakerRoom], Voice] = lambda room: own_voice(room, way=Way.SERVE),
    ) -> None:
        """Take note of who is unlocked.

        Args:
            rooms: Their things, unlocked; they stay the caller's to lock.
            on_gone: Called once for each time that voices are found to be gone; drops whatever was loaded of them.
            voice_of: Makes a voice of an unlocked speaker, or of a lent copy.
        """
        self._voices = {room: voice_of(room) for room in rooms}
        self._on_gone = on_gone

    def __call__(self) -> tuple[Voice, ...]:
        """Those that can be used now, in the order in which they were unlocked.

        Raises:
            DamagedVaultError: A file of the vault is not what was written.
            StorageError: The disk refuses.
        """
        voices = dict(self._voices)
        gone = [room for room in voices if not room.is_open]
        if gone:
            self._voices = {room: voice for room, voice in voices.items() if room not in gone}
            self._on_gone()
        return tuple(voice for room, voice in voices.items() if room not in gone)
