"""A hundred cases of tone sandhi (`tests/vectors/text/sandhi.json`): what is read, and that the phonemes say the same."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from hometone_client.text.characters import is_han, readable
from hometone_client.text.pronunciation import mandarin
from hometone_client.text.reading import spoken_form

VECTORS = Path(__file__).parents[3] / "vectors" / "text" / "sandhi.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
ARROWS = {"→": "1", "↗": "2", "↓": "3", "↘": "4"}


def runs(text: str) -> list[str]:
    spoken = spoken_form(readable(text), language="zh", latin="en")
    return ["".join(run) for han, run in groupby(spoken, key=is_han) if han]


def test_there_are_a_hundred_cases() -> None:
    assert len(CASES) == len({case["text"] for case in CASES}) == 100


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_surface_tones_are_the_expected_ones(case: dict[str, Any]) -> None:
    tones = "".join(str(syllable.tone) for run in runs(case["text"]) for word in mandarin.readings(run) for syllable in word)
    assert tones in {case["tones"], *case.get("or", [])}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_phonemes_never_put_two_low_tones_where_the_first_rises(case: dict[str, Any]) -> None:
    for run in runs(case["text"]):
        tones = [syllable.tone for word in mandarin.readings(run) for syllable in word]
        arrows = [ARROWS[sound] for word in mandarin.pronounce(run) for sound in word.phonemes if sound in ARROWS]
        if 5 not in tones:
            assert arrows == [str(tone) for tone in tones]
        else:
            heavy = "".join(str(tone) for tone in tones if tone != 5)
            assert "".join(arrows).count("33") <= heavy.count("33")
