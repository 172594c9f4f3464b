"""What there is of a person's recordings: how much speech, which sentences of a campaign, and which takes can still be read.

A take belongs to a sentence when its text is that sentence: nothing else has to be remembered, and whoever comes back after days goes on
where she stopped. What it may see: her take records. What it must never do: stop at a damaged one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hometone_client.speakers.entries import TakeRecord
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.takes.quality import THRESHOLDS, Code
from hometone_shared.errors import AudioError, DamagedVaultError

AIM_S: Final = THRESHOLDS[Code.LITTLE_SPEECH].aim
LEAST_S: Final = THRESHOLDS[Code.LITTLE_SPEECH].limit or AIM_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One stored take.

    Attributes:
        name: Within the speaker, `take-0001`.
        record: What is known about it; None when it is damaged.
    """

    name: str
    record: TakeRecord | None

    @property
    def number(self) -> int:
        """As people count them."""
        return int(self.name.removeprefix("take-"))


def kept_takes(room: SpeakerRoom) -> tuple[Kept, ...]:
    """All takes, damaged ones as well, in the order in which they were made."""
    found = []
    for name in room.take_names():
        try:
            record = room.whole_take(name)
        except (AudioError, DamagedVaultError):
            record = None
        found.append(Kept(name=name, record=record))
    return tuple(found)


def speech_s(takes: Sequence[Kept]) -> float:
    """Seconds of speech that a voice can be learnt from."""
    return sum(take.record.speech_s for take in takes if take.record is not None and not take.record.held_out)


def sentences_read(takes: Sequence[Kept], sentences: Sequence[str]) -> dict[int, Kept]:
    """Which sentences were read: number from 1 -> the newest take of it."""
    by_text = {take.record.text: take for take in takes if take.record is not None and not take.record.held_out}
    return {number: by_text[sentence] for number, sentence in enumerate(sentences, start=1) if sentence in by_text}
