"""What belongs to the machine and to nobody who speaks: sealed like everything, in no list, ended by nobody's erasure."""

import shutil

import pytest

from hometone_keys import Custody, DeviceSecretSource
from hometone_keys.register import HOUSE_ID, unseal_register
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError, VaultError

TEXT = {"text": "two white tablets for Frau Stein, 史太太的两片白药"}


def everything(home) -> bytes:
    return b"".join(path.read_bytes() for path in (home / "vault").rglob("*") if path.is_file())


def test_it_keeps_lists_and_removes_and_is_the_same_for_everybody_who_opens_the_vault(vault, open_vault):
    with vault.house() as house:
        house.put_json("1", TEXT, kind="reminder")
        assert house.has("reminder", "1")
    with open_vault().house() as again:
        assert again.read_json("1", kind="reminder") == TEXT
        assert [artefact.name for artefact in again.list("reminder")] == ["1"]
        again.delete("reminder", "1")
    assert vault.house().list() == ()


def test_nothing_of_it_is_readable_on_the_disk(vault, home):
    with vault.house() as house:
        house.put_json("1", TEXT, kind="reminder")
        key = bytes(house.data_key())
        assert "tablets" not in repr(house)
    data = everything(home)
    for piece in (b"tablets", b"Stein", "史太太".encode(), b"reminder", key):
        assert piece not in data


def test_it_is_nobody_whom_a_name_finds(vault):
    vault.house().close()
    assert vault.speakers() == ()
    assert vault.withdrawal_secrets() == {}
    for act in (vault.find, vault.revoke, vault.unlock_for_work, vault.withdrawal_secret, vault.end_work):
        for name in (HOUSE_ID, ""):
            with pytest.raises(UsageError, match="nobody"):
                act(name)
    with pytest.raises(UsageError, match="nobody"):
        vault.set_erase_after(HOUSE_ID, erase_after_ms=1)
    assert vault.enroll(HOUSE_ID, "2580").speaker_id != HOUSE_ID  # a person may be called so


def test_a_vault_that_nobody_asked_for_it_has_none(vault, home):
    assert [path.name for path in (home / "vault").iterdir() if path.name.startswith("s-")] == []
    assert vault._cabinet.register().house is None


def test_it_outlives_erasures_new_pins_and_new_custodies(vault, open_vault, home, tmp_path):
    house = vault.house()
    house.put_json("1", TEXT, kind="reminder")
    speaker, other = vault.enroll("王芳", "2580"), vault.enroll("李明", "1111")
    shutil.copytree(home, tmp_path / "before")
    vault.revoke(speaker.speaker_id)
    vault.change_secret(other.speaker_id, old="1111", new="3333")
    vault.change_custody(DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="four brown bears"))
    assert house.read_json("1", kind="reminder") == TEXT
    source = DeviceSecretSource(passphrase="four brown bears")
    with open_vault(source=source).house() as again:
        assert again.read_json("1", kind="reminder") == TEXT
        again.put_json("2", TEXT, kind="reminder")
    older = (tmp_path / "before" / "vault" / "keyslots").read_bytes()
    with pytest.raises(DamagedVaultError):
        unseal_register(older, device_key=bytes(vault._cabinet.device_key()))


def test_closed_it_is_closed(vault):
    with vault.house() as house:
        pass
    with pytest.raises(VaultError, match="locked"):
        house.put_json("1", TEXT, kind="reminder")


def test_an_older_vault_gets_one_with_its_first_use_and_is_left_alone_before(open_vault, home, as_version_2):
    with open_vault() as vault:
        speaker_id = vault.enroll("王芳", "2580").speaker_id
        secret = vault.withdrawal_secret(speaker_id)
        older = as_version_2(vault)
    slots = home / "vault" / "keyslots"
    with open_vault() as vault:
        assert vault.withdrawal_secret(speaker_id) == secret
        assert slots.read_bytes() == older
        vault.house().put_json("1", TEXT, kind="reminder")
        assert slots.read_bytes()[5] == 3
    with open_vault() as vault:
        assert vault.house().read_json("1", kind="reminder") == TEXT
        assert vault.withdrawal_secrets() == {speaker_id: secret}


def test_a_program_that_knows_version_2_says_that_it_is_too_old(vault, home, open_vault, monkeypatch):
    from hometone_keys.sealing import FileKind

    vault.house().close()
    before = everything(home)
    monkeypatch.setattr(FileKind, "version", property(lambda _: 2))
    with pytest.raises(DamagedVaultError, match="written by a newer Hometone") as caught:
        open_vault()
    assert "newer version" in caught.value.hint
    assert everything(home) == before


def test_a_full_disk_makes_none_and_a_later_try_does(open_vault, home, failing_disk, monkeypatch):
    disk = failing_disk()
    vault = open_vault(disk=disk)
    slots = (home / "vault" / "keyslots").read_bytes()
    with monkeypatch.context() as full:
        full.setattr(disk, "replace", lambda *_: disk.refuse_as_full())
        for _ in range(2):
            with pytest.raises(StorageError, match="the disk is full"):
                vault.house()
            assert (home / "vault" / "keyslots").read_bytes() == slots
    assert vault.house().list() == ()
    with open_vault() as again:
        assert len([path for path in (home / "vault").iterdir() if path.name.startswith("s-")]) == 1
        again.house().close()


def test_a_changed_folder_is_damage(vault, home):
    with vault.house() as house:
        house.put_json("1", TEXT, kind="reminder")
        (index,) = (home / "vault").glob("s-*/index")
        index.write_bytes(index.read_bytes()[:-1] + b"\x00")
        with pytest.raises(DamagedVaultError):
            house.list()
    with pytest.raises(DamagedVaultError):
        vault.house()
