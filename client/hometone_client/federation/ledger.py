"""A speaker's privacy ledger: what rounds have cost her, and whether she can afford another (docs/protocol.md, section 8, `budget`).

What it may see: her unlocked vault and plans that were checked. What it must never do: forget a plan, count one that was sent as not
sent, or let the sum pass the bound that she chose, whatever a coordinator says.

1. The ledger is a list of events, each a sealed artefact of kind `ledger` of its own that is never replaced; the sealed index says which
   there are, so that none can be taken away on its own. `hometone revoke` takes them with the rest.
2. `budget` sets her bound. `reserved` opens an entry, `spent` or `released` close it. A digest is reserved once ever.
3. Reserving asks the accountant for the sum over everything that is spent or reserved, of all three purposes, and the new plan. A plan that
   says that it may be replayed R times counts 1 + R times: its replays are paid for in advance, and nothing else can use that up.
4. `spend` is on the disk when it returns, and only then may anything be sent. Whatever is still reserved when the next round begins was
   not sent, and is released; its digest stays used.
5. What a plan has in advance goes over to the plan that repeats it (the replay of docs/withdrawal.md, section 6), if that adds the same
   noise, and to the next attempt of the same round. So a replay that was reserved costs nothing more, one that was not costs what it
   costs, and whatever a coordinator writes into its plans, what was spent and the bound stay what they are.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from hometone_keys import SpeakerVault
from hometone_shared.errors import BudgetExhausted, DamagedVaultError, ProtocolError, UsageError
from hometone_shared.privacy.accounting import GaussianEvent, epsilon
from hometone_shared.records.canonical import Fields
from hometone_shared.records.plan import MOST_REPLAYS, NO_PLAN, RoundPlan, RoundPurpose

KIND: Final = "ledger"
DEFAULT_EPSILON: Final = 8.0
DELTA: Final = 1e-5
LARGEST_EPSILON: Final = 100.0
_LATEST: Final = 1 << 40
_BUDGET: Final = "budget"


class EntryState(StrEnum):
    """How far an entry is."""

    RESERVED = "reserved"
    SPENT = "spent"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The bound that a speaker chose.

    Attributes:
        epsilon: Largest epsilon of all rounds together.
        delta: At this delta.
        chosen: When, seconds since 1970.
    """

    epsilon: float
    delta: float
    chosen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What one plan cost.

    Attributes:
        plan: Digest.
        run: Which campaign.
        round: Which round of it.
        attempt: Which attempt at that round.
        purpose: What was summed.
        noise_multiplier: Guaranteed standard deviation of the noise of the sum over the clip norm.
        state: Whether it counts.
        at: When it came into this state, seconds since 1970.
        repeats: Digest of the plan that this one repeats; empty if it repeats none.
        reserved_replays: How often it may be repeated, paid for in advance.
    """

    plan: str
    run: str
    round: int
    attempt: int
    purpose: RoundPurpose
    noise_multiplier: float
    state: EntryState
    at: int
    repeats: str = NO_PLAN
    reserved_replays: int = 0

    @property
    def counts(self) -> bool:
        """Whether the accountant adds it up."""
        return self.state is not EntryState.RELEASED


def _in_advance(entries: Sequence[LedgerEntry]) -> Iterator[LedgerEntry]:
    """(5) Of entries that count, oldest first, those whose reserved replays are not taken over by a later one."""
    later: set[tuple[str, int]] = set()
    repeated: set[tuple[str, float]] = set()
    for entry in reversed(entries):
        if (entry.run, entry.round) not in later and (entry.plan, entry.noise_multiplier) not in repeated:
            yield entry
        later.add((entry.run, entry.round))
        if entry.repeats != NO_PLAN:
            repeated.add((entry.repeats, entry.noise_multiplier))


def _committed(entries: Sequence[LedgerEntry]) -> Iterator[float]:
    """(3) Noise multipliers of everything that counts, and of the replays that are paid for."""
    for entry in entries:
        yield entry.noise_multiplier
    for entry in _in_advance(entries):
        for _ in range(entry.reserved_replays):
            yield entry.noise_multiplier


def _entry_of(plan: RoundPlan, *, digest: str, at: int) -> LedgerEntry:
    return LedgerEntry(
        plan=digest,
        run=plan.run,
        round=plan.round_number,
        attempt=plan.attempt,
        purpose=plan.purpose,
        noise_multiplier=plan.noise_multiplier,
        state=EntryState.RESERVED,
        at=at,
        repeats=plan.repeats,
        reserved_replays=plan.reserved_replays,
    )


def _beyond(budget: Budget) -> BudgetExhausted:
    return BudgetExhausted(
        f"this round would pass the privacy budget of {budget.epsilon:g}", hint="hometone ledger SPEAKER shows what it was spent on"
    )


class PrivacyLedger:
    """The ledger of one unlocked speaker; only as long as she is unlocked."""

    def __init__(self, vault: SpeakerVault, *, clock: Callable[[], float] = time.time) -> None:
        """Read the ledger.

        Args:
            vault: Her unlocked vault.
            clock: Seconds since 1970.

        Raises:
            DamagedVaultError: An event is not what was written; nothing is changed.
        """
        self._vault = vault
        self._clock = clock
        self._budget: Budget | None = None
        self._entries: dict[str, LedgerEntry] = {}
        self._next = 1
        for name in sorted(artefact.name for artefact in vault.list(KIND)):
            self._apply(name, vault.read_json(name, kind=KIND))

    @property
    def budget(self) -> Budget | None:
        """Her bound; none before she chose one."""
        return self._budget

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Every plan that was ever reserved, oldest first."""
        return tuple(self._entries.values())

    def set_budget(self, epsilon_bound: float, *, delta: float = DELTA) -> Budget:
        """Choose the bound, or another one; what is spent stays spent.

        Raises:
            UsageError: It is not a number above 0 and at most 100.
            StorageError: The disk refuses; the old bound holds.
        """
        if not 0.0 < epsilon_bound <= LARGEST_EPSILON:
            raise UsageError(f"a privacy budget is a number above 0 and at most {LARGEST_EPSILON:g}", hint=f"{DEFAULT_EPSILON:g} is usual")
        self._append({"event": _BUDGET, "epsilon": float(epsilon_bound), "delta": delta})
        return self._require_budget()

    def spent_epsilon(self) -> float:
        """Epsilon of everything that is spent or reserved, at her delta; replays that were paid for in advance are not in it."""
        return self._epsilon_of(entry.noise_multiplier for entry in self.entries if entry.counts)

    def committed_epsilon(self) -> float:
        """The same with all replays that were paid for in advance: what is left of the bound is the bound less this."""
        return self._epsilon_of(_committed([entry for entry in self.entries if entry.counts]))

    def epsilon_after(self, plan: RoundPlan) -> float:
        """Committed epsilon if one more plan is added."""
        new = _entry_of(plan, digest=NO_PLAN, at=0)
        return self._epsilon_of(_committed([*(entry for entry in self.entries if entry.counts), new]))

    def reserve(self, plan: RoundPlan, *, digest: str) -> LedgerEntry:
        """(3) Set aside what a plan costs.

        Args:
            plan: A plan that was checked.
            digest: Its digest.

        Raises:
            BudgetExhausted: She cannot afford it, chose no budget, or the digest was used before; nothing is written.
            StorageError: The disk refuses; nothing is reserved.
        """
        if digest in self._entries:
            raise BudgetExhausted("the privacy ledger has seen this round before", hint="the coordinator must make a new plan")
        budget = self._require_budget()
        if not self.epsilon_after(plan) <= budget.epsilon:
            raise _beyond(budget)
        self._append(
            {
                "event": EntryState.RESERVED.value,
                "plan": digest,
                "run": plan.run,
                "round": plan.round_number,
                "attempt": plan.attempt,
                "purpose": plan.purpose.value,
                "noise_multiplier": plan.noise_multiplier,
                **({"repeats": plan.repeats} if plan.repeats != NO_PLAN else {}),
                **({"reserved_replays": plan.reserved_replays} if plan.reserved_replays else {}),
            }
        )
        return self._entries[digest]

    def spend(self, digest: str) -> None:
        """(4) Write down that a reserved plan is about to be sent; on the disk when this returns.

        Raises:
            BudgetExhausted: It is not reserved, or she has lowered her bound meanwhile.
            StorageError: The disk refuses; nothing may be sent.
        """
        if not self.spent_epsilon() <= self._require_budget().epsilon:
            raise _beyond(self._require_budget())
        self._close(digest, EntryState.SPENT)

    def release(self, digest: str) -> None:
        """Give back what a reserved plan would have cost; only if nothing was sent.

        Raises:
            BudgetExhausted: It is not reserved.
            StorageError: The disk refuses; it is released when the next round begins.
        """
        self._close(digest, EntryState.RELEASED)

    def release_left_over(self) -> int:
        """(4) Release what a killed process had reserved; called before a round begins, when none of this laptop's is in flight.

        Returns:
            How many entries.

        Raises:
            StorageError: The disk refuses.
        """
        left = [entry.plan for entry in self.entries if entry.state is EntryState.RESERVED]
        for digest in left:
            self.release(digest)
        return len(left)

    def _close(self, digest: str, state: EntryState) -> None:
        entry = self._entries.get(digest)
        if entry is None or entry.state is not EntryState.RESERVED:
            raise BudgetExhausted("the privacy ledger holds nothing in reserve for this round", hint="nothing was sent")
        self._append({"event": state.value, "plan": digest})

    def _require_budget(self) -> Budget:
        if self._budget is None:
            raise BudgetExhausted("this speaker has chosen no privacy budget", hint="choose one: hometone contribute SPEAKER")
        return self._budget

    def _epsilon_of(self, noise_multipliers: Iterable[float]) -> float:
        events = [GaussianEvent(multiplier) for multiplier in noise_multipliers]
        return epsilon(events, delta=self._budget.delta if self._budget else DELTA) if events else 0.0

    def _append(self, event: dict[str, Any]) -> None:
        """(1) Commit an event to the vault, then believe it."""
        written = {"at": int(self._clock()), **event}
        name = f"{self._next:08d}-{secrets.token_hex(4)}"
        self._vault.put_json(name, written, kind=KIND)
        self._apply(name, written)

    def _apply(self, name: str, event: object) -> None:
        """(2) Take one event into account, in the order of their names."""
        try:
            self._next = max(self._next, int(name.partition("-")[0]) + 1)
            fields = Fields(event)
            kind, at = fields.text("event", longest=20), fields.integer("at", low=0, high=_LATEST)
            if kind == _BUDGET:
                bound = fields.number("epsilon", above=0.0, high=LARGEST_EPSILON)
                self._budget = Budget(epsilon=bound, delta=fields.number("delta", above=0.0, high=0.5), chosen=at)
            elif kind == EntryState.RESERVED:
                entry = LedgerEntry(
                    plan=fields.hexadecimal("plan"),
                    run=fields.hexadecimal("run", characters=16),
                    round=fields.integer("round", low=1, high=_LATEST),
                    attempt=fields.integer("attempt", low=1, high=_LATEST),
                    purpose=RoundPurpose(fields.text("purpose", longest=20)),
                    noise_multiplier=fields.number("noise_multiplier", above=0.0, high=1e6),
                    state=EntryState.RESERVED,
                    at=at,
                    repeats=fields.hexadecimal("repeats") if fields.has("repeats") else NO_PLAN,
                    reserved_replays=(
                        fields.integer("reserved_replays", low=1, high=MOST_REPLAYS) if fields.has("reserved_replays") else 0
                    ),
                )
                self._entries.setdefault(entry.plan, entry)
            else:
                digest = fields.hexadecimal("plan")
                entry = self._entries[digest]
                if entry.state is not EntryState.SPENT:  # what was sent stays sent, whatever else is written
                    self._entries[digest] = replace(entry, state=EntryState(kind), at=at)
            fields.done()
        except (ProtocolError, ValueError, KeyError) as error:
            raise DamagedVaultError(
                "a privacy ledger cannot be read", hint="restore the vault from a backup, or stop contributing"
            ) from error
