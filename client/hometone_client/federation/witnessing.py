"""Being a witness: keeping the last head of a log that was seen, and cosigning a newer one only if it follows (docs/withdrawal.md, 8).

`<home>/witness/key` (32 bytes, readable by its owner only), `name`, and for each log `<32 hex>.head`, the last head that was cosigned. The
head is on the disk before the cosignature leaves: a witness that was killed never contradicts itself. What it may see: heads and proofs.
What it must never do: cosign two heads that do not follow from one another.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_client.federation.coordinator_records import CoordinatorRecords
from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import DamagedVaultError, ProtocolError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.cosignature import WitnessKey, cosign
from hometone_shared.log.merkle import verify_consistency

FOLDER: Final = "witness"
_KEY, _NAME, _HEAD = "key", "name", ".head"
_KEY_BYTES: Final = 32


class ForkedLogError(ProtocolError):
    """The log shows something that contradicts what this witness has cosigned."""


class Witness:
    """The witness of one home."""

    def __init__(self, folder: Path, *, name: str, key: Ed25519PrivateKey, clock: Callable[[], float] = time.time) -> None:
        """Use `open`."""
        self._folder = folder
        self._name = name
        self._key = key
        self._clock = clock

    @classmethod
    def open(cls, home: Path, *, name: str | None = None, clock: Callable[[], float] = time.time) -> Self:
        """The witness of a home; made where there is none.

        Args:
            home: The machine's `--home`.
            name: What it is called, when it is made.
            clock: Seconds since 1970.

        Raises:
            DamagedVaultError: Its key is damaged.
            ProtocolError: The name cannot be one.
            StorageError: The disk refuses.
        """
        folder = home / FOLDER
        data, kept = read_small_file(folder / _KEY), read_small_file(folder / _NAME)
        if data is None:
            raw = os.urandom(_KEY_BYTES)
            key = Ed25519PrivateKey.from_private_bytes(raw)
            chosen = name or f"hometone-witness-{key.public_key().public_bytes_raw()[:4].hex()}"
            WitnessKey(chosen, key.public_key().public_bytes_raw())
            replace_small_file(folder / _NAME, chosen.encode())
            replace_small_file(folder / _KEY, raw)
            return cls(folder, name=chosen, key=key, clock=clock)
        if len(data) != _KEY_BYTES or kept is None:
            raise DamagedVaultError("the key of this witness is damaged", hint="restore it from a backup")
        return cls(folder, name=kept.decode(errors="replace"), key=Ed25519PrivateKey.from_private_bytes(data), clock=clock)

    @property
    def public_key(self) -> WitnessKey:
        """What laptops trust.

        Raises:
            ProtocolError: The kept name is damaged.
        """
        return WitnessKey(self._name, self._key.public_key().public_bytes_raw())

    def observe(self, records: CoordinatorRecords, *, coordinator_key: bytes) -> Checkpoint:
        """Take the newest head, check it, keep it, cosign it, and hand the cosignature over.

        Args:
            records: The coordinator's.
            coordinator_key: Its raw key, 32 bytes.

        Returns:
            The head.

        Raises:
            ForkedLogError: The head does not follow from the one before; nothing was signed.
            ProtocolError: An answer cannot be read.
            FederationError: The coordinator cannot be reached, or does not take the cosignature.
            StorageError: The disk refuses; nothing was signed.
        """
        origin = log_origin(coordinator_key)
        path = self._folder / f"{origin.rpartition('/')[2]}{_HEAD}"
        note = records.checkpoint()
        head = Checkpoint.from_note(note, origin=origin, key=coordinator_key)
        kept = read_small_file(path)
        if kept is not None:
            self._check_follows(head, Checkpoint.from_note(kept, origin=origin, key=coordinator_key), records)
        replace_small_file(path, note)
        records.add_cosignature(cosign(note, key=self._key, name=self._name, time_s=int(self._clock())))
        return head

    def _check_follows(self, head: Checkpoint, before: Checkpoint, records: CoordinatorRecords) -> None:
        hint = "keep the folder of this witness: it holds the other head; tell the people who trust it"
        if head.size < before.size:
            raise ForkedLogError("the coordinator's log became shorter", hint=hint)
        if head.size == before.size:
            if head.root != before.root:
                raise ForkedLogError("there are two versions of the coordinator's log", hint=hint)
            return
        if before.size == 0:
            return
        proof = records.consistency(before.size, head.size)
        try:
            verify_consistency(proof, first=before.size, first_root=before.root, second=head.size, second_root=head.root)
        except ProtocolError as error:
            raise ForkedLogError("there are two versions of the coordinator's log", hint=hint) from error
