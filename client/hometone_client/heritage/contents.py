"""What is inside an archive: named parts behind one list of them (docs/heritage.md, "Contents").

    u32 length of the list, the list (canonical JSON), then every part's bytes in the list's order, nothing between and nothing behind

The list says what each part is, how long, and its SHA-256. There is no compression, no path that leads out of a folder, no date, and
nothing that could run. What it may see: bytes in memory. What it must never do: believe a length before it was added up.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

from hometone_client.voices.container import BYTES_LIMIT
from hometone_shared.errors import ProtocolError
from hometone_shared.records.canonical import Document, Fields, canonical, parse

VERSION: Final = 1
VOICE: Final = "voice.safetensors"
CONSENT: Final = "consent.json"
CONSENT_TEXT: Final = "consent.txt"
SAMPLE: Final = "sample-synthetic.flac"
SAMPLE_TEXT: Final = "sample.txt"
DIALECT: Final = "dialect/"
NEEDED: Final = (VOICE, CONSENT, CONSENT_TEXT, SAMPLE, SAMPLE_TEXT)

LONGEST_LIST: Final = 1 << 18
LONGEST_NOTE: Final = 64
MOST_LANGUAGES: Final = 16
MOST_DIALECT_FILES: Final = 512
LONGEST_DIALECT: Final = 64 << 20
"""All files of a pack together, bytes."""
LONGEST_RECORD: Final = 1 << 16
LONGEST_SAMPLE: Final = 32 << 20
_LENGTH_BYTES: Final = 4
LONGEST_CONTENTS: Final = _LENGTH_BYTES + LONGEST_LIST + BYTES_LIMIT + LONGEST_DIALECT + LONGEST_SAMPLE + 3 * LONGEST_RECORD
_DIALECT_FILE: Final = re.compile(r"dialect/(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}/){0,3}[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_LONGEST: Final = {
    VOICE: BYTES_LIMIT,
    CONSENT: LONGEST_RECORD,
    CONSENT_TEXT: LONGEST_RECORD,
    SAMPLE: LONGEST_SAMPLE,
    SAMPLE_TEXT: LONGEST_RECORD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The parts of an archive, and what is said about them.

    Attributes:
        parts: Name -> bytes: all of `NEEDED`, and the files of a dialect pack under `dialect/`.
        languages: BCP 47 tags of what the voice was recorded in.
        sample_language: What the sample is spoken in, as the synthesiser calls it.
        dialect: Name of the pack; empty where there is none.
        program: Which Hometone made it.

    Raises:
        ProtocolError: A part is missing, too long, or has a name that is none.
    """

    parts: Mapping[str, bytes] = field(repr=False)
    languages: tuple[str, ...]
    sample_language: str
    dialect: str = ""
    program: str = ""

    def __post_init__(self) -> None:
        """Check names and sizes by reading what would be written."""
        _read_list(self._list())
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))

    def to_bytes(self) -> bytes:
        """The parts in the order of their names; the same contents always give the same bytes."""
        listed = canonical(self._list())
        return len(listed).to_bytes(_LENGTH_BYTES, "big") + listed + b"".join(self.parts[name] for name in sorted(self.parts))

    def _list(self) -> Document:
        return {
            "dialect": self.dialect,
            "languages": list(self.languages),
            "parts": [
                {"bytes": len(self.parts[name]), "name": name, "sha256": hashlib.sha256(self.parts[name]).hexdigest()}
                for name in sorted(self.parts)
            ],
            "program": self.program,
            "sample_language": self.sample_language,
            "version": VERSION,
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` made; what the parts themselves hold is not looked at yet.

        Raises:
            ProtocolError: It is something else.
        """
        length = int.from_bytes(data[:_LENGTH_BYTES], "big")
        start = _LENGTH_BYTES + length
        if not 0 < length <= LONGEST_LIST or len(data) < start:
            raise _unreadable()
        told, sizes = _read_list(parse(data[_LENGTH_BYTES:start]))
        if sum(size for _, size, _ in sizes) != len(data) - start:
            raise _unreadable()
        parts = {}
        for name, size, sha256 in sizes:
            part = data[start : start + size]
            if hashlib.sha256(part).hexdigest() != sha256:
                raise _unreadable()
            parts[name], start = part, start + size
        return cls(parts=parts, **told)


def _unreadable() -> ProtocolError:
    return ProtocolError("what is inside this archive cannot be read", hint="it was not made by Hometone, or was changed; ask for it again")


def _read_list(document: Document) -> tuple[dict[str, Any], list[tuple[str, int, str]]]:
    fields = Fields(document)
    if fields.integer("version", low=1, high=1 << 20) > VERSION:
        raise ProtocolError("this archive was made by a newer Hometone", hint="update Hometone on this computer")
    told: dict[str, Any] = {
        "dialect": fields.text("dialect", longest=LONGEST_NOTE),
        "languages": tuple(_tag(tag) for tag in fields.items("languages", most=MOST_LANGUAGES)),
        "program": fields.text("program", longest=LONGEST_NOTE),
        "sample_language": _tag(fields.text("sample_language", longest=LONGEST_NOTE)),
    }
    items = [_read_part(item) for item in fields.items("parts", most=len(NEEDED) + MOST_DIALECT_FILES)]
    fields.done()
    names = [name for name, _, _ in items]
    if names != sorted(set(names)) or not set(NEEDED) <= set(names):
        raise _unreadable()
    if sum(size for name, size, _ in items if name.startswith(DIALECT)) > LONGEST_DIALECT:
        raise ProtocolError("the dialect pack is too large for an archive", hint="a pack is word lists and tables, not sound")
    return told, items


def _read_part(item: object) -> tuple[str, int, str]:
    fields = Fields(item)
    name = fields.text("name", longest=300)
    if name not in NEEDED and not _DIALECT_FILE.fullmatch(name):
        raise ProtocolError("an archive holds a part of an unknown name", hint="it was not made by Hometone")
    size = fields.integer("bytes", low=0, high=_LONGEST.get(name, LONGEST_DIALECT))
    sha256 = fields.hexadecimal("sha256")
    fields.done()
    return name, size, sha256


def _tag(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9-]{1,35}", value):
        raise _unreadable()
    return value
