"""The words of pages, English and Chinese, and which of the two a reader wants.

Tables are data: `{key: {"en": ..., "zh": ...}}`, one file a subject. What it may see: package data, a browser's headers. What it must never
do: show a key instead of words, or words of one language in a page of the other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final, Self

from hometone_shared.command_line import LANGUAGES, Language

TAGS: Final[Mapping[Language, str]] = {"en": "en", "zh": "zh-Hans"}
"""What `<html lang>` says."""
_LONGEST_HEADER: Final = 1000


def preferred_language(asked: str, accepted: str) -> Language:
    """The language of a page.

    Args:
        asked: What the reader chose, which counts if it is one of the two.
        accepted: The browser's `Accept-Language`: the first of the two that it prefers; English if it names neither.
    """
    if asked == "zh":
        return "zh"
    parts = [part.strip().partition(";q=") for part in accepted[:_LONGEST_HEADER].split(",")]
    best: dict[str, float] = {}
    for tag, _, quality in parts:
        language = tag.strip().lower().partition("-")[0]
        best[language] = max(best.get(language, 0.0), _quality(quality))
    chinese, english = best.get("zh", 0.0), best.get("en", 0.0)
    if asked == "en" or chinese < english or chinese == 0.0:
        return "en"
    return "zh" if chinese > english or _first(parts) == "zh" else "en"


def _first(parts: Sequence[tuple[str, str, str]]) -> str:
    languages = (tag.strip().lower().partition("-")[0] for tag, _, _ in parts)
    return next(language for language in languages if language in TAGS)


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0) if text else 1.0
    except ValueError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Words:
    """The words of some subjects in one language.

    Attributes:
        table: Key -> words by language.
        language: The one that is spoken.
    """

    table: Mapping[str, Mapping[Language, str]]
    language: Language

    @classmethod
    def load(cls, package: str, *subjects: str, language: Language = "en") -> Self:
        """Read `data/<subject>.json` of a package; later subjects win.

        Raises:
            ValueError: A key lacks one of the two languages.
        """
        table: dict[str, dict[Language, str]] = {}
        for subject in subjects:
            text = resources.files(package).joinpath("data", f"{subject}.json").read_text(encoding="utf-8")
            table.update(json.loads(text))
        lacking = [key for key, entry in table.items() if set(entry) != set(LANGUAGES)]
        if lacking:
            raise ValueError(f"words without one of the languages: {', '.join(lacking)}")
        return cls(table, language)

    def speaking(self, language: Language) -> Self:
        """The same words in a language."""
        return type(self)(self.table, language)

    @property
    def other(self) -> Language:
        """The other language."""
        return "en" if self.language == "zh" else "zh"

    def __call__(self, key: str, /, **values: object) -> str:
        """Words with their values; not escaped."""
        return self.table[key][self.language].format(**values)

    def __contains__(self, key: str) -> bool:
        return key in self.table
