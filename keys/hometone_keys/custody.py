"""Where the device key is kept: three ways, tried in this order when a vault is made.

(1) `keyring`: the operating system's keyring (Keychain, Credential Locker, Secret Service). Best: it opens with the user's login.
(2) `passphrase`: sealed in the vault's folder by Argon2id of a device passphrase that somebody supplies at every start.
(3) `file`: in the clear in a file only its owner may read. Weakest: who copies the whole folder has the device key, and only the PIN
    stands in the way. `hometone doctor` says so.

Every device key has a random id and a file `key-<id>`, which says by its kind where the key is. That file is written before the
keyring is asked and removed after, so no key is ever left behind where nobody looks for it.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

import keyring
import keyring.core
from keyring.errors import InitError, KeyringError, NoKeyringError

from hometone_keys.damage import damaged
from hometone_keys.disk import Disk
from hometone_keys.pin import ARGON2_SALT_BYTES, Argon2Cost, check_new_secret, normalised, stretch
from hometone_keys.sealing import HEADER_BYTES, KEY_BYTES, FileKind, header, kind_of, unwrap, wipe, wrap
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError, WrongSecretError

KEY_FILE_PREFIX = "key-"
KEY_ID_BYTES = 16
KEYRING_SERVICE = "hometone"
_CHECK_BYTES = 8
_LONGEST_PASSPHRASE_FILE = 8192  # a device has no end
_PART = "the file of the device key"


class Custody(StrEnum):
    """Who keeps the device key, best first."""

    KEYRING = "keyring"
    PASSPHRASE = "passphrase"  # noqa: S105 - the name of a kind, not a password
    FILE = "file"


@dataclass(frozen=True, slots=True)
class DeviceSecretSource:
    """What the caller supplies for the device key.

    Args:
        custody: Force one way; `None` takes the best there is.
        passphrase: The device passphrase, if there is one.
    """

    custody: Custody | None = None
    passphrase: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read HOMETONE_CUSTODY, HOMETONE_DEVICE_PASSPHRASE and HOMETONE_DEVICE_PASSPHRASE_FILE.

        Raises:
            UsageError: An unknown custody, or a passphrase file that cannot be read.
        """
        values = os.environ if environment is None else environment
        forced = values.get("HOMETONE_CUSTODY", "")
        if forced and forced not in set(Custody):
            raise UsageError("HOMETONE_CUSTODY is not one of keyring, passphrase, file", hint="leave it out to take the best there is")
        passphrase = values.get("HOMETONE_DEVICE_PASSPHRASE") or None
        file = values.get("HOMETONE_DEVICE_PASSPHRASE_FILE", "")
        if passphrase is None and file:
            try:
                with Path(file).open("rb") as stream:
                    passphrase = stream.read(_LONGEST_PASSPHRASE_FILE).decode("utf-8-sig").strip()
            except (OSError, ValueError) as error:
                raise UsageError(
                    "the file named by HOMETONE_DEVICE_PASSPHRASE_FILE cannot be read", hint="check its name and its permissions"
                ) from error
        return cls(custody=Custody(forced) if forced else None, passphrase=passphrase)


class KeyHolder(Protocol):
    """One way of keeping device keys."""

    def file_content(self, key_id: bytes, key: bytearray) -> bytes:
        """What the key's file says, without the check at its end."""

    def deposit(self, key_id: bytes, key: bytearray) -> None:
        """Give the key to whoever keeps it outside the file."""

    def fetch(self, key_id: bytes, body: bytes) -> bytearray:
        """Get the key back; `body` is the file's content after header and id."""

    def forget(self, key_id: bytes) -> None:
        """Destroy what `deposit` left outside the file."""


class FileHolder:
    """Custody `file`."""

    def file_content(self, key_id: bytes, key: bytearray) -> bytes:
        """Header, id, key."""
        return header(FileKind.FILE_KEY) + key_id + key

    def deposit(self, key_id: bytes, key: bytearray) -> None:
        """The file is all there is."""

    def fetch(self, key_id: bytes, body: bytes) -> bytearray:  # noqa: ARG002 - one interface for all holders
        """The key as it stands."""
        return bytearray(body)

    def forget(self, key_id: bytes) -> None:
        """The file is all there is."""


@dataclass(frozen=True, slots=True)
class PassphraseHolder:
    """Custody `passphrase`."""

    passphrase: str | None = field(repr=False)
    cost: Argon2Cost

    def file_content(self, key_id: bytes, key: bytearray) -> bytes:
        """Header, id, Argon2id cost and salt, sealed key."""
        passphrase = self._required()
        check_new_secret(passphrase)
        start = header(FileKind.PASSPHRASE_KEY) + key_id + self.cost.to_bytes() + secrets.token_bytes(ARGON2_SALT_BYTES)
        stretched = stretch(normalised(passphrase), salt=start[-ARGON2_SALT_BYTES:], cost=self.cost)
        sealed = wrap(stretched, key, associated_data=start)
        wipe(stretched)
        return start + sealed

    def deposit(self, key_id: bytes, key: bytearray) -> None:
        """The file is all there is."""

    def fetch(self, key_id: bytes, body: bytes) -> bytearray:
        """Open the key with the passphrase."""
        salt_end = 12 + ARGON2_SALT_BYTES
        cost, salt = Argon2Cost.from_bytes(body[:12]), body[12:salt_end]
        if len(salt) < ARGON2_SALT_BYTES:
            raise damaged(_PART)
        start = header(FileKind.PASSPHRASE_KEY) + key_id + body[:salt_end]
        stretched = stretch(normalised(self._required()), salt=salt, cost=cost)
        key = unwrap(stretched, body[salt_end:], associated_data=start)
        wipe(stretched)
        if key is None:
            raise WrongSecretError("the device passphrase is not the right one", hint="check HOMETONE_DEVICE_PASSPHRASE")
        return key

    def forget(self, key_id: bytes) -> None:
        """The file is all there is."""

    def _required(self) -> str:
        if self.passphrase is None:
            raise WrongSecretError(
                "this machine's vault needs the device passphrase",
                hint="set HOMETONE_DEVICE_PASSPHRASE or HOMETONE_DEVICE_PASSPHRASE_FILE",
            )
        return self.passphrase


class KeyringHolder:
    """Custody `keyring`."""

    def file_content(self, key_id: bytes, key: bytearray) -> bytes:  # noqa: ARG002 - one interface for all holders
        """Header and id: where to look."""
        return header(FileKind.KEYRING_KEY) + key_id

    def deposit(self, key_id: bytes, key: bytearray) -> None:
        """Hand the key to the keyring, and make sure that it kept it."""
        try:
            keyring.set_password(KEYRING_SERVICE, key_id.hex(), key.hex())
            kept = keyring.get_password(KEYRING_SERVICE, key_id.hex())
        except KeyringError as error:
            raise _keyring_refuses() from error
        if kept != key.hex():
            raise _keyring_refuses()

    def fetch(self, key_id: bytes, body: bytes) -> bytearray:  # noqa: ARG002 - one interface for all holders
        """Ask the keyring."""
        try:
            kept = keyring.get_password(KEYRING_SERVICE, key_id.hex())
        except KeyringError as error:
            raise _keyring_refuses() from error
        if kept is None:
            raise StorageError(
                "the system's keyring does not have the key of this vault", hint="log in as the user who made the vault, on this machine"
            )
        try:
            return bytearray.fromhex(kept)
        except ValueError as error:
            raise damaged("the device key in the system's keyring") from error

    def forget(self, key_id: bytes) -> None:
        """Remove the key from the keyring; one that is not there is as good as removed."""
        try:
            if keyring.get_password(KEYRING_SERVICE, key_id.hex()) is not None:
                keyring.delete_password(KEYRING_SERVICE, key_id.hex())
        except KeyringError as error:
            raise _keyring_refuses() from error


def _keyring_refuses() -> StorageError:
    return StorageError("the system's keyring refuses", hint="unlock it, or set HOMETONE_CUSTODY=passphrase or file for a new vault")


def keyring_available() -> bool:
    """Whether there is a keyring that really keeps something (headless machines have none)."""
    probe = secrets.token_hex(8)
    try:
        if not keyring.core.recommended(keyring.get_keyring()):
            return False
        keyring.set_password(KEYRING_SERVICE, "probe", probe)
        kept = keyring.get_password(KEYRING_SERVICE, "probe") == probe
        if kept:
            keyring.delete_password(KEYRING_SERVICE, "probe")
    except (NoKeyringError, InitError):
        return False
    except KeyringError as error:
        raise _keyring_refuses() from error
    return kept


_KINDS = {FileKind.FILE_KEY: Custody.FILE, FileKind.PASSPHRASE_KEY: Custody.PASSPHRASE, FileKind.KEYRING_KEY: Custody.KEYRING}


class Custodian:
    """Stores, finds and destroys device keys.

    Args:
        folder: The vault's folder.
        disk: How to reach it.
        source: Passphrase and forced custody.
        cost: Argon2id cost for a passphrase.
    """

    def __init__(self, folder: Path, *, disk: Disk, source: DeviceSecretSource, cost: Argon2Cost) -> None:
        self._folder = folder
        self._disk = disk
        self._source = source
        self._holders: dict[Custody, KeyHolder] = {
            Custody.KEYRING: KeyringHolder(),
            Custody.PASSPHRASE: PassphraseHolder(source.passphrase, cost),
            Custody.FILE: FileHolder(),
        }

    def choose(self) -> Custody:
        """The custody for a new device key: the forced one, or the best there is."""
        if self._source.custody is not None:
            return self._source.custody
        if keyring_available():
            return Custody.KEYRING
        return Custody.FILE if self._source.passphrase is None else Custody.PASSPHRASE

    def check_forced(self, actual: Custody) -> None:
        """Refuse to pass over a forced custody in silence.

        Raises:
            UsageError: The vault keeps its key elsewhere.
        """
        if self._source.custody not in {None, actual}:
            raise UsageError(
                f"this vault keeps its device key in custody '{actual}', not '{self._source.custody}'",
                hint="leave HOMETONE_CUSTODY out, it is for new vaults",
            )

    def store(self, custody: Custody, key_id: bytes, key: bytearray) -> None:
        """Keep a device key, on the disk for certain when this returns."""
        holder = self._holders[custody]
        content = holder.file_content(key_id, key)
        path = self._path(key_id)
        self._disk.put_file(
            path, content + hashlib.sha256(content).digest()[:_CHECK_BYTES], temporary=self._folder / f"n-{secrets.token_hex(8)}"
        )
        holder.deposit(key_id, key)

    def load(self, key_id: bytes) -> bytearray:
        """Get a device key.

        Raises:
            DamagedVaultError: Its file is missing or not what was written.
            WrongSecretError: The device passphrase is missing or another.
            StorageError: The keyring refuses.
        """
        custody, body = self._read(key_id)
        key = self._holders[custody].fetch(key_id, body)
        if len(key) != KEY_BYTES:
            raise damaged(_PART)
        return key

    def custody_of(self, key_id: bytes) -> Custody:
        """Who keeps this key.

        Raises:
            DamagedVaultError: Its file is missing or not what was written.
        """
        return self._read(key_id)[0]

    def held(self) -> list[bytes]:
        """Ids of all device keys that have a file."""
        names = [name for name in self._disk.names(self._folder) if name.startswith(KEY_FILE_PREFIX)]
        return [bytes.fromhex(name.removeprefix(KEY_FILE_PREFIX)) for name in names if _is_key_name(name)]

    def destroy(self, key_id: bytes) -> None:
        """Destroy a device key: first where it is kept, then its file."""
        try:
            custody = self.custody_of(key_id)
        except DamagedVaultError:
            custody = Custody.KEYRING if keyring_available() else Custody.FILE
        self._holders[custody].forget(key_id)
        self._disk.wipe(self._path(key_id))
        self._disk.sync_folder(self._folder)

    def _path(self, key_id: bytes) -> Path:
        return self._folder / f"{KEY_FILE_PREFIX}{key_id.hex()}"

    def _read(self, key_id: bytes) -> tuple[Custody, bytes]:
        data = self._disk.read(self._path(key_id))
        if data is None:
            raise damaged("the vault (its device key is missing)")
        content, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        kind = kind_of(content, what=_PART)
        if (
            check != hashlib.sha256(content).digest()[:_CHECK_BYTES]
            or content[HEADER_BYTES : HEADER_BYTES + KEY_ID_BYTES] != key_id
            or kind not in _KINDS
        ):
            raise damaged(_PART)
        return _KINDS[kind], content[HEADER_BYTES + KEY_ID_BYTES :]


def _is_key_name(name: str) -> bool:
    digits = name.removeprefix(KEY_FILE_PREFIX)
    return len(digits) == 2 * KEY_ID_BYTES and set(digits) <= set("0123456789abcdef")
