"""What single things of a speaker look like outside their seal: a take's record, a file that was written for her, a state of work.

What it may see: plain fields that the vault has opened. What it must never do: read or write a file in the clear.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hometone_keys import SpeakerVault
from hometone_shared.errors import DamagedVaultError

ADAPTATION: Final = "adaptation"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRecord:
    """What is known about a stored take.

    Attributes:
        name: Name within the speaker, `take-0001`.
        seconds: Length, pauses included.
        speech_s: Length of speech in it.
        sample_rate_hz: Native rate.
        language: BCP 47 tag.
        text: What was said; empty when nobody knows.
        origin: `microphone` or `file`.
        quality: Measured figures by name.
        passages: Stretches whose words are known: (start in s, end in s, words).
        held_out: Kept for judging the voice; never trained on.
    """

    name: str
    seconds: float
    speech_s: float
    sample_rate_hz: int
    language: str
    text: str
    origin: str
    quality: Mapping[str, Any]
    passages: tuple[tuple[float, float, str], ...] = ()
    held_out: bool = False


def take_record(fields: dict[str, Any]) -> TakeRecord:
    """A take's record from plain JSON; raises KeyError, TypeError or ValueError when it is something else."""
    passages = tuple((float(start), float(end), str(words)) for start, end, words in fields.pop("passages"))
    return TakeRecord(passages=passages, **fields)


def damaged_take(take: str) -> DamagedVaultError:
    """What is said about a recording that is not what was written.

    Args:
        take: Its name, `take-0001`.
    """
    number = int(take.removeprefix("take-"))
    return DamagedVaultError(
        f"recording {number} is damaged", hint="restore the vault from a backup, or give it up: hometone take remove SPEAKER " + str(number)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file with speech in her voice that was written for her: a sound file, or a report with players.

    Attributes:
        path: Where, absolute.
        sha256: Hash of its bytes, by which it is recognised again.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CheckpointSlot:
    """Where an adaptation keeps its state between two sittings; sealed like everything else.

    Attributes:
        vault: Her vault.
        name: Whose state: an adaptation's, or what was prepared for rounds.
    """

    vault: SpeakerVault
    name: str = ADAPTATION

    def load(self) -> bytes | None:
        """The last state, or `None`."""
        return self.vault.read("checkpoint", self.name) if self.vault.has("checkpoint", self.name) else None

    def save(self, state: bytes) -> None:
        """Replace the state; the old one stays until the new one is complete."""
        self.vault.put("checkpoint", self.name, state)

    def clear(self) -> None:
        """Remove the state."""
        if self.vault.has("checkpoint", self.name):
            self.vault.delete("checkpoint", self.name)
