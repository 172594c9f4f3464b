"""From what somebody says about herself to four fixed cells."""

import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.speakers.declaration import AGE_BANDS, SETTLEMENTS
from hometone_shared.errors import UsageError
from hometone_shared.privacy.cells import ATTRIBUTES, CELLS, HISTOGRAM_CLIP_NORM, cells_of, one_hot
from hometone_shared.privacy.clipping import encode
from hometone_shared.records.plan import SCALE

HERS = ("age:70-79", "gender:woman", "settlement:rural", "region:陕西")


def gender(text):
    return cells_of(age_band="80+", gender=text, settlement="urban", region="北京")[1].removeprefix("gender:")


def region(text):
    return cells_of(age_band="80+", gender="女", settlement="urban", region=text)[3].removeprefix("region:")


def test_the_cells_are_fixed():
    # Both sides must agree on the order: a change here is a change of the protocol.
    assert len(CELLS) == len(set(CELLS)) == 8 + 4 + 3 + 36
    assert CELLS[:8] == tuple(f"age:{band}" for band in AGE_BANDS)
    assert CELLS[8:12] == ("gender:woman", "gender:man", "gender:non-binary or another", "gender:rather not say")
    assert CELLS[12:15] == tuple(f"settlement:{each}" for each in SETTLEMENTS)
    assert CELLS[15:17] == ("region:北京", "region:天津")
    assert CELLS[-2:] == ("region:elsewhere", "region:rather not say")
    assert all(len(cell) <= 100 for cell in CELLS)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("女", "woman"),
        ("女性", "woman"),
        ("我是女的", "woman"),
        ("Woman", "woman"),
        ("FEMALE", "woman"),
        ("ｗｏｍａｎ", "woman"),
        ("trans woman", "woman"),
        ("跨性别女性", "woman"),
        ("男", "man"),
        ("男性。", "man"),
        ("male", "man"),
        ("a man!", "man"),
        ("非二元", "non-binary or another"),
        ("non-binary", "non-binary or another"),
        ("Non Binary", "non-binary or another"),
        ("neither man nor woman", "non-binary or another"),
        ("非男非女", "non-binary or another"),
        ("something else entirely", "non-binary or another"),
        ("mannequin", "non-binary or another"),
        ("", "rather not say"),
        (" - ", "rather not say"),
        ("rather not say", "rather not say"),
        ("Prefer not to say.", "rather not say"),
        ("不愿透露", "rather not say"),
    ],
)
def test_gender_in_ones_own_words(text, cell):
    assert gender(text) == cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("陕西", "陕西"),
        ("陕西省西安市", "陕西"),
        ("Xi'an", "陕西"),
        ("Shaanxi province", "陕西"),
        ("shanxi", "山西"),
        ("青海南部", "青海"),
        ("黑龙江西部", "黑龙江"),
        ("内蒙古自治区", "内蒙古"),
        ("湖南人，现在住上海", "湖南"),
        ("香港特别行政区", "香港"),
        ("hong kong", "香港"),
        ("臺灣", "台湾"),
        ("Deutschland", "elsewhere"),
        ("海外", "elsewhere"),
        ("", "rather not say"),
        ("保密", "rather not say"),
        ("rather not say", "rather not say"),
    ],
)
def test_regions_in_ones_own_words(text, cell):
    assert region(text) == cell


def test_all_34_divisions_are_found_by_their_names_and_words():
    data = json.loads((resources.files("hometone_shared.privacy") / "data" / "groups.json").read_text(encoding="utf-8"))
    regions = next(each for each in data["attributes"] if each["name"] == "region")["cells"]
    assert len(regions) == 34 + 2
    for cell in regions[:34]:
        assert all(region(word) == cell["name"] for word in cell["words"]), cell["name"]
    genders = next(each for each in data["attributes"] if each["name"] == "gender")["cells"]
    for cell in genders:
        assert all(gender(word) == cell["name"] for word in cell["words"]), cell["name"]


@given(st.text(max_size=100), st.text(max_size=100), st.sampled_from(AGE_BANDS), st.sampled_from(SETTLEMENTS))
def test_whatever_is_said_gives_four_known_cells(gender_text, region_text, age_band, settlement):
    cells = cells_of(age_band=age_band, gender=gender_text, settlement=settlement, region=region_text)
    assert tuple(cell.split(":")[0] for cell in cells) == ATTRIBUTES
    assert set(cells) <= set(CELLS)


@pytest.mark.parametrize("wrong", [{"age_band": "70"}, {"age_band": ""}, {"settlement": "village"}])
def test_fixed_answers_are_checked(wrong):
    with pytest.raises(UsageError):
        cells_of(**{"age_band": "80+", "gender": "", "settlement": "urban", "region": ""} | wrong)


def test_a_speaker_is_four_ones():
    vector = one_hot(HERS)
    assert vector.shape == (len(CELLS),)
    assert [CELLS[i] for i in np.flatnonzero(vector)] == list(HERS)
    assert np.linalg.norm(vector) == HISTOGRAM_CLIP_NORM
    # On the grid of the protocol that is exact: a count survives encoding unchanged.
    assert encode(vector, clip_norm=HISTOGRAM_CLIP_NORM).values.max() == SCALE // 2


@pytest.mark.parametrize(
    "cells",
    [(), HERS[:3], (*HERS, HERS[0]), HERS[::-1], ("age:70-79", "gender:woman", "settlement:rural", "region:Atlantis"), ("age:9",) * 4],
)
def test_what_are_not_four_cells_is_refused(cells):
    with pytest.raises(UsageError):
        one_hot(cells)
