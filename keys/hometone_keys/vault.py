"""The vault: who has a voice on this laptop, and who may open it.

What it may see: names, pseudonyms, PINs while they are typed. What it must never do: write any of them in the clear, or open one
speaker's data with what another one knows. Everything under `<home>/vault` is sealed; the folder's layout is in `cabinet`, the order
of an erasure in `erasure`, the formats in docs/formats.md. Requirements 46, 47, 48, 50, 55.
"""

import base64
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from hometone_keys.cabinet import Cabinet, holds_somebody
from hometone_keys.custody import Custodian, Custody, DeviceSecretSource
from hometone_keys.device import DeviceIdentity
from hometone_keys.disk import Disk
from hometone_keys.entry import SpeakerEntry
from hometone_keys.erasure import ErasureReceipt, erase, settle, transaction
from hometone_keys.index import Index
from hometone_keys.names import checked_name, folded
from hometone_keys.pin import STANDARD_COST, Argon2Cost, check_new_secret
from hometone_keys.register import HOUSE_ID, WITHDRAWAL_SECRET_BYTES, Register, SpeakerRecord
from hometone_keys.sealing import KEY_BYTES
from hometone_keys.slots import KeySlot, SlotKind, make_secret_slot, make_work_slot, open_slot
from hometone_keys.speaker import INDEX, SpeakerVault
from hometone_shared.errors import StorageError, UsageError, WrongSecretError

FOLDER = "vault"
LATEST_TIME_MS = (1 << 53) - 1


class Vault:
    """The vault of one laptop; made on first use. Use it as a context manager.

    Opening it finishes whatever a killed process left half-done; erasures finished that way are in `finished_erasures`.

    Args:
        home: Folder of all of Hometone's data; the vault is its subfolder `vault`.
        device_secret_source: Passphrase and forced custody of the device key; default: from the environment.
        cost: Argon2id cost of new PINs and passphrases.
        disk: The way to the file system.
        clock: Seconds since 1970.

    Raises:
        WrongSecretError: The device passphrase is missing or another.
        DamagedVaultError: A file is not what was written; nothing is changed.
        StorageError: The disk or the keyring refuses.
        UsageError: A custody is forced that is not the vault's.
    """

    def __init__(
        self,
        home: Path,
        *,
        device_secret_source: DeviceSecretSource | None = None,
        cost: Argon2Cost = STANDARD_COST,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        source = device_secret_source or DeviceSecretSource.from_environment()
        self._disk = disk or Disk()
        self._cost = cost
        self._clock = clock
        folder = home / FOLDER
        self._cabinet = Cabinet(
            folder, disk=self._disk, custodian=Custodian(folder, disk=self._disk, source=source, cost=cost), clock=clock
        )
        self.finished_erasures: tuple[ErasureReceipt, ...] = ()
        with self._cabinet.locked():
            self._cabinet.begin()
            self._cabinet.custodian.check_forced(self.custody)
            self.recover()

    def __repr__(self) -> str:
        return "Vault()"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def exists(home: Path) -> bool:
        """Whether there is a vault in this home, whole or damaged, without making one.

        Raises:
            StorageError: The folder cannot be read.
        """
        names = Disk().names(home / FOLDER)
        return "keyslots" in names or holds_somebody(names)

    @property
    def custody(self) -> Custody:
        """Who keeps the device key."""
        with self._cabinet.locked():
            return self._cabinet.custodian.custody_of(self._cabinet.key_id())

    @property
    def device(self) -> DeviceIdentity:
        """Key pairs of this laptop."""
        with transaction(self._cabinet) as register:
            return register.identity

    def close(self) -> None:
        """Forget the device key. Speakers that are unlocked are closed by whoever unlocked them."""
        self._cabinet.close()

    def recover(self) -> None:
        """Finish erasures that were begun and remove what killed processes left. Called at every opening."""
        with self._cabinet.locked():
            receipt = settle(self._cabinet)
            if receipt is not None:
                self.finished_erasures = (*self.finished_erasures, receipt)
            self._cabinet.tidy()

    def speakers(self) -> tuple[SpeakerEntry, ...]:
        """Everybody who has a voice here, oldest first."""
        with transaction(self._cabinet) as register:
            return tuple(sorted(map(SpeakerEntry.of, register.speakers), key=lambda entry: (entry.created_ms, entry.speaker_id)))

    def find(self, name_or_id: str) -> SpeakerEntry:
        """A speaker by name or pseudonym; upper and lower case do not matter.

        Raises:
            UsageError: There is nobody of that name.
        """
        wanted = folded(name_or_id)
        for entry in self.speakers():
            if wanted in {folded(entry.name), entry.speaker_id}:
                return entry
        raise UsageError("there is nobody of that name here", hint="list the voices to see the names")

    def enroll(self, name: str, secret: str) -> SpeakerVault:
        """Make a place for a new speaker, with her recovery secret; it comes back unlocked.

        Args:
            name: What people call the voice: 1 to 200 printable characters, not taken yet.
            secret: PIN or phrase, at least four characters.

        Raises:
            UsageError: Name or secret are not such.
            StorageError: The disk refuses; nothing was added.
        """
        shown = checked_name(name)
        check_new_secret(secret)

        def slot(data_key: bytearray, speaker_id: str) -> KeySlot:
            device_key = self._cabinet.device_key()
            return make_secret_slot(data_key, secret=secret, speaker_id=speaker_id, device_key=device_key, cost=self._cost)

        return self._admitted(shown, slot, withdrawal=secrets.token_bytes(WITHDRAWAL_SECRET_BYTES))

    def admit_guest(self, name: str) -> SpeakerVault:
        """Make a place for a copy of a voice that somebody elsewhere has lent; it comes back unlocked.

        A guest has no PIN, and no recovery secret: that is its owner's. `unlock_for_work` opens it, `revoke` erases it.

        Args:
            name: What people here call the voice, as for `enroll`.

        Raises:
            UsageError: The name is not one, or taken.
            StorageError: The disk refuses; nothing was added.
        """
        return self._admitted(checked_name(name), self._work_slot, withdrawal=None)

    def house(self) -> SpeakerVault:
        """Open the place of what belongs to this machine and to nobody who speaks; made on first use, and asks for no PIN.

        It is in no list of speakers, has no name and no recovery secret, and neither an erasure nor a new device key ends it. Close it.

        Raises:
            StorageError: The disk refuses; nothing was added.
            DamagedVaultError: A file is not what was written.
        """
        with transaction(self._cabinet) as register:
            if register.house is None:
                house, data_key = self._new_place(HOUSE_ID, name="", make_slot=self._work_slot, withdrawal=None)
                self._cabinet.write(replace(register, house=house))
                return SpeakerVault(self._cabinet, house, data_key)
            (slot,) = register.house.slots
            data_key = open_slot(slot, speaker_id=HOUSE_ID, device_key=self._cabinet.device_key())
            opened = SpeakerVault(self._cabinet, register.house, data_key)
            opened.tidy()
            return opened

    def set_erase_after(self, speaker_id: str, *, erase_after_ms: int | None) -> None:
        """Note when a place is to be erased by the sweep; asks for no PIN.

        Args:
            speaker_id: Whose place.
            erase_after_ms: Milliseconds since 1970, 0 to 2^53 - 1; `None` takes the note back.

        Raises:
            UsageError: There is no such speaker, or no such time.
            StorageError: The disk refuses; what was noted before still is.
        """
        if erase_after_ms is not None and not 0 <= erase_after_ms <= LATEST_TIME_MS:
            raise UsageError("a time to erase is given in milliseconds since 1970", hint="check the date")
        with transaction(self._cabinet) as register:
            record = _required(register, speaker_id)
            if record.erase_after_ms != erase_after_ms:
                self._cabinet.write(register.with_speaker(replace(record, erase_after_ms=erase_after_ms)))

    def withdrawal_secret(self, speaker_id: str) -> bytes:
        """A speaker's recovery secret, 16 bytes (docs/withdrawal.md, section 1); asks for no PIN. Never write it to a log or a file.

        Raises:
            UsageError: There is no such speaker, or it is a guest, whom only its owner can withdraw.
            StorageError: A speaker of an older vault has none yet, and the disk refuses to keep one.
        """
        with transaction(self._cabinet) as register:
            withdrawal = _required(self._completed(register), speaker_id).withdrawal
        if withdrawal is None:
            raise UsageError("this is a lent copy; only its owner can withdraw it", hint="to remove the copy from this machine, revoke it")
        return withdrawal

    def withdrawal_secrets(self) -> dict[str, bytes]:
        """The recovery secret of every speaker who is not a guest, by pseudonym of the vault; asks for no PIN.

        Speakers of an older vault get theirs now. If the disk refuses they have none yet and are missing: nobody can have withdrawn
        by a secret that was never kept, so a full disk keeps nobody from holding tombstones against the others.
        """
        with transaction(self._cabinet) as register:
            kept = register
            with suppress(StorageError):
                kept = self._completed(register)
        return {record.speaker_id: record.withdrawal for record in kept.speakers if record.withdrawal is not None}

    def unlock(self, speaker_id: str, secret: str) -> SpeakerVault:
        """Open a speaker's data with their PIN or phrase.

        Raises:
            WrongSecretError: It is another PIN, or there were too many wrong ones and the wait is not over.
            UsageError: There is no such speaker, or it is a guest, who has no PIN.
            DamagedVaultError: A file is not what was written.
        """
        with transaction(self._cabinet) as register:
            return self._opened(register, speaker_id, SlotKind.SECRET, secret)

    def unlock_for_work(self, speaker_id: str) -> SpeakerVault:
        """Open a speaker's data for unattended work that `allow_work` allowed, or a guest's.

        Raises:
            WrongSecretError: No such work was allowed, or it is over.
            UsageError: There is no such speaker.
        """
        with transaction(self._cabinet) as register:
            return self._opened(register, speaker_id, SlotKind.WORK, "")

    def allow_work(self, speaker: SpeakerVault) -> None:
        """Let this device open the speaker's data without the PIN until `end_work`; only who has it unlocked can allow it."""
        with transaction(self._cabinet) as register:
            record = _required(register, speaker.speaker_id)
            slot = make_work_slot(speaker.data_key(), speaker_id=record.speaker_id, device_key=self._cabinet.device_key())
            self._cabinet.write(register.with_speaker(record.with_slot(slot)))

    def end_work(self, speaker_id: str) -> None:
        """Take the permission back; the device key is rotated, so that no copy of it works again.

        Raises:
            UsageError: There is no such speaker, or it is a guest, whom nothing else opens.
        """
        with transaction(self._cabinet) as register:
            record = _required(register, speaker_id)
            if record.is_guest:
                raise _lent_copy()
            if record.slot(SlotKind.WORK) is not None:
                self._cabinet.rotate(register.with_speaker(record.without_slot(SlotKind.WORK)))

    def change_secret(self, speaker_id: str, *, old: str, new: str) -> None:
        """Change a PIN or phrase; the device key is rotated, so that no copy of the old slot works again.

        Raises:
            WrongSecretError: `old` is not the PIN.
            UsageError: `new` is too short, there is no such speaker, or it is a guest, who has no PIN.
        """
        check_new_secret(new)
        with transaction(self._cabinet) as register, self._opened(register, speaker_id, SlotKind.SECRET, old) as speaker:
            slot = make_secret_slot(
                speaker.data_key(), secret=new, speaker_id=speaker_id, device_key=self._cabinet.device_key(), cost=self._cost
            )
            self._cabinet.rotate(register.with_speaker(_required(register, speaker_id).with_slot(slot)))

    def change_custody(self, source: DeviceSecretSource) -> None:
        """Keep the device key elsewhere from now on (or under another passphrase), under a new key.

        Args:
            source: As for a new vault.
        """
        custodian = Custodian(self._cabinet.folder, disk=self._disk, source=source, cost=self._cost)
        with transaction(self._cabinet) as register:
            self._cabinet.rotate(register, custodian=custodian)

    def revoke(self, speaker_id: str) -> ErasureReceipt:
        """Erase a speaker: recordings, weights, keys, name, everything (requirements 47, 48). Asks for no PIN and no reason.

        Once this has begun it will be finished, at the next opening if not now.

        Raises:
            UsageError: There is no such speaker.
            StorageError: The disk or the keyring refuses; the erasure goes on at the next opening.
        """
        with transaction(self._cabinet) as register:
            return erase(self._cabinet, _required(register, speaker_id).speaker_id)

    def _admitted(self, name: str, make_slot: Callable[[bytearray, str], KeySlot], *, withdrawal: bytes | None) -> SpeakerVault:
        with transaction(self._cabinet) as register:
            if any(folded(record.name) == folded(name) for record in register.speakers):
                raise UsageError("somebody of that name has a voice here already", hint="add a second name or a number")
            speaker_id = f"spk-{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"
            record, data_key = self._new_place(speaker_id, name=name, make_slot=make_slot, withdrawal=withdrawal)
            self._cabinet.write(register.with_speaker(record))
            return SpeakerVault(self._cabinet, record, data_key)

    def _new_place(
        self, place_id: str, *, name: str, make_slot: Callable[[bytearray, str], KeySlot], withdrawal: bytes | None
    ) -> tuple[SpeakerRecord, bytearray]:
        """A folder with an empty index and a key; it is nobody's until the register names it."""
        data_key = bytearray(secrets.token_bytes(KEY_BYTES))
        slot = make_slot(data_key, place_id)
        folder = self._cabinet.new_speaker_folder()
        self._cabinet.replace_in(self._cabinet.folder / folder, INDEX, Index().seal(data_key, speaker_id=place_id))
        record = SpeakerRecord(
            speaker_id=place_id, name=name, folder=folder, created_ms=self._cabinet.now_ms, slots=(slot,), withdrawal=withdrawal
        )
        return record, data_key

    def _work_slot(self, data_key: bytearray, place_id: str) -> KeySlot:
        return make_work_slot(data_key, speaker_id=place_id, device_key=self._cabinet.device_key())

    def _completed(self, register: Register) -> Register:
        complete = register.completed()
        if complete is not register:
            self._cabinet.write(complete)
        return complete

    def _opened(self, register: Register, speaker_id: str, kind: SlotKind, secret: str) -> SpeakerVault:
        record = _required(register, speaker_id)
        slot = record.slot(kind)
        if slot is None and kind is SlotKind.SECRET:
            raise _lent_copy()
        if slot is None:
            raise WrongSecretError("no unattended work is allowed for this voice", hint="unlock it with the PIN and allow it again")
        book = self._cabinet.attempts()
        wait_ms = book.wait_ms(speaker_id, now_ms=self._cabinet.now_ms) if kind is SlotKind.SECRET else 0
        if wait_ms:
            raise WrongSecretError(
                f"too many wrong attempts; the next one is possible in {-(-wait_ms // 1000)} seconds",
                hint="a forgotten PIN cannot be recovered; the voice can be removed and made anew",
            )
        try:
            data_key = open_slot(slot, speaker_id=speaker_id, device_key=self._cabinet.device_key(), secret=secret)
        except WrongSecretError:
            self._cabinet.write_attempts(book.after_failure(speaker_id, now_ms=self._cabinet.now_ms))
            raise
        if kind is SlotKind.SECRET and speaker_id in book.failures:
            self._cabinet.write_attempts(book.only({other for other in book.failures if other != speaker_id}))
        speaker = SpeakerVault(self._cabinet, record, data_key)
        speaker.tidy()
        return speaker


def _required(register: Register, speaker_id: str) -> SpeakerRecord:
    record = register.find(speaker_id)
    if record is None:
        raise UsageError("there is nobody of that name here", hint="list the voices to see the names")
    return record


def _lent_copy() -> UsageError:
    return UsageError("this is a lent copy and has no PIN", hint="it speaks by itself for as long as it is lent")
