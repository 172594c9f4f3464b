"""Codes of any kind: the number comes back, the check is what it is said to be, kinds are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.spoken_code import SpokenCode

CODE, OTHER = SpokenCode("HR1", "recovery code"), SpokenCode("HT1", "invitation code")


@given(st.integers(1, 2**600))
def test_a_number_comes_back(number):
    assert CODE.read(CODE.write(number)) == number
    assert CODE.begins(CODE.write(number).lower())
    assert not OTHER.begins(CODE.write(number))


def test_a_small_code_by_hand():
    """33 is the symbols 1, 1: 1 * 1 + 2 * 1 = 3."""
    assert CODE.write(33) == "HR1-1103"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("HT1-1103", "this is not a recovery code"),
        ("HR1-1104", "the recovery code has a mistake"),
        ("HR1-000", "the recovery code cannot be read"),
        ("HR1-01105", "the recovery code cannot be read"),
        ("HR1-11U3", "a recovery code does not hold the character U"),
        ("HR1-11\x073", "a recovery code holds letters and digits only"),
        ("HR1" + "1" * 800, "this is too long for a recovery code"),
    ],
)
def test_what_is_refused(text, says):
    with pytest.raises(ProtocolError, match=f"^{says}$"):
        CODE.read(text)
    with pytest.raises(ProtocolError, match=r"an invitation code"):
        OTHER.read("HR1-1103")
