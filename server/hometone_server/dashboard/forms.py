"""Forms as they arrive: short, in memory, without files. What it must never do: give the access key or a form's token back to a page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from hometone_server.gateway.limits import bounded_body
from hometone_shared.errors import ProtocolError, UsageError

TOKEN: Final = "_token"  # noqa: S105 - a field's name
_SECRETS: Final = frozenset({TOKEN, "key"})
_KEPT: Final = "kept."
_MOST_FIELDS: Final = 100
_MOST_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Form:
    """What was posted.

    Attributes:
        fields: Name -> value; of several values the first.
    """

    fields: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """A field without spaces around it, or the default."""
        return self.fields.get(name, default).strip()

    def flag(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.text(name) == "yes"

    def number(self, name: str, default: float) -> float:
        """A number, or the default where there is none.

        Raises:
            UsageError: It is not a number.
        """
        text = self.text(name)
        try:
            found = float(text) if text else default
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise UsageError("this is not a number", hint="write it in digits, such as 2 or 0.5")
        return found

    def maybe_whole(self, name: str) -> int | None:
        """A whole number, or None where there is none.

        Raises:
            UsageError: It is something else.
        """
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS:
            raise UsageError("this is not a whole number", hint="write it in digits, such as 20")
        return int(text)

    def whole(self, name: str, default: int) -> int:
        """A whole number, or the default where there is none.

        Raises:
            UsageError: It is something else.
        """
        found = self.maybe_whole(name)
        return default if found is None else found

    @property
    def typed(self) -> dict[str, str]:
        """Fields to be given back to the page; no secrets. What the language switch kept comes back under its own name."""
        kept = {name.removeprefix(_KEPT): value for name, value in self.fields.items() if name.startswith(_KEPT)}
        return {name: value for name, value in {**self.fields, **kept}.items() if name not in _SECRETS and not name.startswith(_KEPT)}


EMPTY: Final = Form({})


async def read_form(request: Request) -> Form:
    """The form of a request.

    Raises:
        UsageError: It is none, or it is too long, or comes too slowly.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UsageError("this is not a form of this page", hint="go back and try again")
    try:
        text = (await bounded_body(request)).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except (ProtocolError, ValueError) as error:
        raise UsageError("the form arrived damaged", hint="go back and try again") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return Form(fields)
