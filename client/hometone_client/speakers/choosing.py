"""Which voice was meant: a speaker of this computer, or a stock voice of the base."""

import datetime as dt
from collections.abc import Callable

from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import Voice, VoiceParameters


def own_voice(room: SpeakerRoom, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> Voice:
    """An unlocked speaker as a voice; her consent is looked at anew for each piece of work.

    Args:
        room: Her things, unlocked for as long as the voice is used.
        clock: Gives the time.
    """

    def load() -> VoiceParameters:
        room.require(Purpose.OWN_VOICE, now=clock())
        return room.voice()

    languages = tuple(dict.fromkeys(record.language for record in room.takes()))
    return Voice(id=room.name, kind="own", languages=languages, load=load)
