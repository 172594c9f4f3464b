"""A federation of virtual laptops whose training and noise depend on laptop, round and release alone, for tests of exact replay."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from hometone_server.records.releases import Releases
from hometone_server.rounds.order import Order
from hometone_server.rounds.replay_scope import LogReading, ReplayScope, scope_of
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.records import receipt
from hometone_shared.records.plan import KIND, RoundPlan
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, Role, Treatment
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.records.tombstone import SharedModelWish, Tombstone, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

FIGURES = (
    {"dimension": 4, "step": 1.0, "noise_multiplier": 0.05},
    {"dimension": 7, "step": 0.5, "noise_multiplier": 0.04},
    {"dimension": 7, "step": 1.0, "clip_norm": 0.7, "noise_multiplier": 0.06},
    {"dimension": 5, "step": 0.8, "noise_multiplier": 0.05},
)
"""Of the rounds, each a campaign of its own; no two alike."""
REPLAY_RUN = "f" * 16


class Federation:
    """A village whose laptops train and draw noise in a way that depends on laptop, round and release alone."""

    def __init__(self, village: Any, make_order: Callable[..., Order]) -> None:
        self.village, self.make_order = village, make_order
        self.present = set(range(len(village.laptops)))
        self.secrets: dict[int, RecoverySecret] = {}
        self.withdrawals = Withdrawals.open(village.home, village.log)
        self.releases = Releases.open(village.home, village.log)
        for number, laptop in enumerate(village.laptops):
            laptop.noise = lambda plan, number=number: self.sampler(number, plan)

    def original_round(self, plan: RoundPlan) -> int:
        while plan.repeats:
            (plan,) = (
                RoundPlan.from_envelope(each, key=self.village.log.key)
                for each in self.village.log.of_kind(KIND)
                if each.digest == plan.repeats
            )
        return int(plan.run, 16)

    def sampler(self, number: int, plan: RoundPlan) -> Callable[..., np.ndarray]:
        rng = np.random.default_rng([77, number, self.original_round(plan)])
        return lambda count, *, variance: np.rint(rng.normal(0, variance**0.5, count)).astype(np.int64)

    def update(self, number: int) -> np.ndarray:
        plan = self.village.laptops[number].plan
        wanted = np.random.default_rng([5, number]).standard_normal(plan.dimension)
        theta = np.zeros(plan.dimension)
        held = self.releases.coordinates(plan.release)[: plan.dimension]
        theta[: held.size] = held
        return np.tanh(wanted - theta) * (0.2 + 0.1 * number)

    def exchange(self) -> Any:
        inner = self.village.exchange(self.update)
        federation = self

        class Present:
            def nodes(self) -> Iterable[int]:
                return sorted(federation.present)

            def exchange(self, requests: Any, *, kind: str, timeout_s: float, enough: Any = None) -> Any:
                return inner.exchange(requests, kind=kind, timeout_s=timeout_s, enough=enough)

        return Present()

    def register(self, number: int) -> None:
        self.secrets[number] = RecoverySecret.generate()
        laptop = self.village.laptops[number]
        self.withdrawals.register(
            RegistrationRequest.make(coordinator_key=self.village.log.key, secret=self.secrets[number], device_key=laptop.signing_key)
        )
        self.present.add(number)

    def withdraw(self, number: int, *, wish: SharedModelWish = SharedModelWish.REPLAY, scope: Purpose = Purpose.OWN_VOICE) -> str:
        secret = self.secrets[number]
        tombstone = Tombstone(
            pseudonym=secret.pseudonym,
            coordinator=coordinator_name(self.village.log.key),
            scope=frozenset({scope}),
            sequence=1,
            made=1_790_000_000,
            shared_model=wish,
        ).signed(secret.withdrawal_key())
        self.withdrawals.take(tombstone)
        self.present.discard(number)
        return tombstone.digest

    def order(self, k: int, **changes: Any) -> Order:
        return self.make_order(rounds=1, **{**FIGURES[k - 1], **changes})

    def round(self, k: int, **changes: Any) -> None:
        run = f"{k:016x}"
        self.village.journal.add_campaign(run, self.order(k, **changes))
        self.village.runner.run(run, self.exchange())

    def scope(self, pseudonyms: Iterable[str] | None = None) -> ReplayScope:
        read = LogReading.of(self.village.log)
        return scope_of(read, journal=self.village.journal, pseudonyms=tuple(pseudonyms or read.waiting()))

    def replay(self, run: str = REPLAY_RUN, *, pseudonyms: Iterable[str] | None = None, minimum_cohort: int | None = None) -> ReplayScope:
        scope = self.scope(pseudonyms)
        self.village.journal.add_campaign(run, scope.order(minimum_cohort=minimum_cohort))
        self.village.runner.run(run, self.exchange())
        return scope

    def hashes(self) -> list[str]:
        return [each.vector_sha256 for each in self.releases.chain().releases]

    def treatments(self, digest: str) -> list[Treatment]:
        filed = (
            FiledReceipt.from_envelope(each, key=self.village.log.key).content for each in self.village.log.of_kind(receipt.FILED_KIND)
        )
        return [each.shared_model.treatment for each in filed if each.role is Role.COORDINATOR and each.tombstone_sha256 == digest]
