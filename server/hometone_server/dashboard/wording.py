"""Figures, times and codes as people read them. What it must never do: show a number that nobody can place."""

import math
import re
import time
from dataclasses import dataclass
from typing import Final

from hometone_shared.error_words import in_language
from hometone_shared.pages.words import Words
from hometone_shared.privacy.cells import attribute_of

_SHORT: Final = 8
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_KIB: Final = 1024
_LOSS: Final = ((0.5, "least"), (2.0, "little"), (4.0, "moderate"), (8.0, "much"), (math.inf, "most"))
"""Epsilon up to -> how it is called; the scale that `hometone-coordinator plan --help` uses."""
_CODE: Final = re.compile(r"[a-z-]{1,30}")


@dataclass(frozen=True, slots=True)
class Wording:
    """Speaks the language of its words."""

    words: Words

    def when(self, seconds: float | None) -> str:
        """A moment, local time."""
        return "–" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))

    def lasted(self, seconds: float | None) -> str:
        """How long something took, roughly: a page that counts seconds aloud is a nuisance."""
        if seconds is None:
            return "–"
        if seconds < _MINUTE_S:
            return self.words("lasted-seconds", count=f"{max(seconds, 0):.0f}")
        if seconds < 2 * _HOUR_S:
            return self.words("lasted-minutes", count=round(seconds / _MINUTE_S))
        if seconds < 2 * _DAY_S:
            return self.words("lasted-hours", count=round(seconds / _HOUR_S))
        return self.words("lasted-days", count=round(seconds / _DAY_S))

    def size(self, count: float | None) -> str:
        """How many bytes."""
        if count is None:
            return "–"
        if count < _KIB:
            return f"{count:.0f} B"
        if count < _KIB**2:
            return f"{count / _KIB:.1f} KiB"
        return f"{count / _KIB**2:.1f} MiB"

    def number(self, value: float | None, digits: int = 2) -> str:
        """A figure."""
        if value is None:
            return "–"
        if not math.isfinite(value):
            return "∞"
        return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"

    def short(self, name: str) -> str:
        """A long number, shortened."""
        return name[:_SHORT] + "…"

    def cell(self, cell: str) -> str:
        """A group, such as "80 and older"."""
        key = f"cell-{cell}"
        return self.words(key) if key in self.words else cell.partition(":")[2] or cell

    def cell_with_attribute(self, cell: str) -> str:
        """The same, saying of what."""
        return self.words("cell-of", attribute=self.attribute(attribute_of(cell)), cell=self.cell(cell))

    def attribute(self, name: str) -> str:
        """Age, gender, ..."""
        return self.words(f"attribute-{name}")

    def cells(self, cells: list[str]) -> str:
        """Several groups."""
        return self.words("list-comma").join(map(self.cell, cells)) or "–"

    def refusal(self, code: str) -> str:
        """Why a laptop said no."""
        key = f"refusal-{code}"
        return self.words(key) if _CODE.fullmatch(code) and key in self.words else self.words("refusal-unknown")

    def stage(self, stage: str) -> str:
        """What is being done."""
        return self.words(f"stage-{stage}") if f"stage-{stage}" in self.words else self.words("stage-")

    def told(self, text: str | None) -> str:
        """Something that was said in English when it happened."""
        return in_language(text, self.words.language) if text else ""

    def loss(self, epsilon: float) -> str:
        """How much a person loses, in a word."""
        return self.words("loss-" + next(name for most, name in _LOSS if epsilon <= most))

    def guess(self, epsilon: float) -> str:
        """How often whoever sees everything that leaves laptops can be right about somebody's taking part, of 100 times; 50 is chance."""
        return f"{100 / (1 + math.exp(-min(epsilon, 700.0))):.0f}"
