"""The one-time code by which a laptop finds its coordinator and joins (docs/formats.md, "Invitation code").

`HT1` and groups of five Crockford base32 symbols, to be read out, typed or scanned. It holds the address, a fingerprint of the
coordinator's key and the one-time token, packed as one number in mixed radix, so that no bit is spent on lengths. The certificate
authority needs no fingerprint of its own: the descriptor names it, and is signed with the key.

A code is a secret until it is used: it never goes to a log.
"""

import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import Final, Self

from hometone_shared.errors import ProtocolError
from hometone_shared.records.coordinator import checked_address
from hometone_shared.spoken_code import SpokenCode

PREFIX: Final = "HT1"
TOKEN_BYTES: Final = 10
FINGERPRINT_BYTES: Final = 16
_NAME_SYMBOLS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-."
_CODE: Final = SpokenCode(PREFIX, "invitation code")
_IPV4, _IPV6, _NAME = range(3)


def fingerprint(coordinator_key: bytes) -> bytes:
    """What a code says of the coordinator's raw Ed25519 key: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(coordinator_key).digest()[:FINGERPRINT_BYTES]


def token_sha256(token: bytes) -> str:
    """How a token is kept and named: its SHA-256, hexadecimal."""
    return hashlib.sha256(token).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What a code says.

    Attributes:
        address: `host:port` of the coordinator, in small letters; an IPv6 host stands in brackets.
        coordinator_key_sha256: `fingerprint` of its key, 16 bytes.
        token: One-time secret, 10 bytes; `repr` does not show it.

    Raises:
        ProtocolError: The values cannot be put into a code.
    """

    address: str
    coordinator_key_sha256: bytes
    token: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what would not come out again."""
        checked_address(self.address)
        if len(self.coordinator_key_sha256) != FINGERPRINT_BYTES or len(self.token) != TOKEN_BYTES:
            raise ProtocolError("an invitation has a fingerprint or a token of the wrong length")

    def to_text(self) -> str:
        """The code, in small groups."""
        return _CODE.write(self._number())

    def _number(self) -> int:
        number = _number_of(self.address)
        for data in (self.coordinator_key_sha256, self.token):
            number = (number << 8 * len(data)) | int.from_bytes(data, "big")
        return number

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a code; small letters, spaces, hyphens, and I, L, O for 1, 1, 0 are forgiven.

        Raises:
            ProtocolError: It is not a code, or holds a mistake.
        """
        number = whole = _CODE.read(text)
        number, token = divmod(number, 1 << 8 * TOKEN_BYTES)
        number, key_sha256 = divmod(number, 1 << 8 * FINGERPRINT_BYTES)
        invitation = cls(
            address=_address_of(number),
            coordinator_key_sha256=key_sha256.to_bytes(FINGERPRINT_BYTES, "big"),
            token=token.to_bytes(TOKEN_BYTES, "big"),
        )
        if invitation._number() != whole:
            raise _unreadable()
        return invitation


def _unreadable() -> ProtocolError:
    return ProtocolError("the invitation code cannot be read", hint="ask the coordinator for a new one")


def _number_of(address: str) -> int:
    """An address in mixed radix, from the least significant end: port, kind, then the host above a leading 1."""
    host, _, port = address.rpartition(":")
    number = 1
    if host.startswith("["):
        number = (number << 128) | int(ipaddress.IPv6Address(host[1:-1]))
        kind = _IPV6
    elif (ipv4 := _ipv4(host)) is not None:
        number, kind = (number << 32) | ipv4, _IPV4
    else:
        for character in host:
            number = number * len(_NAME_SYMBOLS) + _NAME_SYMBOLS.index(character)
        kind = _NAME
    return (number * 3 + kind) << 16 | int(port)


def _address_of(number: int) -> str:
    number, port = divmod(number, 1 << 16)
    number, kind = divmod(number, 3)
    if kind == _NAME:
        host = ""
        while number > 1:
            number, value = divmod(number, len(_NAME_SYMBOLS))
            host = _NAME_SYMBOLS[value] + host
    else:
        number, value = divmod(number, 1 << (32 if kind == _IPV4 else 128))
        host = str(ipaddress.IPv4Address(value)) if kind == _IPV4 else f"[{ipaddress.IPv6Address(value)}]"
    if number != 1:
        raise _unreadable()
    return f"{host}:{port}"


def _ipv4(host: str) -> int | None:
    try:
        return int(ipaddress.IPv4Address(host))
    except ValueError:
        return None
