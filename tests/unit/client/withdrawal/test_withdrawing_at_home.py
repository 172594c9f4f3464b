"""Withdrawing on her own laptop: the tombstone first, the end whatever happens, and a receipt that says what went."""

import json
import shutil
import time

import pytest
from tests.unit.client.withdrawal.conftest import NOW, PIN, opened
from tests.unit.keys.conftest import FailingDisk, MachineStoppedError

from hometone_client.speakers.forgetting import finish_forgetting
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.bundles import own_bundle
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.reconciliation import reconcile, require_not_ended
from hometone_client.withdrawal.withdrawing import withdraw
from hometone_shared.errors import ConsentError, StorageError
from hometone_shared.records.device import device_id
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import HolderReceipt, Pending, Removed, Role, Treatment
from hometone_shared.records.tombstone import NO_COORDINATOR, SharedModelWish, Tombstone
from hometone_shared.withdrawal.recovery import RecoverySecret


def receipt_of(outbox, pseudonym):
    (item,) = outbox.items(pseudonym)
    assert item.removal is None
    return HolderReceipt.from_envelope(item.receipt)


def test_a_home_that_never_joined(laptops):
    laptop = laptops(joins=False)
    speaker_id, other = laptop.enrol("mei"), laptop.enrol("hua")
    secret = laptop.secret(speaker_id)
    with SpeakerRoom(laptop.vault.unlock(speaker_id, PIN)) as room:
        done = withdraw(laptop.home, laptop.vault, speaker_id, room=room, clock=lambda: NOW)
    assert laptop.names() == {"hua"}
    assert done.forgotten.scan.clean
    assert done.known.tombstone.coordinator == NO_COORDINATOR
    assert Tombstone.from_envelope(done.known.envelope).pseudonym == secret.pseudonym
    receipt = receipt_of(laptop.outbox, secret.pseudonym)
    assert (receipt.role, receipt.at, receipt.key_destroyed) == (Role.LAPTOP, int(NOW), True)
    assert receipt.removed[Removed.RECORDINGS] == 1
    assert receipt.removed[Removed.RECORDS] == 1  # what is known about the recording
    assert receipt.shared_model.treatment is Treatment.NONE
    assert receipt.pending == ()
    found = own_bundle(laptop.home, done.known.tombstone).verified()
    assert found.is_complete
    assert found.answers[0].device == device_id(laptop.vault.device.public_signing_key())
    assert laptop.reconcile() == 0
    assert laptop.vault.withdrawal_secret(other)
    written = b"".join(path.read_bytes() for path in laptop.outbox.folder.iterdir())
    assert b"mei" not in written
    assert secret.secret not in written
    assert speaker_id.encode() not in written


def test_without_the_pin_what_could_not_be_looked_up_is_said(laptops):
    laptop = laptops(joins=False)
    speaker_id = laptop.enrol("mei")
    pseudonym = laptop.secret(speaker_id).pseudonym
    withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    receipt = receipt_of(laptop.outbox, pseudonym)
    assert set(receipt.removed) == {Removed.FILES}
    assert [(item.what, item.until) for item in receipt.pending] == [(Pending.EXPORTS_ELSEWHERE, None)]
    assert receipt.shared_model is None


def test_a_backup_of_the_vault_is_clean_before_its_first_answer(laptops, tmp_path):
    laptop = laptops(joins=False)
    speaker_id = laptop.enrol("mei")
    laptop.enrol("hua")
    shutil.copytree(laptop.home / "vault", tmp_path / "backup")
    withdraw(laptop.home, laptop.vault, speaker_id, clock=lambda: NOW)
    first = laptop.outbox.items()
    laptop.vault.close()
    shutil.rmtree(laptop.home / "vault")
    shutil.copytree(tmp_path / "backup", laptop.home / "vault")
    with opened(laptop.home) as vault:
        assert reconcile(laptop.home, vault, clock=lambda: NOW + 9) == 1
        assert {entry.name for entry in vault.speakers()} == {"hua"}
    assert laptop.outbox.items() == first  # and the first receipt stands


def test_a_purpose_ends_and_she_stays(laptops):
    laptop = laptops(joins=False)
    speaker_id = laptop.enrol("mei", contributes=True)
    pseudonym = laptop.secret(speaker_id).pseudonym
    with SpeakerRoom(laptop.vault.unlock(speaker_id, PIN)) as room:
        done = withdraw(laptop.home, laptop.vault, speaker_id, room=room, scope=frozenset({Purpose.FEDERATED}), clock=lambda: NOW)
        assert room.consent(Purpose.FEDERATED) is None
    assert done.forgotten is None
    assert laptop.names() == {"mei"}
    receipt = receipt_of(laptop.outbox, pseudonym)
    assert (receipt.key_destroyed, dict(receipt.removed)) == (False, {Removed.RECORDS: 1})
    with pytest.raises(ConsentError, match="for good"):
        require_not_ended(laptop.home, laptop.vault, speaker_id, purpose=Purpose.FEDERATED)
    require_not_ended(laptop.home, laptop.vault, speaker_id, purpose=Purpose.ANNOUNCEMENTS)
    assert laptop.reconcile() == 0
    later = withdraw(laptop.home, laptop.vault, speaker_id, scope=frozenset({Purpose.ARCHIVE}), clock=lambda: NOW - 1000)
    assert later.known.tombstone.sequence == done.known.tombstone.sequence + 1
    whole = withdraw(laptop.home, laptop.vault, speaker_id, wish=SharedModelWish.REPLAY, clock=lambda: 0)
    assert whole.known.tombstone.sequence >= 1 << 39
    assert laptop.names() == set()


def test_a_consent_that_comes_back_goes_again(laptops):
    laptop = laptops(joins=False)
    speaker_id = laptop.enrol("mei", contributes=True)
    withdraw(laptop.home, laptop.vault, speaker_id, scope=frozenset({Purpose.FEDERATED}), clock=lambda: NOW)  # the PIN was not given
    assert laptop.vault.speakers()[0].work_allowed
    assert laptop.reconcile() == 0
    assert not laptop.vault.speakers()[0].work_allowed
    with SpeakerRoom(laptop.vault.unlock(speaker_id, PIN)) as room:
        assert room.consent(Purpose.FEDERATED) is None


@pytest.mark.parametrize("how", ["before", "torn", "unsynced", "refuse"])
def test_every_moment_of_a_withdrawal(laptops, tmp_path, how):
    """The machine stops at every single change of the disk; the next opening ends where an undisturbed one does, or before it began."""
    template = laptops(joins=False)
    speaker_id = template.enrol("mei")
    template.enrol("hua")
    pseudonym = template.secret(speaker_id).pseudonym
    template.vault.close()
    moment, states = 0, set()
    while True:
        home = tmp_path / f"moment-{how}-{moment}"
        shutil.copytree(template.home, home)
        disk = FailingDisk()
        vault, outbox = opened(home, disk), Outbox(home, disk=disk)
        disk.count, disk.how, disk.fail_at = 0, how, moment
        finished = True
        try:
            with SpeakerRoom(vault.unlock(speaker_id, PIN)) as room:
                withdraw(home, vault, speaker_id, room=room, clock=lambda: NOW, outbox=outbox)
        except (MachineStoppedError, StorageError):
            finished = False
        is_last = disk.count <= moment
        disk.fail_at = None
        if disk.stopped and vault._cabinet._writer is not None:
            vault._cabinet._writer[1].release()
            vault._cabinet._writer = None
        said = bool(Outbox(home).items(pseudonym))
        with opened(home, FailingDisk()) as again:
            finish_forgetting(again)
            reconcile(home, again, clock=lambda: NOW)
            names = {entry.name for entry in again.speakers()}
            secrets = {RecoverySecret(secret).pseudonym for secret in again.withdrawal_secrets().values()}
        items = Outbox(home).items(pseudonym)
        assert Outbox(home).unreadable == 0
        if said or finished:
            assert names == {"hua"}
            assert pseudonym not in secrets
            (item,) = items
            assert item.removal is None
            receipt = HolderReceipt.from_envelope(item.receipt)
            assert receipt.key_destroyed
            assert own_bundle(home, item.tombstone).verified().pseudonym == pseudonym
            leftovers = {path.suffix for path in Outbox(home).folder.iterdir()}
            assert {".tombstone", ".receipt"} <= leftovers <= {".tombstone", ".receipt", ".new"}
        else:
            assert names == {"mei", "hua"}
            assert items == ()
        states.add(said or finished)
        shutil.rmtree(home)
        if is_last:
            break
        moment += 1
    assert finished
    assert moment > 20
    assert states == {True, False}


def test_files_of_the_outbox_that_nobody_can_read_stop_nobody(laptops):
    laptop = laptops(joins=False)
    first, second = laptop.enrol("mei"), laptop.enrol("hua")
    done = withdraw(laptop.home, laptop.vault, first, clock=lambda: NOW)
    name = f"{done.known.tombstone.pseudonym}-{done.known.tombstone.sequence}"
    for content in (b"", b"{}", b"[]", b"\xff", json.dumps(done.known.envelope.to_document()).encode()):
        (laptop.outbox.folder / f"{name}.tombstone").write_bytes(content)
        outbox = laptop.outbox
        assert outbox.items() == ()
        assert outbox.unreadable == 1
        assert laptop.reconcile() == 0
    foreign = done.known.tombstone.pseudonym[::-1]
    (laptop.outbox.folder / f"{foreign}-7.tombstone").write_bytes(done.known.envelope.to_bytes())
    (laptop.outbox.folder / f"{name}.receipt").write_bytes(done.known.envelope.to_bytes())
    (laptop.outbox.folder / "notes.txt").write_bytes(b"")
    outbox = laptop.outbox
    assert outbox.items() == ()
    assert outbox.unreadable == 2
    withdraw(laptop.home, laptop.vault, second, clock=lambda: NOW)
    assert laptop.names() == set()


def test_nobody_can_be_withdrawn_by_somebody_else(laptops):
    laptop = laptops(joins=False)
    speaker_id = laptop.enrol("mei")
    pseudonym = laptop.secret(speaker_id).pseudonym
    stranger = RecoverySecret.generate()
    tombstone = Tombstone(
        pseudonym=stranger.pseudonym, coordinator=NO_COORDINATOR, scope=frozenset({Purpose.OWN_VOICE}), sequence=1, made=1
    )
    forged = tombstone.signed(stranger.withdrawal_key())
    laptop.outbox.add(forged)
    (laptop.outbox.folder / f"{pseudonym}-1.tombstone").write_bytes(forged.to_bytes())
    assert laptop.reconcile() == 0
    assert laptop.names() == {"mei"}


def test_nothing_to_do_is_cheap(laptops):
    laptop = laptops()
    for number in range(3):
        laptop.enrol(f"speaker {number}")
    laptop.contact()
    laptop.reconcile()
    best_s = 9.0
    for _ in range(5):
        began = time.perf_counter()
        laptop.reconcile()
        best_s = min(best_s, time.perf_counter() - began)
    assert best_s < 0.1  # 20 ms on an idle machine


def test_a_file_in_the_place_of_the_outbox_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "withdrawals").write_bytes(b"")
    with pytest.raises(StorageError, match="not a folder"):
        Outbox(tmp_path).items()
