"""PINs, Argon2id costs, slots in two layers."""

from dataclasses import replace

import pytest

from hometone_keys.pin import STANDARD_COST, Argon2Cost, check_new_secret, normalised, stretch
from hometone_keys.slots import KeySlot, SlotKind, make_secret_slot, make_work_slot, open_slot, rewrap
from hometone_shared.errors import DamagedVaultError, UsageError, WrongSecretError

DEK, DEVICE, OTHER = b"d" * 32, b"k" * 32, b"o" * 32
SPEAKER = "spk-aaaaaaaaaaaaaaaa"


@pytest.fixture
def slot(cost) -> KeySlot:
    return make_secret_slot(DEK, secret="1234", speaker_id=SPEAKER, device_key=DEVICE, cost=cost)


def test_standard_cost_is_that_of_the_design():
    assert (STANDARD_COST.memory_kib, STANDARD_COST.iterations, STANDARD_COST.lanes) == (64 * 1024, 3, 4)


@pytest.mark.parametrize(
    "cost", [(0, 1, 1), (7, 1, 1), (15, 1, 2), ((1 << 20) + 1, 1, 1), (64, 0, 1), (64, 17, 1), (64, 1, 0), (1024, 1, 17)]
)
def test_absurd_costs_are_refused(cost):
    with pytest.raises(DamagedVaultError):
        Argon2Cost(*cost)


def test_cost_round_trip(cost):
    assert Argon2Cost.from_bytes(cost.to_bytes()) == cost


@pytest.mark.parametrize("secret", ["", "   ", "123", " 12 3"[:4], "一二三"])
def test_short_secrets_are_refused(secret):
    with pytest.raises(UsageError, match="at least 4"):
        check_new_secret(secret)


def test_long_secrets_are_refused():
    check_new_secret("x" * 1024)
    with pytest.raises(UsageError, match="longer"):
        check_new_secret("x" * 1025)


def test_typing_habits_do_not_matter():
    assert normalised("１２３４ ") == normalised("1234") == b"1234"
    assert normalised("\ud800abc")


def test_stretch_depends_on_everything(cost):
    salt = bytes(16)
    results = {
        bytes(stretch(b"1234", salt=salt, cost=cost)),
        bytes(stretch(b"1235", salt=salt, cost=cost)),
        bytes(stretch(b"1234", salt=b"s" * 16, cost=cost)),
        bytes(stretch(b"1234", salt=salt, cost=replace(cost, iterations=2))),
    }
    assert len(results) == 4


def test_both_secrets_are_needed(slot):
    assert open_slot(slot, speaker_id=SPEAKER, device_key=DEVICE, secret="1234") == DEK
    with pytest.raises(WrongSecretError):
        open_slot(slot, speaker_id=SPEAKER, device_key=DEVICE, secret="1235")
    with pytest.raises(DamagedVaultError):
        open_slot(slot, speaker_id=SPEAKER, device_key=OTHER, secret="1234")


def test_a_slot_belongs_to_its_speaker_cost_and_salt(slot, cost):
    for other in (
        {"speaker_id": "spk-b", "slot": slot},
        {"speaker_id": SPEAKER, "slot": replace(slot, cost=replace(cost, iterations=2))},
        {"speaker_id": SPEAKER, "slot": replace(slot, salt=bytes(16))},
        {"speaker_id": SPEAKER, "slot": replace(slot, sealed=slot.sealed[:-1])},
        {"speaker_id": SPEAKER, "slot": replace(slot, kind=SlotKind.WORK, cost=None)},
    ):
        with pytest.raises(DamagedVaultError):
            open_slot(device_key=DEVICE, secret="1234", **other)


def test_work_slot_needs_the_device_only():
    slot = make_work_slot(DEK, speaker_id=SPEAKER, device_key=DEVICE)
    assert open_slot(slot, speaker_id=SPEAKER, device_key=DEVICE) == DEK
    with pytest.raises(DamagedVaultError):
        open_slot(slot, speaker_id=SPEAKER, device_key=OTHER)


def test_a_data_key_of_another_length_is_refused():
    slot = make_work_slot(b"short", speaker_id=SPEAKER, device_key=DEVICE)
    with pytest.raises(DamagedVaultError):
        open_slot(slot, speaker_id=SPEAKER, device_key=DEVICE)


def test_rewrap_needs_no_pin_and_kills_the_old_device_key(slot):
    moved = rewrap(slot, speaker_id=SPEAKER, old_device_key=DEVICE, new_device_key=OTHER)
    assert open_slot(moved, speaker_id=SPEAKER, device_key=OTHER, secret="1234") == DEK
    with pytest.raises(DamagedVaultError):
        open_slot(moved, speaker_id=SPEAKER, device_key=DEVICE, secret="1234")
    with pytest.raises(DamagedVaultError):
        rewrap(slot, speaker_id=SPEAKER, old_device_key=OTHER, new_device_key=DEVICE)
