"""Invitation codes: what goes in comes out, mistakes of people are caught or forgiven, and nothing else is read."""

import itertools
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.invitation import FINGERPRINT_BYTES, TOKEN_BYTES, Invitation, fingerprint, token_sha256

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ADDRESSES = [
    "192.168.1.20:8443",
    "voices.example.org:443",
    "[2001:db8::7]:8443",
    "[::1]:1",
    "localhost:65535",
    "a:1",
    "0.0.0.0:80",
    "1.2.3:80",
    "x--y.example:80",
]


def invitation(address="192.168.1.20:8443", key=bytes(range(16)), token=bytes(range(10))):
    return Invitation(address=address, coordinator_key_sha256=key, token=token)


@pytest.mark.parametrize("address", ADDRESSES)
def test_comes_back(address):
    for key, token in ((bytes(16), bytes(10)), (b"\xff" * 16, b"\xff" * 10), (secrets.token_bytes(16), secrets.token_bytes(10))):
        original = invitation(address, key, token)
        assert Invitation.from_text(original.to_text()) == original


LABEL = r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?"
names = st.from_regex(rf"{LABEL}(\.{LABEL}){{0,3}}", fullmatch=True)


@given(names, st.integers(1, 65535), st.binary(min_size=16, max_size=16), st.binary(min_size=10, max_size=10))
def test_any_name_comes_back(name, port, key, token):
    original = invitation(f"{name}:{port}", key, token)
    assert Invitation.from_text(original.to_text()) == original


def test_a_code_computed_by_hand():
    """Mixed radix as docs/formats.md says, with other means than the module's."""
    host = (1 << 32) | int.from_bytes(bytes([192, 168, 1, 20]), "big")
    number = ((host * 3 + 0) * 65536 + 8443) * 2**128 + int.from_bytes(bytes(range(16)), "big")
    number = number * 2**80 + int.from_bytes(bytes(range(10)), "big")
    digits = []
    while number:
        digits.insert(0, number % 32)
        number //= 32
    total = sum((place + 1) * digit for place, digit in enumerate(digits)) % 1021
    digits += [total // 32, total % 32]
    text = "".join(SYMBOLS[digit] for digit in digits)
    assert invitation().to_text().replace("-", "") == "HT1" + text


def test_how_long_codes_are():
    lengths = {address: len(invitation(address).to_text().replace("-", "")) for address in ADDRESSES[:3]}
    assert lengths == {"192.168.1.20:8443": 57, "voices.example.org:443": 70, "[2001:db8::7]:8443": 76}


def test_groups_of_five():
    prefix, *groups = invitation().to_text().split("-")
    assert prefix == "HT1"
    assert {len(group) for group in groups[:-1]} == {5}
    assert 1 <= len(groups[-1]) <= 5
    assert set("".join(groups)) <= set(SYMBOLS)


def test_what_people_do_is_forgiven():
    original = invitation(key=bytes(16), token=bytes.fromhex("00001000010842108421"))
    text = original.to_text()
    assert {"0", "1"} <= set(text)
    for variant in (
        text.lower(),
        text.replace("-", " "),
        text.replace("-", ""),
        f"  {text}\n",
        text.replace("-", "\u2013"),
        text.replace("-", " - "),
        text.replace("0", "O"),
        text.replace("0", "o"),
        text.replace("1", "I"),
        text.replace("1", "l"),
        "\n".join(text.split("-")),
        text.translate({code: code + 0xFEE0 for code in range(ord("0"), ord("Z") + 1)}),  # full-width letters of an input method
    ):
        assert Invitation.from_text(variant) == original


@pytest.mark.parametrize("address", ADDRESSES[:3])
def test_every_single_wrong_character_is_caught(address):
    text = invitation(address, secrets.token_bytes(16), secrets.token_bytes(10)).to_text()
    for at in range(4, len(text)):
        for symbol in SYMBOLS:
            if text[at] not in ("-", symbol):
                with pytest.raises(ProtocolError):
                    Invitation.from_text(text[:at] + symbol + text[at + 1 :])


@pytest.mark.parametrize("address", ADDRESSES[:3])
def test_every_two_swapped_characters_are_caught(address):
    text = invitation(address, secrets.token_bytes(16), secrets.token_bytes(10)).to_text().replace("-", "")
    for one, other in itertools.combinations(range(3, len(text)), 2):
        if text[one] != text[other]:
            swapped = list(text)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            with pytest.raises(ProtocolError):
                Invitation.from_text("".join(swapped))


def test_what_is_missing_or_too_much_is_caught():
    text = invitation().to_text()
    for variant in (text[:-1], text[:-6], text + "0", text[:4] + text[5:], "HT1", "HT1-", "HT1-00", "HT1-000"):
        with pytest.raises(ProtocolError):
            Invitation.from_text(variant)


def test_says_what_is_wrong():
    text = invitation().to_text()
    with pytest.raises(ProtocolError, match="this is not an invitation code"):
        Invitation.from_text("hello")
    with pytest.raises(ProtocolError, match="does not hold the character U"):
        Invitation.from_text(text[:-1] + "U")
    with pytest.raises(ProtocolError, match="letters and digits only"):
        Invitation.from_text(text[:-1] + "\x00")
    with pytest.raises(ProtocolError, match="has a mistake"):
        Invitation.from_text(text[:-1] + ("0" if text[-1] != "0" else "2"))
    with pytest.raises(ProtocolError, match="too long"):
        Invitation.from_text("HT1" + "0" * 1000)


def coded(number):
    """A code around any number, with right check symbols."""
    digits = []
    while number:
        digits.insert(0, number % 32)
        number //= 32
    total = sum((place + 1) * digit for place, digit in enumerate(digits)) % 1021
    return "HT1" + "".join(SYMBOLS[digit] for digit in [*digits, total // 32, total % 32])


SECRETS_BITS = 8 * (TOKEN_BYTES + FINGERPRINT_BYTES)


def around(host, kind, port):
    return coded(((host * 3 + kind) * 65536 + port) << SECRETS_BITS)


def host_of(name):
    number = 1
    for character in name:
        number = number * 38 + "abcdefghijklmnopqrstuvwxyz0123456789-.".index(character)
    return number


@pytest.mark.parametrize(
    "text",
    [
        coded(1),
        around(0, 0, 80),
        around(2 << 32, 0, 80),
        around((1 << 32) | 1, 0, 0),
        around(0, 2, 80),
        around(1, 2, 80),
        around(host_of("-a"), 2, 80),
        around(host_of("1.2.3.4"), 2, 80),  # an address in the clothes of a name
        around(0, 1, 80),
        around(host_of("a" * 254), 2, 80),
    ],
)
def test_well_checked_codes_that_mean_nothing(text):
    with pytest.raises(ProtocolError):
        Invitation.from_text(text)


def test_a_leading_zero_is_no_other_way_to_write_it():
    number = int.from_bytes(b"\x01" + bytes(40), "big")
    body = coded(number)[3:-2]
    total = sum((place + 1) * SYMBOLS.index(symbol) for place, symbol in enumerate("0" + body)) % 1021
    with pytest.raises(ProtocolError):
        Invitation.from_text("HT10" + body + SYMBOLS[total // 32] + SYMBOLS[total % 32])
    original = invitation().to_text().replace("-", "")
    body = "0" + original[3:-2]
    total = sum((place + 1) * SYMBOLS.index(symbol) for place, symbol in enumerate(body)) % 1021
    with pytest.raises(ProtocolError, match="cannot be read"):
        Invitation.from_text("HT1" + body + SYMBOLS[total // 32] + SYMBOLS[total % 32])


@pytest.mark.parametrize(
    "values",
    [
        {"address": "UPPER.example:80"},
        {"address": "example.org"},
        {"address": "example.org:0"},
        {"address": "example.org:65536"},
        {"address": "a b:80"},
        {"key": bytes(15)},
        {"token": bytes(11)},
    ],
)
def test_values_that_do_not_fit(values):
    with pytest.raises(ProtocolError):
        invitation(**values)


@pytest.mark.parametrize("address", ["[::zz]:80", "[1:2]:80"])
def test_bad_ipv6_addresses_do_not_become_codes(address):
    with pytest.raises(ProtocolError):
        invitation(address)


def test_an_ipv6_address_that_could_be_shorter_reads_the_same():
    long, short = (invitation(f"[{host}]:80") for host in ("2001:db8:0:0:0:0:0:7", "2001:db8::7"))
    assert Invitation.from_text(long.to_text()) == short


@settings(max_examples=300)
@given(st.text(max_size=120))
def test_hostile_text(text):
    with pytest.raises(ProtocolError):
        Invitation.from_text(text)
    with pytest.raises(ProtocolError):
        Invitation.from_text("HT1" + text)


def test_the_token_is_not_shown():
    assert "token" not in repr(invitation())
    assert token_sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(b"abc") == bytes.fromhex("ba7816bf8f01cfea414140de5dae2223")
