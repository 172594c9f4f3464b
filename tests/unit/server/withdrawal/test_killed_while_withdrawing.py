"""A process that dies at any statement of a withdrawal leaves it undone or done; the next start ends in the same clean state."""

import os

import pytest

from hometone_server.records import database, store
from hometone_server.withdrawal.own_receipt import own_receipt
from hometone_shared.records.receipt import FILED_KIND, Pending
from hometone_shared.records.tombstone import WITHDRAWAL_KIND

DIED = 9


def dying_at(number):
    """A maker of connections that ends the process, without any goodbye, before its statement of this number."""
    left = [number]
    connected = database.connected

    def connect(path):
        connection = connected(path)

        def count(_statement):
            left[0] -= 1
            if left[0] == 0:
                os._exit(DIED)

        connection.set_trace_callback(count)
        return connection

    return connect


def withdraw_in_a_child(hall, envelope, number, monkeypatch):
    """Whether the child died on the way."""
    hall.log.close()
    child = os.fork()
    if child == 0:
        connect = dying_at(number)
        monkeypatch.setattr(store, "connected", connect)
        monkeypatch.setattr(database, "connected", connect)
        hall.reopen()
        hall.withdrawals.take(envelope)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, DIED}
    hall.reopen()
    return code == DIED


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_every_statement(hall, make_hall, tmp_path, monkeypatch):
    outcomes = []
    for number in range(1, 1000):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = make_hall(folder)
        laptop = place.laptop()
        secret = place.speaker(laptop)
        row = (secret.pseudonym + laptop.device).encode()
        has_died = withdraw_in_a_child(place, place.tombstone(secret), number, monkeypatch)
        is_taken = place.withdrawals.tables.newest(secret.pseudonym) is not None
        outcomes.append(is_taken)
        assert (place.withdrawals.tables.device_of(secret.pseudonym) is None) == is_taken
        assert len(place.log.of_kind(WITHDRAWAL_KIND)) == len(place.log.of_kind(FILED_KIND)) == is_taken
        place.log.verify()
        place.withdrawals.scrub()  # as every start does
        filed = place.withdrawals.take(place.tombstone(secret))  # as the laptop does that had no answer
        with place.log.writing() as change:
            assert [item.what for item in own_receipt(change, filed.digest).pending] == [Pending.LAPTOP]
        assert place.withdrawals.tables.unscrubbed() == []
        assert row not in b"".join(file.read_bytes() for file in folder.glob("records.db*"))
        place.log.verify()
        place.log.close()
        if not has_died:
            break
    assert outcomes == sorted(outcomes), "once it is taken it stays taken"
    assert outcomes.count(False) > 10
    assert outcomes.count(True) > 5
