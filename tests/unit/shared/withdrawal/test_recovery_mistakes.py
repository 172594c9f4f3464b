"""What is wrong with a code is told so that a person finds it on her sheet, and no message or `repr` holds a word of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.invitation import Invitation
from hometone_shared.spoken_code import SYMBOLS, SpokenCode
from hometone_shared.withdrawal.recovery import CODE_SYMBOLS, RecoverySecret
from hometone_shared.withdrawal.recovery_mistakes import Flaw, Mistake, RecoveryMistakeError

SECRET = RecoverySecret(bytes(range(16)))
CODE = SECRET.code()
GROUPS = CODE.split("-")[1:]
WORDS = SECRET.words("en").split()
HAN = SECRET.words("zh").split()


def mistake_of(text: str) -> Mistake:
    with pytest.raises(RecoveryMistakeError) as caught:
        RecoverySecret.from_text(text)
    shown = f"{caught.value.message} {caught.value.hint} {caught.value.mistake!r} {caught.value!r}"
    assert not any(word in shown.replace("'", " ").split() for word in [*WORDS, *HAN, *GROUPS])
    return caught.value.mistake


def with_group(number: int, group: str) -> str:
    return "-".join(["HR1", *GROUPS[: number - 1], group, *GROUPS[number:]])


@given(st.binary(min_size=16, max_size=16), st.data())
def test_one_wrong_character_is_in_a_group_that_is_named(secret, data):
    code = RecoverySecret(secret).code()
    symbols = code.removeprefix("HR1").replace("-", "")
    place = data.draw(st.integers(0, len(symbols) - 1))
    other = data.draw(st.sampled_from([symbol for symbol in SYMBOLS if symbol != symbols[place]]))
    mistake = mistake_of_any("HR1" + symbols[:place] + other + symbols[place + 1 :])
    assert mistake.flaw is Flaw.CHECK
    assert place // 5 + 1 in mistake.places


@given(st.binary(min_size=16, max_size=16), st.data())
def test_two_neighbours_that_changed_places_are_in_groups_that_are_named(secret, data):
    symbols = RecoverySecret(secret).code().removeprefix("HR1").replace("-", "")
    at = data.draw(st.integers(0, len(symbols) - 2))
    if symbols[at] == symbols[at + 1]:
        return
    mistake = mistake_of_any("HR1" + symbols[:at] + symbols[at + 1] + symbols[at] + symbols[at + 2 :])
    assert {at // 5 + 1, (at + 1) // 5 + 1} <= set(mistake.places)


def mistake_of_any(text: str) -> Mistake:
    with pytest.raises(RecoveryMistakeError) as caught:
        RecoverySecret.from_text(text)
    return caught.value.mistake


def test_few_groups_are_suspected():
    """Otherwise naming them would help nobody."""
    named = []
    for place in range(CODE_SYMBOLS):
        symbols = "".join(GROUPS)
        wrong = SYMBOLS[(SYMBOLS.index(symbols[place]) + 7) % 32]
        named.append(len(mistake_of_any("HR1" + symbols[:place] + wrong + symbols[place + 1 :]).places))
    assert sum(named) / len(named) < 3.2


def test_no_suspicion_without_a_reason():
    """Of three symbols, 1 and the check of 1: four characters wrong at once are explained by no single one."""
    code = SpokenCode("HR1", "recovery code")
    assert code.write(1) == "HR1-101"
    assert code.suspects("HR1-ZFG") == ()
    assert code.suspects("HR1-201") == (1,)


@pytest.mark.parametrize(
    ("text", "flaw", "places", "found"),
    [
        ("", Flaw.NOTHING, (), 0),
        (" \n", Flaw.NOTHING, (), 0),
        ("x" * 801, Flaw.LONG, (), 0),
        (with_group(3, GROUPS[2][:4]), Flaw.LENGTH, (3,), 27),
        (with_group(6, GROUPS[5] + "A"), Flaw.LENGTH, (6,), 29),
        (with_group(2, GROUPS[1][:4]).replace("HR1-", "hr 1 - "), Flaw.LENGTH, (2,), 27),
        (with_group(2, GROUPS[1][:4]).replace("HR1-", "HR1"), Flaw.LENGTH, (2,), 27),
        (CODE.replace("-", "")[:-1], Flaw.LENGTH, (), 27),
        ("HR1", Flaw.LENGTH, (), 0),
        ("-".join(["HR1", *GROUPS[:5]]), Flaw.LENGTH, (), 25),
        (with_group(4, "U" + GROUPS[3][1:]), Flaw.SYMBOL, (4,), 28),
        (with_group(4, "U" + GROUPS[3][2:]), Flaw.SYMBOL, (4,), 27),
        (with_group(1, "*" + GROUPS[0][1:]), Flaw.SYMBOL, (1,), 28),
        (" ".join([*WORDS[:4], "hometone", *WORDS[5:11], "qqqqq"]), Flaw.WORD, (5, 12), 12),
        (" ".join(WORDS[:11]), Flaw.COUNT, (), 11),
        (" ".join(["qqqqq", *WORDS]), Flaw.COUNT, (1,), 13),
        ("".join([*HAN[:11], "龘"]), Flaw.WORD, (12,), 12),
        (" ".join(WORDS) + " !", Flaw.SIGN, (), 12),
        (" ".join(reversed(WORDS)), Flaw.TOGETHER, (), 12),
    ],
)
def test_what_is_told(text, flaw, places, found):
    mistake = mistake_of(text)
    assert (mistake.flaw, mistake.places, mistake.found) == (flaw, places, found)
    assert len(mistake.near) == (len(places) if flaw in {Flaw.WORD, Flaw.COUNT} else 0)
    assert len(mistake.typed) == len(places)
    assert all(typed.lower() in text.lower() for typed in mistake.typed)


def test_of_very_many_unknown_words_the_first_twelve_are_told():
    """Looking for near words takes time, and nobody reads more."""
    mistake = mistake_of_any("qqqqq " * 130)
    assert (mistake.places, mistake.found) == (tuple(range(1, 13)), 130)
    groups = mistake_of_any("HR1" + " U" * 300)
    assert (groups.flaw, groups.places, groups.found) == (Flaw.SYMBOL, tuple(range(1, 13)), 300)


def test_a_number_of_another_kind_of_code():
    other = SpokenCode("HR1", "recovery code").write(2 << 128)
    assert mistake_of_any(other).flaw is Flaw.CHECK


def test_an_invitation():
    invitation = Invitation(address="voices.example.org:443", coordinator_key_sha256=bytes(16), token=bytes(10))
    assert mistake_of(invitation.to_text()).flaw is Flaw.INVITATION


@pytest.mark.parametrize(("typed", "meant"), [("vapour", "vapor"), ("brom", "broom"), ("zebar", "zebra"), ("Abandn", "abandon")])
def test_the_word_that_was_meant_is_among_the_near_ones(typed, meant):
    mistake = mistake_of_any(" ".join([*WORDS[:6], typed, *WORDS[7:]]))
    assert mistake.places == (7,)
    assert meant in mistake.near[0]
    assert len(mistake.near[0]) <= 3
    assert meant not in repr(mistake)


def test_what_is_like_no_word():
    assert mistake_of_any(" ".join([*WORDS[:6], "qqqqq", *WORDS[7:]])).near == ((),)
