"""A quick vault, a keyring in memory, and disks that fail on command."""

import errno
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError, PasswordDeleteError

from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_keys.disk import Disk, storage_refusals
from hometone_keys.register import PREFIX_BYTES
from hometone_keys.sealing import canonical_json, context, parse_json, seal, unseal

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)


class MachineStoppedError(BaseException):
    """The power went off."""


class FailingDisk(Disk):
    """The real disk, which counts every change and fails at one of them.

    Args:
        fail_at: Number of the change, from 0; `None` never fails.
        how: `before` and `torn` (half of a write is done) stop the machine for good; `unsynced` also loses whatever was not fsynced;
            `refuse` answers "disk full" once and works again.
    """

    def __init__(self, fail_at: int | None = None, how: str = "before") -> None:
        self.fail_at = fail_at
        self.how = how
        self.count = 0
        self.stopped = False
        self._unsynced: dict[int, Path] = {}

    def tick(self) -> None:
        if self.stopped:
            raise MachineStoppedError
        self.count += 1
        if self.fail_at is not None and self.count - 1 == self.fail_at:
            if self.how == "refuse":
                self.refuse_as_full()
            self.stopped = True
            if self.how == "unsynced":
                for path in self._unsynced.values():
                    if path.exists():
                        path.write_bytes(b"")
            raise MachineStoppedError

    def refuse_as_full(self) -> None:
        with storage_refusals():
            raise OSError(errno.ENOSPC, "injected")

    def make_folder(self, path: Path) -> None:
        self.tick()
        super().make_folder(path)

    def create(self, path: Path) -> BinaryIO:
        self.tick()
        file = super().create(path)
        self._unsynced[file.fileno()] = path
        return file

    def write(self, file: BinaryIO, data) -> None:
        if self.how == "torn" and self.fail_at == self.count:
            super().write(file, data[: len(data) // 2])
        self.tick()
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        self.tick()  # not passed on: what would be lost is known here, and waiting for the real disk takes most of the time
        del self._unsynced[file.fileno()]

    def replace(self, source: Path, target: Path) -> None:
        self.tick()
        super().replace(source, target)
        self._unsynced = {number: target if path == source else path for number, path in self._unsynced.items()}

    def sync_folder(self, folder: Path) -> None:
        self.tick()

    def overwrite(self, path: Path) -> None:
        self.tick()
        super().overwrite(path)

    def unlink(self, path: Path) -> None:
        self.tick()
        super().unlink(path)

    def remove_folder(self, path: Path) -> None:
        self.tick()
        super().remove_folder(path)


class MemoryKeyring(KeyringBackend):
    """A keyring that keeps its entries in a dictionary and may share a failing disk's fate."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.before_change: Callable[[], None] = lambda: None

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.before_change()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.before_change()
        if (service, username) not in self.entries:
            raise PasswordDeleteError("not there")
        del self.entries[service, username]


class NoKeyring(KeyringBackend):
    """A machine whose best keyring turns out not to work."""

    priority = 5

    def get_password(self, service: str, username: str) -> str | None:
        raise NoKeyringError

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NoKeyringError

    def delete_password(self, service: str, username: str) -> None:
        raise NoKeyringError


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("HOMETONE_CUSTODY", "HOMETONE_DEVICE_PASSPHRASE", "HOMETONE_DEVICE_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cost() -> Argon2Cost:
    return CHEAP


@pytest.fixture
def failing_disk():
    return FailingDisk


@pytest.fixture
def machine_stopped():
    return MachineStoppedError


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring() -> Iterator[NoKeyring]:
    before = keyring.get_keyring()
    backend = NoKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of small files come and go in tests that fail on purpose."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "家" / "home"


@pytest.fixture
def open_vault(home) -> Iterator[Callable[..., Vault]]:
    """Open (or make) a vault: `open_vault(home=..., source=..., disk=..., clock=...)`; closed after the test."""
    opened: list[Vault] = []

    def opener(*, home: Path = home, source: DeviceSecretSource | None = None, **how) -> Vault:
        vault = Vault(home, device_secret_source=source or DeviceSecretSource(custody=Custody.FILE), cost=CHEAP, **how)
        opened.append(vault)
        return vault

    yield opener
    for vault in opened:
        with suppress(MachineStoppedError):
            vault.close()


@pytest.fixture
def as_version_1() -> Callable[[Vault], bytes]:
    """Rewrite a vault's key slots as the first version of the format had them, without recovery secrets; gives the bytes."""

    return lambda vault: _rewritten(vault, 1)


def _rewritten(vault: Vault, version: int) -> bytes:
    path, key = vault._cabinet.folder / "keyslots", vault._cabinet.device_key()
    data = path.read_bytes()
    info = context("hometone/key-slots/v1", data[8:PREFIX_BYTES])
    content = parse_json(unseal(key, data, prefix_bytes=PREFIX_BYTES, info=info, what="a test"))
    assert content.pop("house") is None  # older versions had none
    for speaker in content["speakers"] if version == 1 else ():
        del speaker["withdrawal"], speaker["erase_after_ms"]
    older = seal(key, canonical_json(content), prefix=b"HTONS" + bytes([version, 0, 0]) + data[8:PREFIX_BYTES], info=info)
    path.write_bytes(older)
    return older


@pytest.fixture
def as_version_2() -> Callable[[Vault], bytes]:
    """Rewrite a vault's key slots as the second version of the format had them, without the house; gives the bytes."""
    return lambda vault: _rewritten(vault, 2)


@pytest.fixture
def vault(open_vault) -> Vault:
    return open_vault()
