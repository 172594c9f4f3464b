"""The power goes off at every single change of the file system; the next opening finds a working vault.

Each scenario is run once for every change it makes, with four kinds of failure: the machine stops before the change; half of a write is
done; it stops and everything not fsynced is lost; the disk answers "full" once and the program goes on. The scenarios `..._of_version_1`
start from a vault whose key slots have no recovery secrets yet, `..._of_version_2` from one that knows no house.
"""

import shutil
from contextlib import suppress

import pytest

from hometone_keys import Custody, DeviceSecretSource
from hometone_keys.register import unseal_register
from hometone_keys.slots import SlotKind
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError, WrongSecretError

SOURCES = {
    "file": DeviceSecretSource(custody=Custody.FILE),
    "passphrase": DeviceSecretSource(custody=Custody.PASSPHRASE, passphrase="four brown bears"),
    "keyring": DeviceSecretSource(custody=Custody.KEYRING),
}
OLD, NEW = b"old" * 30_000, b"new" * 30_000
SOME_TIME_MS = 1_800_000_000_000


def enroll(vault):
    vault.enroll("新人", "3333").close()


def put(vault):
    vault.unlock(vault.find("A").speaker_id, "1111").put("take", "new", NEW)


def replace(vault):
    vault.unlock(vault.find("A").speaker_id, "1111").put("take", "1", NEW)


def delete(vault):
    vault.unlock(vault.find("A").speaker_id, "1111").delete("take", "1")


def change_pin(vault):
    vault.change_secret(vault.find("A").speaker_id, old="1111", new="9999")


def allow_and_end_work(vault):
    vault.allow_work(vault.unlock(vault.find("A").speaker_id, "1111"))
    vault.end_work(vault.find("A").speaker_id)


def change_custody(vault):
    vault.change_custody(DeviceSecretSource(custody=Custody.FILE))


def wrong_pin(vault):
    with pytest.raises(WrongSecretError):
        vault.unlock(vault.find("A").speaker_id, "0000")
    vault.unlock(vault.find("A").speaker_id, "1111")


def revoke(vault):
    vault.revoke(vault.find("A").speaker_id)


def admit_guest(vault):
    vault.admit_guest("客人").close()


def set_erase_after(vault):
    vault.set_erase_after(vault.find("A").speaker_id, erase_after_ms=SOME_TIME_MS)


def revoke_guest(vault):
    vault.revoke(vault.find("G").speaker_id)


def upgrade_of_version_1(vault):
    for name in "AB":
        GIVEN_OUT[name] = vault.withdrawal_secret(vault.find(name).speaker_id)  # printed, say, just before the power goes


def enroll_of_version_1(vault):
    enroll(vault)


def change_pin_of_version_1(vault):
    change_pin(vault)


def revoke_of_version_1(vault):
    revoke(vault)


def make_house(vault):
    vault.house().close()


def keep_in_house(vault):
    with vault.house() as house:
        house.put_json("1", {"text": "tablets"}, kind="reminder")


def replace_in_house(vault):
    with vault.house() as house:
        house.put("reminder", "old", NEW)


def revoke_beside_house(vault):
    revoke(vault)


def change_pin_beside_house(vault):
    change_pin(vault)


def make_house_of_version_1(vault):
    make_house(vault)


def make_house_of_version_2(vault):
    make_house(vault)


def revoke_of_version_2(vault):
    revoke(vault)


GIVEN_OUT: dict[str, bytes] = {}
ENROLLING, WITH_GUEST = (enroll, enroll_of_version_1), (revoke_guest,)
REVOKING = (revoke, revoke_of_version_1, revoke_of_version_2, revoke_beside_house)
CHANGING_PIN = (change_pin, change_pin_of_version_1, change_pin_beside_house)
FROM_VERSION_1 = (upgrade_of_version_1, enroll_of_version_1, change_pin_of_version_1, revoke_of_version_1, make_house_of_version_1)
FROM_VERSION_2 = (make_house_of_version_2, revoke_of_version_2)
WITH_HOUSE = (replace_in_house, revoke_beside_house, change_pin_beside_house)


def unlocked(vault, name, *pins):
    for pin in pins:
        try:
            return vault.unlock(vault.find(name).speaker_id, pin)
        except WrongSecretError:
            continue
    raise AssertionError("no PIN opens this speaker")


def check_nothing_lost(vault, scenario, *, finished: bool) -> None:
    """The state is the one before or the one after, never a third; everything else is whole and nothing is left over."""
    people = {entry.name for entry in vault.speakers()}
    with unlocked(vault, "B", "2222") as survivor:
        assert survivor.read("take", "1") == OLD
        assert survivor.put("take", "after", NEW).size_bytes == len(NEW)
        survivor.delete("take", "after")
    if scenario in REVOKING:
        if finished or "A" not in people:
            assert people == {"B"}
        else:
            assert people == {"A", "B"}
    elif scenario in WITH_GUEST:
        assert {"A", "B"} <= people <= ({"A", "B"} if finished else {"A", "B", "G"})
    else:
        more = {admit_guest: {"客人"}, **{enrolling: {"新人"} for enrolling in ENROLLING}}.get(scenario, set())
        assert {"A", "B"} <= people <= {"A", "B"} | more
        assert not finished or more <= people
    if "新人" in people:
        assert unlocked(vault, "新人", "3333").list() == ()
    if "客人" in people:
        assert vault.unlock_for_work(vault.find("客人").speaker_id).list() == ()
    if "G" in people:
        assert vault.unlock_for_work(vault.find("G").speaker_id).read("voice", "1") == OLD
    if "A" in people:
        noted = vault.find("A").erase_after_ms
        assert noted in (({SOME_TIME_MS} if finished else {SOME_TIME_MS, None}) if scenario is set_erase_after else {None})
    if "A" in people:
        pins = {True: ("9999",), False: ("1111", "9999")}[finished] if scenario in CHANGING_PIN else ("1111",)
        with unlocked(vault, "A", *pins) as first:
            kept = {artefact.name: first.read("take", artefact.name) for artefact in first.list()}
        before, after = {"1": OLD}, {put: {"1": OLD, "new": NEW}, replace: {"1": NEW}, delete: {}}.get(scenario, {"1": OLD})
        assert kept in ([after] if finished else [before, after])


def check_house(vault, scenario, *, finished: bool) -> None:
    """What belongs to nobody who speaks is as it was, or as it was to become; it can be used, and is no speaker."""
    with vault.house() as house:
        kept = {artefact.name: house.read("reminder", artefact.name) for artefact in house.list("reminder")}
        assert house.put("reminder", "after", NEW).size_bytes == len(NEW)
        house.delete("reminder", "after")
    before = {"old": OLD} if scenario in WITH_HOUSE else {}
    after = {keep_in_house: {"1": b'{"text":"tablets"}'}, replace_in_house: {"old": NEW}}.get(scenario, before)
    assert kept in ([after] if finished else [before, after])
    assert "house" not in {entry.speaker_id for entry in vault.speakers()}


def check_secrets(vault, scenario, before: dict[str, bytes]) -> None:
    """Everybody has one recovery secret, her own and always the same; who has gone has left none; guests never had one."""
    people = {entry.name: entry for entry in vault.speakers()}
    given = vault.withdrawal_secrets()
    assert given.keys() == {entry.speaker_id for entry in people.values() if not entry.is_guest}
    assert {len(secret) for secret in given.values()} == {16}
    assert len(set(given.values())) == len(given)
    if scenario not in FROM_VERSION_1:
        for name in before.keys() & people.keys():
            assert given[people[name].speaker_id] == before[name]
        for name in before.keys() - people.keys():
            assert before[name] not in given.values()
    for name, secret in GIVEN_OUT.items():
        assert given[people[name].speaker_id] == secret
    for entry in people.values():
        if entry.is_guest:
            with pytest.raises(UsageError, match="lent copy"):
                vault.withdrawal_secret(entry.speaker_id)
        else:
            assert vault.withdrawal_secret(entry.speaker_id) == given[entry.speaker_id]
    assert vault.withdrawal_secrets() == given


def check_no_key_opens(old_slots: bytes, vault, memory_keyring) -> None:
    """A copy of the key slots from before is closed to every device key that is left anywhere."""
    cabinet = vault._cabinet
    keys = [cabinet.custodian.load(key_id) for key_id in cabinet.custodian.held()]
    keys += [bytes.fromhex(kept) for kept in memory_keyring.entries.values()]
    assert keys
    for key in keys:
        with pytest.raises(DamagedVaultError):
            unseal_register(old_slots, device_key=key)


def check_no_left_overs(vault, home, memory_keyring) -> None:
    register, key_id = vault._cabinet.register(), vault._cabinet.key_id()
    names = {path.name for path in (home / "vault").iterdir()}
    allowed = {"keyslots", "lock", "attempts", f"key-{key_id.hex()}"} | {record.folder for record in register.places}
    assert {name for name in names if not name.startswith("w-")} <= allowed
    assert "n-" not in {name[:2] for name in names}
    ring = {username for _, username in memory_keyring.entries}
    assert ring <= {key_id.hex()}


@pytest.mark.parametrize("how", ["before", "torn", "unsynced", "refuse"])
@pytest.mark.parametrize(
    ("scenario", "custody"),
    [
        (enroll, "file"),
        (put, "file"),
        (replace, "file"),
        (delete, "file"),
        (wrong_pin, "file"),
        (allow_and_end_work, "file"),
        (change_pin, "file"),
        (change_pin, "keyring"),
        (change_custody, "keyring"),
        (change_custody, "passphrase"),
        (revoke, "file"),
        (revoke, "passphrase"),
        (revoke, "keyring"),
        (admit_guest, "file"),
        (set_erase_after, "file"),
        (revoke_guest, "file"),
        (upgrade_of_version_1, "file"),
        (upgrade_of_version_1, "keyring"),
        (enroll_of_version_1, "file"),
        (change_pin_of_version_1, "file"),
        (revoke_of_version_1, "file"),
        (make_house, "file"),
        (make_house, "keyring"),
        (keep_in_house, "file"),
        (replace_in_house, "file"),
        (revoke_beside_house, "file"),
        (revoke_beside_house, "keyring"),
        (change_pin_beside_house, "file"),
        (make_house_of_version_1, "file"),
        (make_house_of_version_2, "file"),
        (revoke_of_version_2, "file"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_moment(
    quick_path, open_vault, as_version_1, as_version_2, memory_keyring, failing_disk, machine_stopped, scenario, custody, how
):
    template = quick_path / "template"
    with open_vault(home=template, source=SOURCES[custody], disk=failing_disk()) as vault:
        for name, pin in (("A", "1111"), ("B", "2222")):
            vault.enroll(name, pin).put("take", "1", OLD)
        if scenario in WITH_GUEST:
            vault.admit_guest("G").put("voice", "1", OLD)
        secrets = {entry.name: vault.withdrawal_secrets().get(entry.speaker_id) for entry in vault.speakers() if not entry.is_guest}
        if scenario in WITH_HOUSE:
            with vault.house() as house:
                house.put("reminder", "old", OLD)
        if scenario in FROM_VERSION_1:
            as_version_1(vault)
        if scenario in FROM_VERSION_2:
            as_version_2(vault)
        slots_before = (template / "vault" / "keyslots").read_bytes()
    ring_before = dict(memory_keyring.entries)
    moment = 0
    while True:
        home = quick_path / f"home{moment}"
        shutil.copytree(template, home)
        memory_keyring.entries = dict(ring_before)
        disk = failing_disk()
        vault = open_vault(home=home, source=SOURCES[custody], disk=disk)
        disk.count, disk.how, disk.fail_at = 0, how, moment
        memory_keyring.before_change = disk.tick
        finished = True
        GIVEN_OUT.clear()
        try:
            scenario(vault)
        except (machine_stopped, StorageError):
            finished = False
        memory_keyring.before_change = lambda: None
        last_moment = disk.count <= moment
        disk.fail_at = None
        if disk.stopped:
            if vault._cabinet._writer is not None:  # what the operating system does when a process dies
                vault._cabinet._writer[1].release()
                vault._cabinet._writer = None
        else:
            check_nothing_lost(vault, scenario, finished=finished)  # the same program goes on
            check_secrets(vault, scenario, secrets)
            check_house(vault, scenario, finished=finished)
            vault.close()
        intent = (home / "vault" / "intent").exists()
        source = DeviceSecretSource(passphrase=SOURCES[custody].passphrase)
        with open_vault(home=home, source=source, disk=failing_disk()) as again:
            assert not (home / "vault" / "intent").exists()
            check_nothing_lost(again, scenario, finished=finished or intent)
            check_no_left_overs(again, home, memory_keyring)
            check_secrets(again, scenario, secrets)
            check_house(again, scenario, finished=finished)
            if scenario in REVOKING:
                if "A" in {entry.name for entry in again.speakers()}:
                    again.revoke(again.find("A").speaker_id)
                check_no_key_opens(slots_before, again, memory_keyring)
        shutil.rmtree(home)
        if last_moment:
            break
        moment += 1
    assert moment > 3
    assert finished


@pytest.mark.parametrize("how", ["before", "torn", "unsynced", "refuse"])
@pytest.mark.parametrize("custody", SOURCES)
def test_every_moment_of_making_a_vault(quick_path, open_vault, memory_keyring, failing_disk, machine_stopped, custody, how):
    moment = 0
    while True:
        home = quick_path / f"home{moment}"
        disk = failing_disk(moment, how)
        memory_keyring.entries = {}
        memory_keyring.before_change = disk.tick
        try:
            open_vault(home=home, source=SOURCES[custody], disk=disk).close()
            finished = True
        except (machine_stopped, StorageError):
            finished = False
        memory_keyring.before_change = lambda: None
        with open_vault(home=home, source=SOURCES[custody], disk=failing_disk()) as vault:
            vault.enroll("A", "1111").put("take", "1", OLD)
            assert unlocked(vault, "A", "1111").read("take", "1") == OLD
            assert len(vault._cabinet.custodian.held()) == 1
            assert len(memory_keyring.entries) == (custody == "keyring")
        if disk.count <= moment:
            break
        moment += 1
    assert moment > 5
    assert finished


@pytest.mark.parametrize("how", ["before", "torn", "unsynced"])
def test_recovery_itself_may_be_killed(quick_path, open_vault, failing_disk, machine_stopped, how):
    """An erasure is interrupted at every change, and its completion at every change again."""
    template = quick_path / "template"
    with open_vault(home=template, disk=failing_disk()) as vault:
        for name, pin in (("A", "1111"), ("B", "2222")):
            vault.enroll(name, pin).put("take", "1", OLD)
    for first in range(4, 30, 4):
        for second in range(40):
            home = quick_path / f"home{first}-{second}"
            shutil.copytree(template, home)
            disk = failing_disk()
            vault = open_vault(home=home, disk=disk)
            disk.count, disk.how, disk.fail_at = 0, how, first
            with suppress(machine_stopped):
                revoke(vault)
            again = failing_disk(second, how)
            with suppress(machine_stopped):
                open_vault(home=home, disk=again)
            with open_vault(home=home, disk=failing_disk()) as vault:
                check_nothing_lost(vault, revoke, finished=True)
            shutil.rmtree(home)
            if not again.stopped:
                break
        else:
            pytest.fail("recovery never finished")
    assert not disk.stopped  # the last round let the erasure pass, so every moment of it has been tried


def test_work_slot_is_not_left_behind_by_a_crash(open_vault, home, failing_disk, machine_stopped):
    vault = open_vault()
    speaker = vault.enroll("A", "1111")
    vault.allow_work(speaker)
    disk = failing_disk()
    other = open_vault(disk=disk)
    disk.count, disk.fail_at = 0, 2
    with pytest.raises(machine_stopped):
        other.end_work(speaker.speaker_id)
    record = open_vault()._cabinet.register().find(speaker.speaker_id)
    assert record.slot(SlotKind.WORK) is not None
    vault.end_work(speaker.speaker_id)
    with pytest.raises(WrongSecretError):
        vault.unlock_for_work(speaker.speaker_id)


def test_a_full_disk_says_so(open_vault, failing_disk):
    disk = failing_disk()
    vault = open_vault(disk=disk)
    speaker = vault.enroll("A", "1111")
    disk.count, disk.how, disk.fail_at = 0, "refuse", 1
    with pytest.raises(StorageError, match="the disk is full"):
        speaker.put("take", "1", OLD)
    assert speaker.list() == ()


def test_a_full_disk_during_the_upgrade_loses_nothing(open_vault, home, as_version_1, failing_disk, monkeypatch):
    """Whoever opens an older vault on a full disk can go on; secrets come when there is space, and none is given out before."""
    with open_vault() as vault:
        speaker_id = vault.enroll("A", "1111").speaker_id
        vault.unlock(speaker_id, "1111").put("take", "1", OLD)
        older = as_version_1(vault)
    disk = failing_disk()
    monkeypatch.setattr(disk, "replace", lambda *_: disk.refuse_as_full())
    with open_vault(disk=disk) as vault:
        assert vault.unlock(speaker_id, "1111").read("take", "1") == OLD
        for _ in range(2):
            assert vault.withdrawal_secrets() == {}
            with pytest.raises(StorageError, match="the disk is full"):
                vault.withdrawal_secret(speaker_id)
            with pytest.raises(StorageError, match="the disk is full"):
                vault.set_erase_after(speaker_id, erase_after_ms=1)
        assert vault.speakers()[0].erase_after_ms is None
    assert (home / "vault" / "keyslots").read_bytes() == older
    with open_vault() as vault:
        assert not list((home / "vault").rglob("n-*"))
        assert vault.unlock(speaker_id, "1111").read("take", "1") == OLD
        secret = vault.withdrawal_secrets()[speaker_id]
    assert open_vault().withdrawal_secret(speaker_id) == secret
