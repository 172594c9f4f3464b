"""The database under the coordinator's log: its tables, its connections, its errors in words (docs/log.md, "The coordinator's database").

What it may see: the coordinator's key, to sign the head of the empty log. What it must never do: decide what belongs into the log.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import DamagedVaultError, StorageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import EMPTY_ROOT
from hometone_shared.records.signing import Envelope

BUSY_TIMEOUT_S: Final = 60.0
_SCHEMAS: Final = (
    """
CREATE TABLE entries (position INTEGER PRIMARY KEY, kind TEXT NOT NULL, digest TEXT NOT NULL, envelope BLOB NOT NULL UNIQUE) STRICT;
CREATE INDEX entries_by_kind ON entries (kind, position);
CREATE INDEX entries_by_digest ON entries (digest, position);
CREATE TABLE subtrees (level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position)) STRICT, WITHOUT ROWID;
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), note BLOB NOT NULL) STRICT;
CREATE TABLE nodes (device TEXT PRIMARY KEY, node_key BLOB NOT NULL, sealing_key BLOB NOT NULL) STRICT;
CREATE TABLE invitations (token_sha256 TEXT PRIMARY KEY, expires_s INTEGER NOT NULL, device TEXT) STRICT
""",
    """
CREATE TABLE speakers (pseudonym TEXT PRIMARY KEY, device TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE registrations (pseudonym TEXT PRIMARY KEY, position INTEGER NOT NULL, registered_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (digest TEXT PRIMARY KEY, pseudonym TEXT NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
    UNIQUE (pseudonym, sequence)) STRICT, WITHOUT ROWID;
CREATE TABLE receipts (tombstone TEXT, device TEXT, role TEXT NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (tombstone, device)) STRICT, WITHOUT ROWID;
CREATE TABLE unscrubbed (tombstone TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE cosignatures (name TEXT, key_id BLOB, size INTEGER NOT NULL, line TEXT NOT NULL,
    PRIMARY KEY (name, key_id)) STRICT, WITHOUT ROWID;
CREATE TABLE witnesses (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID
""",
)
"""What makes each version from the one before; the first makes version 1. Of all these tables `speakers` alone is not public."""
_VERSION: Final = len(_SCHEMAS)
_SCRUB_WAIT_S: Final = 0.05


@contextmanager
def database_refusals() -> Iterator[None]:
    """Turn errors of the database into errors that say what to do.

    Raises:
        StorageError: The disk refuses, or another process holds the database for too long.
        DamagedVaultError: The file is not the database that was written.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StorageError("another process holds the coordinator's records", hint="try again in a minute") from error
        raise StorageError("the coordinator's records cannot be written", hint="check free space and permissions") from error
    except sqlite3.Error as error:
        raise DamagedVaultError("the coordinator's records are damaged", hint="restore the folder from a backup") from error
    except OSError as error:
        raise StorageError("the coordinator's records cannot be written", hint="check free space and permissions") from error


def connected(path: Path) -> sqlite3.Connection:
    """A connection; every change is on the disk before it is told, and nothing is left of what is removed."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def prepare(connection: sqlite3.Connection, *, key: Ed25519PrivateKey) -> None:
    """Make the tables and sign the head of the empty log, or bring older tables up to this version; in one transaction.

    Raises:
        DamagedVaultError: A newer version made the tables.
    """
    version = _version(connection)
    if version > _VERSION:
        raise DamagedVaultError(
            "the coordinator's records were written by a newer Hometone", hint="install the newer version on this machine"
        )
    if version == _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)  # another process may have been faster
    for schema in _SCHEMAS[version:]:
        for statement in schema.split(";"):
            connection.execute(statement)
    if version == 0:
        head = Checkpoint(origin=log_origin(key.public_key().public_bytes_raw()), size=0, root=EMPTY_ROOT)
        connection.execute("INSERT INTO head (one, note) VALUES (1, ?)", (head.signed(key),))
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def scrub(path: Path, *, patience_s: float) -> bool:
    """Empty the write-ahead log, where what was removed still stands; whoever reads meanwhile holds it up.

    Args:
        path: The database's file.
        patience_s: How long to try again.

    Returns:
        Whether nothing is left; otherwise a reader did not end in time.
    """
    connection = connected(path)
    try:
        connection.execute(f"PRAGMA busy_timeout = {round(_SCRUB_WAIT_S * 1000)}")
        until = time.monotonic() + patience_s
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0:
            if time.monotonic() >= until:
                return False
            time.sleep(_SCRUB_WAIT_S)
    finally:
        connection.close()
    return True


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


class StoredSubtrees:
    """Stored hashes of complete subtrees."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __call__(self, level: int, position: int) -> bytes:
        """The hash of one subtree.

        Raises:
            DamagedVaultError: It is not there.
        """
        row = self._connection.execute("SELECT hash FROM subtrees WHERE level = ? AND position = ?", (level, position)).fetchone()
        if row is None:
            raise DamagedVaultError("the coordinator's records are damaged", hint="restore the folder from a backup")
        found: bytes = row[0]
        return found


def size_of(connection: sqlite3.Connection) -> int:
    """Number of entries."""
    return int(connection.execute("SELECT COALESCE(MAX(position) + 1, 0) FROM entries").fetchone()[0])


def entries_of_kind(connection: sqlite3.Connection, kind: str) -> list[Envelope]:
    """All entries of a type, in order."""
    rows = connection.execute("SELECT envelope FROM entries WHERE kind = ? ORDER BY position", (kind,))
    return [Envelope.from_bytes(data) for (data,) in rows]
