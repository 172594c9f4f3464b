"""Shamir sharing against plain polynomials and plain number theory."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.secagg.shamir import PRIME, checked_share, combine, interpolate, split

SECRETS = st.binary(min_size=32, max_size=32)


def test_the_modulus_is_prime():
    # Miller-Rabin with 64 random bases.
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(64):
        value = pow(random.randrange(2, PRIME - 1), odd, PRIME)
        assert value in {1, PRIME - 1} or any(pow(value, 1 << step, PRIME) == PRIME - 1 for step in range(1, twos))


@given(SECRETS, st.integers(1, 20), st.integers(0, 20), st.randoms(use_true_random=False))
def test_any_subset_that_is_large_enough_gives_the_secret_back(secret, needed, more, draw):
    shares = dict(enumerate(split(secret, needed=needed, shares=needed + more), start=1))
    chosen = draw.sample(sorted(shares), needed)
    assert combine({each: shares[each] for each in chosen}) == secret


@given(SECRETS, SECRETS)
def test_one_share_less_fits_every_secret(secret, other):
    shares = dict(enumerate(split(secret, needed=4, shares=7), start=1))
    known = {each: shares[each] for each in (2, 3, 7)}
    # The polynomial through the three shares and any other constant term exists: its value at 1 is as possible as the real one.
    value = sum(
        int.from_bytes(known[each], "big")
        * pow(each, -1, PRIME)
        * _product((1 - out) * pow(each - out, -1, PRIME) for out in known if out != each)
        for each in known
    )
    value += int.from_bytes(other, "big") * _product((out - 1) * pow(out, -1, PRIME) for out in known)
    assert combine(known | {1: (value % PRIME).to_bytes(33, "big")}) == other


def _product(factors):
    product = 1
    for factor in factors:
        product = product * factor % PRIME
    return product


def test_shares_are_values_of_the_polynomial_with_the_drawn_coefficients():
    coefficients = [PRIME - 1, 12345, 1 << 255]
    asked = []

    def draw(limit):
        asked.append(limit)
        return coefficients[len(asked) - 1]

    shares = split(b"\xff" * 32, needed=4, shares=6, draw=draw)
    assert asked == [PRIME] * 3
    for x, share in enumerate(shares, start=1):
        value = (2**256 - 1) + sum(coefficient * x**power for power, coefficient in enumerate(coefficients, start=1))
        assert share == (value % PRIME).to_bytes(33, "big")


@given(SECRETS)
def test_interpolation_foretells_other_shares(secret):
    shares = dict(enumerate(split(secret, needed=5, shares=9), start=1))
    first = {each: shares[each] for each in range(1, 6)}
    assert [interpolate(first, each).to_bytes(33, "big") for each in range(1, 10)] == list(shares.values())


def test_coefficients_differ_from_call_to_call():
    assert split(bytes(32), needed=2, shares=2) != split(bytes(32), needed=2, shares=2)


@pytest.mark.parametrize(("secret", "needed", "shares"), [(bytes(31), 1, 1), (bytes(33), 1, 1), (bytes(32), 0, 1), (bytes(32), 3, 2)])
def test_impossible_sharing(secret, needed, shares):
    with pytest.raises(ProtocolError):
        split(secret, needed=needed, shares=shares)


@pytest.mark.parametrize("share", [b"", bytes(32), bytes(34), PRIME.to_bytes(33, "big"), b"\xff" * 33])
def test_what_is_no_share(share):
    with pytest.raises(ProtocolError):
        checked_share(share)
    with pytest.raises(ProtocolError):
        combine({1: share})


@pytest.mark.parametrize("shares", [{}, {0: bytes(33)}, {-1: bytes(33), 1: bytes(33)}])
def test_no_shares_at_all(shares):
    with pytest.raises(ProtocolError):
        combine(shares)


def test_a_number_too_large_for_a_secret():
    with pytest.raises(ProtocolError):
        combine({1: (PRIME - 1).to_bytes(33, "big")})
    assert combine({1: ((1 << 256) - 1).to_bytes(33, "big")}) == b"\xff" * 32
