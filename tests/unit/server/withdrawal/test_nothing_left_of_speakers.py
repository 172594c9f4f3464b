"""After a withdrawal no file says any more by which laptop she was registered; while a reader holds that up, the receipt says so."""

import sqlite3
from unittest import mock

import pytest

from hometone_server.records.store import LogStore
from hometone_server.withdrawal.own_receipt import own_receipt
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.records.receipt import Pending


def visible(hall, rows):
    """Which rows of `speakers` (pseudonym and device, side by side) stand in any of the database's files."""
    data = b"".join(file.read_bytes() for file in sorted(hall.path.parent.glob("records.db*")))
    return {pseudonym for pseudonym, device in rows.items() if (pseudonym + device).encode() in data}


def waiting(hall, filed):
    with hall.log.writing() as change:
        return {item.what for item in own_receipt(change, filed.digest).pending}


@pytest.fixture
def crowd(hall):
    """Enough speakers for several pages, half of whom have to go without those of the others."""
    laptops = [hall.laptop() for _ in range(7)]
    registered = {}
    for number in range(140):
        secret = hall.speaker(laptops[number % 7])
        registered[secret] = laptops[number % 7].device
    return registered


def test_rows_are_gone_from_all_files(hall, crowd):
    rows = {secret.pseudonym: device for secret, device in crowd.items()}
    assert visible(hall, rows) == set(rows)
    going = sorted(crowd, key=lambda secret: secret.pseudonym)[::2]
    for secret in going:
        hall.withdrawals.take(hall.tombstone(secret))
    assert visible(hall, rows) == set(rows) - {secret.pseudonym for secret in going}
    assert hall.path.with_name("records.db-wal").stat().st_size < hall.path.stat().st_size


def test_a_reader_holds_it_up_and_the_receipt_says_so(hall):
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    rows = {secret.pseudonym: laptop.device}
    reader = sqlite3.connect(hall.path)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM speakers").fetchall()
    filed = hall.withdrawals.take(hall.tombstone(secret))
    assert hall.withdrawals.tables.device_of(secret.pseudonym) is None
    assert visible(hall, rows) == set(rows)
    assert waiting(hall, filed) == {Pending.LAPTOP, Pending.OPEN_FILES}
    size = hall.log.checkpoint().size
    assert not hall.withdrawals.scrub()
    assert hall.log.checkpoint().size == size, "what is known already is not said again"
    reader.close()
    assert hall.withdrawals.scrub()
    assert visible(hall, rows) == set()
    assert waiting(hall, filed) == {Pending.LAPTOP}
    assert hall.withdrawals.scrub()


def test_who_is_killed_before_the_files_are_emptied_does_it_at_the_next_start(hall):
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    with mock.patch.object(Withdrawals, "scrub", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        hall.withdrawals.take(hall.tombstone(secret))
    rows = {secret.pseudonym: laptop.device}
    assert visible(hall, rows) == set(rows)
    assert hall.withdrawals.tables.unscrubbed()
    hall.log.close()
    hall.reopen()
    assert hall.withdrawals.scrub()
    assert visible(hall, rows) == set()


def test_a_second_program_that_writes_at_the_same_time_is_waited_for(hall):
    secret = hall.speaker(hall.laptop())
    with LogStore(hall.path, signing_key=hall.log._key) as second:
        second.checkpoint()
        hall.withdrawals.take(hall.tombstone(secret))
        assert hall.withdrawals.tables.unscrubbed() == []
