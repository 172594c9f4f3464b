"""Numbers as codes that people read out, type and scan: Crockford's base32 in groups of five, with two check symbols (docs/formats.md).

The check is a sum weighted by position modulo the prime 1021: it catches every single wrong symbol and every two symbols that changed
places. What a code says may be a secret: messages of errors never repeat more of it than a character that no code can hold.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from hometone_shared.errors import ProtocolError

SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O, U."""
_READ_AS: Final = str.maketrans("ILO", "110")
_GAPS: Final = re.compile(r"[\s\u2010-\u2015\u2212_.,-]+")
_GROUP: Final = 5
_CHECK_MODULUS: Final = 1021
_LONGEST_TEXT: Final = 800


@dataclass(frozen=True, slots=True)
class SpokenCode:
    """One kind of code.

    Attributes:
        prefix: What every code of this kind begins with, such as `HT1`; capital letters and digits, none of them read as another.
        name: What people call it, such as "invitation code".
    """

    prefix: str
    name: str

    def write(self, number: int) -> str:
        """The code of a whole number above 0, in groups."""
        symbols = ""
        while number:
            number, value = divmod(number, 32)
            symbols = SYMBOLS[value] + symbols
        symbols += _check_symbols(symbols)
        return "-".join((self.prefix, *(symbols[at : at + _GROUP] for at in range(0, len(symbols), _GROUP))))

    def begins(self, text: str) -> bool:
        """Whether a text begins as a code of this kind does."""
        return _plain(text).startswith(self.prefix)

    def read(self, text: str) -> int:
        """The number of a code; small letters, spaces, hyphens, and I, L, O for 1, 1, 0 are forgiven.

        Raises:
            ProtocolError: It is not a code of this kind, or holds a mistake.
        """
        symbols = self._symbols(text)
        body, check = symbols[:-2], symbols[-2:]
        if not body or check != _check_symbols(body):
            raise ProtocolError(f"the {self.name} has a mistake", hint="compare it with the original, group by group")
        if body.startswith("0"):
            raise ProtocolError(f"the {self.name} cannot be read", hint="compare it with the original, group by group")
        number = 0
        for symbol in body:
            number = number * 32 + SYMBOLS.index(symbol)
        return number

    def groups(self, text: str, *, symbols: int) -> tuple[str, ...]:
        """What was typed after the prefix, in groups: as it is printed if the length is right, otherwise as the person parted it.

        Args:
            text: Begins as a code of this kind does.
            symbols: How many symbols come after the prefix in a whole code.
        """
        whole = _plain(text).removeprefix(self.prefix)
        if len(whole) == symbols:
            return tuple(whole[at : at + _GROUP] for at in range(0, symbols, _GROUP))
        groups, of_prefix = [], len(self.prefix)
        for part in map(_plain, _GAPS.split(unicodedata.normalize("NFKC", text))):
            groups.append(part[of_prefix:])
            of_prefix = max(0, of_prefix - len(part))
        return tuple(group for group in groups if group)

    def suspects(self, text: str) -> tuple[int, ...]:
        """Groups, counted from 1, in which one wrong symbol, or two neighbours that changed places, would explain a check that fails.

        A sum weighted by position says by how much it is off; few places can be off by just that.

        Args:
            text: With the prefix, without strange symbols, and as long as a whole code.
        """
        symbols = _plain(text).removeprefix(self.prefix)
        values = [SYMBOLS.index(symbol) for symbol in symbols]
        body, (high, low) = values[:-2], values[-2:]
        off = (sum(place * value for place, value in enumerate(body, start=1)) - high * 32 - low) % _CHECK_MODULUS
        found = set()
        for at, value in enumerate(body):
            if any((at + 1) * (value - other) % _CHECK_MODULUS == off for other in range(32)):
                found.add(at // _GROUP)
            if at and (values[at] - values[at - 1]) % _CHECK_MODULUS == off:  # swapped back, the sum is less by just that
                found |= {at // _GROUP, (at - 1) // _GROUP}
        right = (high * 32 + low + off) % _CHECK_MODULUS
        if right >> 5 == high or right & 31 == low or (right >> 5, right & 31) == (low, high):
            found |= {len(body) // _GROUP, (len(body) + 1) // _GROUP}
        if (off + len(body) * (high - body[-1]) + (high - body[-1]) * 32) % _CHECK_MODULUS == 0:
            found |= {(len(body) - 1) // _GROUP, len(body) // _GROUP}
        return tuple(sorted(group + 1 for group in found))

    def _symbols(self, text: str) -> str:
        hint = f"a code begins with {self.prefix}"
        if len(text) > _LONGEST_TEXT:
            raise ProtocolError(f"this is too long for {self._one}", hint=hint)
        code = _plain(text)
        if not code.startswith(self.prefix):
            raise ProtocolError(f"this is not {self._one}", hint=hint)
        symbols = code.removeprefix(self.prefix)
        if strange := set(symbols) - set(SYMBOLS):
            shown = min(strange)
            raise ProtocolError(
                f"{self._one} does not hold the character {shown}" if shown.isprintable() else f"{self._one} holds letters and digits only",
                hint="compare it with the original, group by group",
            )
        return symbols

    @property
    def _one(self) -> str:
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


def _plain(text: str) -> str:
    return _GAPS.sub("", unicodedata.normalize("NFKC", text)).upper().translate(_READ_AS)


def _check_symbols(symbols: str) -> str:
    total = sum(place * SYMBOLS.index(symbol) for place, symbol in enumerate(symbols, start=1)) % _CHECK_MODULUS
    return SYMBOLS[total >> 5] + SYMBOLS[total & 31]
