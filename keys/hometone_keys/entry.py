"""A speaker as anybody at this laptop may see them, before a PIN: no key, no slot, no recovery secret."""

from dataclasses import dataclass
from typing import Self

from hometone_keys.register import SpeakerRecord
from hometone_keys.slots import SlotKind


@dataclass(frozen=True, slots=True)
class SpeakerEntry:
    """One line of the list of voices.

    Args:
        speaker_id: Random pseudonym.
        name: What people call the voice.
        created_ms: Milliseconds since 1970.
        work_allowed: Whether unattended work may open it now.
        is_guest: Whether it is a lent copy, which has no PIN and is always open to unattended work.
        erase_after_ms: When it is to be erased by the sweep, milliseconds since 1970; `None` for never.
    """

    speaker_id: str
    name: str
    created_ms: int
    work_allowed: bool
    is_guest: bool
    erase_after_ms: int | None

    @classmethod
    def of(cls, record: SpeakerRecord) -> Self:
        """What of a speaker's record may be seen."""
        return cls(
            speaker_id=record.speaker_id,
            name=record.name,
            created_ms=record.created_ms,
            work_allowed=record.slot(SlotKind.WORK) is not None,
            is_guest=record.is_guest,
            erase_after_ms=record.erase_after_ms,
        )
