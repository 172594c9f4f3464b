"""The tables beside the log that answer in one look-up what the book of tombstones says (docs/log.md, "The coordinator's database").

`registrations`, `tombstones`, `receipts` and `unscrubbed` say where in the public log something is, and nothing that is not in it.
`speakers` alone is not public: by which laptop a pseudonym was registered. Its row goes in the transaction that takes the tombstone.

What it may see: pseudonyms, device ids. What it must never do: copy a row of `speakers` to anywhere else.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from hometone_server.records.store import Writing
from hometone_shared.records.signing import Envelope


class Source(Protocol):
    """What rows are read through: the log, or a change under way."""

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """When a pseudonym became known.

    Attributes:
        position: Of its leaf.
        registered_s: Seconds since 1970.
    """

    position: int
    registered_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledTombstone:
    """A tombstone in the log.

    Attributes:
        digest: Of the tombstone's own envelope.
        pseudonym: Whose it is.
        sequence: From 1.
        position: Of its leaf.
    """

    digest: str
    pseudonym: str
    sequence: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A receipt in the log.

    Attributes:
        device: Who gave it; the coordinator has an id, too.
        role: As it is in the receipt.
        position: Of its leaf; of the coordinator, the newest.
    """

    device: str
    role: str
    position: int


class WithdrawalTables:
    """The tables, as the source sees them."""

    def __init__(self, source: Source) -> None:
        """Read through `source`."""
        self._source = source

    def registration(self, pseudonym: str) -> Registration | None:
        """How the pseudonym became known."""
        rows = self._source.query("SELECT position, registered_s FROM registrations WHERE pseudonym = ?", (pseudonym,))
        return Registration(position=rows[0][0], registered_s=rows[0][1]) if rows else None

    def device_of(self, pseudonym: str) -> str | None:
        """The laptop that registered it, as long as nobody of that pseudonym has gone."""
        rows = self._source.query("SELECT device FROM speakers WHERE pseudonym = ?", (pseudonym,))
        return rows[0][0] if rows else None

    def tombstone(self, digest: str) -> FiledTombstone | None:
        """The tombstone of a digest."""
        rows = self._source.query("SELECT digest, pseudonym, sequence, position FROM tombstones WHERE digest = ?", (digest,))
        return _tombstone(rows[0]) if rows else None

    def newest(self, pseudonym: str) -> FiledTombstone | None:
        """The newest tombstone of a pseudonym."""
        rows = self._source.query(
            "SELECT digest, pseudonym, sequence, position FROM tombstones WHERE pseudonym = ? ORDER BY sequence DESC LIMIT 1", (pseudonym,)
        )
        return _tombstone(rows[0]) if rows else None

    def count(self, pseudonym: str) -> int:
        """How many tombstones of a pseudonym there are."""
        ((number,),) = self._source.query("SELECT COUNT(*) FROM tombstones WHERE pseudonym = ?", (pseudonym,))
        return int(number)

    def tombstones(self) -> list[FiledTombstone]:
        """All of them, in the log's order."""
        rows = self._source.query("SELECT digest, pseudonym, sequence, position FROM tombstones ORDER BY position")
        return [_tombstone(row) for row in rows]

    def answers(self, tombstone: str) -> list[Answered]:
        """Who has answered a tombstone, in the log's order."""
        rows = self._source.query("SELECT device, role, position FROM receipts WHERE tombstone = ? ORDER BY position", (tombstone,))
        return [Answered(device=device, role=role, position=position) for device, role, position in rows]

    def unscrubbed(self) -> list[str]:
        """Digests of the tombstones after which the files have not been emptied yet."""
        return [digest for (digest,) in self._source.query("SELECT tombstone FROM unscrubbed ORDER BY tombstone")]

    def leaf(self, position: int) -> Envelope:
        """An entry of the log."""
        ((data,),) = self._source.query("SELECT envelope FROM entries WHERE position = ?", (position,))
        return Envelope.from_bytes(data)


def add_speaker(change: Writing, registration: Registration, *, pseudonym: str, device: str) -> None:
    """Note a registration."""
    change.execute(
        "INSERT INTO registrations (pseudonym, position, registered_s) VALUES (?, ?, ?)",
        (pseudonym, registration.position, registration.registered_s),
    )
    change.execute("INSERT INTO speakers (pseudonym, device) VALUES (?, ?)", (pseudonym, device))


def remove_speaker(change: Writing, pseudonym: str) -> int:
    """Forget by which laptop a pseudonym was registered.

    Returns:
        How many rows there were.
    """
    return change.execute("DELETE FROM speakers WHERE pseudonym = ?", (pseudonym,)).rowcount


def add_tombstone(change: Writing, filed: FiledTombstone) -> None:
    """Note a tombstone."""
    change.execute(
        "INSERT INTO tombstones (digest, pseudonym, sequence, position) VALUES (?, ?, ?, ?)",
        (filed.digest, filed.pseudonym, filed.sequence, filed.position),
    )


def add_answer(change: Writing, tombstone: str, answered: Answered) -> None:
    """Note a receipt; a newer one of the coordinator takes the place of the older."""
    change.execute(
        "INSERT OR REPLACE INTO receipts (tombstone, device, role, position) VALUES (?, ?, ?, ?)",
        (tombstone, answered.device, answered.role, answered.position),
    )


def set_unscrubbed(change: Writing, tombstone: str) -> None:
    """Note that the files have to be emptied."""
    change.execute("INSERT OR IGNORE INTO unscrubbed (tombstone) VALUES (?)", (tombstone,))


def clear_unscrubbed(change: Writing, tombstone: str) -> None:
    """Note that they have been."""
    change.execute("DELETE FROM unscrubbed WHERE tombstone = ?", (tombstone,))


def _tombstone(row: tuple[Any, ...]) -> FiledTombstone:
    digest, pseudonym, sequence, position = row
    return FiledTombstone(digest=digest, pseudonym=pseudonym, sequence=sequence, position=position)
