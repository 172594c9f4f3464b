"""Requirement 8: self-declared, free text included, "rather not say" included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.speakers.declaration import NOT_SAID, Declaration
from hometone_shared.errors import DamagedVaultError, UsageError


def test_saying_nothing_is_an_answer() -> None:
    assert Declaration() == Declaration(age_band=NOT_SAID, region=NOT_SAID, settlement=NOT_SAID, gender=NOT_SAID)


def test_free_text_survives() -> None:
    said = Declaration(age_band="70-79", region="陕西 宝鸡", settlement="rural", gender="非二元")
    assert Declaration.from_bytes(said.to_bytes()) == said


@pytest.mark.parametrize(
    "answer", [{"age_band": "old"}, {"settlement": "suburban"}, {"gender": ""}, {"region": "x" * 101}, {"gender": "a\nb"}]
)
def test_other_answers_are_refused(answer: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Declaration(**answer)


@given(st.binary(max_size=100))
def test_foreign_bytes_are_damage(data: bytes) -> None:
    with pytest.raises(DamagedVaultError):
        Declaration.from_bytes(data)
