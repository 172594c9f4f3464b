"""What a replay has to repeat, read from the log (docs/withdrawal.md, section 6).

1. Of everybody who has withdrawn from the rounds the log says when she was registered and when her tombstone came. A round *could hold
   something of hers* if its release is younger than her registration and its plan older than her tombstone. Who really took part, nobody
   but her own laptop knows.
2. The shared model as it is now grew out of a line of releases: a round's release from the one that its plan names, a restored one from
   the one it restores. Rounds beside that line (rolled back, or of a replay that was given up) are in no model any more and are not
   repeated.
3. The replay goes back to the release before the first round of the line that could hold something of theirs, and repeats that round and
   all later ones of the line with the figures that they had.
4. Every release that has such a round behind it is withdrawn when the replay has ended, those beside the line, too.

What it may see: the log and the journal. What it must never do: leave out a round because it is dear.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from hometone_server.records.store import LogStore
from hometone_server.rounds.journal import Attempt, Journal
from hometone_server.rounds.order import LONGEST_CAMPAIGN, Order, RepeatedRound, ReplayOrder
from hometone_shared.errors import DamagedVaultError, UsageError
from hometone_shared.privacy.accounting import GaussianEvent, epsilon
from hometone_shared.records import plan, receipt, release
from hometone_shared.records.plan import RoundPlan, RoundPurpose
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, Treatment
from hometone_shared.records.release import NOTHING_SHA256, Release, ReleaseStatus
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import SharedModelWish, Tombstone
from hometone_shared.withdrawal.tombstones import TombstoneBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """When somebody who has withdrawn from the rounds could be in them.

    Attributes:
        pseudonym: Hers.
        registered: Index of her entry in the log.
        ended: Index of the entry of the tombstone that ended her part in rounds.
        tombstones: Digests of her tombstones.
        wishes_replay: Whether she asked for one.
    """

    pseudonym: str
    registered: int
    ended: int
    tombstones: tuple[str, ...]
    wishes_replay: bool


@dataclass(frozen=True, slots=True)
class LogReading:
    """What the log says that a replay has to know.

    Attributes:
        stays: Pseudonym -> her stay, of those who have withdrawn from the rounds, in the order of registrations.
        plans: Digest -> (index in the log, plan).
        releases: At its number, (index in the log, release).
        withdrawn: Numbers of the releases that earlier replays have withdrawn.
        answered: Digests of the tombstones that a replay has answered.
    """

    stays: dict[str, Stay]
    plans: dict[str, tuple[int, RoundPlan]]
    releases: tuple[tuple[int, Release], ...]
    withdrawn: frozenset[int]
    answered: frozenset[str]

    @classmethod
    def of(cls, log: LogStore) -> Self:
        """(1) Read the whole log.

        Raises:
            ProtocolError: An entry is not what its type says.
        """
        book = TombstoneBook()
        plans: dict[str, tuple[int, RoundPlan]] = {}
        releases: list[tuple[int, Release]] = []
        answered: set[str] = set()
        for page in _pages(log):
            for index, envelope in enumerate(page, start=book.size):
                if envelope.kind == plan.KIND:
                    plans[envelope.digest] = (index, RoundPlan.from_envelope(envelope, key=log.key))
                elif envelope.kind == release.KIND:
                    releases.append((index, Release.from_envelope(envelope, key=log.key)))
                elif envelope.kind == receipt.FILED_KIND:
                    said = FiledReceipt.from_envelope(envelope, key=log.key).content
                    if said.shared_model is not None and said.shared_model.treatment is Treatment.REPLAYED:
                        answered.add(said.tombstone_sha256)
            book = book.followed_by(page, log.key)
        stays = {name: stay for name in book.withdrawn if (stay := _stay(name, book)) is not None}
        return cls(stays, plans, tuple(releases), book.withdrawn_releases, frozenset(answered))

    @property
    def newest(self) -> int:
        """Number of the shared model as it is now: the newest current release.

        Raises:
            UsageError: There is none yet.
        """
        for number in range(len(self.releases) - 1, -1, -1):
            if self.releases[number][1].status is ReleaseStatus.CURRENT:
                return number
        raise UsageError("there is no release yet")

    def waiting(self) -> tuple[str, ...]:
        """Those who asked for a replay, could be in a round, and have not been told that it is done."""
        return tuple(
            name
            for name, stay in self.stays.items()
            if stay.wishes_replay and self.answered.isdisjoint(stay.tombstones) and self.touched([stay])
        )

    def could_hold(self, made: Release, made_at: int, stay: Stay) -> bool:
        """(1) Whether a round's release could hold something of somebody who has gone."""
        planned_at, _ = self.plan_of(made)
        return stay.registered < made_at and planned_at < stay.ended

    def plan_of(self, made: Release) -> tuple[int, RoundPlan]:
        """Index and plan of the round that made a release."""
        try:
            return self.plans[made.plan_sha256]
        except KeyError as error:
            raise DamagedVaultError("the log has a release whose plan it does not have", hint="restore the folder from a backup") from error

    def parent(self, made: Release) -> int | None:
        """(2) The release that another one grew out of."""
        if made.plan_sha256 != NOTHING_SHA256:
            return self.plan_of(made)[1].release
        return made.restores

    def touched(self, stays: Sequence[Stay]) -> frozenset[int]:
        """(4) Numbers of the releases that have a round behind them which could hold something of these people."""
        found: set[int] = set()
        for number, (made_at, made) in enumerate(self.releases):
            is_round = made.plan_sha256 != NOTHING_SHA256
            if self.parent(made) in found or (is_round and any(self.could_hold(made, made_at, stay) for stay in stays)):
                found.add(number)
        return frozenset(found)

    def line(self, newest: int) -> tuple[int, ...]:
        """(2) The releases that a release grew out of, oldest first, itself last."""
        found = [newest]
        while (parent := self.parent(self.releases[found[-1]][1])) is not None:
            found.append(parent)
        return tuple(reversed(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayScope:
    """What a replay would do and cost, before anybody has agreed to it.

    Attributes:
        pseudonyms: Those for whom it is.
        tombstones: Digests of their tombstones.
        newest: The shared model as it is now.
        restores: The release that it goes back to; `newest` if no round has to be repeated.
        rounds: What is repeated, in order.
        withdraws: Releases that are withdrawn afterwards.
        epsilon: What all repeated rounds together cost every speaker who takes part in them.
        delta: At this delta.
        is_reserved: Whether the plans of all repeated rounds paid for it in advance.
        seconds: How long the rounds took the first time; None if the journal does not know.
        survivors: Least number of laptops that were in one of them to the end; None if the journal does not know.
        pattern: The order of the first of these rounds, for waiting times; None if there are none.
    """

    pseudonyms: tuple[str, ...]
    tombstones: tuple[str, ...]
    newest: int
    restores: int
    rounds: tuple[RepeatedRound, ...]
    withdraws: tuple[int, ...]
    epsilon: float
    delta: float
    is_reserved: bool
    seconds: float | None
    survivors: int | None
    pattern: Order | None = None

    def order(self, *, minimum_cohort: int | None = None) -> Order:
        """The order of the campaign that does it.

        Args:
            minimum_cohort: Another least number of laptops than the rounds had: there may be fewer now.

        Raises:
            UsageError: There is nothing to repeat, or the number is none that a round can have.
        """
        if self.pattern is None:
            raise UsageError("no round has to be repeated")
        replay = ReplayOrder(
            pseudonyms=self.pseudonyms,
            tombstones=self.tombstones,
            last=self.newest,
            restores=self.restores,
            rounds=self.rounds,
            withdraws=self.withdraws,
        )
        first = self.rounds[0]
        order = Order(
            purpose=RoundPurpose.MODEL,
            rounds=len(self.rounds),
            dimension=first.dimension,
            clip_norm=first.clip_norm,
            noise_multiplier=first.noise_multiplier,
            epsilon=self.epsilon,
            delta=self.delta,
            colluders=first.colluders,
            minimum_cohort=first.minimum_cohort,
            prepare_s=self.pattern.prepare_s,
            stage_s=self.pattern.stage_s,
            gather_s=self.pattern.gather_s,
            reply_slot_ms=self.pattern.reply_slot_ms,
            attempts=self.pattern.attempts,
            base_sha256=self.pattern.base_sha256,
            basis_sha256=self.pattern.basis_sha256,
            replay=replay,
        )
        return order if minimum_cohort is None else order.with_minimum_cohort(minimum_cohort)


def scope_of(read: LogReading, *, journal: Journal, pseudonyms: Sequence[str]) -> ReplayScope:
    """(3) What a replay for these people does and costs.

    Raises:
        UsageError: One of them is not in the log or has not withdrawn, nobody was named, or the rounds are too many for a replay.
        DamagedVaultError: Log and journal do not fit together.
    """
    if not pseudonyms:
        raise UsageError("nobody waits for a replay", hint="--pseudonym repeats rounds for somebody who did not ask for it")
    stays = []
    for name in pseudonyms:
        stay = read.stays.get(name)
        if stay is None:
            raise UsageError("nobody of that pseudonym has withdrawn from the rounds", hint="hometone-coordinator withdrawals lists them")
        stays.append(stay)
    newest = read.newest
    line, touched = read.line(newest), read.touched(stays)
    behind = [number for number in line if number in touched]
    restores = next(number for number in reversed(line) if number not in touched)
    made = [read.releases[number][1] for number in behind if read.releases[number][1].plan_sha256 != NOTHING_SHA256]
    if len(made) > LONGEST_CAMPAIGN:
        raise UsageError(f"a replay has at most {LONGEST_CAMPAIGN} rounds")
    attempts = {each.plan_sha256: each for each in journal.attempts() if each.state == "finished"}
    orders = {campaign.run: campaign.order for campaign in journal.campaigns()}
    rounds = tuple(_repeated(each, read, orders) for each in made)
    found = [attempts.get(each.plan_sha256) for each in rounds]
    delta = min((orders[each.run].delta for each in made), default=1e-5)
    return ReplayScope(
        pseudonyms=tuple(pseudonyms),
        tombstones=tuple(digest for stay in stays for digest in stay.tombstones),
        newest=newest,
        restores=restores,
        rounds=rounds,
        withdraws=tuple(sorted(touched - read.withdrawn)),
        epsilon=epsilon([GaussianEvent(each.noise_multiplier) for each in rounds], delta=delta),
        delta=delta,
        is_reserved=all(each.reserved_replays for each in rounds),
        seconds=_seconds(found),
        survivors=min((int(each.figures["survivors"]) for each in found if each is not None and "survivors" in each.figures), default=None),
        pattern=orders[made[0].run] if made else None,
    )


def _stay(pseudonym: str, book: TombstoneBook) -> Stay | None:
    ended = book.ended_at(pseudonym, Purpose.FEDERATED)
    if ended is None:
        return None
    tombstones = book.withdrawn[pseudonym]
    return Stay(
        pseudonym=pseudonym,
        registered=book.registered_at(pseudonym),
        ended=ended,
        tombstones=tuple(each.digest for each in tombstones),
        wishes_replay=any(Tombstone.from_envelope(each).shared_model is SharedModelWish.REPLAY for each in tombstones),
    )


def _repeated(made: Release, read: LogReading, orders: dict[str, Order]) -> RepeatedRound:
    _, planned = read.plan_of(made)
    if planned.run not in orders:
        raise DamagedVaultError("the journal does not know a campaign of the log", hint="restore rounds.db from a backup")
    return RepeatedRound(
        plan_sha256=made.plan_sha256,
        release=made.number,
        dimension=planned.dimension,
        clip_norm=planned.clip_norm,
        noise_multiplier=planned.noise_multiplier,
        colluders=planned.colluders,
        minimum_cohort=planned.minimum_cohort,
        weights_permille=dict(planned.weights_permille),
        step=orders[planned.run].of_round(planned.round_number).step,
        reserved_replays=planned.reserved_replays,
    )


def _seconds(found: Sequence[Attempt | None]) -> float | None:
    took = [each.ended - each.began for each in found if each is not None and each.ended is not None]
    return sum(took) if len(took) == len(found) else None


def _pages(log: LogStore) -> Iterator[list[Envelope]]:
    """All entries, in order."""
    size, first = log.checkpoint().size, 0
    while first < size:
        page = log.entries(first, size - 1)
        yield page
        first += len(page)
