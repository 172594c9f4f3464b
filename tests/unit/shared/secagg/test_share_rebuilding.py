"""Secrets come back in spite of some wrong shares; with too many nothing does."""

import hashlib
import os

import pytest

from hometone_shared.errors import FederationError
from hometone_shared.secagg.rebuilding import ATTEMPTS, Rebuilder
from hometone_shared.secagg.shamir import PRIME, split

SECRET = bytes(range(32))


def dealt(needed, shares):
    return {f"{number:032x}": (number, share) for number, share in enumerate(split(SECRET, needed=needed, shares=shares), start=1)}


def spoilt(shares, *numbers):
    spoil = {f"{number:032x}" for number in numbers}
    return {holder: (abscissa, (b"\x00" + os.urandom(32)) if holder in spoil else share) for holder, (abscissa, share) in shares.items()}


def accept(value):
    return value if hashlib.sha256(value).digest() == hashlib.sha256(SECRET).digest() else None


def test_good_shares_take_no_attempts():
    rebuilder = Rebuilder(needed=5)
    assert rebuilder.rebuild(dealt(5, 9), accept=accept) == SECRET
    assert rebuilder.attempts_left == ATTEMPTS
    assert not rebuilder.suspects


@pytest.mark.parametrize("wrong", [(1,), (5,), (3, 9), (1, 2), (1, 4, 8), (9,)])
def test_wrong_shares_are_left_out_and_their_givers_remembered(wrong):
    rebuilder = Rebuilder(needed=5)
    assert rebuilder.rebuild(spoilt(dealt(5, 9), *wrong), accept=accept) == SECRET
    if wrong != (9,):
        assert rebuilder.suspects == {f"{number:032x}" for number in wrong}
    left = rebuilder.attempts_left
    assert rebuilder.rebuild(spoilt(dealt(5, 9), *wrong), accept=accept) == SECRET
    assert rebuilder.attempts_left == left


def test_a_share_that_makes_no_secret_of_32_bytes():
    shares = dealt(1, 2)
    first, second = shares
    rebuilder = Rebuilder(needed=1)
    assert rebuilder.rebuild({first: (1, (PRIME - 1).to_bytes(33, "big")), second: shares[second]}, accept=accept) == SECRET


def test_no_share_to_spare():
    with pytest.raises(FederationError, match="do not fit together"):
        Rebuilder(needed=5).rebuild(spoilt(dealt(5, 5), 2), accept=accept)


def test_too_few_shares():
    shares = dealt(5, 5)
    shares.popitem()
    with pytest.raises(FederationError, match="too few"):
        Rebuilder(needed=5).rebuild(shares, accept=accept)


def test_attempts_are_bounded_for_the_whole_round():
    rebuilder = Rebuilder(needed=5, attempts_left=30)
    with pytest.raises(FederationError):
        rebuilder.rebuild(spoilt(dealt(5, 9), 1, 2, 3, 4, 5), accept=accept)
    assert rebuilder.attempts_left == 0
    assert rebuilder.rebuild(dealt(5, 9), accept=accept) == SECRET
    with pytest.raises(FederationError):
        rebuilder.rebuild(spoilt(dealt(5, 9), 1), accept=accept)
