"""The coordinator's log: proofs against an independent tree, refusals, damage, several processes, and kill -9 at random moments."""

import hashlib
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.records import database, store
from hometone_server.records.store import LogStore
from hometone_shared.errors import DamagedVaultError, ProtocolError, StorageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from hometone_shared.records.signing import Envelope

KIND = "hometone/test/v1"


def envelope_of(number, key, kind=KIND):
    return Envelope.sign(kind, {"number": number}, key)


def naive_root(entries):
    """RFC 6962 section 2.1, word by word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = max(1 << n for n in range(20) if 1 << n < len(entries))
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def test_an_empty_log_has_a_signed_head(log, key):
    assert log.checkpoint() == Checkpoint(origin=log_origin(log.key), size=0, root=EMPTY_ROOT)
    assert log.verify().size == 0
    assert log.root_at(0) == EMPTY_ROOT
    assert log.of_kind(KIND) == []
    assert log.key == key.public_key().public_bytes_raw()


def test_every_proof_of_a_growing_log(log, key):
    envelopes = [envelope_of(number, key) for number in range(27)]
    leaves = [each.to_bytes() for each in envelopes]
    for number, envelope in enumerate(envelopes):
        assert log.append(envelope) == number
        assert log.checkpoint().root == naive_root(leaves[: number + 1])
    for size in range(1, 28):
        root = naive_root(leaves[:size])
        assert log.root_at(size) == root
        for index in range(size):
            verify_inclusion(log.inclusion(index, size), leaf=leaf_hash(leaves[index]), index=index, size=size, root=root)
        for first in range(1, size + 1):
            verify_consistency(
                log.consistency(first, size), first=first, first_root=naive_root(leaves[:first]), second=size, second_root=root
            )
    assert log.entries(0, 26) == envelopes
    assert log.leaves(5, 5) == [leaves[5]]
    assert log.verify() == log.checkpoint()


def test_it_is_the_same_after_opening_again(path, log, key):
    log.append_all(envelope_of(number, key) for number in range(5))
    note = log.head()
    log.close()
    with LogStore(path, signing_key=key) as again:
        assert again.head() == note
        again.append(envelope_of(5, key))
        assert again.verify().size == 6


def test_the_same_envelope_is_one_entry(log, key):
    assert log.append_all([envelope_of(0, key), envelope_of(1, key), envelope_of(0, key)]) == [0, 1, 0]
    note = log.head()
    assert log.append(envelope_of(1, key)) == 1
    assert log.head() == note


def test_finds_by_kind_and_digest(log, key):
    log.append_all([envelope_of(0, key), envelope_of(1, key, "hometone/other/v1"), envelope_of(2, key)])
    assert log.of_kind(KIND) == [envelope_of(0, key), envelope_of(2, key)]
    assert log.index_of(envelope_of(2, key).digest) == 2
    assert log.index_of("0" * 64) is None


def test_only_what_the_coordinator_signed(log, key):
    other = envelope_of(0, Ed25519PrivateKey.generate())
    forged = Envelope(KIND, other.payload, log.key, other.signature)
    for bad in (other, forged):
        with pytest.raises(ProtocolError):
            log.append_all([envelope_of(7, key), bad])
    assert log.checkpoint().size == 0


def test_a_change_that_raises_never_was(log, key):
    def interrupted():
        with log.writing() as change:
            change.append(envelope_of(0, key))
            change.execute("INSERT INTO invitations (token_sha256, expires_s) VALUES ('x', 1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert log.checkpoint().size == 0
    assert log.query("SELECT * FROM invitations") == []
    assert log.append(envelope_of(1, key)) == 0


def test_nothing_outside_the_log(log, key):
    log.append_all(envelope_of(number, key) for number in range(3))
    for call in (
        lambda: log.entries(0, 3),
        lambda: log.entries(2, 1),
        lambda: log.entries(-1, 1),
        lambda: log.inclusion(3, 3),
        lambda: log.inclusion(0, 4),
        lambda: log.consistency(0, 3),
        lambda: log.consistency(1, 4),
        lambda: log.consistency(3, 2),
        lambda: log.root_at(4),
        lambda: log.root_at(-1),
    ):
        with pytest.raises(ProtocolError):
            call()


def test_one_answer_is_bounded(log, key, monkeypatch):
    log.append_all(envelope_of(number, key) for number in range(20))
    monkeypatch.setattr(store, "MOST_ENTRIES", 7)
    assert len(log.leaves(0, 19)) == 7
    size = len(envelope_of(0, key).to_bytes())
    monkeypatch.setattr(store, "MOST_BYTES", 3 * size + 1)
    assert len(log.leaves(0, 19)) == 3
    monkeypatch.setattr(store, "MOST_BYTES", 1)
    assert len(log.leaves(4, 19)) == 1


def test_another_key_does_not_continue_a_log(path, log):
    log.close()
    with pytest.raises(DamagedVaultError, match="another key"):
        LogStore(path, signing_key=Ed25519PrivateKey.generate())


def test_files_are_their_owners_only(path, log):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def changed(path, statement, values=()):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries WHERE position = 2",
        "UPDATE entries SET envelope = CAST('{}' AS BLOB) WHERE position = 1",
        "UPDATE entries SET position = 9 WHERE position = 0",
        "DELETE FROM entries WHERE position = 4",
    ],
)
def test_damage_is_noticed(path, log, key, statement):
    log.append_all(envelope_of(number, key) for number in range(5))
    changed(path, statement)
    with pytest.raises(DamagedVaultError):
        log.verify()


def test_lost_hashes_are_noticed(path, log, key):
    log.append_all(envelope_of(number, key) for number in range(5))
    changed(path, "DELETE FROM subtrees WHERE level = 2")
    with pytest.raises(DamagedVaultError):
        log.append(envelope_of(5, key))
    assert log.checkpoint().size == 5


def test_files_that_are_no_log(tmp_path, key):
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"rubbish " * 1000)
    with pytest.raises(DamagedVaultError):
        LogStore(rubbish, signing_key=key)
    with pytest.raises(StorageError):
        LogStore(tmp_path, signing_key=key)
    newer = tmp_path / "newer.db"
    changed(newer, "PRAGMA user_version = 3")
    with pytest.raises(DamagedVaultError, match="newer"):
        LogStore(newer, signing_key=key)


def test_a_held_database_is_said_so(path, log, key, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with log.writing() as change:
        change.append(envelope_of(0, key))
        with pytest.raises(StorageError, match="another process"):
            log.append(envelope_of(1, key))
        assert log.checkpoint().size == 0  # readers do not wait
    assert log.checkpoint().size == 1


def test_nothing_is_left_of_removed_rows(path, log):
    mark = b"ab" * 32
    with log.writing() as change:
        change.execute("INSERT INTO invitations (token_sha256, expires_s) VALUES (?, 1)", (mark.decode(),))
    with log.writing() as change:
        change.execute("DELETE FROM invitations")
    changed(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    log.close()
    assert mark not in path.read_bytes()


def test_threads_share_one_store(log, key):
    wrong = []

    def read():
        for _ in range(50):
            head = log.checkpoint()
            if head.size and log.root_at(head.size) != head.root:
                wrong.append(head)

    def write(start):
        for number in range(start, start + 10):
            log.append(envelope_of(number, key))

    threads = [threading.Thread(target=read) for _ in range(3)] + [threading.Thread(target=write, args=(start,)) for start in (0, 100)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
    assert log.verify().size == 20


WRITER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hometone_server.records.store import LogStore
from hometone_shared.records.signing import Envelope
key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
name, count = sys.argv[2], int(sys.argv[3])
with LogStore(Path(sys.argv[1]), signing_key=key) as log:
    print("ready", flush=True)
    for number in range(count):
        pair = [Envelope.sign("hometone/test/v1", {"by": name, "number": number, "half": half}, key) for half in (0, 1)]
        print(*log.append_all(pair), log.checkpoint().size, flush=True)
"""


def start(path, name, count):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, str(count)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process


def test_killed_at_random_moments(path, log, key):
    """Whatever was told to be there is there; pairs are whole; the head is that of the entries; nothing that was signed is taken back."""
    moments = random.Random(20)
    told = 0
    for turn in range(8):
        process = start(path, f"{turn}", 100_000)
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split("\n")[:-1]
        process.wait()
        process.stdout.close()
        told = max([told, *(int(line.split()[2]) for line in lines)])
        head = log.verify()
        assert head.size >= told
        assert head.size % 2 == 0
    assert told > 0
    before = log.checkpoint()
    log.append(envelope_of(0, key))
    after = log.checkpoint()
    proof = log.consistency(before.size, after.size)
    verify_consistency(proof, first=before.size, first_root=before.root, second=after.size, second_root=after.root)


def test_two_processes_write_at_once(path, log):
    processes = [start(path, name, 25) for name in ("one", "other")]
    while any(process.poll() is None for process in processes):
        head = log.checkpoint()
        assert head.size == 0 or log.root_at(head.size) == head.root
    for process in processes:
        assert process.returncode == 0
        process.stdout.close()
    assert log.verify().size == 100


def test_a_folder_that_is_not_there(tmp_path, key):
    with pytest.raises(StorageError):
        LogStore(tmp_path / "missing" / "records.db", signing_key=key)
