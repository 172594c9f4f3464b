"""Enrolling, unlocking, PINs, waiting, unattended work, custody; what a stranger sees on the disk."""

import shutil

import pytest

from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, SpeakerVault, Vault
from hometone_keys import cabinet as cabinet_module
from hometone_shared.errors import DamagedVaultError, HometoneError, StorageError, UsageError, VaultError, WrongSecretError

NAME, PIN = "王芳 Fāng", "2580"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        self.now_s += 0.001
        return self.now_s


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_made_on_first_use(home, open_vault):
    assert not Vault.exists(home)
    vault = open_vault()
    assert Vault.exists(home)
    assert vault.speakers() == ()
    assert vault.custody is Custody.FILE
    again = open_vault()
    assert again.device.public_signing_key() == vault.device.public_signing_key()
    assert again.finished_erasures == ()
    assert repr(vault) == "Vault()"


def test_custody_from_the_environment(home, monkeypatch, cost):
    monkeypatch.setenv("HOMETONE_CUSTODY", "passphrase")
    monkeypatch.setenv("HOMETONE_DEVICE_PASSPHRASE", "four brown bears")
    with Vault(home, cost=cost) as vault:
        assert vault.custody is Custody.PASSPHRASE
    monkeypatch.delenv("HOMETONE_DEVICE_PASSPHRASE")
    with pytest.raises(WrongSecretError):
        Vault(home, cost=cost)
    monkeypatch.setenv("HOMETONE_CUSTODY", "file")
    with pytest.raises(UsageError):
        Vault(home, cost=cost)


def test_enroll_and_unlock(open_vault):
    vault = open_vault(clock=Clock())
    with vault.enroll(f"  {NAME} ", PIN) as speaker:
        assert speaker.speaker_id.startswith("spk-")
        assert len(speaker.speaker_id) == 20
        assert speaker.name == NAME
        speaker.put("take", "1", b"sound")
    second = vault.enroll("李明", "1111")
    assert [entry.name for entry in vault.speakers()] == [NAME, "李明"]
    assert [entry.name for entry in open_vault().speakers()] == [NAME, "李明"]
    with vault.unlock(speaker.speaker_id, "２５８０") as again:
        assert again.read("take", "1") == b"sound"
    second.close()


def test_find(vault):
    speaker = vault.enroll("Ana María", PIN)
    for wanted in ("ana maría", " Ana María ", speaker.speaker_id, "ANA MARI\u0301A"):
        assert vault.find(wanted).speaker_id == speaker.speaker_id
    with pytest.raises(UsageError, match="nobody"):
        vault.find("Ana")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "\x00", "\ud800"])
def test_unusable_names(vault, name):
    with pytest.raises(UsageError):
        vault.enroll(name, PIN)
    assert vault.speakers() == ()


def test_a_name_is_taken_once(vault):
    vault.enroll(NAME, PIN)
    with pytest.raises(UsageError, match="already"):
        vault.enroll(NAME.upper(), PIN)
    with pytest.raises(UsageError, match="at least 4"):
        vault.enroll("李明", "12")
    assert len(vault.speakers()) == 1


def test_nothing_readable_on_the_disk(vault, home):
    speaker = vault.enroll(NAME, PIN)
    speaker.put("take", "早上好", b"CANARY" * 100, {"text": "今天天气很好"})
    speaker.put_json("consent", {"purpose": "CANARY"})
    everything = b"".join(files(home).values()) + "".join(files(home)).encode()
    for canary in (NAME, "王芳", PIN, speaker.speaker_id, "早上好", "今天天气很好", "CANARY", "consent", "take"):
        assert canary.encode() not in everything
    assert bytes(speaker.data_key()) not in everything


def test_speakers_cannot_open_each_other(vault, home):
    first, second = vault.enroll(NAME, PIN), vault.enroll("李明", "1111")
    first.put("take", "1", b"hers")
    with pytest.raises(WrongSecretError):
        vault.unlock(first.speaker_id, "1111")
    shutil.copytree(first._folder, second._folder, dirs_exist_ok=True)
    with pytest.raises(DamagedVaultError):
        second.list()


def test_wrong_pin_leaves_the_key_slots_alone(vault, home):
    speaker = vault.enroll(NAME, PIN)
    before = files(home)
    with pytest.raises(WrongSecretError) as caught:
        vault.unlock(speaker.speaker_id, "0000")
    assert {name: data for name, data in files(home).items() if name != "vault/attempts"} == before
    assert "0000" not in caught.value.message + caught.value.hint
    vault.unlock(speaker.speaker_id, PIN)
    assert files(home) == before


def test_too_many_wrong_pins_cost_time(home, open_vault):
    clock = Clock()
    vault = open_vault(clock=clock)
    first, second = vault.enroll(NAME, PIN), vault.enroll("李明", "1111")
    with pytest.raises(WrongSecretError):
        vault.unlock(second.speaker_id, "0000")
    for _ in range(5):
        with pytest.raises(WrongSecretError, match="does not open"):
            vault.unlock(first.speaker_id, "0000")
    with pytest.raises(WrongSecretError, match="possible in 30 seconds"):
        open_vault(clock=clock).unlock(first.speaker_id, PIN)
    vault.unlock(second.speaker_id, "1111")
    vault.end_work(first.speaker_id)
    clock.now_s += 31
    vault.unlock(first.speaker_id, PIN)
    assert not (home / "vault" / "attempts").exists()


def test_waiting_survives_a_rotation_and_ends_with_the_speaker(home, open_vault):
    vault = open_vault(clock=Clock())
    first, second = vault.enroll(NAME, PIN), vault.enroll("李明", "1111")
    for _ in range(5):
        with pytest.raises(WrongSecretError):
            vault.unlock(first.speaker_id, "0000")
    vault.revoke(second.speaker_id)
    with pytest.raises(WrongSecretError, match="too many"):
        vault.unlock(first.speaker_id, PIN)
    vault.revoke(first.speaker_id)
    assert not (home / "vault" / "attempts").exists()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"", lambda data: data[:5] + b"\x07" + data[6:]])
def test_a_damaged_book_of_attempts_locks_nobody_out(home, open_vault, change):
    vault = open_vault()
    speaker = vault.enroll(NAME, PIN)
    with pytest.raises(WrongSecretError):
        vault.unlock(speaker.speaker_id, "0000")
    path = home / "vault" / "attempts"
    path.write_bytes(change(path.read_bytes()))
    vault.unlock(speaker.speaker_id, PIN)
    open_vault()
    assert not path.exists()


def test_change_of_pin(vault, home):
    speaker = vault.enroll(NAME, PIN)
    speaker.put("take", "1", b"sound")
    old_slots, old_key = files(home)["vault/keyslots"], vault._cabinet.key_id()
    with pytest.raises(WrongSecretError):
        vault.change_secret(speaker.speaker_id, old="0000", new="9999")
    with pytest.raises(UsageError):
        vault.change_secret(speaker.speaker_id, old=PIN, new="99")
    vault.change_secret(speaker.speaker_id, old=PIN, new="九九九九")
    with pytest.raises(WrongSecretError):
        vault.unlock(speaker.speaker_id, PIN)
    assert vault.unlock(speaker.speaker_id, "九九九九").read("take", "1") == b"sound"
    (home / "vault" / "keyslots").write_bytes(old_slots)
    assert not (home / "vault" / f"key-{old_key.hex()}").exists()
    with pytest.raises(DamagedVaultError):
        vault.speakers()


def test_unattended_work(vault, open_vault, home):
    speaker = vault.enroll(NAME, PIN)
    with pytest.raises(WrongSecretError, match="unattended"):
        vault.unlock_for_work(speaker.speaker_id)
    speaker.put("take", "1", b"sound")
    vault.allow_work(speaker)
    vault.allow_work(speaker)
    assert vault.speakers()[0].work_allowed
    vault.revoke(vault.enroll("李明", "1111").speaker_id)
    slots_with_work = files(home)["vault/keyslots"]
    with open_vault().unlock_for_work(speaker.speaker_id) as work:
        assert work.read("take", "1") == b"sound"
    vault.end_work(speaker.speaker_id)
    assert not vault.speakers()[0].work_allowed
    with pytest.raises(WrongSecretError):
        vault.unlock_for_work(speaker.speaker_id)
    vault.unlock(speaker.speaker_id, PIN)
    (home / "vault" / "keyslots").write_bytes(slots_with_work)
    with pytest.raises(DamagedVaultError):
        vault.unlock_for_work(speaker.speaker_id)


def test_a_closed_speaker_allows_nothing(vault):
    speaker = vault.enroll(NAME, PIN)
    speaker.close()
    with pytest.raises(VaultError):
        vault.allow_work(speaker)


def test_change_of_custody(vault, open_vault, memory_keyring, home):
    speaker = vault.enroll(NAME, PIN)
    speaker.put("take", "1", b"sound")
    vault.change_custody(DeviceSecretSource(custody=Custody.KEYRING))
    assert vault.custody is Custody.KEYRING
    assert len(memory_keyring.entries) == 1
    with pytest.raises(UsageError):
        open_vault()
    moved = open_vault(source=DeviceSecretSource())
    moved.change_custody(DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="four brown bears"))
    assert memory_keyring.entries == {}
    assert moved.unlock(speaker.speaker_id, PIN).read("take", "1") == b"sound"
    moved.change_secret(speaker.speaker_id, old=PIN, new="3333")
    moved.change_custody(DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="another one"))
    with pytest.raises(WrongSecretError):
        open_vault(source=DeviceSecretSource(passphrase="four brown bears"))
    assert open_vault(source=DeviceSecretSource(passphrase="another one")).speakers()[0].name == NAME


def test_unknown_speakers(vault):
    for attempt in (
        lambda: vault.unlock("spk-x", PIN),
        lambda: vault.unlock_for_work("spk-x"),
        lambda: vault.end_work("spk-x"),
        lambda: vault.revoke("spk-x"),
        lambda: vault.change_secret("spk-x", old=PIN, new="3333"),
    ):
        with pytest.raises(UsageError, match="nobody"):
            attempt()


@pytest.mark.parametrize("change", ["cut", "flip", "empty", "gone", "foreign"])
@pytest.mark.parametrize("part", ["keyslots", "key"])
def test_damaged_files_are_refused_and_left(vault, open_vault, home, part, change):
    speaker = vault.enroll(NAME, PIN)
    vault.close()
    path = home / "vault" / "keyslots" if part == "keyslots" else next((home / "vault").glob("key-*"))
    data = path.read_bytes()
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {"cut": data[:-1], "flip": data[:40] + bytes([data[40] ^ 1]) + data[41:], "empty": b"", "foreign": b"x" * 500}[change]
        )
    before = files(home)
    for attempt in (open_vault, vault.speakers, lambda: vault.unlock(speaker.speaker_id, PIN)):
        with pytest.raises(DamagedVaultError):
            attempt()
    assert files(home) == before


def test_every_bit_of_the_key_slots_counts(vault, home):
    vault.enroll(NAME, PIN)
    path = home / "vault" / "keyslots"
    data = path.read_bytes()
    for at in range(0, len(data), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(DamagedVaultError):
            vault.speakers()
    path.write_bytes(data)
    assert len(vault.speakers()) == 1


def test_secrets_are_not_in_representations(vault):
    speaker = vault.enroll(NAME, PIN)
    texts = [repr(speaker), repr(vault), repr(vault.device), repr(vault._cabinet.register().identity)]
    assert not any(NAME in text or PIN in text or repr(bytes(speaker.data_key())) in text for text in texts)
    assert repr(speaker) == f"SpeakerVault({speaker.speaker_id}, open)"
    key = speaker.data_key()
    speaker.close()
    speaker.close()
    assert key == bytes(32)
    assert repr(speaker) == f"SpeakerVault({speaker.speaker_id}, closed)"
    device_key = vault._cabinet.device_key()
    vault.close()
    assert device_key == bytes(32)


def test_signing_key_is_the_speakers_own(vault):
    first, second = vault.enroll(NAME, PIN), vault.enroll("李明", "1111")
    public = first.signing_key.public_key().public_bytes_raw()
    assert vault.unlock(first.speaker_id, PIN).signing_key.public_key().public_bytes_raw() == public
    assert second.signing_key.public_key().public_bytes_raw() != public


def test_a_busy_vault_says_so(vault, open_vault, monkeypatch):
    monkeypatch.setattr(cabinet_module, "LOCK_TIMEOUT_S", 0.05)
    with vault._cabinet.locked(), pytest.raises(VaultError, match="another Hometone program"):
        open_vault()


def test_a_home_that_is_a_file(tmp_path, cost):
    (tmp_path / "home").write_bytes(b"")
    with pytest.raises(StorageError):
        Vault(tmp_path / "home", device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=cost)


def test_standard_cost_works(home):
    with Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE)) as vault:
        speaker = vault.enroll(NAME, PIN)
        assert isinstance(vault.unlock(speaker.speaker_id, PIN), SpeakerVault)
        assert vault._cabinet.register().speakers[0].slots[0].cost == Argon2Cost(memory_kib=65_536, iterations=3, lanes=4)


def test_every_error_has_words(vault):
    with pytest.raises(HometoneError) as caught:
        vault.find("nobody")
    assert caught.value.message
    assert caught.value.hint


def test_a_vault_that_lost_its_key_slots_still_exists(home, open_vault):
    open_vault().enroll(NAME, PIN)
    (home / "vault" / "keyslots").unlink()
    assert Vault.exists(home)
    with pytest.raises(DamagedVaultError):
        open_vault()


def test_a_home_that_cannot_be_looked_at_is_a_refusal_of_the_disk(home):
    with pytest.raises(StorageError):
        Vault.exists(home / ("x" * 5000))
