"""The access key: what somebody who was not given a one-time link types to come in (docs/coordinator.md, "dashboard").

256 random bits, shown once, as a code that forgives small letters and mistaken ones. What is kept is its SHA-256 alone: a slow hash is for
secrets that somebody could guess, and nobody guesses 256 random bits.

What it may see: the key, while it is made or tried. What it must never do: write it down, or tell by its time how much of it was right.
"""

import hashlib
import hmac
import secrets
from typing import Final

from hometone_server.home import CoordinatorHome, write_private
from hometone_shared.errors import ProtocolError, StorageError
from hometone_shared.spoken_code import SpokenCode

_CODE: Final = SpokenCode("HK1", "access key")
_BITS: Final = 256
_LEADING_ONE: Final = 1 << _BITS


def make_access_key(home: CoordinatorHome) -> str:
    """Make a key; the one before is good no more.

    Raises:
        StorageError: The disk refuses.
    """
    number = secrets.randbits(_BITS)
    write_private(home.dashboard_key, _digest(number).encode("ascii"))
    return _CODE.write(_LEADING_ONE | number)


def has_access_key(home: CoordinatorHome) -> bool:
    """Whether one was made."""
    return home.dashboard_key.exists()


def is_access_key(home: CoordinatorHome, typed: str) -> bool:
    """Whether this is the key.

    Raises:
        StorageError: The file cannot be read.
    """
    try:
        kept = home.dashboard_key.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError("the access key cannot be checked", hint="check the permissions of the coordinator's folder") from error
    try:
        number = _CODE.read(typed)
    except ProtocolError:
        return False
    return number.bit_length() == _BITS + 1 and hmac.compare_digest(_digest(number ^ _LEADING_ONE).encode("ascii"), kept)


def _digest(number: int) -> str:
    return hashlib.sha256(number.to_bytes(_BITS // 8, "big")).hexdigest()
