"""Orders and the journal: limits, round trip, damage."""

import sqlite3

import pytest

from hometone_server.rounds.journal import Journal
from hometone_server.rounds.order import Order
from hometone_shared.errors import DamagedVaultError, StorageError, UsageError


def test_an_order_comes_back_as_it_was(make_order):
    order = make_order(weights_permille={"age:80+": 500}, roll_back=True)
    assert Order.from_record(order.to_record()) == order


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": 0},
        {"rounds": 1001},
        {"dimension": 0},
        {"minimum_cohort": 1},
        {"clip_norm": 0.0},
        {"noise_multiplier": 0.0},
        {"noise_multiplier": float("nan")},
        {"prepare_s": 0.0},
        {"stage_s": -1.0},
        {"gather_s": -1.0},
        {"step": 0.0},
        {"attempts": 0},
        {"reply_slot_ms": -1},
        {"weights_permille": {"age:80+": 1001}},
    ],
)
def test_orders_that_no_round_can_have_are_refused(make_order, change):
    with pytest.raises(UsageError):
        make_order(**change)


@pytest.mark.parametrize("change", [{"purpose": "gossip"}, {"surplus": 1}, {"rounds": None}])
def test_a_damaged_order_is_not_half_read(make_order, change):
    with pytest.raises(DamagedVaultError):
        Order.from_record({**make_order().to_record(), **change})


def test_a_journal_that_is_no_database_is_said(tmp_path):
    path = tmp_path / "rounds.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError):
        Journal(path)


def test_only_its_owner_can_read_it(tmp_path, make_order):
    journal = Journal(tmp_path / "rounds.db")
    journal.add_campaign("0" * 16, make_order())
    journal.close()
    assert (tmp_path / "rounds.db").stat().st_mode & 0o077 == 0


def test_every_write_is_seen_by_another_process_at_once(tmp_path, make_order):
    journal = Journal(tmp_path / "rounds.db")
    journal.add_campaign("0" * 16, make_order())
    number = journal.begin_attempt("0" * 16, 1)
    journal.note_plan(("0" * 16, 1, number), "a" * 64)
    with sqlite3.connect(tmp_path / "rounds.db") as other:
        assert other.execute("SELECT plan_sha256, state FROM attempts").fetchall() == [("a" * 64, "open")]
    other.close()
    journal.close()


def test_stop_says_whether_there_was_anything_to_stop(tmp_path, make_order):
    journal = Journal(tmp_path / "rounds.db")
    journal.add_campaign("0" * 16, make_order())
    assert journal.stop("0" * 16)
    assert not journal.stop("0" * 16)
    journal.close()
