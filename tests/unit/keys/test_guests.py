"""Lent copies: a place without a PIN, opened by the machine alone, and erased like anybody else's."""

import pytest

from hometone_keys.register import unseal_register
from hometone_shared.errors import DamagedVaultError, UsageError, VaultError, WrongSecretError

NAME, PIN = "王芳", "2580"


def test_a_guest_is_opened_by_the_machine_alone(vault, open_vault):
    with vault.admit_guest("  Announcer ") as guest:
        guest.put("voice", "1", b"lent")
        assert guest.name == "Announcer"
    entry = open_vault().find("announcer")
    assert (entry.speaker_id, entry.is_guest, entry.work_allowed, entry.erase_after_ms) == (guest.speaker_id, True, True, None)
    assert open_vault().unlock_for_work(guest.speaker_id).read("voice", "1") == b"lent"
    assert not vault.find(vault.enroll(NAME, PIN).speaker_id).is_guest


@pytest.mark.parametrize("pin", ["", "0000", PIN, "x" * 5000])
def test_no_pin_opens_a_guest_and_none_is_counted(vault, home, pin):
    guest = vault.admit_guest("Announcer")
    before = (home / "vault" / "keyslots").read_bytes()
    for _ in range(7):
        with pytest.raises(UsageError, match="this is a lent copy and has no PIN") as caught:
            vault.unlock(guest.speaker_id, pin)
        assert not isinstance(caught.value, WrongSecretError)
        assert caught.value.hint
    with pytest.raises(UsageError, match="lent copy"):
        vault.change_secret(guest.speaker_id, old=pin, new="9999")
    with pytest.raises(UsageError, match="lent copy"):
        vault.end_work(guest.speaker_id)
    assert not (home / "vault" / "attempts").exists()
    assert (home / "vault" / "keyslots").read_bytes() == before
    assert vault.unlock_for_work(guest.speaker_id).list() == ()


def test_a_guest_stays_a_guest_when_it_is_allowed_what_it_may_already(vault):
    guest = vault.admit_guest("Announcer")
    vault.allow_work(guest)
    assert vault.find("Announcer").is_guest
    assert vault.unlock_for_work(guest.speaker_id).list() == ()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "\x00"])
def test_names_of_guests_obey_the_same_rules(vault, name):
    with pytest.raises(UsageError, match="printable characters"):
        vault.admit_guest(name)
    assert vault.speakers() == ()


def test_a_name_is_taken_once_by_whoever(vault):
    vault.enroll(NAME, PIN)
    vault.admit_guest("Announcer")
    for attempt in (
        lambda: vault.admit_guest(NAME),
        lambda: vault.admit_guest("ＡＮＮＯＵＮＣＥＲ"),
        lambda: vault.enroll("announcer", PIN),
    ):
        with pytest.raises(UsageError, match="already"):
            attempt()
    assert len(vault.speakers()) == 2


def test_a_guest_has_no_recovery_secret(vault):
    guest, speaker = vault.admit_guest("Announcer"), vault.enroll(NAME, PIN)
    with pytest.raises(UsageError, match="only its owner can withdraw it"):
        vault.withdrawal_secret(guest.speaker_id)
    assert vault.withdrawal_secrets().keys() == {speaker.speaker_id}


def test_an_erased_guest_leaves_nothing_and_its_copies_are_dead(vault, home, open_vault):
    survivor, guest = vault.enroll(NAME, PIN), vault.admit_guest("Announcer")
    survivor.put("take", "1", b"kept")
    guest.put("voice", "1", bytes(200_000))
    secret = vault.withdrawal_secret(survivor.speaker_id)
    slots, key = (home / "vault" / "keyslots").read_bytes(), bytes(vault._cabinet.device_key())
    assert len(unseal_register(slots, device_key=key).speakers) == 2
    receipt = vault.revoke(guest.speaker_id)
    assert receipt.files_removed == 2
    with pytest.raises(VaultError, match="removed"):
        guest.read("voice", "1")
    with pytest.raises(UsageError, match="nobody"):
        vault.unlock_for_work(guest.speaker_id)
    with pytest.raises(DamagedVaultError):
        unseal_register(slots, device_key=bytes(vault._cabinet.device_key()))
    again = open_vault()
    assert [entry.name for entry in again.speakers()] == [NAME]
    assert again.unlock(survivor.speaker_id, PIN).read("take", "1") == b"kept"
    assert again.withdrawal_secret(survivor.speaker_id) == secret


def test_guests_survive_the_erasure_and_the_new_pin_of_others(vault, open_vault):
    guest, first, second = vault.admit_guest("Announcer"), vault.enroll(NAME, PIN), vault.enroll("李明", "1111")
    guest.put("voice", "1", b"lent")
    vault.set_erase_after(guest.speaker_id, erase_after_ms=7)
    vault.change_secret(second.speaker_id, old="1111", new="3333")
    vault.revoke(first.speaker_id)
    again = open_vault()
    assert again.unlock_for_work(guest.speaker_id).read("voice", "1") == b"lent"
    assert again.find("Announcer").is_guest
    assert again.find("Announcer").erase_after_ms == 7
