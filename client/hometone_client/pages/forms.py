"""Forms as they arrive: fields and files, in memory, and never on the disk in the clear.

Starlette's parser writes larger files to a temporary folder; recordings must not lie there, so ours keeps everything in memory and
bounds it.

What it may see: what somebody typed or chose. What it must never do: give a secret back to a page.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from hometone_shared.errors import UsageError

TOKEN: Final = "_token"  # noqa: S105 - a field's name
SECRETS: Final = frozenset({TOKEN, "pin", "pin_again", "new_pin", "code"})
"""Fields that no page gives back."""
MOST_BYTES: Final = 256 << 20
"""Of one request with recordings: an hour of uncompressed speech."""
_LONGEST_FIELD: Final = 1 << 20
_MOST_FIELDS: Final = 200
_MOST_FILES: Final = 100
_LONGEST_PLAIN: Final = 2 << 20
"""Bytes of a form without files; a letter may take nine."""


class _InMemory(MultiPartParser):
    """Keeps every file in memory; what a request may hold together is bounded by the guard."""

    spool_max_size = MOST_BYTES + 1


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody chose.

    Attributes:
        name: As her computer calls it.
        content: Its bytes.
    """

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """What was posted.

    Attributes:
        fields: Name -> values, in their order.
        uploads: Name -> files that are not empty.
    """

    fields: Mapping[str, tuple[str, ...]]
    uploads: Mapping[str, tuple[Upload, ...]]

    def text(self, name: str, default: str = "") -> str:
        """A field, or the default."""
        values = self.fields.get(name)
        return values[0] if values else default

    def several(self, name: str) -> tuple[str, ...]:
        """All values of a field: boxes with one name."""
        return self.fields.get(name, ())

    def flag(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.text(name) == "yes"

    def number(self, name: str, default: float) -> float:
        """A number, or the default where there is none.

        Raises:
            UsageError: It is not a number.
        """
        text = self.text(name).strip()
        try:
            found = float(text) if text else default
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise UsageError("this is not a number", hint="write it in digits, such as 2 or 0.5")
        return found

    def files(self, name: str) -> tuple[Upload, ...]:
        """The files of a field."""
        return self.uploads.get(name, ())

    @property
    def typed(self) -> dict[str, str]:
        """Fields to be given back to the page, several values with commas between; no secrets.

        What the language switch kept comes back under its own name.
        """
        plain = {name: ",".join(values) for name, values in self.fields.items()}
        kept = {name.removeprefix("kept."): value for name, value in plain.items() if name.startswith("kept.")}
        return {name: value for name, value in {**plain, **kept}.items() if name not in SECRETS and not name.startswith("kept.")}


async def _short(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    taken = 0
    async for piece in stream:
        taken += len(piece)
        if taken > _LONGEST_PLAIN:
            raise ValueError("too long for a form without files")
        yield piece


async def read_form(request: Request) -> Form:
    """The form of a request.

    Raises:
        UsageError: It is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            parser: _InMemory | FormParser = _InMemory(
                request.headers, request.stream(), max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD
            )
        elif kind == "application/x-www-form-urlencoded":
            parser = FormParser(request.headers, _short(request.stream()))
        else:
            raise UsageError("this is not a form of this page", hint="go back and try again")
        data: FormData = await parser.parse()
    except (MultiPartException, ValueError, KeyError) as error:
        raise UsageError("the form arrived damaged", hint="go back and try again") from error
    fields: dict[str, tuple[str, ...]] = {}
    uploads: dict[str, tuple[Upload, ...]] = {}
    try:
        for name, value in data.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
                if content:
                    uploads[name] = (*uploads.get(name, ()), Upload(value.filename or "", content))
            elif len(fields) < _MOST_FIELDS:
                fields[name] = (*fields.get(name, ()), value)
    finally:
        await data.close()
    return Form(fields, uploads)
