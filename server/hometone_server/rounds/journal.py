"""The journal of campaigns: what was ordered, tried and finished, so that any process may be killed at any moment.

Rules, which `campaign` relies on:

1. A campaign is written down before its first plan is made; an attempt before its plan is signed; its plan's digest before it is offered.
2. An attempt is `open` until it ends as `finished` or `failed`. Attempts found open when a campaign is taken up again are ended as `failed`
   (reason `interrupted`), unless their result was kept or their release is in the log already: then they are ended as `finished`, so that
   nobody pays twice for one round. None is ever offered again.
3. Only one process works on a campaign: it holds the lock file beside the journal.

Nothing here is about a person: devices are counted, not named.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from hometone_server.rounds.order import Order
from hometone_shared.errors import StorageError, UsageError

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS campaigns (
    run TEXT PRIMARY KEY, ordered_at INTEGER NOT NULL, order_json TEXT NOT NULL, state TEXT NOT NULL, told TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS attempts (
    run TEXT NOT NULL REFERENCES campaigns(run), round INTEGER NOT NULL, attempt INTEGER NOT NULL,
    plan_sha256 TEXT NOT NULL DEFAULT '', state TEXT NOT NULL, stage TEXT NOT NULL DEFAULT '', began REAL NOT NULL, ended REAL,
    figures TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (run, round, attempt)
);
CREATE TABLE IF NOT EXISTS results (
    run TEXT NOT NULL, round INTEGER NOT NULL, purpose TEXT NOT NULL, made REAL NOT NULL, result TEXT NOT NULL, PRIMARY KEY (run, round)
);
"""


class CampaignState(StrEnum):
    """How far a campaign is."""

    ORDERED = "ordered"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign as the journal knows it.

    Attributes:
        run: 16 hexadecimal digits.
        ordered_at: Seconds since 1970.
        order: What was ordered.
        state: How far it is.
        told: The last thing worth saying about it, in words.
    """

    run: str
    ordered_at: int
    order: Order
    state: CampaignState
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at one round.

    Attributes:
        run: The campaign.
        round_number: From 1.
        attempt: From 1.
        plan_sha256: Digest of its plan; empty before it was signed.
        state: `open`, `finished` or `failed`.
        stage: The stage it is in, or was in when it ended.
        began: Seconds since 1970.
        ended: The same, or None.
        figures: Devices, speakers, bytes, seconds by stage, the reason of a failure.
    """

    run: str
    round_number: int
    attempt: int
    plan_sha256: str
    state: str
    stage: str
    began: float
    ended: float | None
    figures: dict[str, Any]


class Journal:
    """The journal of one coordinator. Every write is on the disk when the call returns.

    Raises:
        StorageError: From every method: the disk refuses, or the file is damaged.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open or make it."""
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _wrapped():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)
        path.chmod(0o600)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def add_campaign(self, run: str, order: Order) -> None:
        """Write an order down (rule 1)."""
        with _wrapped():
            self._db.execute(
                "INSERT INTO campaigns (run, ordered_at, order_json, state) VALUES (?, ?, ?, ?)",
                (run, int(self._clock()), json.dumps(order.to_record()), CampaignState.ORDERED.value),
            )

    def change_order(self, run: str, order: Order) -> None:
        """Order something else for the rounds that are not done yet, such as fewer laptops."""
        with _wrapped():
            self._db.execute("UPDATE campaigns SET order_json = ? WHERE run = ?", (json.dumps(order.to_record()), run))

    def set_state(self, run: str, state: CampaignState, *, told: str = "") -> None:
        """Change how far a campaign is."""
        with _wrapped():
            self._db.execute("UPDATE campaigns SET state = ?, told = ? WHERE run = ?", (state.value, told, run))

    def tell(self, run: str, told: str) -> None:
        """Keep the last thing worth saying."""
        with _wrapped():
            self._db.execute("UPDATE campaigns SET told = ? WHERE run = ?", (told, run))

    def stop(self, run: str) -> bool:
        """Ask a campaign to stop after the attempt it is in; whether there was anything to stop."""
        with _wrapped():
            changed = self._db.execute(
                "UPDATE campaigns SET state = ? WHERE run = ? AND state IN (?, ?)",
                (CampaignState.STOPPED.value, run, CampaignState.ORDERED.value, CampaignState.RUNNING.value),
            )
            return changed.rowcount > 0

    def campaign(self, run: str) -> Campaign:
        """One campaign.

        Raises:
            UsageError: There is none of that name.
        """
        for campaign in self._campaigns("WHERE run = ?", (run,)):
            return campaign
        raise UsageError("there is no campaign of that name", hint="hometone-coordinator status lists them")

    def campaigns(self) -> tuple[Campaign, ...]:
        """All of them, oldest first."""
        return tuple(self._campaigns("", ()))

    def _campaigns(self, where: str, values: tuple[str, ...]) -> Iterator[Campaign]:
        with _wrapped():
            rows = self._db.execute(
                f"SELECT run, ordered_at, order_json, state, told FROM campaigns {where} ORDER BY ordered_at, rowid",  # noqa: S608 - fixed texts
                values,
            ).fetchall()
        for run, ordered_at, order, state, told in rows:
            yield Campaign(
                run=run, ordered_at=ordered_at, order=Order.from_record(json.loads(order)), state=CampaignState(state), told=told
            )

    def begin_attempt(self, run: str, round_number: int) -> int:
        """Open the next attempt at a round and return its number (rule 1)."""
        with _wrapped():
            (last,) = self._db.execute(
                "SELECT COALESCE(MAX(attempt), 0) FROM attempts WHERE run = ? AND round = ?", (run, round_number)
            ).fetchone()
            self._db.execute(
                "INSERT INTO attempts (run, round, attempt, state, began) VALUES (?, ?, ?, 'open', ?)",
                (run, round_number, last + 1, self._clock()),
            )
            return int(last) + 1

    def note_plan(self, attempt: tuple[str, int, int], plan_sha256: str) -> None:
        """Keep the digest of an attempt's plan before it is offered (rule 1)."""
        with _wrapped():
            self._db.execute("UPDATE attempts SET plan_sha256 = ? WHERE run = ? AND round = ? AND attempt = ?", (plan_sha256, *attempt))

    def note_stage(self, attempt: tuple[str, int, int], stage: str, figures: dict[str, Any]) -> None:
        """Keep the stage an attempt is in, for those who watch."""
        with _wrapped():
            self._db.execute(
                "UPDATE attempts SET stage = ?, figures = ? WHERE run = ? AND round = ? AND attempt = ?",
                (stage, json.dumps(figures), *attempt),
            )

    def end_attempt(self, attempt: tuple[str, int, int], *, finished: bool, figures: dict[str, Any]) -> None:
        """End an attempt."""
        with _wrapped():
            self._db.execute(
                "UPDATE attempts SET state = ?, ended = ?, figures = ? WHERE run = ? AND round = ? AND attempt = ?",
                ("finished" if finished else "failed", self._clock(), json.dumps(figures), *attempt),
            )

    def attempts(self, run: str | None = None) -> tuple[Attempt, ...]:
        """Attempts of one campaign or of all, oldest first."""
        where, values = ("WHERE run = ?", (run,)) if run is not None else ("", ())
        with _wrapped():
            rows = self._db.execute(
                "SELECT run, round, attempt, plan_sha256, state, stage, began, ended, figures "  # noqa: S608 - fixed texts
                f"FROM attempts {where} ORDER BY began, rowid",
                values,
            ).fetchall()
        return tuple(
            Attempt(
                run=row[0],
                round_number=row[1],
                attempt=row[2],
                plan_sha256=row[3],
                state=row[4],
                stage=row[5],
                began=row[6],
                ended=row[7],
                figures=json.loads(row[8]),
            )
            for row in rows
        )

    def keep_result(self, run: str, round_number: int, *, purpose: str, result: dict[str, Any]) -> None:
        """Keep what a round of the purposes `balance` or `evaluation` found, or a summary of a release."""
        with _wrapped():
            self._db.execute(
                "INSERT OR REPLACE INTO results (run, round, purpose, made, result) VALUES (?, ?, ?, ?, ?)",
                (run, round_number, purpose, self._clock(), json.dumps(result, ensure_ascii=False)),
            )

    def result(self, run: str, round_number: int) -> dict[str, Any] | None:
        """What one round found, if it was kept."""
        with _wrapped():
            row = self._db.execute("SELECT result FROM results WHERE run = ? AND round = ?", (run, round_number)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def results(self, purpose: str) -> tuple[dict[str, Any], ...]:
        """What rounds of one purpose found, oldest first, each with `run`, `round` and `made`."""
        with _wrapped():
            rows = self._db.execute(
                "SELECT run, round, made, result FROM results WHERE purpose = ? ORDER BY made, rowid", (purpose,)
            ).fetchall()
        return tuple({"run": run, "round": round_number, "made": made, **json.loads(result)} for run, round_number, made, result in rows)


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError("the journal of rounds cannot be read or written", hint="check free space and permissions") from error
