"""The append-only log of the coordinator, in SQLite (docs/log.md).

1. A change is one transaction: the entry, the hashes of the complete subtrees that it finishes, and the newly signed head come together or
   not at all. A process that is killed at any moment leaves the log as it was before or after (`synchronous=FULL`, write-ahead log).
2. Only envelopes that the coordinator signed get in: what is in a public log can never be taken out.
3. The same envelope twice is one entry: who was killed after an append may simply append again.
4. Several processes may use it at once. Readers never wait; writers wait for each other.

What it may see: the coordinator's signing key. What it must never do: change or remove an entry, or sign a head over anything but what is
stored. The tables of the modules `invitations`, `devices`, `withdrawals` and `cosignatures` share the file, so that using an invitation up
and the entry of its device, or a tombstone and the removal of what it is about, are one transaction. `secure_delete` and `scrub` leave
nothing of what is removed from them.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.home import CoordinatorHome
from hometone_server.records.database import StoredSubtrees, connected, database_refusals, entries_of_kind, prepare, scrub, size_of
from hometone_shared.errors import DamagedVaultError, ProtocolError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash, root_at
from hometone_shared.records.signing import Envelope

MOST_ENTRIES: Final = 1000
MOST_BYTES: Final = 2 * 1024 * 1024
"""One answer of `entries` ends here, with at least one entry."""


class Writing:
    """A change under way: what happens through it happens together, or not at all."""

    def __init__(self, connection: sqlite3.Connection, key: Ed25519PrivateKey) -> None:
        """Begin; only `LogStore.writing` makes these."""
        self._connection = connection
        self._key = key
        self._raw_key = key.public_key().public_bytes_raw()
        self._frontier: Frontier | None = None

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        """The coordinator's key, for what is signed inside the change."""
        return self._key

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """A statement on one of the tables that are not the log."""
        return self._connection.execute(statement, values)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Rows as this change sees them."""
        return self._connection.execute(statement, values).fetchall()

    def of_kind(self, kind: str) -> list[Envelope]:
        """All entries of a type, in order, those of this change too."""
        return entries_of_kind(self._connection, kind)

    def append(self, envelope: Envelope) -> int:
        """Put an envelope into the log.

        Returns:
            Its index; the old one when the very same envelope is there already.

        Raises:
            ProtocolError: The coordinator did not sign it.
        """
        envelope.verified(envelope.kind, key=self._raw_key)  # (2)
        data = envelope.to_bytes()
        row = self._connection.execute("SELECT position FROM entries WHERE envelope = ?", (data,)).fetchone()
        if row is not None:  # (3)
            return int(row[0])
        if self._frontier is None:
            self._frontier = Frontier.of(size_of(self._connection), node=StoredSubtrees(self._connection))
        position = self._frontier.size
        self._connection.execute(
            "INSERT INTO entries (position, kind, digest, envelope) VALUES (?, ?, ?, ?)", (position, envelope.kind, envelope.digest, data)
        )
        self._connection.executemany(
            "INSERT INTO subtrees (level, position, hash) VALUES (?, ?, ?)", self._frontier.append(leaf_hash(data))
        )
        return position

    def finish(self) -> None:
        """Sign the head if the log grew."""
        if self._frontier is not None:
            head = Checkpoint(origin=log_origin(self._raw_key), size=self._frontier.size, root=self._frontier.root())
            self._connection.execute("INSERT OR REPLACE INTO head (one, note) VALUES (1, ?)", (head.signed(self._key),))


class LogStore:
    """The log. A context manager; may be used by several threads.

    Raises:
        StorageError: From every method, when the disk refuses.
        DamagedVaultError: From every method, when the file is damaged.
    """

    def __init__(self, path: Path, *, signing_key: Ed25519PrivateKey) -> None:
        """Open the log, or begin one.

        Args:
            path: The database's file; its folder is there.
            signing_key: The coordinator's.

        Raises:
            DamagedVaultError: The log belongs to another key.
        """
        self._path = path
        self._key = signing_key
        self._reading_lock = threading.Lock()
        with database_refusals():
            if not path.exists():
                path.touch(mode=0o600)
            self._reader = connected(self._path)
            try:
                prepare(self._reader, key=signing_key)
                self.checkpoint()
            except ProtocolError as error:
                self._reader.close()
                raise DamagedVaultError(
                    "the coordinator's log was signed with another key", hint="restore the whole folder from one backup"
                ) from error
            except BaseException:
                self._reader.close()
                raise

    @classmethod
    def open(cls, home: CoordinatorHome) -> Self:
        """The log of a coordinator's folder."""
        return cls(home.records_db, signing_key=home.signing_key())

    @property
    def key(self) -> bytes:
        """The coordinator's raw Ed25519 public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A change; it is on the disk when the block has ended, and never was when the block raises."""  # (1)
        with database_refusals():
            connection = connected(self._path)
        try:
            with database_refusals():
                connection.execute("BEGIN IMMEDIATE")
            change = Writing(connection, self._key)
            with database_refusals():
                yield change
                change.finish()
                connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.close()

    def append(self, envelope: Envelope) -> int:
        """Put one envelope into the log, durably.

        Returns:
            Its index.

        Raises:
            ProtocolError: The coordinator did not sign it.
        """
        return self.append_all((envelope,))[0]

    def append_all(self, envelopes: Iterable[Envelope]) -> list[int]:
        """Put several envelopes into the log in one change.

        Returns:
            Their indices.

        Raises:
            ProtocolError: The coordinator did not sign one of them; then none is there.
        """
        with self.writing() as change:
            return [change.append(envelope) for envelope in envelopes]

    def head(self) -> bytes:
        """The newest signed head, as laptops get it."""
        with self._reading() as connection:
            note: bytes = connection.execute("SELECT note FROM head").fetchone()[0]
        return note

    def signed(self, head: Checkpoint) -> bytes:
        """An older head of this log, signed again; Ed25519 gives the same signature every time.

        Raises:
            ProtocolError: It never was a head of this log.
        """
        if head.origin != log_origin(self.key) or self.root_at(head.size) != head.root:
            raise ProtocolError("this is no head of the log")
        return head.signed(self._key)

    def checkpoint(self) -> Checkpoint:
        """The newest head, verified."""
        return Checkpoint.from_note(self.head(), origin=log_origin(self.key), key=self.key)

    def entries(self, first: int, last: int) -> list[Envelope]:
        """Entries from `first` to `last`, both included (as RFC 6962 section 4.6 counts); fewer when they are many or long.

        Raises:
            ProtocolError: There are no such entries.
        """
        return [Envelope.from_bytes(data) for data in self.leaves(first, last)]

    def leaves(self, first: int, last: int) -> list[bytes]:
        """The same entries as canonical bytes.

        Raises:
            ProtocolError: There are no such entries.
        """
        found: list[bytes] = []
        taken = 0
        with self._reading() as connection:
            _require(0 <= first <= last < size_of(connection))
            last = min(last, first + MOST_ENTRIES - 1)
            rows = connection.execute("SELECT envelope FROM entries WHERE position BETWEEN ? AND ? ORDER BY position", (first, last))
            for (data,) in rows:
                taken += len(data)
                if found and taken > MOST_BYTES:
                    break
                found.append(data)
        return found

    def of_kind(self, kind: str) -> list[Envelope]:
        """All entries of a type, in order."""
        with self._reading() as connection:
            return entries_of_kind(connection, kind)

    def index_of(self, digest: str) -> int | None:
        """Index of the first entry with this digest, if there is one."""
        with self._reading() as connection:
            row = connection.execute("SELECT position FROM entries WHERE digest = ? ORDER BY position LIMIT 1", (digest,)).fetchone()
        return None if row is None else int(row[0])

    def root_at(self, size: int) -> bytes:
        """Root of the log when it had `size` entries.

        Raises:
            ProtocolError: It never had so many.
        """
        with self._reading() as connection:
            _require(0 <= size <= size_of(connection))
            return root_at(size, node=StoredSubtrees(connection))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that the entry `index` is in the log of `size` entries.

        Raises:
            ProtocolError: There is no such entry, or the log never had so many.
        """
        with self._reading() as connection:
            _require(size <= size_of(connection))
            return inclusion_proof(index, size, node=StoredSubtrees(connection))

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Proof that the log of `second` entries begins with the log of `first`.

        Raises:
            ProtocolError: There is no such proof.
        """
        with self._reading() as connection:
            _require(second <= size_of(connection))
            return consistency_proof(first, second, node=StoredSubtrees(connection))

    def verify(self) -> Checkpoint:
        """Compute the whole tree anew from the entries.

        Returns:
            The signed head, to which they add up.

        Raises:
            DamagedVaultError: They do not, or an entry is not the coordinator's.
        """
        frontier = Frontier()
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                note: bytes = connection.execute("SELECT note FROM head").fetchone()[0]
                head = Checkpoint.from_note(note, origin=log_origin(self.key), key=self.key)
                for (data,) in connection.execute("SELECT envelope FROM entries ORDER BY position"):
                    envelope = Envelope.from_bytes(data)
                    envelope.verified(envelope.kind, key=self.key)
                    frontier.append(leaf_hash(data))
            except ProtocolError as error:
                raise DamagedVaultError("an entry of the log is not what was written", hint="restore the folder from a backup") from error
            finally:
                connection.execute("COMMIT")
        if (frontier.size, frontier.root()) != (head.size, head.root):
            raise DamagedVaultError("the log does not add up to its signed head", hint="restore the folder from a backup")
        return head

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Rows of one of the tables that are not the log."""
        with self._reading() as connection:
            return connection.execute(statement, values).fetchall()

    def scrub(self, *, patience_s: float) -> bool:
        """Take what was removed out of the files, too; to be called after a row about somebody was removed.

        Args:
            patience_s: How long to wait for other processes that are reading.

        Returns:
            Whether nothing is left.
        """
        with database_refusals():
            return scrub(self._path, patience_s=patience_s)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._reading_lock, database_refusals():
            yield self._reader


def _require(is_there: bool) -> None:
    if not is_there:
        raise ProtocolError("the log has no such entries")
