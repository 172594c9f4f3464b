"""Where a coordinator keeps what: one folder, readable by its owner only.

    coordinator.json      address and name
    descriptor.json       what laptops pin: the signed descriptor
    keys/signing.pem      Ed25519 key of plans, releases and the log (sealed by a passphrase if HOMETONE_COORDINATOR_PASSPHRASE is set)
    certificates/         the certificate authority and the server's certificate (`certificates`)
    records.db            the log, invitations
    releases/             vectors of the shared model, named by their hash
    panels/               listening panels, signed
    rounds.db             the journal of campaigns and rounds
    flower/               all of Flower's own: database, secret, bundle
    logs/                 what the processes print
    dashboard.key         hash of the key by which the dashboard can be entered, if one was made

What it may see: the coordinator's keys. What it must never do: hold anything of a speaker.
"""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import platformdirs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hometone_shared.errors import DamagedVaultError, StorageError, UsageError, WrongSecretError

PASSPHRASE_VARIABLE: Final = "HOMETONE_COORDINATOR_PASSPHRASE"  # noqa: S105 - the name of a variable
HOME_VARIABLE: Final = "HOMETONE_COORDINATOR_HOME"
_LONGEST_NAME: Final = 100


def default_home() -> Path:
    """The user's data folder for a coordinator."""
    return Path(platformdirs.user_data_dir("hometone-coordinator", appauthor=False))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, in one move; it is on the disk when this returns.

    Raises:
        StorageError: The disk refuses; an older file is untouched.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StorageError("the coordinator's folder cannot be written", hint="check free space and permissions") from error


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class CoordinatorHome:
    """The folder and what is in it.

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def settings_file(self) -> Path:
        """Address and name."""
        return self.root / "coordinator.json"

    @property
    def descriptor(self) -> Path:
        """The signed descriptor's bytes."""
        return self.root / "descriptor.json"

    @property
    def key_file(self) -> Path:
        """The signing key."""
        return self.root / "keys" / "signing.pem"

    @property
    def certificates(self) -> Path:
        """Authority and server certificate (`certificates.Certificates`)."""
        return self.root / "certificates"

    @property
    def records_db(self) -> Path:
        """The log and the invitations."""
        return self.root / "records.db"

    @property
    def releases(self) -> Path:
        """Vectors of releases."""
        return self.root / "releases"

    @property
    def panels(self) -> Path:
        """Listening panels."""
        return self.root / "panels"

    @property
    def rounds_db(self) -> Path:
        """The journal of campaigns and rounds."""
        return self.root / "rounds.db"

    @property
    def flower(self) -> Path:
        """Flower's own folder."""
        return self.root / "flower"

    @property
    def logs(self) -> Path:
        """What the processes print."""
        return self.root / "logs"

    @property
    def dashboard_key(self) -> Path:
        """Hash of the dashboard's access key."""
        return self.root / "dashboard.key"

    @property
    def exists(self) -> bool:
        """Whether `init` was finished here."""
        return self.descriptor.exists()

    def require(self) -> Self:
        """This home, if `init` was finished here.

        Raises:
            UsageError: It was not.
        """
        if not self.exists:
            raise UsageError("there is no coordinator in this folder", hint="make one: hometone-coordinator init NAME --address HOST:PORT")
        return self

    def settings(self) -> dict[str, str]:
        """Address and name, as `init` wrote them.

        Raises:
            DamagedVaultError: They cannot be read.
        """
        try:
            settings: dict[str, str] = json.loads(self.settings_file.read_text(encoding="utf-8"))
            return {"address": str(settings["address"]), "name": str(settings["name"])}
        except (OSError, ValueError, KeyError) as error:
            raise DamagedVaultError("the coordinator's settings cannot be read", hint="restore the folder from a backup") from error

    @property
    def address(self) -> str:
        """`host:port` by which laptops reach the gateway."""
        return self.settings()["address"]

    def write_settings(self, *, name: str, address: str) -> None:
        """Keep name and address.

        Raises:
            UsageError: One of them is none.
        """
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise UsageError("a coordinator's name has 1 to 100 printable characters")
        split_address(address)
        write_private(self.settings_file, json.dumps({"address": address, "name": name}, ensure_ascii=False).encode())

    def make_signing_key(self, environment: Mapping[str, str] = os.environ) -> Ed25519PrivateKey:
        """Make and keep the signing key; one that is there already is used."""
        if self.key_file.exists():
            return self.signing_key(environment)
        key = Ed25519PrivateKey.generate()
        passphrase = environment.get(PASSPHRASE_VARIABLE, "")
        sealing = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        write_private(self.key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing))
        return key

    def signing_key(self, environment: Mapping[str, str] = os.environ) -> Ed25519PrivateKey:
        """The signing key.

        Raises:
            WrongSecretError: The passphrase is missing or another.
            DamagedVaultError: The key cannot be read.
        """
        passphrase = environment.get(PASSPHRASE_VARIABLE, "")
        try:
            data = self.key_file.read_bytes()
        except OSError as error:
            raise DamagedVaultError("the coordinator's key cannot be read", hint="restore the folder from a backup") from error
        sealed = b"ENCRYPTED" in data
        try:
            key = load_pem_private_key(data, password=passphrase.encode() if sealed else None)
        except (ValueError, TypeError) as error:
            if sealed:
                raise WrongSecretError("the coordinator's passphrase does not fit", hint=f"set {PASSPHRASE_VARIABLE}") from error
            raise DamagedVaultError("the coordinator's key is damaged", hint="restore the folder from a backup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise DamagedVaultError("the coordinator's key is of another kind", hint="restore the folder from a backup")
        return key


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 address stands in brackets.

    Raises:
        UsageError: It is no such address.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65_535 or not host.isprintable():
        raise UsageError("an address is a host and a port", hint="for instance 192.168.1.20:8443 or voices.example.org:443")
    return host, int(port)
