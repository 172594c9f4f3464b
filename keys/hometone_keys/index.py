"""What is in a speaker's folder: the sealed list from (kind, name) to a file of a random name.

The index is replaced as a whole, and replacing it is the moment at which an artefact exists or is gone. A file the index does not
name is left over from a crash and is removed.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Self

from hometone_keys.damage import damaged
from hometone_keys.sealing import HEADER_BYTES, FileKind, canonical_json, context, expect_kind, header, parse_json, seal, unseal
from hometone_shared.errors import UsageError

MAXIMUM_METADATA_BYTES = 16_384
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PART = "a speaker's index"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One thing that is kept for a speaker.

    Args:
        kind: What it is: a word of lower-case letters, digits and hyphens (`take`, `voice`, `record`).
        name: Its name, unique within the kind; sealed, so it may be anything a person types.
        artefact_id: 16 random bytes in hexadecimal; the name of its file.
        size_bytes: Length of the plaintext.
        created_ms: Milliseconds since 1970.
        metadata: Small facts that should be readable without opening the artefact; sealed, at most 16 KiB as JSON.
    """

    kind: str
    name: str
    artefact_id: str
    size_bytes: int
    created_ms: int
    metadata: dict[str, Any] = field(default_factory=dict, repr=False)


def check_label(kind: str, name: str) -> None:
    """Refuse kinds and names the format does not hold.

    Raises:
        UsageError: With the rule in words.
    """
    if not _KIND.fullmatch(kind):
        raise UsageError("the kind of a thing to keep is a short lower-case word")
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise UsageError("a name to keep something under has 1 to 200 printable characters")


def checked_metadata(metadata: dict[str, Any] | None) -> dict[str, Any]:
    """A copy of the metadata as JSON will give it back.

    Raises:
        UsageError: It is not JSON, or too large.
    """
    try:
        encoded = canonical_json(metadata or {})
    except (TypeError, ValueError) as error:
        raise UsageError("the details to keep with a thing must be plain JSON") from error
    if len(encoded) > MAXIMUM_METADATA_BYTES:
        raise UsageError(f"the details to keep with a thing are larger than {MAXIMUM_METADATA_BYTES} bytes")
    copy: dict[str, Any] = parse_json(encoded)
    return copy


@dataclass(frozen=True, slots=True)
class Index:
    """All artefacts of a speaker, by (kind, name)."""

    artefacts: dict[tuple[str, str], Artefact] = field(default_factory=dict)

    def with_artefact(self, artefact: Artefact) -> "Index":
        """The index with this one, in the place of any other of its kind and name."""
        return Index({**self.artefacts, (artefact.kind, artefact.name): artefact})

    def without(self, kind: str, name: str) -> "Index":
        """The index without that one."""
        return Index({key: artefact for key, artefact in self.artefacts.items() if key != (kind, name)})

    def file_names(self) -> set[str]:
        """Names of the files that belong to something."""
        return {artefact.artefact_id for artefact in self.artefacts.values()}

    def seal(self, data_key: bytes | bytearray, *, speaker_id: str, salt: bytes | None = None) -> bytes:
        """The bytes of the file. `salt` is for test vectors only."""
        content = [
            {
                "created_ms": artefact.created_ms,
                "id": artefact.artefact_id,
                "kind": artefact.kind,
                "metadata": artefact.metadata,
                "name": artefact.name,
                "size": artefact.size_bytes,
            }
            for artefact in self.artefacts.values()
        ]
        info = context("hometone/index/v1", speaker_id.encode())
        return seal(data_key, canonical_json(content), prefix=header(FileKind.INDEX), info=info, salt=salt)

    @classmethod
    def unseal(cls, data: bytes, data_key: bytes | bytearray, *, speaker_id: str) -> Self:
        """Read the file.

        Raises:
            DamagedVaultError: It is not what was written for this speaker.
        """
        expect_kind(data, FileKind.INDEX, what=_PART)
        info = context("hometone/index/v1", speaker_id.encode())
        plaintext = unseal(data_key, data, prefix_bytes=HEADER_BYTES, info=info, what=_PART)
        try:
            artefacts = [
                Artefact(
                    kind=str(record["kind"]),
                    name=str(record["name"]),
                    artefact_id=str(record["id"]),
                    size_bytes=int(record["size"]),
                    created_ms=int(record["created_ms"]),
                    metadata=dict(record["metadata"]),
                )
                for record in parse_json(plaintext)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(_PART) from error
        return cls({(artefact.kind, artefact.name): artefact for artefact in artefacts})
