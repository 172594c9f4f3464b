"""A service repeats its upkeep while it runs; a failure ends nothing and is told once."""

import threading

from hometone_client.retention.daily import repeated
from hometone_shared.errors import HometoneError, StorageError


def test_it_begins_at_once_goes_on_and_ends_with_the_service() -> None:
    twice = threading.Event()
    done: list[int] = []

    def do() -> None:
        done.append(len(done))
        if len(done) == 2:
            twice.set()

    with repeated(do, every_s=0.01, failed=lambda _: None, name="upkeep"):
        assert twice.wait(10)
    count = len(done)
    assert not any(thread.name == "upkeep" for thread in threading.enumerate())
    assert len(done) == count


def test_a_row_of_failures_is_told_once_and_tried_again() -> None:
    outcomes: list[HometoneError | None] = [StorageError("full"), StorageError("full"), None, StorageError("again")]
    told: list[str] = []
    empty = threading.Event()

    def do() -> None:
        if not outcomes:
            empty.set()
            return
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    with repeated(do, every_s=0.01, failed=lambda error: told.append(error.message), after_failure_s=0.01):
        assert empty.wait(10)
    assert told == ["full", "again"]
