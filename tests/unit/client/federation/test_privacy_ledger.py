"""The ledger never lets the sum pass the bound, whatever happens between reserving and sending."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import plans

from hometone_client.federation.ledger import DELTA, KIND, EntryState, PrivacyLedger
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, SpeakerVault, Vault
from hometone_keys.disk import Disk
from hometone_shared.errors import BudgetExhausted, DamagedVaultError, StorageError, UsageError
from hometone_shared.privacy.accounting import noise_multiplier
from hometone_shared.records.plan import RoundPlan, RoundPurpose

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
NAMES = itertools.count()


def a_plan(**changes: Any) -> RoundPlan:
    return plans.a_plan(**{"noise_multiplier": 1.1, **changes})


def digest(number: int) -> str:
    return f"{number:064x}"


def gaussian_delta(noise_multiplier: float, epsilon: float) -> float:
    """Balle and Wang 2018, theorem 8, with sensitivity 1: what the accountant is checked against here."""

    def phi(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    mu = 1 / noise_multiplier
    return phi(mu / 2 - epsilon / mu) - math.exp(epsilon) * phi(-mu / 2 - epsilon / mu)


def spent_multiplier(ledger: PrivacyLedger) -> float:
    """Gaussians compose into one with the inverse squares added up."""
    return sum(entry.noise_multiplier**-2 for entry in ledger.entries if entry.counts) ** -0.5


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    source = DeviceSecretSource(custody=Custody.FILE)
    with Vault(tmp_path_factory.mktemp("ledger"), device_secret_source=source, cost=CHEAP) as opened:
        yield opened


@pytest.fixture
def speaker(vault: Vault) -> Iterator[SpeakerVault]:
    with vault.enroll(f"speaker {next(NAMES)}", "1234") as unlocked:
        yield unlocked


def test_without_a_budget_nothing_can_be_reserved(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    assert ledger.budget is None
    with pytest.raises(BudgetExhausted, match="no privacy budget"):
        ledger.reserve(a_plan(), digest=digest(1))
    assert not speaker.list(KIND)


def test_the_bound_holds_against_the_closed_form(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(8.0)
    for done in range(3):
        ledger.reserve(a_plan(round_number=done + 1), digest=digest(done))
        ledger.spend(digest(done))
    with pytest.raises(BudgetExhausted, match="budget of 8"):
        ledger.reserve(a_plan(round_number=4), digest=digest(4))
    assert gaussian_delta(spent_multiplier(ledger), 8.0) <= DELTA
    assert gaussian_delta(1.1 / 2, 8.0) > DELTA, "four rounds would have cost more"
    assert 7.3 < ledger.spent_epsilon() < 7.6
    assert PrivacyLedger(speaker).entries == ledger.entries


def test_all_purposes_share_one_budget(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(8.0)
    reserved = []
    for number in range(20):
        purpose = list(RoundPurpose)[number % len(RoundPurpose)]
        try:
            ledger.reserve(a_plan(purpose=purpose), digest=digest(number))
        except BudgetExhausted:
            break
        ledger.spend(digest(number))
        reserved.append(purpose)
    assert len(reserved) == 3
    for number, purpose in enumerate(RoundPurpose, start=30):
        with pytest.raises(BudgetExhausted):
            ledger.reserve(a_plan(purpose=purpose), digest=digest(number))
    assert [entry.purpose for entry in ledger.entries] == reserved


def test_a_digest_is_reserved_once_ever(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(50.0)
    ledger.reserve(a_plan(), digest=digest(1))
    for use in (ledger.release, ledger.release, ledger.spend):
        with pytest.raises(BudgetExhausted, match="seen this round"):
            ledger.reserve(a_plan(), digest=digest(1))
        if use is ledger.spend:
            break
        if ledger.entries[0].state is EntryState.RESERVED:
            use(digest(1))
    with pytest.raises(BudgetExhausted, match="in reserve"):
        ledger.spend(digest(1))
    with pytest.raises(BudgetExhausted, match="in reserve"):
        ledger.spend(digest(2))


def test_what_is_released_does_not_count_and_what_is_spent_stays(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker, clock=lambda: 77.9)
    ledger.set_budget(8.0)
    assert ledger.spent_epsilon() == 0.0
    ledger.reserve(a_plan(), digest=digest(1))
    alone = ledger.spent_epsilon()
    assert alone == ledger.epsilon_after(a_plan()) - (ledger.epsilon_after(a_plan()) - alone) > 3.9
    ledger.release(digest(1))
    assert ledger.spent_epsilon() == 0.0
    assert ledger.epsilon_after(a_plan()) == alone
    ledger.reserve(a_plan(), digest=digest(2))
    ledger.spend(digest(2))
    with pytest.raises(BudgetExhausted):
        ledger.release(digest(2))
    assert [(entry.plan, entry.state, entry.at) for entry in PrivacyLedger(speaker).entries] == [
        (digest(1), EntryState.RELEASED, 77),
        (digest(2), EntryState.SPENT, 77),
    ]


def test_a_crash_before_spending_releases_and_keeps_the_digest_used(vault: Vault) -> None:
    with vault.enroll("crashed", "1234") as speaker:
        ledger = PrivacyLedger(speaker)
        ledger.set_budget(4.5)
        ledger.reserve(a_plan(), digest=digest(1))
        speaker_id = speaker.speaker_id
    with vault.unlock(speaker_id, "1234") as speaker:
        again = PrivacyLedger(speaker)
        assert [entry.state for entry in again.entries] == [EntryState.RESERVED]
        with pytest.raises(BudgetExhausted, match="budget of"):
            again.reserve(a_plan(attempt=2), digest=digest(2))
        assert again.release_left_over() == 1
        assert again.release_left_over() == 0
        with pytest.raises(BudgetExhausted, match="seen"):
            again.reserve(a_plan(), digest=digest(1))
        again.reserve(a_plan(attempt=2), digest=digest(2))


def test_lowering_the_bound_counts_until_the_last_moment(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(8.0)
    ledger.reserve(a_plan(), digest=digest(1))
    PrivacyLedger(speaker).set_budget(2.0)
    with pytest.raises(BudgetExhausted, match="budget of 2"):
        PrivacyLedger(speaker).spend(digest(1))
    assert PrivacyLedger(speaker).entries[0].state is EntryState.RESERVED


@pytest.mark.parametrize("bound", [0.0, -1.0, 100.5, math.nan, math.inf])
def test_a_bound_must_be_a_bound(speaker: SpeakerVault, bound: float) -> None:
    with pytest.raises(UsageError):
        PrivacyLedger(speaker).set_budget(bound)
    assert not speaker.list(KIND)


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        {"event": "budget", "at": 1, "epsilon": -1.0, "delta": 1e-5},
        {"event": "spent", "at": 1, "plan": digest(9)},
        {"event": "forgiven", "at": 1, "plan": digest(1)},
        {"event": "released", "at": 1, "plan": digest(1), "more": 1},
        {"event": "reserved", "at": 1, "plan": digest(2), "noise_multiplier": 0},
    ],
)
def test_a_damaged_event_closes_the_ledger(speaker: SpeakerVault, event: object) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(8.0)
    ledger.reserve(a_plan(), digest=digest(1))
    speaker.put_json("00000009-00000000", event, kind=KIND)
    with pytest.raises(DamagedVaultError, match="ledger"):
        PrivacyLedger(speaker)


class _Stopped(BaseException):
    """The machine stops here."""


class _FailingDisk(Disk):
    """Stops the machine before one of its steps."""

    steps_left = math.inf

    def _step(self) -> None:
        if self.steps_left <= 0:
            raise _Stopped
        self.steps_left -= 1

    def write(self, file: Any, data: Any) -> None:
        self._step()
        super().write(file, data)

    def sync(self, file: Any) -> None:
        self._step()
        super().sync(file)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._step()
        super().sync_folder(folder)


def test_stopped_at_any_write_it_is_spent_exactly_if_the_call_returned(tmp_path: Path) -> None:
    disk = _FailingDisk()
    source = DeviceSecretSource(custody=Custody.FILE)
    with Vault(tmp_path, device_secret_source=source, cost=CHEAP, disk=disk) as vault:
        with vault.enroll("stopped", "1234") as speaker:
            PrivacyLedger(speaker).set_budget(100.0)
        for steps in range(40):
            number = digest(steps)
            with vault.unlock(vault.find("stopped").speaker_id, "1234") as speaker:
                ledger = PrivacyLedger(speaker)
                ledger.release_left_over()
                ledger.reserve(a_plan(noise_multiplier=100.0), digest=number)
                disk.steps_left = steps
                sent = False
                try:
                    ledger.spend(number)
                    sent = True
                except _Stopped:
                    pass
                disk.steps_left = math.inf
            with vault.unlock(vault.find("stopped").speaker_id, "1234") as speaker:
                state = next(entry.state for entry in PrivacyLedger(speaker).entries if entry.plan == number)
            assert state is EntryState.SPENT if sent else state in EntryState, steps
            if sent:
                assert steps > 4
                return
    raise AssertionError("spending never returned")


def test_a_full_disk_spends_nothing(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    with vault.enroll("full", "1234") as speaker:
        ledger = PrivacyLedger(speaker)
        ledger.set_budget(8.0)
        ledger.reserve(a_plan(), digest=digest(1))
        with monkeypatch.context() as broken:
            broken.setattr(Disk, "write", full)
            with pytest.raises(StorageError):
                ledger.spend(digest(1))
        assert ledger.entries[0].state is EntryState.RESERVED
        assert PrivacyLedger(speaker).entries == ledger.entries


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "spend", "release", "crash", "budget"]), st.integers(0, 9), st.floats(0.6, 8.0)), max_size=25
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, bound=st.floats(0.5, 12.0))
def test_no_order_of_events_overspends(vault: Vault, steps: list[tuple[str, int, float]], bound: float) -> None:
    with vault.enroll(f"speaker {next(NAMES)}", "1234") as speaker:
        ledger = PrivacyLedger(speaker)
        ledger.set_budget(bound)
        sent: list[float] = []
        reserved: set[str] = set()
        for step, number, multiplier in steps:
            name = digest(number)
            try:
                if step == "reserve":
                    ledger.reserve(a_plan(noise_multiplier=multiplier), digest=name)
                    assert name not in reserved, "a digest was reserved twice"
                    reserved.add(name)
                elif step == "spend":
                    ledger.spend(name)
                    sent.append(next(entry.noise_multiplier for entry in ledger.entries if entry.plan == name))
                elif step == "release":
                    ledger.release(name)
                elif step == "crash":
                    ledger = PrivacyLedger(speaker)
                    ledger.release_left_over()
                else:
                    bound = min(bound, 12.0 / multiplier)
                    spent = ledger.spent_epsilon()
                    bound = max(bound, spent)
                    if 0 < bound <= 100:
                        ledger.set_budget(bound)
            except BudgetExhausted:
                continue
        if sent:
            together = sum(multiplier**-2 for multiplier in sent) ** -0.5
            assert gaussian_delta(together, bound) <= DELTA


def of_rounds(count: int, *, epsilon: float, replays: int, delta: float = DELTA) -> float:
    """Noise multiplier of a plan as `hometone-coordinator plan` chooses it."""
    return noise_multiplier(epsilon=epsilon, delta=delta, rounds=count, reserved_replays=replays)


@pytest.mark.parametrize("replays", [1, 2])
@pytest.mark.parametrize("rounds", [1, 4])
def test_rounds_and_their_reserved_replays_stay_within_the_bound_that_was_told(speaker: SpeakerVault, rounds: int, replays: int) -> None:
    told = 4.0
    z = of_rounds(rounds, epsilon=told, replays=replays)
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(told)
    before: list[str] = [""] * rounds
    for again in range(1 + replays):
        for number in range(rounds):
            plan = a_plan(
                run=f"{again:016x}", round_number=number + 1, noise_multiplier=z, repeats=before[number], reserved_replays=replays - again
            )
            name = digest(100 * again + number)
            ledger.reserve(plan, digest=name)
            ledger.spend(name)
            before[number] = name
        if again == 0:
            assert ledger.spent_epsilon() < told
        assert ledger.committed_epsilon() == pytest.approx(told, rel=1e-4)
    assert ledger.spent_epsilon() == pytest.approx(told, rel=1e-4)
    assert ledger.spent_epsilon() <= told
    assert gaussian_delta(spent_multiplier(ledger), told) <= DELTA
    assert PrivacyLedger(speaker).committed_epsilon() == ledger.committed_epsilon()
    with pytest.raises(BudgetExhausted, match="budget of 4"):
        ledger.reserve(a_plan(run="f" * 16, noise_multiplier=z, repeats=before[0]), digest=digest(999))


def test_what_is_reserved_for_replays_nothing_else_can_use_up(speaker: SpeakerVault) -> None:
    z = of_rounds(2, epsilon=4.0, replays=1)
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(4.0)
    for number in (1, 2):
        ledger.reserve(a_plan(round_number=number, noise_multiplier=z, reserved_replays=1), digest=digest(number))
        ledger.spend(digest(number))
    with pytest.raises(BudgetExhausted, match="budget of 4"):
        ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z), digest=digest(3))
    with pytest.raises(BudgetExhausted, match="budget of 4"):
        ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z, repeats=digest(9)), digest=digest(3))
    with pytest.raises(BudgetExhausted, match="budget of 4"):
        ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z * 0.9, repeats=digest(1)), digest=digest(3))
    ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z, repeats=digest(1)), digest=digest(3))


def test_a_replay_that_was_not_reserved_costs_what_it_costs(speaker: SpeakerVault) -> None:
    z = of_rounds(2, epsilon=4.0, replays=0)
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(4.0)
    for number in (1, 2):
        ledger.reserve(a_plan(round_number=number, noise_multiplier=z), digest=digest(number))
        ledger.spend(digest(number))
    with pytest.raises(BudgetExhausted, match="budget of 4"):
        ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z, repeats=digest(1)), digest=digest(3))
    ledger.set_budget(8.0)
    ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z, repeats=digest(1)), digest=digest(3))
    assert 4.0 < ledger.spent_epsilon() <= 8.0


def test_an_attempt_that_failed_hands_its_reserve_to_the_next(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(8.0)
    z = of_rounds(3, epsilon=8.0, replays=0)
    for attempt in (1, 2):  # both were sent; the first made no release, so nothing of it is ever repeated
        ledger.reserve(a_plan(attempt=attempt, noise_multiplier=z, reserved_replays=1), digest=digest(attempt))
        ledger.spend(digest(attempt))
    assert ledger.committed_epsilon() == pytest.approx(8.0, rel=1e-4)
    ledger.reserve(a_plan(run="1" * 16, noise_multiplier=z, repeats=digest(2)), digest=digest(3))
    assert ledger.committed_epsilon() == pytest.approx(8.0, rel=1e-4)


def test_what_was_released_gives_the_reserve_back_to_whom_it_came_from(speaker: SpeakerVault) -> None:
    ledger = PrivacyLedger(speaker)
    ledger.set_budget(8.0)
    ledger.reserve(a_plan(noise_multiplier=3.0, reserved_replays=1), digest=digest(1))
    ledger.spend(digest(1))
    whole = ledger.committed_epsilon()
    ledger.reserve(a_plan(run="1" * 16, noise_multiplier=3.0, repeats=digest(1)), digest=digest(2))
    assert ledger.committed_epsilon() == whole
    ledger.release(digest(2))
    assert ledger.committed_epsilon() == whole > ledger.spent_epsilon()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans_=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(1, 3), st.sampled_from([1.5, 2.5])), max_size=20))
def test_whatever_plans_say_about_replays_what_is_spent_stays_within_the_bound(
    vault: Vault, plans_: list[tuple[int, int, int, float]]
) -> None:
    with vault.enroll(f"speaker {next(NAMES)}", "1234") as speaker:
        ledger = PrivacyLedger(speaker)
        ledger.set_budget(6.0)
        for number, (repeats, reserved, round_number, multiplier) in enumerate(plans_, start=1):
            said = {"repeats": digest(repeats)} if repeats else {}
            plan = a_plan(round_number=round_number, attempt=number, noise_multiplier=multiplier, reserved_replays=reserved, **said)
            try:
                ledger.reserve(plan, digest=digest(number))
            except BudgetExhausted:
                continue
            ledger.spend(digest(number))
        assert ledger.spent_epsilon() <= ledger.committed_epsilon() <= 6.0
        if any(entry.counts for entry in ledger.entries):
            assert gaussian_delta(spent_multiplier(ledger), 6.0) <= DELTA
