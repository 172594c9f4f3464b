"""Three ways of keeping the device key, the order in which they are tried, and what each says when it cannot."""

import keyring
import pytest
from keyring.errors import InitError, KeyringLocked

from hometone_keys import Custody, DeviceSecretSource
from hometone_keys.custody import Custodian, keyring_available
from hometone_keys.disk import Disk
from hometone_keys.pin import Argon2Cost
from hometone_shared.errors import DamagedVaultError, HometoneError, StorageError, UsageError, WrongSecretError

KEY_ID, KEY = bytes(range(16)), bytearray(b"k" * 32)
PASSPHRASE = "four brown bears"


@pytest.fixture
def custodian(tmp_path, cost):
    def make(custody=None, passphrase=PASSPHRASE) -> Custodian:
        return Custodian(tmp_path, disk=Disk(), source=DeviceSecretSource(custody=custody, passphrase=passphrase), cost=cost)

    return make


def locked(*_):
    raise KeyringLocked("locked")


def test_environment(tmp_path):
    read = DeviceSecretSource.from_environment
    assert read({}) == DeviceSecretSource()
    assert read({"HOMETONE_CUSTODY": "file"}).custody is Custody.FILE
    assert read({"HOMETONE_DEVICE_PASSPHRASE": "abcd"}).passphrase == "abcd"
    file = tmp_path / "口令.txt"
    file.write_bytes(b"\xef\xbb\xbfabcd\r\n")
    assert read({"HOMETONE_DEVICE_PASSPHRASE_FILE": str(file)}).passphrase == "abcd"
    assert read({"HOMETONE_DEVICE_PASSPHRASE_FILE": str(file), "HOMETONE_DEVICE_PASSPHRASE": "efgh"}).passphrase == "efgh"
    with pytest.raises(UsageError, match="HOMETONE_CUSTODY"):
        read({"HOMETONE_CUSTODY": "cloud"})
    with pytest.raises(UsageError, match="PASSPHRASE_FILE"):
        read({"HOMETONE_DEVICE_PASSPHRASE_FILE": str(tmp_path / "missing")})
    file.write_bytes(b"abcd" + b" " * 100_000 + b"and no more of a file without an end")
    assert read({"HOMETONE_DEVICE_PASSPHRASE_FILE": str(file)}).passphrase == "abcd"
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError):
        read({"HOMETONE_DEVICE_PASSPHRASE_FILE": str(file)})


def test_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("HOMETONE_CUSTODY", "passphrase")
    assert DeviceSecretSource.from_environment().custody is Custody.PASSPHRASE


def test_repr_shows_no_passphrase(custodian):
    assert PASSPHRASE not in repr(DeviceSecretSource(passphrase=PASSPHRASE))
    assert PASSPHRASE not in repr(custodian()._holders)


def test_order_with_a_keyring(custodian, memory_keyring):
    assert custodian().choose() is Custody.KEYRING
    assert custodian(custody=Custody.FILE).choose() is Custody.FILE
    assert memory_keyring.entries == {}


def test_order_without_a_keyring(custodian):
    assert not keyring_available()
    assert custodian().choose() is Custody.PASSPHRASE
    assert custodian(passphrase=None).choose() is Custody.FILE


def test_a_keyring_that_does_not_work_counts_as_none(custodian, no_keyring, monkeypatch):
    assert custodian().choose() is Custody.PASSPHRASE
    monkeypatch.setattr(no_keyring, "set_password", lambda *_: (_ for _ in ()).throw(InitError))
    assert not keyring_available()


def test_a_keyring_that_keeps_nothing_counts_as_none(memory_keyring, monkeypatch):
    monkeypatch.setattr(memory_keyring, "set_password", lambda *_: None)
    assert not keyring_available()


def test_a_locked_keyring_is_an_error_not_a_silent_change(custodian, memory_keyring, monkeypatch):
    monkeypatch.setattr(memory_keyring, "set_password", locked)
    with pytest.raises(StorageError, match="keyring refuses"):
        custodian().choose()


def test_forced_custody_must_be_the_actual_one(custodian):
    custodian().check_forced(Custody.FILE)
    custodian(custody=Custody.FILE).check_forced(Custody.FILE)
    with pytest.raises(UsageError, match="custody 'file', not 'keyring'"):
        custodian(custody=Custody.KEYRING).check_forced(Custody.FILE)


@pytest.mark.parametrize("custody", Custody)
def test_store_load_destroy(custodian, memory_keyring, custody, tmp_path):
    keeper = custodian()
    keeper.store(custody, KEY_ID, KEY)
    assert keeper.load(KEY_ID) == KEY
    assert keeper.custody_of(KEY_ID) is custody
    assert keeper.held() == [KEY_ID]
    content = (tmp_path / f"key-{KEY_ID.hex()}").read_bytes()
    assert (bytes(KEY) in content) == (custody is Custody.FILE)
    assert bool(memory_keyring.entries) == (custody is Custody.KEYRING)
    keeper.destroy(KEY_ID)
    assert keeper.held() == []
    assert memory_keyring.entries == {}
    assert list(tmp_path.iterdir()) == []
    keeper.destroy(KEY_ID)


@pytest.mark.parametrize("custody", Custody)
def test_a_damaged_file_is_said_to_be_so_and_can_be_destroyed(custodian, memory_keyring, custody, tmp_path):
    keeper = custodian()
    keeper.store(custody, KEY_ID, KEY)
    path = tmp_path / f"key-{KEY_ID.hex()}"
    whole = path.read_bytes()
    for at in range(len(whole)):
        for changed in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at]):
            path.write_bytes(changed)
            with pytest.raises(DamagedVaultError):
                keeper.load(KEY_ID)
            assert path.read_bytes() == changed
    keeper.destroy(KEY_ID)
    assert memory_keyring.entries == {}
    assert keeper.held() == []


def test_a_hostile_passphrase_file_is_bounded(custodian, tmp_path):
    """With a right check but absurd costs, or too short, or a key of another length."""
    import hashlib

    from hometone_keys.sealing import FileKind, header

    path = tmp_path / f"key-{KEY_ID.hex()}"
    start = header(FileKind.PASSPHRASE_KEY) + KEY_ID
    good_cost = Argon2Cost(memory_kib=8, iterations=1, lanes=1).to_bytes()
    for content in (
        start + (1 << 31).to_bytes(4, "big") + bytes(8) + bytes(64),
        start + good_cost + bytes(3),
        start,
        header(FileKind.FILE_KEY) + KEY_ID + bytes(31),
        header(FileKind.INDEX) + KEY_ID + bytes(32),
    ):
        path.write_bytes(content + hashlib.sha256(content).digest()[:8])
        with pytest.raises(DamagedVaultError):
            custodian().load(KEY_ID)


def test_passphrase_wrong_missing_or_too_short(custodian):
    custodian().store(Custody.PASSPHRASE, KEY_ID, KEY)
    with pytest.raises(WrongSecretError, match="not the right one"):
        custodian(passphrase="four brown hares").load(KEY_ID)
    with pytest.raises(WrongSecretError, match="needs the device passphrase"):
        custodian(passphrase=None).load(KEY_ID)
    with pytest.raises(UsageError):
        custodian(passphrase="abc").store(Custody.PASSPHRASE, KEY_ID, KEY)


def test_keyring_that_lost_or_changed_the_key(custodian, memory_keyring):
    keeper = custodian()
    keeper.store(Custody.KEYRING, KEY_ID, KEY)
    for kept in ("not hexadecimal", "00"):
        keyring.set_password("hometone", KEY_ID.hex(), kept)
        with pytest.raises(DamagedVaultError):
            keeper.load(KEY_ID)
    memory_keyring.entries.clear()
    with pytest.raises(StorageError, match="does not have the key"):
        keeper.load(KEY_ID)
    keeper.destroy(KEY_ID)


def test_keyring_that_refuses_later(custodian, memory_keyring, monkeypatch):
    keeper = custodian()
    keeper.store(Custody.KEYRING, KEY_ID, KEY)
    monkeypatch.setattr(memory_keyring, "get_password", locked)
    for attempt in (lambda: keeper.load(KEY_ID), lambda: keeper.destroy(KEY_ID), lambda: keeper.store(Custody.KEYRING, b"x" * 16, KEY)):
        with pytest.raises(StorageError, match="keyring refuses"):
            attempt()
    monkeypatch.setattr(memory_keyring, "get_password", lambda *_: "something else")
    with pytest.raises(StorageError, match="keyring refuses"):
        keeper.store(Custody.KEYRING, b"y" * 16, KEY)


def test_files_of_other_names_are_not_keys(custodian, tmp_path):
    for name in ("key-zz", "key-" + "g" * 32, "key-" + "0" * 31, "other"):
        (tmp_path / name).write_bytes(b"")
    assert custodian().held() == []
    with pytest.raises(DamagedVaultError, match="device key is missing"):
        custodian().load(KEY_ID)


def test_errors_name_no_secret_and_no_path(custodian, tmp_path):
    custodian().store(Custody.PASSPHRASE, KEY_ID, KEY)
    with pytest.raises(HometoneError) as caught:
        custodian(passphrase="four brown hares").load(KEY_ID)
    text = caught.value.message + caught.value.hint
    assert "hares" not in text
    assert str(tmp_path) not in text
