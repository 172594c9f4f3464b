"""Which plans this laptop has seen, so that none is answered twice, and what became of them.

What it may see: plans whose signature was checked. What it must never do: name a speaker, or forget a plan that was answered.

`<home>/federation/rounds.jsonl`: one canonical document a line, fsynced before the plan is answered. A last line without an end was written
by a process that was killed before it answered; it is cut off. Any other line that cannot be read stops rounds. One process at a time
writes it (`node` holds a lock).
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from hometone_client.federation.small_files import append_line, read_small_file
from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.records.canonical import Fields, canonical, parse
from hometone_shared.records.plan import RoundPlan
from hometone_shared.secagg.refusal import Refusal

FILE: Final = "rounds.jsonl"
SEEN: Final = "seen"
_LATEST: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRound:
    """One plan that was offered.

    Attributes:
        plan: Its digest.
        run: Which campaign.
        round: Which round of it.
        attempt: Which attempt at that round.
        purpose: What was to be summed.
        at: When it was first seen, seconds since 1970.
        outcome: `seen`, `contributed`, `finished`, or the code of a refusal.
    """

    plan: str
    run: str
    round: int
    attempt: int
    purpose: str
    at: int
    outcome: str = SEEN


class SeenRounds:
    """The journal of one laptop."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Read the journal.

        Args:
            folder: `<home>/federation`.
            clock: Seconds since 1970.

        Raises:
            FederationError: It is damaged.
            StorageError: The disk refuses.
        """
        self._path = folder / FILE
        self._clock = clock
        self._rounds: dict[str, SeenRound] = {}
        self._latest: dict[tuple[str, int], int] = {}
        data = read_small_file(self._path) or b""
        whole, _, _ = data.rpartition(b"\n")
        self._whole_bytes = len(whole) + 1 if b"\n" in data else 0
        for line in whole.split(b"\n") if self._whole_bytes else ():
            self._remember(_read(line))

    @property
    def rounds(self) -> tuple[SeenRound, ...]:
        """Every plan that was seen, oldest first, with the last that is known of it."""
        return tuple(self._rounds.values())

    def check_new(self, plan: RoundPlan, *, digest: str) -> None:
        """Refuse a plan that was seen, or an equal or later attempt of whose round was.

        Raises:
            Refusal: `replayed`.
        """
        if digest in self._rounds or self._latest.get((plan.run, plan.round_number), 0) >= plan.attempt:
            raise Refusal("replayed", "this round was offered before")

    def record(self, plan: RoundPlan, *, digest: str) -> None:
        """Write down that a plan was seen; when this returns it is on the disk.

        Raises:
            StorageError: The disk refuses.
        """
        self._write(
            SeenRound(
                plan=digest,
                run=plan.run,
                round=plan.round_number,
                attempt=plan.attempt,
                purpose=plan.purpose.value,
                at=int(self._clock()),
            )
        )

    def note_outcome(self, digest: str, outcome: str) -> None:
        """Write down what became of a plan that was recorded.

        Raises:
            StorageError: The disk refuses.
        """
        self._write(replace(self._rounds[digest], outcome=outcome))

    def _write(self, seen: SeenRound) -> None:
        self._whole_bytes = append_line(self._path, canonical(asdict(seen)), whole_bytes=self._whole_bytes)
        self._remember(seen)

    def _remember(self, seen: SeenRound) -> None:
        self._rounds[seen.plan] = seen
        place = (seen.run, seen.round)
        self._latest[place] = max(self._latest.get(place, 0), seen.attempt)


def _read(line: bytes) -> SeenRound:
    try:
        fields = Fields(parse(line))
        seen = SeenRound(
            plan=fields.hexadecimal("plan"),
            run=fields.hexadecimal("run", characters=16),
            round=fields.integer("round", low=1, high=_LATEST),
            attempt=fields.integer("attempt", low=1, high=_LATEST),
            purpose=fields.text("purpose", longest=20),
            at=fields.integer("at", low=0, high=_LATEST),
            outcome=fields.text("outcome", longest=40),
        )
        fields.done()
    except ProtocolError as error:
        raise FederationError(
            "the journal of rounds on this computer cannot be read",
            hint="restore rounds.jsonl from a backup, or join again from a new data folder",
        ) from error
    return seen
