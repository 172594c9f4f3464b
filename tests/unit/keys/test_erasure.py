"""Revoking: nothing readable remains, survivors keep everything, other openings notice, receipts verify."""

import json
import os
import shutil

import pytest

from hometone_keys import Custody, DeviceSecretSource, ErasureReceipt
from hometone_keys.cabinet import Cabinet
from hometone_keys.erasure import intent_key_id, seal_intent, unseal_intent
from hometone_keys.sealing import FileKind, canonical_json, context, header, seal
from hometone_shared.errors import DamagedVaultError, ProtocolError, StorageError, VaultError

PIN = "2580"
SOURCES = {
    "file": DeviceSecretSource(custody=Custody.FILE),
    "passphrase": DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="four brown bears"),
    "keyring": DeviceSecretSource(custody=Custody.KEYRING),
}


def names(home) -> set[str]:
    return {path.name for path in (home / "vault").rglob("*")}


@pytest.mark.parametrize("custody", SOURCES)
def test_the_last_speaker_leaves_nothing(home, open_vault, memory_keyring, custody):
    vault = open_vault(source=SOURCES[custody])
    speaker = vault.enroll("王芳", PIN)
    speaker.put("take", "1", os.urandom(200_000))
    receipt = vault.revoke(speaker.speaker_id)
    vault.close()
    left = names(home)
    key = next(name for name in left if name.startswith("key-"))
    assert left == {"keyslots", "lock", key}
    assert vault.speakers() == ()
    assert receipt.files_removed == 2
    assert receipt.bytes_removed > 200_000
    assert receipt.files_pending == 0
    assert len(memory_keyring.entries) == (custody == "keyring")
    assert speaker.speaker_id not in json.dumps(receipt.to_json().decode())


@pytest.mark.parametrize("custody", SOURCES)
def test_survivors_keep_everything_and_the_device_key_changes(open_vault, memory_keyring, custody):
    vault = open_vault(source=SOURCES[custody])
    survivor, leaver = vault.enroll("李明", "1111"), vault.enroll("王芳", PIN)
    survivor.put("take", "1", b"kept")
    vault.allow_work(survivor)
    identity, key_id, device_key = vault.device.public_signing_key(), vault._cabinet.key_id(), vault._cabinet.device_key()
    old_device_key = bytes(device_key)
    vault.revoke(leaver.speaker_id)
    assert vault._cabinet.key_id() != key_id
    assert bytes(vault._cabinet.device_key()) != old_device_key
    assert device_key == bytes(32)
    assert vault.device.public_signing_key() == identity
    other = open_vault(source=SOURCES[custody])
    assert other.unlock(survivor.speaker_id, "1111").read("take", "1") == b"kept"
    assert other.unlock_for_work(survivor.speaker_id).read("take", "1") == b"kept"
    assert survivor.read("take", "1") == b"kept"


def test_older_copies_of_the_slots_are_dead(home, open_vault, memory_keyring, tmp_path):
    """A copy of the folder, with the key in the keyring as it should be, opens nothing afterwards (requirement 48)."""
    vault = open_vault(source=SOURCES["keyring"])
    speaker = vault.enroll("王芳", PIN)
    speaker.put("take", "1", b"sound")
    shutil.copytree(home, tmp_path / "backup")
    assert open_vault(home=tmp_path / "backup", source=SOURCES["keyring"]).unlock(speaker.speaker_id, PIN).read("take", "1") == b"sound"
    vault.revoke(speaker.speaker_id)
    with pytest.raises(StorageError, match="does not have the key"):
        open_vault(home=tmp_path / "backup", source=SOURCES["keyring"])


def test_another_opening_notices_at_once(open_vault):
    vault = open_vault()
    speaker = vault.enroll("王芳", PIN)
    speaker.put("take", "1", os.urandom(200_000))
    reader = speaker.open("take", "1")
    reader.read(1)
    writing = speaker.create("take", "2")
    writing.__enter__().write(b"x")
    open_vault().revoke(speaker.speaker_id)
    for attempt in (
        speaker.list,
        lambda: speaker.read("take", "1"),
        lambda: speaker.put("take", "3", b""),
        reader.read,
    ):
        with pytest.raises(VaultError, match="this voice was removed"):
            attempt()
    with pytest.raises(VaultError, match="this voice was removed"):
        writing.__exit__(None, None, None)
    assert not speaker._folder.exists()


def test_receipt_verifies_and_every_change_does_not(vault):
    speaker = vault.enroll("王芳", PIN)
    receipt = vault.revoke(speaker.speaker_id)
    device = vault.device.public_signing_key()
    assert ErasureReceipt.verified(receipt.to_json(), device=device) == receipt
    content = json.loads(receipt.to_json())
    for name, value in (("files_removed", 99), ("signature", "00" * 64), ("signature", "zz"), ("device", "00" * 32), ("extra", 1)):
        with pytest.raises(ProtocolError):
            ErasureReceipt.verified(json.dumps(content | {name: value}).encode(), device=device)
    for data in (b"", b"[]", b"\xff"):
        with pytest.raises(ProtocolError):
            ErasureReceipt.verified(data, device=device)
    with pytest.raises(ProtocolError):
        ErasureReceipt.verified(receipt.to_json(), device=bytes(32))
    signed_for_another = ErasureReceipt(**(content | {"device": "11" * 32, "signature": ""}))
    signature = vault.device.signing_key.sign(signed_for_another.signed_bytes()).hex()
    forged = ErasureReceipt(**(content | {"device": "11" * 32, "signature": signature}))
    with pytest.raises(ProtocolError):
        ErasureReceipt.verified(forged.to_json(), device=device)


def test_intent_formats():
    key, key_id = os.urandom(32), os.urandom(16)
    data = seal_intent("spk-a", key_id=key_id, device_key=key)
    assert b"spk-a" not in data
    assert intent_key_id(data) == key_id
    assert unseal_intent(data, device_key=key) == "spk-a"
    with pytest.raises(DamagedVaultError):
        unseal_intent(data, device_key=bytes(32))
    with pytest.raises(DamagedVaultError):
        intent_key_id(data[:20])
    for content in ([], {}, 5):
        other = seal(key, canonical_json(content), prefix=header(FileKind.INTENT) + key_id, info=context("hometone/intent/v1", key_id))
        with pytest.raises(DamagedVaultError):
            unseal_intent(other, device_key=key)


def test_an_intent_is_finished_at_the_next_opening(open_vault, home):
    vault = open_vault()
    speaker, survivor = vault.enroll("王芳", PIN), vault.enroll("李明", "1111")
    cabinet: Cabinet = vault._cabinet
    intent = seal_intent(speaker.speaker_id, key_id=cabinet.key_id(), device_key=cabinet.device_key())
    (home / "vault" / "intent").write_bytes(intent)
    again = open_vault()
    assert [entry.name for entry in again.speakers()] == ["李明"]
    assert len(again.finished_erasures) == 1
    assert again.finished_erasures[0].files_removed == 1
    (home / "vault" / "intent").write_bytes(intent)  # committed, but the note was not removed yet
    assert vault.speakers() == again.speakers()
    assert "intent" not in names(home)
    (home / "vault" / "intent").write_bytes(b"x" * 100)
    with pytest.raises(DamagedVaultError):
        vault.speakers()
    (home / "vault" / "intent").unlink()
    survivor.list()


def test_an_intent_without_key_slots_is_damage(open_vault, home):
    open_vault().close()
    (home / "vault" / "intent").write_bytes(b"x")
    (home / "vault" / "keyslots").unlink()
    with pytest.raises(DamagedVaultError):
        open_vault()


def test_a_file_that_is_held_open_is_pending(home, open_vault, failing_disk, monkeypatch):
    """Windows refuses to remove a file that a reader holds open."""
    disk = failing_disk()
    vault = open_vault(disk=disk)
    speaker, survivor = vault.enroll("王芳", PIN), vault.enroll("李明", "1111")
    held = speaker.put("take", "1", b"sound").artefact_id
    unlink = disk.unlink

    def refusing(path) -> None:
        if path.name == held:
            raise StorageError("in use")
        unlink(path)

    monkeypatch.setattr(disk, "unlink", refusing)
    receipt = vault.revoke(speaker.speaker_id)
    assert (receipt.files_removed, receipt.files_pending) == (1, 1)
    assert survivor.list() == ()
    assert held in names(home)
    open_vault()
    assert held not in names(home)


def test_strange_files_are_left_alone(open_vault, home):
    open_vault()
    (home / "vault" / ".DS_Store").write_bytes(b"x")
    (home / "vault" / "key-notes").write_bytes(b"x")
    (home / "vault" / "w-00").write_bytes(b"")
    (home / "vault" / "n-00").write_bytes(b"x")
    open_vault()
    assert {".DS_Store", "key-notes"} < names(home)
    assert not {"w-00", "n-00"} & names(home)
