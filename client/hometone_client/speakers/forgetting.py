"""Forgetting a speaker on this machine: exports, then everything sealed, then the proof (requirements 47 to 50).

1. With her PIN: write the decision into her vault and let this device open it without the PIN, so that a killed process is finished by
   the next start.
2. With her PIN: remove every sound file and report that was written in her voice and that is still what was written, and the unfinished
   piece of one whose writing was killed; files that somebody changed or moved are counted, not touched.
3. Take canaries, if she is unlocked.
4. Let the vault erase her: intent, keys, files (crash-safe on its own, and needs no PIN).
5. Scan the whole home for the canaries.

Without her PIN, steps 1 to 3 cannot be done: where her exports are is sealed too. Forgetting must not depend on a PIN that was forgotten,
so it goes on.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hometone_client.speakers.canaries import ScanReport, collect_canaries, scan
from hometone_client.speakers.exports import remove_unfinished, unfinished_piece
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import ErasureReceipt, Vault
from hometone_shared.errors import DamagedVaultError, HometoneError

_DECISION: Final = ("job", "forget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done.

    Attributes:
        receipt: The vault's signed receipt.
        exports_removed: Sound files that were removed, unfinished ones too.
        exports_missing: Sound files that are no longer where they were written, or were changed; copies cannot be called back.
        exports_known: Whether the list of sound files could be read, which takes the PIN.
        scan: What the scan saw afterwards.
    """

    receipt: ErasureReceipt
    exports_removed: int
    exports_missing: int
    exports_known: bool
    scan: ScanReport


def remove_exports(room: SpeakerRoom, *, keep: bool = False) -> tuple[int, int]:
    """(2) Remove sound files that are still what was written, and unfinished pieces of them.

    Args:
        room: Her things, unlocked.
        keep: Leave finished files where they are; unfinished pieces go all the same, because nobody asked for them.

    Returns:
        How many were removed, and how many were not found or had changed; both 0 with `keep`.
    """
    removed = missing = 0
    for name in room.export_names():
        try:
            export = room.export(name)
        except DamagedVaultError:  # where that file is nobody knows any more; the others are known
            missing += not keep
            continue
        path = Path(export.path)
        unfinished = remove_unfinished(unfinished_piece(path, export.sha256))
        if keep:
            continue
        try:
            with path.open("rb") as source:
                same = hashlib.file_digest(source, "sha256").hexdigest() == export.sha256
            if same:
                path.unlink()
        except OSError:
            same = False
        removed += same or unfinished
        missing += not (same or unfinished)
    return removed, missing


def forget(vault: Vault, speaker_id: str, *, home: Path, room: SpeakerRoom | None, keep_exports: bool = False) -> Forgotten:
    """Forget a speaker.

    Args:
        vault: The open vault.
        speaker_id: Her pseudonym.
        home: Folder that is scanned afterwards.
        room: Her things, unlocked, if she gave her PIN; locked again when this returns.
        keep_exports: Leave the sound files that were written in her voice where they are.

    Raises:
        UsageError: There is no such speaker.
        StorageError: The disk refuses; it goes on at the next start.
    """
    removed = missing = 0
    canaries: frozenset[bytes] = frozenset()
    if room is not None:
        room.vault.put_json(_DECISION[1], {"keep_exports": keep_exports}, kind=_DECISION[0])
        vault.allow_work(room.vault)  # (1)
        removed, missing = remove_exports(room, keep=keep_exports)  # (2)
        try:
            canaries = collect_canaries(room)  # (3)
        except HometoneError:
            canaries = frozenset()  # a damaged recording must not keep anybody from being forgotten
        room.vault.close()
    receipt = vault.revoke(speaker_id)  # (4)
    report = scan(home, canaries)  # (5)
    return Forgotten(receipt=receipt, exports_removed=removed, exports_missing=missing, exports_known=room is not None, scan=report)


def finish_forgetting(vault: Vault) -> int:
    """Finish what a killed process had decided; called whenever the vault is opened.

    A speaker whose index is damaged is passed over, because nobody else's things may hang on it; damage behind it stops nothing.

    Returns:
        How many speakers were forgotten now.
    """
    finished = 0
    for entry in vault.speakers():
        if not entry.work_allowed:
            continue
        decided = False
        with suppress(DamagedVaultError), vault.unlock_for_work(entry.speaker_id) as unlocked:
            decided = unlocked.has(*_DECISION)
            if decided:
                decision = unlocked.read_json(_DECISION[1], kind=_DECISION[0])
                remove_exports(SpeakerRoom(unlocked), keep=bool(decision.get("keep_exports")))
        if decided:
            vault.revoke(entry.speaker_id)
            finished += 1
    return finished
