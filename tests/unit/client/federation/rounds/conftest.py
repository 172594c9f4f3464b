"""Laptops with real vaults, and a coordinator in memory: its key, its log, its plans, and the real `Aggregator`."""

import copy
import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from hometone_client.audio import Origin, RawTake
from hometone_client.federation.acceptance import Standing
from hometone_client.federation.contribution import Figures
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.participation import Laptop, RoundParticipation
from hometone_client.federation.policy import DevicePolicy
from hometone_client.federation.seen_rounds import SeenRounds
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.errors import AudioError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.merkle import consistency_proof, leaf_hash, nodes_of, root_of
from hometone_shared.messages import Body
from hometone_shared.records.device import DeviceEntry, DeviceStatus
from hometone_shared.records.plan import RoundPlan, RoundPurpose
from hometone_shared.records.registration import SpeakerEntry
from hometone_shared.records.release import NOTHING_SHA256, Release
from hometone_shared.records.signing import Envelope
from hometone_shared.secagg.aggregator import Aggregator, Total
from hometone_shared.withdrawal.recovery import RecoverySecret

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
BASE, BASIS, BUNDLE = "aa" * 32, "bb" * 32, "ee" * 32
DIMENSION = 12
NOW = 1_800_000_000.0


@dataclass(slots=True)
class Clock:
    """All clocks of a test; sleeping moves them."""

    now_s: float = NOW
    asleep: Callable[[], None] = lambda: None

    def time(self) -> float:
        return self.now_s

    def utc(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now_s, dt.UTC)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds + 1e-6  # as real sleeping, a little too long
        self.asleep()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a transport says."""

    fab_hash: str = BUNDLE
    primary_task_type: str = "flwr-serverapp"
    clock_ahead_s: float = 0.0


class Bench:
    """A workshop without a model: a speaker's update is made from her name."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.takes_s = 0.3
        self.worked: list[str] = []
        self.forgotten = 0
        self.failing: dict[str, Exception] = {}
        self.during: Callable[[], None] = lambda: None

    def _work(self, room: SpeakerRoom) -> None:
        self.worked.append(room.name)
        self.clock.now_s += self.takes_s
        self.during()
        if room.name in self.failing:
            raise self.failing[room.name]
        assert room.take_names(), "the recordings can be read"

    def update(self, room: SpeakerRoom, plan: RoundPlan) -> NDArray[np.float64]:
        self._work(room)
        return update_of(room.name, plan.dimension)

    def figures(self, room: SpeakerRoom, plan: RoundPlan) -> Figures:
        self._work(room)
        return Figures(error_before=0.5, error_after=0.25, similarity=0.75)

    def forget(self) -> None:
        self.forgotten += 1


def update_of(name: str, dimension: int) -> NDArray[np.float64]:
    vector = np.random.default_rng(list(name.encode())).standard_normal(dimension)
    return vector / np.linalg.norm(vector)


class Coordinator:
    """Signs plans, keeps the log, and can be told to cheat. It answers like `CoordinatorRecords`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.key = Ed25519PrivateKey.generate()
        self.raw_key = self.key.public_key().public_bytes_raw()
        self.entries_: list[Envelope] = []
        self.away: Exception | None = None

    def append(self, envelope: Envelope) -> Envelope:
        self.entries_.append(envelope)
        return envelope

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(envelope.to_bytes()) for envelope in self.entries_]

    def add_device(self, vault: Vault, *, status: DeviceStatus = DeviceStatus.ACTIVE) -> None:
        entry = DeviceEntry(signing_key=vault.device.public_signing_key(), node_key_sha256="11" * 32, status=status)
        self.append(entry.signed(self.key))

    def add_speaker(self, vault: Vault, speaker_id: str) -> None:
        key = RecoverySecret(vault.withdrawal_secret(speaker_id)).withdrawal_key().public_key().public_bytes_raw()
        self.append(SpeakerEntry(withdrawal_key=key).signed(self.key))

    def add_release(self, *, number: int, parent: str = NOTHING_SHA256, **changes: Any) -> Envelope:
        release = Release(
            number=number,
            parent_sha256=parent,
            base_sha256=BASE,
            basis_sha256=BASIS,
            dimension=DIMENSION,
            vector_sha256="22" * 32,
            plan_sha256=NOTHING_SHA256,
            run="0" * 16,
            round_number=0,
            created=int(NOW),
        )
        return self.append(dataclasses.replace(release, **changes).signed(self.key))

    def checkpoint(self) -> bytes:
        if self.away is not None:
            raise self.away
        head = Checkpoint(origin=log_origin(self.raw_key), size=len(self.entries_), root=root_of(self.leaves))
        return head.signed(self.key)

    def entries(self, first: int, last: int) -> list[Envelope]:
        return self.entries_[first : last + 1]

    def consistency(self, first: int, second: int) -> list[bytes]:
        return consistency_proof(first, second, node=nodes_of(self.leaves[:second]))

    def plan(self, **changes: Any) -> RoundPlan:
        release = next(envelope for envelope in self.entries_ if envelope.kind.startswith("hometone/release"))
        fields: dict[str, Any] = {
            "run": "0123456789abcdef",
            "round_number": 1,
            "attempt": 1,
            "purpose": RoundPurpose.MODEL,
            "base_sha256": BASE,
            "basis_sha256": BASIS,
            "release": 0,
            "release_sha256": release.digest,
            "dimension": DIMENSION,
            "clip_norm": 1.0,
            "noise_multiplier": 1.2,
            "colluders": 0,
            "minimum_cohort": 3,
            "issued": int(self.clock.now_s),
            "deadline": int(self.clock.now_s) + 600,
            "reply_slot_ms": 1000,
            "log_size": len(self.entries_),
            "log_root": root_of(self.leaves).hex(),
            "bundle_sha256": BUNDLE,
        }
        return RoundPlan(**{**fields, **changes})

    def offer(self, *, in_log: bool = True, key: Ed25519PrivateKey | None = None, **changes: Any) -> Envelope:
        envelope = self.plan(**changes).signed(key or self.key)
        if in_log:
            self.append(envelope)
        return envelope

    def aggregator(self, envelope: Envelope) -> Aggregator:
        log_directory = {
            entry.device: entry.signing_key
            for entry in (DeviceEntry.from_envelope(each, key=self.raw_key) for each in self.entries_ if each.kind == "hometone/device/v1")
        }
        plan = RoundPlan.from_envelope(envelope, key=self.raw_key)
        return Aggregator(plan=plan, plan_digest=envelope.digest, directory=log_directory)


@dataclass(slots=True)
class Desk:
    """One laptop on its desk."""

    home: Path
    vault: Vault
    coordinator: Coordinator
    clock: Clock
    bench: Bench
    log: PinnedLog
    policy: DevicePolicy
    held: list[int] = field(default_factory=list)
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    cannot_hold: Exception | None = None

    @property
    def folder(self) -> Path:
        return self.home / "federation"

    def laptop(self) -> Laptop:
        return Laptop(
            vault=self.vault,
            signing_key=self.vault.device.signing_key,
            workshop=self.bench,
            told=lambda event, values: self.told.append((event, values)),
            now=self.clock.utc,
            clock=self.clock.time,
            monotonic=self.clock.time,
            sleep=self.clock.sleep,
        )

    def standing(self) -> Standing:
        def hold(release: Release) -> None:
            if self.cannot_hold is not None:
                raise self.cannot_hold
            self.held.append(release.number)

        return Standing(
            coordinator_key=self.coordinator.raw_key,
            bundle_sha256=BUNDLE,
            base_sha256=BASE,
            basis_sha256=BASIS,
            basis_dimension=1000,
            policy=self.policy,
            seen=SeenRounds(self.folder, clock=self.clock.time),
            log=self.log,
            catch_up=lambda: self.log.update(self.coordinator),  # type: ignore[arg-type]
            hold=hold,
            clock=self.clock.time,
        )

    def participation(self, before: RoundParticipation | None = None) -> RoundParticipation:
        return RoundParticipation(self.laptop(), self.standing(), before=before)

    def add_speaker(
        self, name: str, *, contributes: bool = True, budget: float = 8.0, takes: int = 1, registered: bool = True, **declared: str
    ) -> str:
        """Somebody who is enrolled here, and usually contributes; her pseudonym."""
        with SpeakerRoom(self.vault.enroll(name, "1234")) as room:
            room.keep_declaration(Declaration(**declared))
            for _ in range(takes):
                samples = np.random.default_rng(1).uniform(-0.3, 0.3, 800).astype(np.float32)
                room.add_take(RawTake(samples, 8_000, Origin.FILE), text="", language="en", speech_s=0.1, quality={})
            if contributes:
                PrivacyLedger(room.vault, clock=self.clock.time).set_budget(budget)
                room.keep_consent(give_consent(locale="en", now=self.clock.utc(), purpose=Purpose.FEDERATED))
                self.vault.allow_work(room.vault)
                if registered:
                    self.coordinator.add_speaker(self.vault, room.speaker_id)
            return room.speaker_id

    def ledger(self, name: str) -> PrivacyLedger:
        with self.vault.unlock(self.vault.find(name).speaker_id, "1234") as unlocked:
            return PrivacyLedger(unlocked, clock=self.clock.time)

    def states(self, name: str) -> list[str]:
        return [entry.state.value for entry in self.ledger(name).entries]

    def outcomes(self) -> list[str]:
        return [seen.outcome for seen in SeenRounds(self.folder).rounds]

    def refusal(self, envelope: Envelope, **facts: Any) -> str:
        """The code with which this laptop refuses an offer; empty if it does not."""
        answer = self.participation().handle(offer_body(envelope), Facts(**facts))
        return answer.refused[0] if answer.refused else ""


def offer_body(envelope: Envelope) -> Body:
    return Body("offer", {"plan": envelope.to_document()})


@dataclass(slots=True)
class World:
    """A coordinator and its laptops."""

    clock: Clock
    coordinator: Coordinator
    desks: list[Desk]

    def run(
        self,
        envelope: Envelope,
        participations: Iterable[RoundParticipation] | None = None,
        *,
        before_stage: Callable[[str], None] = lambda _: None,
    ) -> tuple[Total, list[str]]:
        """A whole round; the sum, and the codes of refusals."""
        aggregator = self.coordinator.aggregator(envelope)
        codes: list[str] = []
        left = {}
        for participation in [desk.participation() for desk in self.desks] if participations is None else participations:
            answer = participation.handle(offer_body(envelope), Facts())
            if answer.refused:
                codes.append(answer.refused[0])
            else:
                left[aggregator.add_advertisement(answer.document["advertisement"])] = participation

        def stage(kind: str, requests: dict[str, dict[str, Any]], take: Callable[[str, Body], object]) -> None:
            before_stage(kind)
            for device, request in requests.items():
                answer = left[device].handle(Body(kind, request), Facts())
                if answer.refused:
                    codes.append(answer.refused[0])
                    del left[device]
                else:
                    take(device, answer)

        roster = aggregator.close_roster()
        stage("roster", dict.fromkeys(left, roster), lambda device, answer: aggregator.add_shares(device, answer.document))
        stage("mask", aggregator.close_shares(), lambda device, answer: aggregator.add_masked(device, answer.vector))
        survivors = aggregator.close_masked()
        stage("survivors", dict.fromkeys(left, survivors), lambda device, answer: aggregator.add_signature(device, answer.document))
        signatures = aggregator.close_signatures()
        stage("unmask", dict.fromkeys(left, signatures), lambda device, answer: aggregator.add_unmasking(device, answer.document))
        return aggregator.total(), codes


def desk_at(home: Path, coordinator: Coordinator) -> Desk:
    clock = coordinator.clock
    vault = Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP)
    log = PinnedLog(home / "federation", coordinator_key=coordinator.raw_key, clock=clock.time)
    return Desk(home, vault, coordinator, clock, Bench(clock), log, DevicePolicy().with_minimum_cohort(3))


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Coordinator]:
    """Four homes, each with one contributing speaker, and their coordinator; copied for every test."""
    folder = tmp_path_factory.mktemp("laptops")
    coordinator = Coordinator(Clock())
    coordinator.add_release(number=0)
    for number in range(4):
        desk = desk_at(folder / f"home-{number}", coordinator)
        desk.add_speaker(f"speaker {number}")
        coordinator.add_device(desk.vault)
        desk.vault.close()
    return folder, coordinator


@pytest.fixture
def world(tmp_path: Path, founded: tuple[Path, Coordinator]) -> Iterator[World]:
    """Four laptops, each with one contributing speaker."""
    folder, template = founded
    coordinator = copy.copy(template)
    coordinator.clock, coordinator.entries_ = Clock(), list(template.entries_)
    shutil.copytree(folder, tmp_path / "laptops")
    desks = [desk_at(home, coordinator) for home in sorted((tmp_path / "laptops").iterdir())]
    yield World(coordinator.clock, coordinator, desks)
    for desk in desks:
        desk.vault.close()


@pytest.fixture
def nothing_heard() -> AudioError:
    return AudioError("there is too little speech", hint="record more")
