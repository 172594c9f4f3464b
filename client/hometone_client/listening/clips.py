"""The sounds of a panel in the place of the speaker whom they are about, sealed like everything of hers.

What it may see: one speaker's unlocked things. What it must never do: give a clip a name that tells what it is, or leave one outside the
seal.

What is known of a clip lies in the sealed index beside it: which panel, what it is, in which language, which sentence, which of her
recordings it was made from (so that it goes with that), and what was measured on it when it was made.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from hometone_client.listening.levels import RATE_HZ, Samples, wav_bytes
from hometone_keys import SpeakerVault
from hometone_shared.errors import DamagedVaultError

KIND: Final = "listening-clip"
FIGURES: Final = ("error_rate", "dnsmos", "distillmos")
"""What may have been measured on a clip: recognition errors from 0, and two predicted opinions, 1 to 5."""


class Role(StrEnum):
    """What a clip is."""

    SYNTHETIC = "synthetic"
    KNOWN = "known"
    REFERENCE = "reference"
    ANCHOR = "anchor"
    BASELINE = "baseline"
    TRAP = "trap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What is known of a clip.

    Attributes:
        name: Random, 16 hexadecimal digits.
        panel: Number of the panel that it was made for.
        role: `SYNTHETIC` her voice; `KNOWN` a recording of hers that listeners compare with; `REFERENCE` another one, hidden among the
            others; `ANCHOR` that one made worse; `BASELINE` a stock voice; `TRAP` a stock voice that says what to answer.
        language: Language, or `mixed`.
        seconds: Length.
        sentence: Which of the panel's sentences of that language, from 0; -1 for none.
        take: The recording that it was made from; empty for none.
        answer: What a trap asks for; 0 for none.
        figures: What was measured on it, of `FIGURES`.
    """

    name: str = field(default_factory=lambda: secrets.token_hex(8))
    panel: str
    role: Role
    language: str
    seconds: float
    sentence: int = -1
    take: str = ""
    answer: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, Any]:
        """Plain JSON for the sealed index."""
        return {
            "panel": self.panel,
            "role": self.role.value,
            "language": self.language,
            "seconds": round(self.seconds, 3),
            "sentence": self.sentence,
            "take": self.take,
            "answer": self.answer,
            "figures": {name: round(float(value), 4) for name, value in self.figures.items()},
        }

    @classmethod
    def from_metadata(cls, name: str, metadata: Mapping[str, Any]) -> Self:
        """Read what `to_metadata` made.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            return cls(
                name=name,
                panel=str(metadata["panel"]),
                role=Role(metadata["role"]),
                language=str(metadata["language"]),
                seconds=float(metadata["seconds"]),
                sentence=int(metadata["sentence"]),
                take=str(metadata["take"]),
                answer=int(metadata["answer"]),
                figures={str(figure): float(value) for figure, value in metadata["figures"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedVaultError(
                "a sound of a listening test is damaged", hint="make them again: hometone panel prepare NAME"
            ) from error


def clip_seconds(samples: Samples) -> float:
    """Length of levelled sound."""
    return samples.size / RATE_HZ


def keep_clips(vault: SpeakerVault, made: list[tuple[Clip, Samples]]) -> None:
    """Store the clips of a panel and remove all that were there before; killed in between, both are there and the next call tidies up.

    Raises:
        StorageError: The disk refuses.
    """
    before = [artefact.name for artefact in vault.list(KIND)]
    for clip, samples in made:
        vault.put(KIND, clip.name, wav_bytes(samples), clip.to_metadata())
    for name in before:
        vault.delete(KIND, name)


def clips_of(vault: SpeakerVault, panel: str) -> tuple[Clip, ...]:
    """What there is for a panel.

    Raises:
        DamagedVaultError: An entry is not what was written.
    """
    found = (Clip.from_metadata(artefact.name, artefact.metadata) for artefact in vault.list(KIND))
    return tuple(clip for clip in found if clip.panel == panel)


def clip_wav(vault: SpeakerVault, name: str) -> bytes:
    """The sound of a clip, a WAV file.

    Raises:
        VaultError: It is gone.
        DamagedVaultError: It is not what was written.
    """
    return vault.read(KIND, name)


def remove_clips(vault: SpeakerVault) -> int:
    """Remove all clips; how many there were."""
    names = [artefact.name for artefact in vault.list(KIND)]
    for name in names:
        vault.delete(KIND, name)
    return len(names)
