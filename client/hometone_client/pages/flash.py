"""What one page leaves for the next one: a word of success, what went wrong, and what had been typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hometone_shared.errors import HometoneError


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """Shown once, in memory only.

    Attributes:
        path: The page that it is for.
        notice: Key of a word of success, or "".
        values: What belongs into it.
        error: What went wrong.
        typed: Fields of the form, without secrets.
    """

    path: str
    notice: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    error: HometoneError | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
