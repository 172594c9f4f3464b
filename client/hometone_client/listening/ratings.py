"""What listeners answered about one speaker, sealed in her place; one entry for each listener whose session counted.

An entry has a random name and holds her part of a session: nothing links it to what the same listener said about somebody else, and nothing
says who he is. What it may see: one speaker's unlocked things. What it must never do: keep a listener's languages, or a time.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from hometone_client.listening.clips import Role
from hometone_keys import SpeakerVault
from hometone_shared.errors import DamagedVaultError
from hometone_shared.records.panel import Scale

KIND: Final = "listening-rating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One answer.

    Attributes:
        scale: What was asked.
        role: What was judged: `synthetic`, `reference` or `anchor`.
        language: Language of the clip, or `mixed`.
        sentence: Which of the panel's sentences; -1 for a recording.
        value: On the scale; a preference is above 0 when her voice was found better than the baseline.
    """

    scale: Scale
    role: Role
    language: str
    sentence: int
    value: int

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "scale": self.scale.value,
            "role": self.role.value,
            "language": self.language,
            "sentence": self.sentence,
            "value": self.value,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Read plain JSON; raises KeyError, TypeError or ValueError when it is something else."""
        scale, value = Scale(record["scale"]), record["value"]
        if type(value) is not int or not scale.lowest <= value <= scale.highest:
            raise ValueError(value)
        return cls(scale=scale, role=Role(record["role"]), language=str(record["language"]), sentence=int(record["sentence"]), value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What one listener answered about her.

    Attributes:
        panel: Number of the panel.
        made: When the panel was made, seconds since 1970; says which is the newest.
        headphones: Whether the check by ear found headphones; None if it was not made.
        knows: Whether he said that he knows somebody whose voice is in the test.
        ratings: The answers.
    """

    panel: str
    made: int
    headphones: bool | None
    knows: bool
    ratings: tuple[Rating, ...]

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "panel": self.panel,
            "made": self.made,
            "headphones": self.headphones,
            "knows": self.knows,
            "ratings": [rating.to_record() for rating in self.ratings],
        }

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read plain JSON.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            headphones = record["headphones"]
            return cls(
                panel=str(record["panel"]),
                made=int(record["made"]),
                headphones=None if headphones is None else bool(headphones),
                knows=bool(record["knows"]),
                ratings=tuple(Rating.from_record(rating) for rating in record["ratings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedVaultError("what listeners answered is damaged", hint="restore the vault from a backup") from error

    def mean(self, scale: Scale, role: Role, *, language: str | None = None) -> float | None:
        """His mean on a scale; None where he was not asked."""
        values = [
            rating.value for rating in self.ratings if rating.scale is scale and rating.role is role and language in {None, rating.language}
        ]
        return sum(values) / len(values) if values else None


def keep_listener(vault: SpeakerVault, listener: Listener) -> None:
    """Store what a listener answered.

    Raises:
        StorageError: The disk refuses.
    """
    vault.put_json(secrets.token_hex(8), listener.to_record(), kind=KIND)


def listeners(vault: SpeakerVault, panel: str | None = None) -> tuple[Listener, ...]:
    """Everybody who has judged her, in one panel or in all.

    Raises:
        DamagedVaultError: An entry is not what was written.
    """
    found = (Listener.from_record(vault.read_json(artefact.name, kind=KIND)) for artefact in vault.list(KIND))
    return tuple(listener for listener in found if panel in {None, listener.panel})


def newest_listeners(vault: SpeakerVault) -> tuple[Listener, ...]:
    """Those of the newest panel in which anybody has judged her."""
    found = listeners(vault)
    newest = max(((listener.made, listener.panel) for listener in found), default=None)
    return tuple(listener for listener in found if (listener.made, listener.panel) == newest)


def means(heard: Iterable[Listener], scale: Scale, role: Role, *, language: str | None = None) -> Sequence[float]:
    """One mean for each listener who was asked."""
    found = (listener.mean(scale, role, language=language) for listener in heard)
    return [mean for mean in found if mean is not None]


def remove_ratings(vault: SpeakerVault) -> int:
    """Remove all answers; how many listeners there were."""
    names = [artefact.name for artefact in vault.list(KIND)]
    for name in names:
        vault.delete(KIND, name)
    return len(names)
