"""Recovery codes: both forms come back however people type them, mistakes are found, and nothing shows the secret."""

import contextlib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.invitation import Invitation
from hometone_shared.spoken_code import SYMBOLS
from hometone_shared.withdrawal.recovery import RecoverySecret, check_words, pseudonym_of

SECRET = RecoverySecret(bytes(range(16)))
WORDS = SECRET.words("en").split()
HAN = SECRET.words("zh").split()


@given(st.binary(min_size=16, max_size=16))
def test_all_three_forms_come_back(secret):
    original = RecoverySecret(secret)
    for text in (original.code(), original.words("en"), original.words("zh")):
        assert RecoverySecret.from_text(text) == original
    assert original.code().startswith("HR1-")
    assert [len(group) for group in original.code().split("-")] == [3, 5, 5, 5, 5, 5, 3]


@pytest.mark.parametrize(
    "text",
    [
        SECRET.code().lower(),
        SECRET.code().replace("-", " "),
        SECRET.code().replace("-", ""),
        f"  {SECRET.code()}\n",
        SECRET.code().replace("0", "o").replace("1", "l"),
        " ".join(WORDS).upper(),
        ", ".join(WORDS),
        "\n".join(f"{number}. {word}" for number, word in enumerate(WORDS, start=1)),
        " ".join(word[:4] for word in WORDS),
        "".join(HAN),
        "、".join(HAN),
        " ".join(f"{number}.{word}" for number, word in enumerate(HAN, start=1)),
        "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in SECRET.code()),
    ],
)
def test_is_read_as_people_type_it(text):
    assert RecoverySecret.from_text(text) == SECRET


def test_every_single_wrong_symbol_of_a_code_is_found():
    code = SECRET.code()
    for place in range(4, len(code)):
        for symbol in SYMBOLS:
            if code[place] not in {"-", symbol}:
                with pytest.raises(ProtocolError, match=r"has a mistake|not complete|cannot be read"):
                    RecoverySecret.from_text(code[:place] + symbol + code[place + 1 :])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "twelve words, these are 0"),
        ("HR1", "has a mistake"),
        ("HR1-00000", "cannot be read"),
        ("x" * 801, "too long"),
        (SECRET.code()[:-4], "has a mistake"),
        (" ".join(WORDS[:11]), "these are 11"),
        (" ".join([*WORDS, "zoo"]), "these are 13"),
        (" ".join([*WORDS[:4], "hometone", *WORDS[5:]]), "word 5 of"),
        (" ".join([*WORDS[:4], WORDS[4][:3], *WORDS[5:]]), "word 5 of"),
        (" ".join([*HAN[:11], "龘"]), "word 12 of"),
        (" ".join([*HAN[:11], WORDS[0]]), "word 12 of"),
        (" ".join([*WORDS[:11], HAN[0]]), "word 12 of"),
        (" ".join(WORDS) + " !", "letters and digits only"),
        (" ".join(reversed(WORDS)), "do not belong together"),
        ("".join(reversed(HAN)), "do not belong together"),
    ],
)
def test_mistakes_are_told(text, says):
    with pytest.raises(ProtocolError, match=says) as caught:
        RecoverySecret.from_text(text)
    shown = caught.value.message + caught.value.hint
    assert not any(word in shown.split() for word in [*WORDS, *HAN])


def test_another_number_is_no_secret():
    """A code with the right check whose number does not begin with the leading 1, or is longer."""
    for number in (1, 1 << 127, 2 << 128, 1 << 200):
        symbols, rest = "", number
        while rest:
            symbols, rest = SYMBOLS[rest % 32] + symbols, rest // 32
        total = sum(place * SYMBOLS.index(symbol) for place, symbol in enumerate(symbols, start=1)) % 1021
        with pytest.raises(ProtocolError, match="not complete"):
            RecoverySecret.from_text("HR1" + symbols + SYMBOLS[total // 32] + SYMBOLS[total % 32])


def test_an_invitation_is_told_apart():
    invitation = Invitation(address="voices.example.org:443", coordinator_key_sha256=bytes(16), token=bytes(10))
    with pytest.raises(ProtocolError, match="an invitation code, not a recovery code"):
        RecoverySecret.from_text(invitation.to_text())
    with pytest.raises(ProtocolError, match="not an invitation code"):
        Invitation.from_text(SECRET.code())


@given(st.text(max_size=900))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ProtocolError):
        RecoverySecret.from_text(text)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_other_lengths_are_no_secrets(length):
    with pytest.raises(ProtocolError):
        RecoverySecret(bytes(length))


def test_a_secret_is_not_shown():
    assert repr(SECRET) == "RecoverySecret()"


def test_new_secrets_are_different():
    made = {RecoverySecret.generate().pseudonym for _ in range(20)}
    assert len(made) == 20
    assert all(len(pseudonym) == 32 for pseudonym in made)
    key = SECRET.withdrawal_key().public_key().public_bytes_raw()
    assert SECRET.pseudonym == pseudonym_of(key)


def test_check_words():
    """SHA-256 of "abc" begins with ba7816bf 8f01cfea: 1011 1010 0111 1000 0001 0110 1011 1111 ..., 11 bits a word."""
    words = check_words(b"abc", 23).split()
    assert (len(words), check_words(b"abc")) == (23, " ".join(words[:4]))
    assert check_words(b"abc", 100) == " ".join(words)
    bits = f"{0xBA7816BF8F01CFEA:064b}"
    known = resources.files("mnemonic").joinpath("wordlist/english.txt").read_text(encoding="utf-8").split()
    assert words[:4] == [known[int(bits[at : at + 11], 2)] for at in (0, 11, 22, 33)]
    assert check_words(b"abc") != check_words(b"abd")
