"""What this laptop has written down about withdrawals, on the disk before anything else happens (docs/withdrawal.md, section 4).

`<home>/withdrawals/<pseudonym>-<sequence>.<part>`, canonical JSON, one file each, replaced as a whole and fsynced with its folder:

| part | what it is |
|---|---|
| `tombstone` | the envelope: made here, or taken from the log because something of hers was here |
| `removal` | what is about to be removed here, counted; there is something of hers on this laptop, and a receipt is owed |
| `receipt` | the envelope of this laptop's own receipt; takes the place of `removal` |
| `delivered` | the coordinator's answer to the tombstone |
| `filed` | the coordinator's answer to the receipt |

Nothing in it says who somebody is, so nothing is sealed. What it may see: public records. What it must never do: give out a tombstone or a
receipt that does not verify, or lose one while it has not been acknowledged. A file that cannot be read stops nobody else's withdrawal; it
is counted in `unreadable`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hometone_keys.disk import Disk
from hometone_shared.errors import ProtocolError, StorageError
from hometone_shared.records.canonical import Document, canonical, parse
from hometone_shared.records.receipt import HolderReceipt
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone

FOLDER: Final = "withdrawals"
TOMBSTONE, REMOVAL, RECEIPT, DELIVERED, FILED = PARTS = ("tombstone", "removal", "receipt", "delivered", "filed")
_NAME: Final = re.compile(rf"(?P<pseudonym>[0-9a-f]{{32}})-(?P<sequence>[1-9][0-9]{{0,12}})\.(?P<part>{'|'.join(PARTS)})", re.ASCII)
_UNFINISHED: Final = ".new"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxItem:
    """One withdrawal, as far as it has come.

    Attributes:
        envelope: The tombstone as it travels.
        tombstone: The same, verified and read.
        removal: What is about to be removed here, or None.
        receipt: This laptop's own receipt, or None.
        delivered: The coordinator's answer to the tombstone, or None.
        filed: Its answer to the receipt, or None.
    """

    envelope: Envelope
    tombstone: Tombstone
    removal: Document | None = None
    receipt: Envelope | None = None
    delivered: Document | None = None
    filed: Document | None = None

    @property
    def owes_receipt(self) -> bool:
        """Whether something of hers was here, and the receipt is not written yet."""
        return self.removal is not None and self.receipt is None

    @property
    def is_settled(self) -> bool:
        """Whether the coordinator has everything."""
        return self.delivered is not None and not self.owes_receipt and (self.receipt is None or self.filed is not None)


class Outbox:
    """The folder of one laptop.

    Raises:
        StorageError: From every method, when the disk refuses.
    """

    def __init__(self, home: Path, *, disk: Disk | None = None) -> None:
        """Look into a home; nothing is made before something is written.

        Args:
            home: The laptop's `--home`.
            disk: The way to the file system.
        """
        self.folder = home / FOLDER
        self._disk = disk or Disk()
        self.unreadable = 0

    def pseudonyms(self) -> frozenset[str]:
        """Of whom there is anything; a look at names, not into files."""
        return frozenset(match["pseudonym"] for match in self._names())

    def items(self, pseudonym: str | None = None) -> tuple[OutboxItem, ...]:
        """All withdrawals, or one person's, by pseudonym and sequence; `unreadable` says how many files could not be read."""
        self.unreadable = 0
        found = sorted({(match["pseudonym"], int(match["sequence"])) for match in self._names()})
        read = (self._item(*key) for key in found if pseudonym is None or key[0] == pseudonym)
        return tuple(item for item in read if item is not None)

    def owing(self) -> tuple[OutboxItem, ...]:
        """Withdrawals for which a receipt of this laptop is still owed; what was counted for one that is written goes."""
        counted = sorted({(match["pseudonym"], int(match["sequence"])) for match in self._names() if match["part"] == REMOVAL})
        items = [item for key in counted if (item := self._item(*key)) is not None]
        for item in items:
            if not item.owes_receipt:  # the process that wrote the receipt was killed right behind it
                self._disk.unlink(self._path(item.tombstone, REMOVAL))
        return tuple(item for item in items if item.owes_receipt)

    def item(self, tombstone: Tombstone) -> OutboxItem | None:
        """What is known of one tombstone."""
        return self._item(tombstone.pseudonym, tombstone.sequence)

    def add(self, envelope: Envelope) -> OutboxItem:
        """Write a tombstone down; one that is there already stays as it is.

        Raises:
            ProtocolError: It does not verify, or another one of the same person and sequence is there.
        """
        tombstone = Tombstone.from_envelope(envelope)
        known = self._item(tombstone.pseudonym, tombstone.sequence)
        if known is not None:
            if known.envelope.digest != envelope.digest:
                raise ProtocolError("two different withdrawals of one person have the same number")
            return known
        self._put(tombstone, TOMBSTONE, envelope.to_document())
        return OutboxItem(envelope=envelope, tombstone=tombstone)

    def note_removal(self, tombstone: Tombstone, counted: Document) -> None:
        """Write down what is about to be removed."""
        self._put(tombstone, REMOVAL, counted)

    def keep_receipt(self, tombstone: Tombstone, receipt: Envelope) -> None:
        """Write this laptop's own receipt down; what was counted for it goes."""
        self._put(tombstone, RECEIPT, receipt.to_document())
        self._disk.unlink(self._path(tombstone, REMOVAL))
        self._disk.sync_folder(self.folder)

    def note_delivered(self, tombstone: Tombstone, answer: Document) -> None:
        """Write down what the coordinator said to the tombstone."""
        self._put(tombstone, DELIVERED, answer)

    def note_filed(self, tombstone: Tombstone, answer: Document) -> None:
        """Write down what the coordinator said to the receipt."""
        self._put(tombstone, FILED, answer)

    def forget_settled(self, *, before_s: int) -> int:
        """Remove what the coordinator has acknowledged in full and what was made before a time (docs/withdrawal.md, section 9).

        Args:
            before_s: Seconds since 1970.

        Returns:
            How many withdrawals were removed.
        """
        old = [item.tombstone for item in self.items() if item.is_settled and item.tombstone.made < before_s]
        for tombstone in old:
            for part in reversed(PARTS):  # the tombstone last: without it the others mean nothing
                self._disk.unlink(self._path(tombstone, part))
        if old:
            self._disk.sync_folder(self.folder)
        return len(old)

    def _names(self) -> Iterator[re.Match[str]]:
        if self.folder.exists() and not self.folder.is_dir():  # what cannot be looked into must not be taken for empty
            raise StorageError(
                "the folder of withdrawals is not a folder", hint="something took its place in the data folder: move that elsewhere"
            )
        return (match for name in self._disk.names(self.folder) if (match := _NAME.fullmatch(name)) is not None)

    def _item(self, pseudonym: str, sequence: int) -> OutboxItem | None:
        def read(part: str) -> Document | None:
            data = self._disk.read(self.folder / f"{pseudonym}-{sequence}.{part}")
            if data is None:
                return None
            try:
                return parse(data)
            except ProtocolError:
                self.unreadable += 1
                return None

        document = read(TOMBSTONE)
        if document is None:
            return None
        try:
            envelope = Envelope.from_document(document)
            tombstone = Tombstone.from_envelope(envelope)
        except ProtocolError:
            self.unreadable += 1
            return None
        if (tombstone.pseudonym, tombstone.sequence) != (pseudonym, sequence):  # somebody has put it under another name
            self.unreadable += 1
            return None
        return OutboxItem(
            envelope=envelope,
            tombstone=tombstone,
            removal=read(REMOVAL),
            receipt=self._receipt(read(RECEIPT), tombstone=envelope),
            delivered=read(DELIVERED),
            filed=read(FILED),
        )

    def _receipt(self, document: Document | None, *, tombstone: Envelope) -> Envelope | None:
        if document is None:
            return None
        try:
            envelope = Envelope.from_document(document)
            HolderReceipt.from_envelope(envelope).check_about(tombstone)
        except ProtocolError:
            self.unreadable += 1
            return None
        return envelope

    def _path(self, tombstone: Tombstone, part: str) -> Path:
        return self.folder / f"{tombstone.pseudonym}-{tombstone.sequence}.{part}"

    def _put(self, tombstone: Tombstone, part: str, document: Document) -> None:
        self._disk.make_folder(self.folder)
        path = self._path(tombstone, part)
        temporary = path.with_name(f".{path.name}{_UNFINISHED}")
        self._disk.unlink(temporary)  # of a process that was killed
        self._disk.put_file(path, canonical(document), temporary=temporary)
