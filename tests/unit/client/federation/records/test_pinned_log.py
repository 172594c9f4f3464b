"""The laptop's log: it follows an honest coordinator, notices every change of the past, and survives being killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_client.federation import log_audit
from hometone_client.federation.log_audit import LogChangedError, PinnedLog
from hometone_shared.errors import DamagedVaultError, FederationError, ProtocolError, StorageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import EMPTY_ROOT, leaf_hash, root_of
from hometone_shared.records.canonical import b64, canonical, parse
from hometone_shared.records.device import DeviceEntry, DeviceStatus
from hometone_shared.records.release import NOTHING_SHA256, Release
from hometone_shared.records.signing import Envelope


def entry(number, status=DeviceStatus.ACTIVE):
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key().public_bytes_raw()
    return DeviceEntry(signing_key=key, node_key_sha256=f"{number:02x}" * 32, status=status)


def test_follows_an_honest_log(coordinator, pinned, folder):
    assert (pinned.head.size, pinned.head.root) == (0, EMPTY_ROOT)
    pinned.update(coordinator.records())
    assert pinned.head.size == 0
    for size in (1, 2, 5, 6, 17):
        coordinator.grow(*range(size - coordinator.log.checkpoint().size))
        coordinator.log.append(entry(size).signed(coordinator.key))
        pinned.update(coordinator.records())
        assert pinned.head == coordinator.log.checkpoint()
    size = pinned.head.size
    assert [pinned.root_at(each) for each in range(size + 1)] == [coordinator.log.root_at(each) for each in range(size + 1)]
    assert set(pinned.directory().active) == {entry(each).device for each in (1, 2, 5, 6, 17)}
    assert pinned.evidence() == []
    for envelope in coordinator.log.entries(0, size - 1):
        assert pinned.contains(envelope)
    assert not pinned.contains(Envelope.sign("hometone/test/v1", {"number": 999}, coordinator.key))
    again = PinnedLog(folder, coordinator_key=coordinator.raw_key)
    assert again.head == pinned.head
    assert again.directory() == pinned.directory()


def test_asks_for_what_is_new_only(coordinator, pinned):
    coordinator.grow(*range(10))
    pinned.update(coordinator.records())
    coordinator.grow(10, 11)
    coordinator.bridge.asked.clear()
    pinned.update(coordinator.records())
    assert [path for _, path, _ in coordinator.bridge.asked] == ["/log/checkpoint", "/log/consistency", "/log/entries"]
    coordinator.bridge.asked.clear()
    pinned.update(coordinator.records())
    assert [path for _, path, _ in coordinator.bridge.asked] == ["/log/checkpoint"]


def test_two_objects_on_one_folder(coordinator, pinned, folder):
    other = PinnedLog(folder, coordinator_key=coordinator.raw_key)
    coordinator.grow(1, 2, 3)
    pinned.update(coordinator.records())
    assert other.head == pinned.head
    coordinator.grow(4)
    other.update(coordinator.records())
    assert pinned.head.size == 4


def test_another_process_is_faster(coordinator, pinned, folder):
    coordinator.grow(1, 2)
    other = PinnedLog(folder, coordinator_key=coordinator.raw_key)
    overtaken = []

    def before(request):
        if request.url.path.endswith("/log/entries") and not overtaken:
            overtaken.append(True)
            other.update(coordinator.records())

    coordinator.bridge.before = before
    pinned.update(coordinator.records())
    assert pinned.head.size == 2
    assert len(pinned._leaves) == 2


def test_gives_up_against_a_process_that_never_rests(coordinator, pinned, folder):
    coordinator.grow(0)
    other = PinnedLog(folder, coordinator_key=coordinator.raw_key)
    inside = []

    def before(request):
        if request.url.path.endswith("/log/entries") and not inside:
            inside.append(True)
            other.update(coordinator.records())
            coordinator.grow(coordinator.log.checkpoint().size)
            inside.clear()

    coordinator.bridge.before = before
    with pytest.raises(FederationError, match="another process"):
        pinned.update(coordinator.records())


def forked(coordinators, coordinator, pinned, *, own, twin):
    """The laptop has seen `own`; then the coordinator shows a log with `twin` in it."""
    coordinator.grow(*own)
    pinned.update(coordinator.records())
    evil = coordinators(twin_of=coordinator)
    evil.grow(*twin)
    evil.authority = coordinator.authority
    return evil


@pytest.mark.parametrize(
    ("own", "twin", "words"),
    [
        ([1, 2, 3], [1, 2, 4], "two versions"),
        ([1, 2, 3], [1, 2, 4, 5], "two versions"),
        ([1, 2, 3, 4], [9, 2, 3, 4, 5, 6, 7, 8], "two versions"),
        ([1, 2, 3], [1, 2], "shorter"),
        ([1, 2, 3], [4], "shorter"),
        ([1, 2, 3], [], "shorter"),
    ],
)
def test_forks_and_rollbacks_are_noticed(coordinators, coordinator, pinned, folder, own, twin, words):
    evil = forked(coordinators, coordinator, pinned, own=own, twin=twin)
    for _ in range(2):
        with pytest.raises(LogChangedError, match=f"the coordinator's log was changed.*{words}"):
            pinned.update(evil.records())
    assert pinned.head.size == len(own)
    (file,) = pinned.evidence()
    evidence = parse(file.read_bytes())
    kept, shown = (evidence[name].encode() for name in ("kept", "shown"))
    read = {"origin": log_origin(coordinator.raw_key), "key": coordinator.raw_key}
    assert Checkpoint.from_note(kept, **read) == coordinator.log.checkpoint()
    assert Checkpoint.from_note(shown, **read) == evil.log.checkpoint()
    assert evidence["seen"] == 1_700_000_000
    coordinator.grow(77)
    pinned.update(coordinator.records())  # the honest log may go on
    assert pinned.head == coordinator.log.checkpoint()
    assert PinnedLog(folder, coordinator_key=coordinator.raw_key).evidence() == [file]


def test_entries_that_were_not_signed_are_noticed(coordinators, coordinator, pinned):
    coordinator.grow(1, 2)
    pinned.update(coordinator.records())
    coordinator.grow(3, 4)

    def swap(request, body):
        return body.replace(b64(canonical({"number": 3})).encode(), b64(canonical({"number": 9})).encode()) if b"entries" in body else body

    coordinator.bridge.after = swap
    with pytest.raises(LogChangedError, match="not those that were signed"):
        pinned.update(coordinator.records())
    assert pinned.head.size == 2


def release(coordinator, **changes):
    document = {
        "number": 0,
        "parent_sha256": NOTHING_SHA256,
        "base_sha256": "ab" * 32,
        "basis_sha256": "cd" * 32,
        "dimension": 3,
        "vector_sha256": "ef" * 32,
        "plan_sha256": NOTHING_SHA256,
        "run": "0" * 16,
        "round_number": 0,
        "created": 1,
    }
    return Release(**document | changes).signed(coordinator.key)


@pytest.mark.parametrize("bad", ["revived", "orphan", "no-plan", "no-device"])
def test_logs_that_break_the_rules(coordinator, pinned, bad):
    coordinator.log.append(entry(1).signed(coordinator.key))
    coordinator.log.append(entry(1, DeviceStatus.REVOKED).signed(coordinator.key))
    coordinator.log.append(release(coordinator))
    pinned.update(coordinator.records())
    again = DeviceEntry(signing_key=entry(1).signing_key, node_key_sha256="99" * 32)
    coordinator.log.append(
        {
            "revived": again.signed(coordinator.key),
            "orphan": release(coordinator, number=1, parent_sha256="11" * 32),
            "no-plan": Envelope.sign("hometone/round-plan/v1", {"run": 1}, coordinator.key),
            "no-device": Envelope.sign("hometone/device/v1", {}, coordinator.key),
        }[bad]
    )
    with pytest.raises(LogChangedError, match="breaks the rules"):
        pinned.update(coordinator.records())
    assert pinned.head.size == 3
    assert len(pinned.evidence()) == 1
    assert pinned.releases().releases[0].dimension == 3


def test_a_head_of_another_key_is_refused(coordinators, coordinator, pinned):
    stranger = coordinators()
    stranger.grow(1)
    with pytest.raises(ProtocolError, match="lacks the coordinator's signature"):
        pinned.update(stranger.records())
    assert pinned.evidence() == []


def test_answers_that_cannot_be_read_are_no_evidence(coordinator, pinned):
    coordinator.grow(1)
    pinned.update(coordinator.records())
    coordinator.grow(2)
    for path in ("/log/checkpoint", "/log/consistency", "/log/entries"):
        coordinator.bridge.after = lambda request, body, path=path: b"{}" if request.url.path.endswith(path) else body
        with pytest.raises(ProtocolError):
            pinned.update(coordinator.records())
    coordinator.bridge.after = lambda request, body: b'{"entries":[]}' if request.url.path.endswith("entries") else body
    with pytest.raises(ProtocolError, match="keeps entries"):
        pinned.update(coordinator.records())
    assert pinned.evidence() == []
    assert pinned.head.size == 1


def test_endless_logs_are_refused(coordinator, pinned, monkeypatch):
    coordinator.grow(*range(5))
    monkeypatch.setattr(log_audit, "MOST_NEW_ENTRIES", 4)
    with pytest.raises(ProtocolError, match="grew by more"):
        pinned.update(coordinator.records())


def test_long_logs_come_in_parts(coordinator, pinned, monkeypatch):
    monkeypatch.setattr("hometone_server.records.store.MOST_ENTRIES", 7)
    coordinator.grow(*range(30))
    pinned.update(coordinator.records())
    assert pinned.head == coordinator.log.checkpoint()


def test_roots_beyond_the_pin(coordinator, pinned):
    coordinator.grow(1)
    pinned.update(coordinator.records())
    for size in (2, -1):
        with pytest.raises(ProtocolError):
            pinned.root_at(size)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries WHERE position = 1",
        "UPDATE entries SET envelope = CAST('x' AS BLOB) WHERE position = 1",
        "UPDATE pin SET note = CAST('x' AS BLOB)",
        "DELETE FROM pin",
        "UPDATE entries SET position = 7 WHERE position = 0",
    ],
)
def test_a_damaged_copy_is_noticed(coordinator, pinned, folder, statement):
    coordinator.grow(1, 2, 3)
    pinned.update(coordinator.records())
    with sqlite3.connect(folder / "log.db") as database:
        database.execute(statement)
    database.close()
    with pytest.raises(DamagedVaultError):
        _ = PinnedLog(folder, coordinator_key=coordinator.raw_key).head


def test_killed_before_the_first_entry(coordinator, pinned, folder):
    """The tables are there, nothing is in them."""
    with pinned._database():
        pass
    assert (folder / "log.db").exists()
    assert PinnedLog(folder, coordinator_key=coordinator.raw_key).head.size == 0


def test_files_that_are_no_copy(folder, coordinator):
    folder.mkdir(parents=True)
    (folder / "log.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(DamagedVaultError):
        _ = PinnedLog(folder, coordinator_key=coordinator.raw_key).head
    (folder / "log.db").unlink()
    (folder / "log.db").mkdir()
    with pytest.raises(StorageError):
        _ = PinnedLog(folder, coordinator_key=coordinator.raw_key).head


def test_a_folder_that_cannot_be_made(tmp_path, coordinator):
    (tmp_path / "file").write_bytes(b"")
    coordinator.grow(1)
    with pytest.raises(StorageError):
        PinnedLog(tmp_path / "file" / "federation", coordinator_key=coordinator.raw_key).update(coordinator.records())


FOLLOWER = """
import sys
from pathlib import Path
from hometone_client.federation.log_audit import PinnedLog
from hometone_shared.records.signing import Envelope
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import consistency_proof, leaf_hash, nodes_of, root_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
raw = key.public_key().public_bytes_raw()

class Records:
    def __init__(self): self.envelopes, self.leaves = [], []
    def grow(self, to):
        while len(self.leaves) < to:
            self.envelopes.append(Envelope.sign("hometone/test/v1", {"number": len(self.leaves)}, key))
            self.leaves.append(leaf_hash(self.envelopes[-1].to_bytes()))
    def checkpoint(self):
        return Checkpoint(origin=log_origin(raw), size=len(self.leaves), root=root_of(self.leaves)).signed(key)
    def entries(self, first, last): return self.envelopes[first:last + 1]
    def consistency(self, first, second): return consistency_proof(first, second, node=nodes_of(self.leaves))

log, records = PinnedLog(Path(sys.argv[1]), coordinator_key=raw), Records()
records.grow(log.head.size)
print("ready", flush=True)
while True:
    records.grow(log.head.size + 7)
    log.update(records)
    print(log.head.size, flush=True)
"""


def test_killed_at_random_moments(folder):
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    moments = random.Random(7)
    told = 0
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", FOLLOWER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
        process.wait()
        process.stdout.close()
        log = PinnedLog(folder, coordinator_key=key.public_key().public_bytes_raw())
        size = log.head.size
        assert size >= told
        assert size % 7 == 0
        leaves = [leaf_hash(Envelope.sign("hometone/test/v1", {"number": number}, key).to_bytes()) for number in range(size)]
        assert log.head.root == root_of(leaves)
    assert told > 0
