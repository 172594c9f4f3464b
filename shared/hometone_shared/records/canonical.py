"""Documents as canonical JSON (RFC 8785), and back from bytes that nobody trusts yet."""

import base64
import json
from typing import Any, Final

import rfc8785

from hometone_shared.errors import ProtocolError

Document = dict[str, Any]

LONGEST_DOCUMENT: Final = 64 * 1024 * 1024
_SAFE_DIGITS: Final = 15


def canonical(document: Document | list[Document]) -> bytes:
    """The one byte string of a document, or of a list of them.

    Raises:
        ProtocolError: It holds something that canonical JSON cannot say (an integer above 2^53, a NaN, bytes, half a surrogate pair),
            or is nested too deeply.
    """
    try:
        return rfc8785.dumps(document)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a document cannot be written down") from error


def _whole_number(digits: str) -> int | float:
    """A number without point or exponent; beyond 2^53 it can only be a double (RFC 8785, section 3.2.2.3)."""
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    value = float(digits)
    return int(digits) if abs(value) < 1 << 53 else value


def parse(data: bytes) -> Document:
    """Read a document; bytes that are not its canonical form are refused.

    Raises:
        ProtocolError: They are anything else.
    """
    if len(data) > LONGEST_DOCUMENT:
        raise ProtocolError("a document is too long")
    try:
        document = json.loads(data.decode("utf-8"), parse_int=_whole_number)
        if not isinstance(document, dict) or rfc8785.dumps(document) != data:
            raise ProtocolError("a document is not in its canonical form")
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a document cannot be read") from error
    return document


def b64(data: bytes) -> str:
    """Bytes inside a document: standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


class Fields:
    """The fields of a document, taken out one by one with their types checked; `done` refuses what is left over.

    Raises:
        ProtocolError: From every method: a field is missing, left over, or of another type or length.
    """

    def __init__(self, document: object) -> None:
        """Begin with all fields."""
        if not isinstance(document, dict):
            raise ProtocolError("a document is not an object")
        self._left: Document = dict(document)

    def has(self, name: str) -> bool:
        """Whether a field is there that need not be."""
        return name in self._left

    def take(self, name: str) -> Any:
        """A field of any type."""
        if name not in self._left:
            raise ProtocolError(f"a document lacks {name}")
        return self._left.pop(name)

    def text(self, name: str, *, longest: int = 1000) -> str:
        """Text that UTF-8 can write."""
        value = self.take(name)
        if not isinstance(value, str) or len(value) > longest or any("\ud800" <= character <= "\udfff" for character in value):
            raise ProtocolError(f"{name} is not a text of at most {longest} characters")
        return value

    def hexadecimal(self, name: str, *, characters: int = 64) -> str:
        """Lower-case hexadecimal text of a fixed length."""
        return checked_hexadecimal(self.take(name), name=name, characters=characters)

    def integer(self, name: str, *, low: int, high: int) -> int:
        """A whole number, both ends included."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ProtocolError(f"{name} is not a whole number from {low} to {high}")
        return value

    def number(self, name: str, *, above: float, high: float) -> float:
        """A finite number, more than `above`, at most `high`."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= high:
            raise ProtocolError(f"{name} is not a number above {above:g} and at most {high:g}")
        return float(value)

    def blob(self, name: str, *, size: int) -> bytes:
        """Base64 of exactly `size` bytes."""
        return checked_b64(self.take(name), name=name, size=size)

    def sized_blob(self, name: str, *, longest: int) -> bytes:
        """Base64 of at most `longest` bytes."""
        return checked_b64(self.take(name), name=name, longest=longest)

    def items(self, name: str, *, most: int) -> list[Any]:
        """A list."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > most:
            raise ProtocolError(f"{name} is not a list of at most {most}")
        return value

    def mapping(self, name: str, *, most: int) -> Document:
        """An object with names of its own."""
        value = self.take(name)
        if not isinstance(value, dict) or len(value) > most:
            raise ProtocolError(f"{name} is not an object of at most {most} fields")
        return value

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        if self._left:
            raise ProtocolError(f"a document has {len(self._left)} fields that do not belong there")


def checked_hexadecimal(value: object, *, name: str, characters: int = 64) -> str:
    """The value if it is lower-case hexadecimal of this length.

    Raises:
        ProtocolError: It is not.
    """
    if not isinstance(value, str) or len(value) != characters or not set(value) <= set("0123456789abcdef"):
        raise ProtocolError(f"{name} is not {characters} hexadecimal digits")
    return value


def checked_b64(value: object, *, name: str, size: int | None = None, longest: int = LONGEST_DOCUMENT) -> bytes:
    """The bytes if the value is canonical base64 of exactly `size` of them, or of at most `longest`.

    Raises:
        ProtocolError: It is not.
    """
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except ValueError as error:
        raise ProtocolError(f"{name} is not base64") from error
    if data is None or b64(data) != value or len(data) > longest or (size is not None and len(data) != size):
        raise ProtocolError(f"{name} is not base64 of the right length")
    return data
