"""The fixed cells in which a cohort is counted, and how a device finds the four cells of a speaker.

What it does: knows the cells by `data/groups.json`, which both sides carry, and sorts free text into them by words. What it may see: what a
speaker declared about herself, on her own device. What it must never do: guess from anything but her own words, or send the words.

Text is compared as a sequence of Latin words and single Chinese characters, without case, width or punctuation, so that "male" is not
found in "female". The word that begins first counts, of several the longest. A text in which words of several cells of gender stand
("neither man nor woman") belongs to the cell for everything else; for regions the first word counts.
"""

import functools
import json
import re
import unicodedata
from dataclasses import dataclass
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_shared.errors import UsageError

ATTRIBUTES: Final = ("age", "gender", "settlement", "region")
NOT_SAID: Final = "rather not say"
HISTOGRAM_CLIP_NORM: Final = 2.0
"""Euclidean norm of four ones."""

_TOKEN: Final = re.compile(r"[0-9a-z]+|[^\W0-9a-z_]")


@dataclass(frozen=True, slots=True)
class _Attribute:
    cells: tuple[str, ...]
    other: str
    words: tuple[tuple[tuple[str, ...], str], ...]


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()))


@functools.cache
def _attributes() -> dict[str, _Attribute]:
    data = json.loads((resources.files("hometone_shared.privacy") / "data" / "groups.json").read_text(encoding="utf-8"))
    return {
        attribute["name"]: _Attribute(
            cells=tuple(cell["name"] for cell in attribute["cells"]),
            other=next((cell["name"] for cell in attribute["cells"] if cell.get("other")), NOT_SAID),
            words=tuple((_tokens(word), cell["name"]) for cell in attribute["cells"] for word in cell.get("words", ())),
        )
        for attribute in data["attributes"]
    }


CELLS: Final[tuple[str, ...]] = tuple(f"{name}:{cell}" for name in ATTRIBUTES for cell in _attributes()[name].cells)
"""All cells in their fixed order: the coordinates of a histogram."""
_INDEX: Final = {cell: index for index, cell in enumerate(CELLS)}


def attribute_of(cell: str) -> str:
    """The attribute of a cell: "age" of "age:70-79"."""
    return cell.partition(":")[0]


def cells_of(*, age_band: str, gender: str, settlement: str, region: str) -> tuple[str, ...]:
    """The cells of what a speaker declared.

    Args:
        age_band: One of the fixed bands.
        gender: Free text.
        settlement: One of the fixed answers.
        region: Free text.

    Returns:
        Exactly four, one for each attribute, in the order of `ATTRIBUTES`.

    Raises:
        UsageError: Age band or settlement is not one of the fixed answers.
    """
    for name, answer in (("age", age_band), ("settlement", settlement)):
        if answer not in _attributes()[name].cells:
            raise UsageError(f"that is not one of the answers for {name}")
    return (f"age:{age_band}", f"gender:{_gender(gender)}", f"settlement:{settlement}", f"region:{_region(region)}")


def one_hot(cells: tuple[str, ...]) -> NDArray[np.float64]:
    """What a speaker adds to the histogram: 1 in each of her four cells.

    Returns:
        float64 [len(CELLS)] of norm `HISTOGRAM_CLIP_NORM`.

    Raises:
        UsageError: These are not four known cells, one for each attribute in their order.
    """
    values = np.zeros(len(CELLS))
    values[list(positions(cells))] = 1.0
    return values


def positions(cells: tuple[str, ...]) -> tuple[int, ...]:
    """Where a speaker's four cells stand among all.

    Raises:
        UsageError: These are not four known cells, one for each attribute in their order.
    """
    if tuple(map(attribute_of, cells)) != ATTRIBUTES or not set(cells) <= _INDEX.keys():
        raise UsageError("a speaker has one known group for each of age, gender, settlement and region")
    return tuple(_INDEX[cell] for cell in cells)


def _matches(text: str, attribute: _Attribute) -> list[str]:
    """Cells of the words in a text, in the order of the text; a word inside a longer one that begins no later does not count."""
    tokens = _tokens(text)
    found: list[str] = []
    start = 0
    while start < len(tokens):
        here = [(len(word), cell) for word, cell in attribute.words if tokens[start : start + len(word)] == word]
        length, cell = max(here, default=(1, ""))
        if cell:
            found.append(cell)
        start += length
    return found


def _gender(text: str) -> str:
    attribute = _attributes()["gender"]
    found = set(_matches(text, attribute))
    if not _tokens(text) or NOT_SAID in found:
        return NOT_SAID
    return found.pop() if len(found) == 1 else attribute.other


def _region(text: str) -> str:
    attribute = _attributes()["region"]
    found = _matches(text, attribute)
    if not _tokens(text) or NOT_SAID in found:
        return NOT_SAID
    return found[0] if found else attribute.other
