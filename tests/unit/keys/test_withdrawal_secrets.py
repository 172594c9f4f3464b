"""Recovery secrets: made with a speaker, the same for as long as she is there, gone with her; older vaults get theirs; times to erase."""

import base64
import logging
import shutil

import pytest

from hometone_keys import Custody, DeviceSecretSource
from hometone_keys.register import PREFIX_BYTES, unseal_register
from hometone_keys.sealing import context, unseal
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError, WrongSecretError

PIN = "2580"
YEAR_2030_MS = 1_893_456_000_000


def plaintext_of_slots(vault) -> bytes:
    data = (vault._cabinet.folder / "keyslots").read_bytes()
    info = context("hometone/key-slots/v1", data[8:PREFIX_BYTES])
    return unseal(vault._cabinet.device_key(), data, prefix_bytes=PREFIX_BYTES, info=info, what="a test")


def version(home) -> int:
    return (home / "vault" / "keyslots").read_bytes()[5]


def test_every_speaker_has_one_of_her_own_for_ever(vault, open_vault, home):
    first, second = vault.enroll("王芳", PIN), vault.enroll("李明", "1111")
    given = vault.withdrawal_secrets()
    assert given.keys() == {first.speaker_id, second.speaker_id}
    assert {len(secret) for secret in given.values()} == {16}
    assert len(set(given.values())) == 2
    before = (home / "vault" / "keyslots").read_bytes()
    assert open_vault().withdrawal_secrets() == given
    assert vault.withdrawal_secret(first.speaker_id) == given[first.speaker_id]
    assert (home / "vault" / "keyslots").read_bytes() == before
    vault.change_secret(first.speaker_id, old=PIN, new="9999")
    vault.allow_work(second)
    vault.end_work(second.speaker_id)
    vault.change_custody(DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="four brown bears"))
    vault.revoke(vault.enroll("somebody", "2222").speaker_id)
    assert vault.withdrawal_secrets() == given


def test_no_pin_is_needed_even_where_pins_must_wait(vault):
    speaker = vault.enroll("王芳", PIN)
    for _ in range(6):
        with pytest.raises(WrongSecretError):
            vault.unlock(speaker.speaker_id, "0000")
    assert len(vault.withdrawal_secret(speaker.speaker_id)) == 16


def test_unknown_speakers_have_none(vault):
    with pytest.raises(UsageError, match="nobody"):
        vault.withdrawal_secret("spk-x")
    with pytest.raises(UsageError, match="nobody"):
        vault.set_erase_after("spk-x", erase_after_ms=1)
    assert vault.withdrawal_secrets() == {}


def test_after_an_erasure_nothing_that_is_left_gives_it(vault, home, tmp_path):
    speaker, survivor = vault.enroll("王芳", PIN), vault.enroll("李明", "1111")
    secret, kept = vault.withdrawal_secret(speaker.speaker_id), vault.withdrawal_secret(survivor.speaker_id)
    assert base64.b64encode(secret) in plaintext_of_slots(vault)
    shutil.copytree(home, tmp_path / "before")
    vault.revoke(speaker.speaker_id)
    assert base64.b64encode(secret) not in plaintext_of_slots(vault)
    assert base64.b64encode(kept) in plaintext_of_slots(vault)
    assert vault.withdrawal_secrets() == {survivor.speaker_id: kept}
    with pytest.raises(UsageError):
        vault.withdrawal_secret(speaker.speaker_id)
    older = (tmp_path / "before" / "vault" / "keyslots").read_bytes()
    assert len(vault._cabinet.custodian.held()) == 1
    with pytest.raises(DamagedVaultError):
        unseal_register(older, device_key=bytes(vault._cabinet.device_key()))
    again = vault.enroll("王芳", PIN)
    assert vault.withdrawal_secret(again.speaker_id) != secret


def test_an_erased_secret_is_out_of_reach_of_a_copy_of_the_folder(open_vault, home, tmp_path, memory_keyring):
    source = DeviceSecretSource(custody=Custody.KEYRING)
    vault = open_vault(source=source)
    speaker = vault.enroll("王芳", PIN)
    shutil.copytree(home, tmp_path / "copy")
    with open_vault(home=tmp_path / "copy", source=source) as copy:
        assert copy.withdrawal_secrets() == vault.withdrawal_secrets()
    vault.revoke(speaker.speaker_id)
    with pytest.raises(StorageError, match="does not have the key"):
        open_vault(home=tmp_path / "copy", source=source)


def test_secrets_are_nowhere_in_the_clear(vault, home, caplog):
    caplog.set_level(logging.DEBUG)
    speaker = vault.enroll("王芳", PIN)
    secret = vault.withdrawal_secret(speaker.speaker_id)
    shown = [repr(thing) for thing in (vault, speaker, vault.speakers(), vault._cabinet.register(), vault._cabinet)]
    on_disk = b"".join(path.read_bytes() for path in (home / "vault").rglob("*") if path.is_file())
    for form in (secret.hex(), repr(secret), base64.b64encode(secret).decode()):
        assert not any(form in text for text in (*shown, caplog.text))
        assert form.encode() not in on_disk
    assert secret not in on_disk


def test_an_older_vault_is_read_as_it_is_and_completed_by_the_first_change(open_vault, home, as_version_1):
    with open_vault() as vault:
        speaker = vault.enroll("王芳", PIN)
        speaker.put("take", "1", b"sound")
        as_version_1(vault)
    with open_vault() as vault:
        assert vault.unlock(speaker.speaker_id, PIN).read("take", "1") == b"sound"
        vault.unlock(speaker.speaker_id, PIN).put("take", "2", b"more")
        assert version(home) == 1
        vault.set_erase_after(speaker.speaker_id, erase_after_ms=None)
        assert version(home) == 1
        vault.set_erase_after(speaker.speaker_id, erase_after_ms=YEAR_2030_MS)
        assert version(home) == 3
        given = vault.withdrawal_secrets()
        assert len(given[speaker.speaker_id]) == 16
    assert open_vault().withdrawal_secrets() == given


@pytest.mark.parametrize("ask", ["one", "all"])
def test_asking_an_older_vault_for_a_secret_makes_it_last(open_vault, home, as_version_1, ask):
    with open_vault() as vault:
        speaker_id, other_id = vault.enroll("王芳", PIN).speaker_id, vault.enroll("李明", "1111").speaker_id
        as_version_1(vault)
        guest_id = None
    with open_vault() as vault:
        given = vault.withdrawal_secret(speaker_id) if ask == "one" else vault.withdrawal_secrets()[speaker_id]
        assert version(home) == 3
        guest_id = vault.admit_guest("Announcer").speaker_id
    again = open_vault()
    assert again.withdrawal_secret(speaker_id) == given
    assert again.withdrawal_secrets().keys() == {speaker_id, other_id}
    assert again.find("Announcer").speaker_id == guest_id


def test_an_erasure_from_an_older_vault_is_finished_and_completes_the_others(open_vault, home, as_version_1):
    with open_vault() as vault:
        speaker, survivor = vault.enroll("王芳", PIN), vault.enroll("李明", "1111")
        older = as_version_1(vault)
        vault.revoke(speaker.speaker_id)
        assert version(home) == 3
        assert vault.withdrawal_secrets().keys() == {survivor.speaker_id}
        with pytest.raises(DamagedVaultError):
            unseal_register(older, device_key=bytes(vault._cabinet.device_key()))


def test_a_vault_of_a_later_version_is_left_alone(open_vault, home):
    with open_vault() as vault:
        vault.enroll("王芳", PIN)
    path = home / "vault" / "keyslots"
    data = path.read_bytes()
    later = data[:5] + b"\x04" + data[6:]
    path.write_bytes(later)
    with pytest.raises(DamagedVaultError, match="written by a newer Hometone"):
        open_vault()
    assert path.read_bytes() == later


def test_a_time_to_erase_is_noted_and_taken_back(vault, open_vault):
    speaker = vault.enroll("王芳", PIN)
    secret, key_id = vault.withdrawal_secret(speaker.speaker_id), vault._cabinet.key_id()
    assert vault.speakers()[0].erase_after_ms is None
    for when in (YEAR_2030_MS, 0, (1 << 53) - 1, None, None):
        vault.set_erase_after(speaker.speaker_id, erase_after_ms=when)
        assert open_vault().find("王芳").erase_after_ms == when
    for wrong in (-1, 1 << 53):
        with pytest.raises(UsageError, match="milliseconds"):
            vault.set_erase_after(speaker.speaker_id, erase_after_ms=wrong)
    assert vault.withdrawal_secret(speaker.speaker_id) == secret
    assert vault._cabinet.key_id() == key_id
    vault.unlock(speaker.speaker_id, PIN)
