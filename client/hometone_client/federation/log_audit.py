"""The laptop's own copy of the coordinator's log, and the head that it has pinned (docs/log.md, "What a laptop checks").

To move the pin (`update`):

1. The new head is signed with the pinned key, is of this log, and was cosigned by every witness that is trusted here (`witnesses`); one
   that has only just been made is waited for, then the newest one that they have seen is taken.
2. It is not smaller than the pinned one, and the same size has the same root.
3. A consistency proof leads from the pinned head to it.
4. The entries in between, added to those kept here, hash to its root.
5. Every new entry obeys the rules: devices and releases and plans are signed by the coordinator, nobody comes back who was revoked, every
   release follows from the one before, tombstones are those of docs/withdrawal.md, section 3.
6. Entries and head are stored in one transaction. If another process of this laptop was faster, everything begins again from its pin.

When (2), (3), (4) or (5) fails, the two signed heads go into a file of evidence and nothing else changes. What it may see: public
records. What it must never do: move the pin backwards, or give out an entry that does not hash to the pinned head.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from hometone_client.federation.coordinator_records import CoordinatorRecords
from hometone_client.federation.small_files import replace_small_file
from hometone_client.federation.witnesses import NotWitnessedError, TrustedWitnesses
from hometone_shared.errors import DamagedVaultError, FederationError, ProtocolError, StorageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of, verify_consistency
from hometone_shared.records import device, plan, registration, release, withdrawn_releases
from hometone_shared.records.canonical import b64, canonical
from hometone_shared.records.directory import Directory
from hometone_shared.records.plan import RoundPlan
from hometone_shared.records.release import ReleaseChain
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import WITHDRAWAL_KIND, Withdrawal
from hometone_shared.withdrawal.tombstones import TombstoneBook

FILE: Final = "log.db"
MOST_NEW_ENTRIES: Final = 1_000_000
_TRIES: Final = 5
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS pin (one INTEGER PRIMARY KEY CHECK (one = 1), note BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS withdrawals (pseudonym TEXT NOT NULL, position INTEGER NOT NULL UNIQUE) STRICT",
)
_SCHEMA_VERSION: Final = 2
"""1 had no table `withdrawals`: where in the entries somebody's tombstones are, so that opening a vault need not read the whole log."""
_WITNESS_PATIENCE_S: Final = 30.0
_WITNESS_PAUSE_S: Final = 1.0
_MOST_ASKED: Final = 500
_TOMBSTONE_KINDS: Final = (registration.KIND, WITHDRAWAL_KIND, withdrawn_releases.KIND)
_OF_OTHER_KIND: Final = Envelope(kind="", payload=b"", key=b"", signature=b"")


class LogChangedError(ProtocolError):
    """The coordinator shows a log that contradicts what this laptop has seen."""

    def __init__(self, what: str) -> None:
        """Say what does not fit."""
        super().__init__(
            f"the coordinator's log was changed: {what}",
            hint="the evidence was kept; take part in nothing until the coordinator explains it",
        )


class PinnedLog:
    """The verified log of one coordinator. Several processes of a laptop may use it at once; one object belongs to one thread.

    Raises:
        StorageError: From every method, when the disk refuses.
        DamagedVaultError: From every method, when the kept copy is damaged.
    """

    def __init__(
        self,
        folder: Path,
        *,
        coordinator_key: bytes,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open the copy, or begin one.

        Args:
            folder: `<home>/federation`.
            coordinator_key: The pinned raw Ed25519 key, 32 bytes.
            clock: Seconds since 1970.
            sleep: Waits so many seconds.
        """
        self._folder = folder
        self._key = coordinator_key
        self._origin = log_origin(coordinator_key)
        self._clock = clock
        self._sleep = sleep
        self._note = b""
        self._head = Checkpoint(origin=self._origin, size=0, root=EMPTY_ROOT)
        self._leaves: list[bytes] = []
        self._known: set[bytes] = set()
        self._frontier = Frontier()
        self._directory = Directory()
        self._releases = ReleaseChain()
        self._tombstones = TombstoneBook()

    @property
    def head(self) -> Checkpoint:
        """The pinned head."""
        self._refresh()
        return self._head

    def directory(self) -> Directory:
        """The devices of the pinned log."""
        self._refresh()
        return self._directory

    def releases(self) -> ReleaseChain:
        """The releases of the pinned log, in order."""
        self._refresh()
        return self._releases

    def tombstones(self) -> TombstoneBook:
        """Who has withdrawn what, in the pinned log."""
        self._refresh()
        return self._tombstones

    def withdrawals_of(self, pseudonyms: Collection[str]) -> list[Withdrawal]:
        """The tombstones of some speakers, in the log's order, without reading the rest; each is verified once more.

        Args:
            pseudonyms: Whose.
        """
        asked = sorted(pseudonyms)
        rows: list[tuple[int, bytes]] = []
        if not asked or not (self._folder / FILE).exists():
            return []
        with self._database() as database:
            for begin in range(0, len(asked), _MOST_ASKED):
                some = asked[begin : begin + _MOST_ASKED]
                places = ", ".join("?" * len(some))
                rows += database.execute(
                    "SELECT position, envelope FROM withdrawals JOIN entries USING (position)"  # noqa: S608 - question marks only
                    f" WHERE pseudonym IN ({places})",
                    some,
                ).fetchall()
        try:
            return [Withdrawal.from_envelope(Envelope.from_bytes(bytes(data)), key=self._key) for _, data in sorted(rows)]
        except ProtocolError as error:
            raise _damaged() from error

    def contains(self, envelope: Envelope) -> bool:
        """Whether this very envelope is an entry of the pinned log."""
        self._refresh()
        return leaf_hash(envelope.to_bytes()) in self._known

    def root_at(self, size: int) -> bytes:
        """Root of the log when it had `size` entries.

        Raises:
            ProtocolError: The pinned log is shorter.
        """
        self._refresh()
        if not 0 <= size <= self._head.size:
            raise ProtocolError("the log that this laptop knows is shorter")
        return root_of(self._leaves[:size])

    def evidence(self) -> list[Path]:
        """Files that prove what a coordinator did to its log; none as long as all is well."""
        return sorted(self._folder.glob("log-evidence-*.json"))

    def update(self, records: CoordinatorRecords) -> None:
        """Move the pin to the coordinator's newest head.

        Raises:
            LogChangedError: The new log does not contain the pinned one, or an entry breaks a rule.
            NotWitnessedError: A trusted witness has not seen the new head.
            ProtocolError: The head is not signed with the pinned key, or an answer cannot be read.
            FederationError: The coordinator cannot be reached.
        """
        for _ in range(_TRIES):
            self._refresh()
            note, head = self._witnessed_head(records)  # (1)
            proof: list[bytes] = []
            try:
                entries = self._verified_entries(head, records, proof)
            except LogChangedError as error:
                self._keep_evidence(note, reason=error.message, proof=proof)
                raise
            if not entries or self._store(note, entries):
                return
        raise FederationError("another process of this laptop keeps changing the log", hint="try again")

    def _witnessed_head(self, records: CoordinatorRecords) -> tuple[bytes, Checkpoint]:
        trusted = TrustedWitnesses.load(self._folder)
        waited_s = 0.0
        while True:
            note = records.checkpoint()
            head = Checkpoint.from_note(note, origin=self._origin, key=self._key)
            try:
                trusted.check(note, now_s=self._clock())
            except NotWitnessedError as error:
                if waited_s >= _WITNESS_PATIENCE_S:
                    return self._head_before(records, trusted, otherwise=error)
            else:
                return note, head
            self._sleep(_WITNESS_PAUSE_S)
            waited_s += _WITNESS_PAUSE_S

    def _head_before(
        self, records: CoordinatorRecords, trusted: TrustedWitnesses, *, otherwise: NotWitnessedError
    ) -> tuple[bytes, Checkpoint]:
        """The newest head that the witnesses have seen: whoever withdrew before it must not wait for a witness that is slow."""
        try:
            note = records.cosigned_checkpoint()
        except FederationError:  # none was ever seen
            raise otherwise from None
        head = Checkpoint.from_note(note, origin=self._origin, key=self._key)
        trusted.check(note, now_s=self._clock())
        return note, head

    def _verified_entries(self, head: Checkpoint, records: CoordinatorRecords, proof: list[bytes]) -> list[Envelope]:
        pinned = self._head
        if head.size < pinned.size:  # (2)
            raise LogChangedError("it became shorter")
        if head.size == pinned.size:
            if head.root != pinned.root:
                raise LogChangedError("there are two versions of it")
            return []
        if head.size - pinned.size > MOST_NEW_ENTRIES:
            raise ProtocolError("the coordinator's log grew by more than this laptop can hold")
        if pinned.size:  # (3)
            proof += records.consistency(pinned.size, head.size)
            try:
                verify_consistency(proof, first=pinned.size, first_root=pinned.root, second=head.size, second_root=head.root)
            except ProtocolError as error:
                raise LogChangedError("there are two versions of it") from error
        entries = records.entries(pinned.size, head.size - 1)
        frontier = self._frontier.copy()
        for envelope in entries:
            frontier.append(leaf_hash(envelope.to_bytes()))
        if frontier.root() != head.root:  # (4)
            raise LogChangedError("its entries are not those that were signed")
        self._check_rules(entries)  # (5)
        return entries

    def _check_rules(self, entries: Sequence[Envelope]) -> None:
        chain = self._releases
        try:
            self._directory.followed_by(entries, self._key)
            self._tombstones.followed_by(entries, self._key)
            for envelope in entries:
                if envelope.kind == release.KIND:
                    chain = chain.followed_by(envelope, self._key)
                elif envelope.kind == plan.KIND:
                    RoundPlan.from_envelope(envelope, key=self._key)
        except ProtocolError as error:
            raise LogChangedError(f"an entry breaks the rules ({error.message})") from error

    def _store(self, note: bytes, entries: Sequence[Envelope]) -> bool:
        """Move the pin, unless it is not where the entries begin any more."""  # (6)
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")
            if _pin(database) != self._note:
                database.execute("ROLLBACK")
                return False
            rows = ((self._head.size + at, envelope.to_bytes()) for at, envelope in enumerate(entries))
            database.executemany("INSERT INTO entries (position, envelope) VALUES (?, ?)", rows)
            _note_withdrawals(database, ((self._head.size + at, envelope) for at, envelope in enumerate(entries)), key=self._key)
            database.execute("INSERT OR REPLACE INTO pin (one, note) VALUES (1, ?)", (note,))
            database.execute("COMMIT")
        return True

    def _refresh(self) -> None:
        """Take over what is stored, and check that it hashes to the pinned head."""
        if not (self._folder / FILE).exists():
            return
        with self._database() as database:
            database.execute("BEGIN")
            note = _pin(database)
            if note == self._note and note:
                return
            rows = database.execute("SELECT envelope FROM entries WHERE position >= ? ORDER BY position", (self._head.size,))
            new = [bytes(data) for (data,) in rows]
        if not note and not new:
            return
        leaves = [leaf_hash(data) for data in new]
        frontier = self._frontier.copy()
        for leaf in leaves:
            frontier.append(leaf)
        chain = self._releases
        try:
            head = Checkpoint.from_note(note, origin=self._origin, key=self._key)
            if head.size != frontier.size or head.root != frontier.root():
                raise _damaged()
            directory = self._directory.followed_by(_of_kind(new, device.KIND), self._key)
            for envelope in _of_kind(new, release.KIND):
                chain = chain.followed_by(envelope, self._key)
            tombstones = self._tombstones.followed_by(_in_their_places(new, _TOMBSTONE_KINDS), self._key)
        except ProtocolError as error:
            raise _damaged() from error
        self._note, self._head, self._frontier, self._directory, self._releases = note, head, frontier, directory, chain
        self._tombstones = tombstones
        self._leaves += leaves
        self._known.update(leaves)

    def _keep_evidence(self, note: bytes, *, reason: str, proof: Sequence[bytes]) -> None:
        name = f"log-evidence-{hashlib.sha256(self._note + note).hexdigest()[:16]}.json"
        document = {
            "coordinator_key": b64(self._key),
            "kept": self._note.decode(),
            "proof": [b64(part) for part in proof],
            "reason": reason,
            "seen": int(self._clock()),
            "shown": note.decode(),
        }
        if not (self._folder / name).exists():
            replace_small_file(self._folder / name, canonical(document))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._folder / FILE, timeout=30.0, isolation_level=None)) as database:
                for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *_SCHEMA):
                    database.execute(statement)
                self._upgrade(database)
                yield database
        except sqlite3.OperationalError as error:
            raise StorageError("the copy of the coordinator's log cannot be written", hint="free some disk space and try again") from error
        except sqlite3.Error as error:
            raise _damaged() from error
        except OSError as error:
            raise StorageError("the copy of the coordinator's log cannot be written", hint="free some disk space and try again") from error

    def _upgrade(self, database: sqlite3.Connection) -> None:
        """Find the tombstones that an older version has kept without knowing what they are."""
        if database.execute("PRAGMA user_version").fetchone()[0] >= _SCHEMA_VERSION:
            return
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM withdrawals")
        end = _end_of(WITHDRAWAL_KIND)
        rows = database.execute("SELECT position, envelope FROM entries WHERE substr(envelope, ?) = ?", (-len(end), end)).fetchall()
        try:
            _note_withdrawals(database, ((position, Envelope.from_bytes(bytes(data))) for position, data in rows), key=self._key)
        except ProtocolError as error:
            raise _damaged() from error
        database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        database.execute("COMMIT")


def _note_withdrawals(database: sqlite3.Connection, entries: Iterable[tuple[int, Envelope]], *, key: bytes) -> None:
    rows = (
        (Withdrawal.from_envelope(envelope, key=key).content.pseudonym, position)
        for position, envelope in entries
        if envelope.kind == WITHDRAWAL_KIND
    )
    database.executemany("INSERT INTO withdrawals (pseudonym, position) VALUES (?, ?)", rows)


def _pin(database: sqlite3.Connection) -> bytes:
    row = database.execute("SELECT note FROM pin").fetchone()
    return b"" if row is None else bytes(row[0])


def _of_kind(entries: Sequence[bytes], kind: str) -> list[Envelope]:
    """Read the entries of one type only: in canonical form the type stands at the end, and nothing else can look like it there."""
    end = _end_of(kind)
    return [Envelope.from_bytes(data) for data in entries if data.endswith(end)]


def _in_their_places(entries: Sequence[bytes], kinds: Sequence[str]) -> Iterator[Envelope]:
    """The same for several types, with something of no type in the place of every other entry, so that positions stay."""
    ends = tuple(_end_of(kind) for kind in kinds)
    return (Envelope.from_bytes(data) if data.endswith(ends) else _OF_OTHER_KIND for data in entries)


def _end_of(kind: str) -> bytes:
    return f'"type":"{kind}"}}'.encode()


def _damaged() -> DamagedVaultError:
    return DamagedVaultError(
        "this laptop's copy of the coordinator's log is damaged", hint="restore it, or join again with a new invitation"
    )
