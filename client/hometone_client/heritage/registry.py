"""Which archives were made of a voice: a line each in her vault, so that withdrawing can remove those that are here and name the others.

An archive is also an export (`speakers.exports`): whoever is forgotten loses the file with all others. Here stands what is more: who keeps
it, and until when it opens. What it may see: one speaker's unlocked things. What it must never do: call a copy back that lies elsewhere, or
say that it did.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from hometone_client.heritage.deed import ARCHIVE_CHARACTERS
from hometone_client.speakers.exports import remove_unfinished, unfinished_piece
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import DamagedVaultError, ProtocolError
from hometone_shared.records.canonical import Fields
from hometone_shared.records.lease import LONGEST_LABEL
from hometone_shared.records.tombstone import LATEST

HERITAGE_KIND: Final = "heritage"
_LONGEST_PATH: Final = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """One line of the registry, which only her vault holds.

    Attributes:
        archive: Random name of the archive, 32 hexadecimal digits.
        keeper: What the keeper's machine calls itself; empty where a passphrase opens it.
        path: Where it was written, absolute.
        sha256: Hash of its bytes, hexadecimal.
        made: Seconds since 1970.
        ends: End of the consent, seconds since 1970.
    """

    archive: str
    keeper: str
    path: str
    sha256: str
    made: int
    ends: int

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: getattr(self, name) for name in ("archive", "keeper", "path", "sha256", "made", "ends")}

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """Read plain JSON.

        Raises:
            DamagedVaultError: It is something else.
        """
        try:
            fields = Fields(record)
            entry = cls(
                archive=fields.hexadecimal("archive", characters=ARCHIVE_CHARACTERS),
                keeper=fields.text("keeper", longest=LONGEST_LABEL),
                path=fields.text("path", longest=_LONGEST_PATH),
                sha256=fields.hexadecimal("sha256"),
                made=fields.integer("made", low=0, high=LATEST),
                ends=fields.integer("ends", low=1, high=LATEST),
            )
            fields.done()
        except ProtocolError as error:
            raise DamagedVaultError("the registry of archives is damaged", hint="restore the vault from a backup") from error
        return entry


def archives(room: SpeakerRoom) -> tuple[ArchiveEntry, ...]:
    """Every archive that was made of her voice, oldest first.

    Raises:
        DamagedVaultError: An entry is not what was written.
    """
    found = [
        ArchiveEntry.from_record(room.vault.read_json(artefact.name, kind=HERITAGE_KIND)) for artefact in room.vault.list(HERITAGE_KIND)
    ]
    return tuple(sorted(found, key=lambda entry: (entry.made, entry.archive)))


def keep_entry(room: SpeakerRoom, entry: ArchiveEntry) -> None:
    """Write a line; before the file itself, so that no archive is there that nobody finds again."""
    room.vault.put_json(entry.archive, entry.to_record(), kind=HERITAGE_KIND)


@dataclass(frozen=True, slots=True)
class StoppedArchiving:
    """What the end of the consent to archives removed.

    Attributes:
        removed: Files that were still where they were written.
        elsewhere: Archives that were handed on, moved or changed; each keeper's program refuses them once it has heard of the tombstone.
        records: Lines of the registry, and of the list of exports, that went.
    """

    removed: int
    elsewhere: int
    records: int


def stop_archiving(room: SpeakerRoom) -> StoppedArchiving:
    """Remove the archives that are still here; the consent itself is the caller's to withdraw.

    A file that is removed here may have been copied before: archives are made to be handed on, so each of them counts as one elsewhere.

    Args:
        room: Her things, unlocked.

    Raises:
        StorageError: The disk refuses; what is left goes with the next call.
    """
    removed = elsewhere = records = 0
    for artefact in room.vault.list(HERITAGE_KIND):
        entry = None
        with suppress(DamagedVaultError):
            entry = ArchiveEntry.from_record(room.vault.read_json(artefact.name, kind=HERITAGE_KIND))
        if entry is not None:
            removed += _remove_file(entry)
            records += _forget_export(room, entry)
        elsewhere += 1
        room.vault.delete(HERITAGE_KIND, artefact.name)
        records += 1
    return StoppedArchiving(removed, elsewhere, records)


def _remove_file(entry: ArchiveEntry) -> bool:
    path = Path(entry.path)
    unfinished = remove_unfinished(unfinished_piece(path, entry.sha256))
    try:
        with path.open("rb") as source:
            same = hashlib.file_digest(source, "sha256").hexdigest() == entry.sha256
        if same:
            path.unlink()
    except OSError:
        return unfinished
    return same or unfinished


def _forget_export(room: SpeakerRoom, entry: ArchiveEntry) -> int:
    gone = 0
    for name in room.export_names():
        with suppress(DamagedVaultError):
            if room.export(name).sha256 == entry.sha256:
                room.vault.delete("export", name)
                gone += 1
    return gone
