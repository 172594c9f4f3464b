"""Shamir's secret sharing (Shamir 1979) over the prime field p = 2^256 + 297 (docs/protocol.md, section 6).

A secret of 32 bytes is the constant term of a polynomial with uniform coefficients; a share is its value at 1, 2, 3 and so on, as 33 bytes,
big-endian.
What it may see: secrets and shares. What it must never do: take coefficients from anything but the operating system outside tests.
"""

import secrets
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from hometone_shared.errors import ProtocolError

PRIME: Final = (1 << 256) + 297
SECRET_BYTES: Final = 32
SHARE_BYTES: Final = 33


def split(secret: bytes, *, needed: int, shares: int, draw: Callable[[int], int] = secrets.randbelow) -> list[bytes]:
    """Cut a secret into shares.

    Args:
        secret: 32 bytes.
        needed: How many shares give it back; fewer say nothing about it.
        shares: How many to make; the one at index k belongs to abscissa k + 1.
        draw: Uniform number below its argument; only makers of test vectors give it. Asked for the coefficients of x, x^2, ... in turn.

    Raises:
        ProtocolError: The secret has another length, or the numbers make no sense.
    """
    if len(secret) != SECRET_BYTES or not 1 <= needed <= shares:
        raise ProtocolError("a secret cannot be shared like that")
    falling = [int.from_bytes(secret, "big"), *(draw(PRIME) for _ in range(needed - 1))][::-1]
    return [_horner(falling, abscissa).to_bytes(SHARE_BYTES, "big") for abscissa in range(1, shares + 1)]


def _horner(falling: list[int], abscissa: int) -> int:
    """Value of a polynomial; reduced once, since abscissas are small and Python's integers long."""
    value = 0
    for coefficient in falling:
        value = value * abscissa + coefficient
    return value % PRIME


def checked_share(share: bytes) -> bytes:
    """The share, if it is the 33-byte form of a field element.

    Raises:
        ProtocolError: It is not.
    """
    if len(share) != SHARE_BYTES or int.from_bytes(share, "big") >= PRIME:
        raise ProtocolError("a share is not a number of the field")
    return share


def combine(shares: Mapping[int, bytes]) -> bytes:
    """Give the secret back from exactly as many shares as are needed (wrong shares give a wrong secret).

    Args:
        shares: From abscissa to share.

    Raises:
        ProtocolError: These are no shares, or no secret of 32 bytes comes out of them.
    """
    value = interpolate(shares, 0)
    if value >> (8 * SECRET_BYTES):
        raise ProtocolError("shares do not fit together")
    return value.to_bytes(SECRET_BYTES, "big")


def interpolate(shares: Mapping[int, bytes], abscissa: int) -> int:
    """Value at an abscissa of the polynomial through the shares (Lagrange), modulo p.

    Raises:
        ProtocolError: These are no shares, or there are none.
    """
    if not shares or min(shares) < 1:
        raise ProtocolError("there are no shares")
    abscissas = tuple(sorted(shares))
    ordinates = [int.from_bytes(checked_share(shares[each]), "big") for each in abscissas]
    if abscissa in shares:
        return ordinates[abscissas.index(abscissa)]
    weights = _weights(abscissas, abscissa)
    return sum(weight * ordinate for weight, ordinate in zip(weights, ordinates, strict=True)) % PRIME


@lru_cache(maxsize=64)
def _weights(abscissas: tuple[int, ...], at: int) -> tuple[int, ...]:
    """Lagrange's weights for these abscissas, with one inversion for all of them (Montgomery's trick)."""
    whole = 1
    for each in abscissas:
        whole = whole * (at - each) % PRIME
    divisors = []
    for each in abscissas:
        divisor = at - each
        for other in abscissas:
            if other != each:
                divisor *= each - other
        divisors.append(divisor % PRIME)
    running = [1]
    for divisor in divisors:
        running.append(running[-1] * divisor % PRIME)
    inverse: int = pow(running[-1], -1, PRIME)
    weights = []
    for divisor, before in zip(reversed(divisors), reversed(running[:-1]), strict=True):
        weights.append(whole * before * inverse % PRIME)
        inverse = inverse * divisor % PRIME
    return tuple(reversed(weights))
