"""What witnesses have said about heads of the log (docs/withdrawal.md, section 8): kept, and served below the coordinator's signature.

1. A note is taken if the coordinator signed its head and the log still says the same at that size.
2. With witnesses named (`hometone-coordinator witnesses --trust`), their lines are taken and nobody else's, and each is verified. With none
   named, whatever looks like a cosignature is taken, for sixteen names at most: laptops verify those that they trust, and pass over others.
3. Of each witness the line on the newest head counts.

What it may see: public notes. What it must never do: serve a line below another head than the one it is about.
"""

import base64
from dataclasses import dataclass
from typing import Final

from hometone_server.records.refusals import FilingRefusedError
from hometone_server.records.store import LogStore, Writing
from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin, note_parts
from hometone_shared.log.cosignature import WitnessKey, cosigned_at

MOST_WITNESSES: Final = 16
_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_COSIGNATURE_BYTES: Final = _KEY_ID_BYTES + _TIME_BYTES + 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a witness said last.

    Attributes:
        name: The witness's.
        size: Entries of the head that it has seen.
        at_s: When, by its own clock, seconds since 1970.
    """

    name: str
    size: int
    at_s: int


class Cosignatures:
    """The cosignatures of a log. May be used by several threads."""

    def __init__(self, log: LogStore) -> None:
        """Keep them beside the log."""
        self._log = log
        self._origin = log_origin(log.key)

    def take(self, note: bytes) -> None:
        """Take the lines of a note.

        Args:
            note: A head of this log with at least one cosignature.

        Raises:
            ProtocolError: It is no head that this coordinator signed, or a line of a named witness does not hold.
            FilingRefusedError: `elsewhere`: the log is another one at that size; `unknown`: no line of a witness that is known here;
                `busy`: there are sixteen witnesses already.
        """
        head = Checkpoint.from_note(note, origin=self._origin, key=self._log.key)  # (1)
        if head.size > self._log.checkpoint().size or self._log.root_at(head.size) != head.root:
            raise FilingRefusedError("elsewhere", "this head is not of the log as it is here")
        lines = self._lines(note)
        if not lines:
            raise FilingRefusedError(
                "unknown", "there is no cosignature of a known witness", hint="hometone-coordinator witnesses --trust KEY"
            )
        with self._log.writing() as change:
            for name, blob in lines:
                self._keep(change, name, blob, size=head.size)

    def _lines(self, note: bytes) -> list[tuple[str, bytes]]:
        """(2): name and signature of what counts."""
        lines = [(name, blob) for name, blob in note_parts(note)[1] if name != self._origin and len(blob) == _COSIGNATURE_BYTES]
        named = {(witness.name, witness.key_id): witness for witness in self.witnesses()}
        if not named:
            return lines
        known = [line for line in lines if (line[0], line[1][:_KEY_ID_BYTES]) in named]
        for name, blob in known:
            cosigned_at(note, named[name, blob[:_KEY_ID_BYTES]])
        return known

    def _keep(self, change: Writing, name: str, blob: bytes, *, size: int) -> None:
        """(3)."""
        key_id, encoded = blob[:_KEY_ID_BYTES], base64.b64encode(blob).decode("ascii")
        before = change.query("SELECT size FROM cosignatures WHERE name = ? AND key_id = ?", (name, key_id))
        if not before and len(change.query("SELECT 1 FROM cosignatures")) >= MOST_WITNESSES:
            raise FilingRefusedError("busy", "there is no place for another witness", hint="hometone-coordinator witnesses --trust KEY")
        change.execute(
            "INSERT INTO cosignatures (name, key_id, size, line) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET size = excluded.size, line = excluded.line WHERE excluded.size >= cosignatures.size",
            (name, key_id, size, encoded),
        )

    def newest_head(self) -> bytes:
        """The newest head, with the cosignatures on it."""
        note = self._log.head()
        size = Checkpoint.from_note(note, origin=self._origin, key=self._log.key).size
        return note + self._lines_on(size)

    def cosigned_head(self) -> bytes:
        """The newest head that a witness has seen, with the cosignatures on it.

        Raises:
            UsageError: No witness has seen any.
        """
        ((size,),) = self._log.query("SELECT MAX(size) FROM cosignatures")
        if not isinstance(size, int):
            raise UsageError("no witness has seen this log yet")
        head = Checkpoint(origin=self._origin, size=size, root=self._log.root_at(size))
        return self._log.signed(head) + self._lines_on(size)

    def seen(self) -> list[tuple[str, int]]:
        """Name of each witness with the size of the newest head that it has seen."""
        return [(str(name), int(str(size))) for name, size in self._log.query("SELECT name, size FROM cosignatures ORDER BY name")]

    def last_seen(self) -> list[Seen]:
        """What each witness said last, by name."""
        rows = self._log.query("SELECT name, size, line FROM cosignatures ORDER BY name, key_id")
        return [
            Seen(
                name=str(name),
                size=int(str(size)),
                at_s=int.from_bytes(base64.b64decode(str(line))[_KEY_ID_BYTES : _KEY_ID_BYTES + _TIME_BYTES], "big"),
            )
            for name, size, line in rows
        ]

    def verify(self) -> None:
        """Check that the log still begins with what each named witness has signed.

        Raises:
            ProtocolError: It does not.
        """
        for witness in self.witnesses():
            rows = self._log.query("SELECT size, line FROM cosignatures WHERE name = ? AND key_id = ?", (witness.name, witness.key_id))
            for size, line in rows:
                head = Checkpoint(origin=self._origin, size=int(str(size)), root=self._log.root_at(int(str(size))))
                cosigned_at(self._log.signed(head) + f"\u2014 {witness.name} {line}\n".encode(), witness)

    def witnesses(self) -> list[WitnessKey]:
        """The witnesses that were named here."""
        return [WitnessKey.parse(str(text)) for (text,) in self._log.query("SELECT text FROM witnesses ORDER BY name")]

    def trust(self, text: str) -> WitnessKey:
        """Name a witness; what others have said until now goes.

        Args:
            text: `NAME+KEYID+KEY`, as the witness shows it.

        Raises:
            UsageError: It is no such text, or there are sixteen.
        """
        try:
            witness = WitnessKey.parse(text)
        except ProtocolError as error:
            raise UsageError(error.message, hint=error.hint) from error
        with self._log.writing() as change:
            change.execute("INSERT OR REPLACE INTO witnesses (name, text) VALUES (?, ?)", (witness.name, witness.text()))
            if len(change.query("SELECT 1 FROM witnesses")) > MOST_WITNESSES:
                raise UsageError(f"a log has at most {MOST_WITNESSES} witnesses")
            change.execute("DELETE FROM cosignatures")
        return witness

    def forget(self, name: str) -> None:
        """Take a named witness away.

        Raises:
            UsageError: There is none of that name.
        """
        with self._log.writing() as change:
            if change.execute("DELETE FROM witnesses WHERE name = ?", (name,)).rowcount == 0:
                raise UsageError("there is no witness of that name")
            change.execute("DELETE FROM cosignatures WHERE name = ?", (name,))

    def _lines_on(self, size: int) -> bytes:
        rows = self._log.query("SELECT name, line FROM cosignatures WHERE size = ? ORDER BY name, key_id", (size,))
        return "".join(f"\u2014 {name} {line}\n" for name, line in rows).encode()
