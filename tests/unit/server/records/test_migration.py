"""Records of the first version become records of this one: in place, at once or not at all, without touching the log."""

import sqlite3

import pytest

from hometone_server.records import database
from hometone_server.records.store import LogStore
from hometone_shared.errors import StorageError
from hometone_shared.records.signing import Envelope

TABLES = {"speakers", "registrations", "tombstones", "receipts", "unscrubbed", "cosignatures", "witnesses"}


def tables_of(path):
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return names, version


@pytest.fixture
def old(path, key, monkeypatch):
    """A log of version 1, made by the statements that made it then."""
    with monkeypatch.context() as patch:
        patch.setattr(database, "_SCHEMAS", database._SCHEMAS[:1])
        patch.setattr(database, "_VERSION", 1)
        with LogStore(path, signing_key=key) as log:
            log.append_all(Envelope.sign("hometone/test/v1", {"number": number}, key) for number in range(20))
            with log.writing() as change:
                change.execute("INSERT INTO invitations (token_sha256, expires_s) VALUES ('ab', 1)")
            head = log.head()
    assert tables_of(path)[1] == 1
    assert not tables_of(path)[0] & TABLES
    return head


def test_an_old_log_goes_on(path, key, old):
    with LogStore(path, signing_key=key) as log:
        assert log.head() == old
        log.verify()
        assert log.query("SELECT token_sha256 FROM invitations") == [("ab",)]
        assert log.query("SELECT * FROM speakers") == []
    assert tables_of(path)[0] >= TABLES
    assert tables_of(path)[1] == 2
    with LogStore(path, signing_key=key) as log:
        assert log.head() == old


def test_a_migration_that_breaks_off_has_not_happened(path, key, old, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(database, "_SCHEMAS", (database._SCHEMAS[0], database._SCHEMAS[1] + "; CREATE TABLE speakers (one) STRICT"))
        with pytest.raises(StorageError):
            LogStore(path, signing_key=key)
    assert tables_of(path)[1] == 1
    assert not tables_of(path)[0] & TABLES
    with LogStore(path, signing_key=key) as log:
        assert log.head() == old


def test_old_and_new_have_the_same_tables(path, key, old, tmp_path):
    LogStore(path, signing_key=key).close()
    LogStore(tmp_path / "new.db", signing_key=key).close()
    assert tables_of(path) == tables_of(tmp_path / "new.db")
