"""What a person says about herself, if she wants to (requirement 8): never inferred, never sent, sealed with the rest of her things."""

import json
from dataclasses import asdict, dataclass
from typing import Final

from hometone_shared.errors import DamagedVaultError, UsageError

NOT_SAID: Final = "rather not say"
AGE_BANDS: Final = ("0-17", "18-29", "30-44", "45-59", "60-69", "70-79", "80+", NOT_SAID)
SETTLEMENTS: Final = ("urban", "rural", NOT_SAID)
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Four answers; each may be "rather not say".

    Attributes:
        age_band: One of `AGE_BANDS`.
        region: Free text.
        settlement: One of `SETTLEMENTS`.
        gender: Free text.

    Raises:
        UsageError: An answer is not one of those that can be given, or too long.
    """

    age_band: str = NOT_SAID
    region: str = NOT_SAID
    settlement: str = NOT_SAID
    gender: str = NOT_SAID

    def __post_init__(self) -> None:
        """Check the answers."""
        if self.age_band not in AGE_BANDS:
            raise UsageError("that is not one of the age bands", hint=f"choose one of {', '.join(AGE_BANDS)}")
        if self.settlement not in SETTLEMENTS:
            raise UsageError("that is neither urban nor rural", hint=f"choose one of {', '.join(SETTLEMENTS)}")
        for answer in (self.region, self.gender):
            if not 1 <= len(answer) <= _LONGEST or not answer.isprintable():
                raise UsageError("an answer about oneself has 1 to 100 printable characters")

    def to_bytes(self) -> bytes:
        """Canonical JSON, for the vault."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Declaration":
        """Read what `to_bytes` wrote.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError, UsageError) as error:
            raise DamagedVaultError(
                "what this speaker said about herself cannot be read", hint="restore the vault from a backup"
            ) from error
