"""Whole rounds: laptops with real vaults, the real aggregator; sums come out, budgets are spent exactly when a vector left."""

from typing import Any

import numpy as np
import pytest

from hometone_client.federation import participation, seen_rounds
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.federation.participation import RoundParticipation
from hometone_client.federation.willing import stop_contributing
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import FederationError, StorageError
from hometone_shared.messages import Body
from hometone_shared.privacy.clipping import decode
from hometone_shared.privacy.groups import CELLS, EVALUATION_CLIP_NORM, EVALUATION_DIMENSION, HISTOGRAM_CLIP_NORM
from hometone_shared.privacy.noise import add_noise
from hometone_shared.records.plan import SCALE, RoundPurpose

World = Any


class Facts:
    fab_hash = "ee" * 32
    primary_task_type = "flwr-serverapp"
    clock_ahead_s = 0.0


def noise_std(plan: Any, *, devices: int, delivered: int) -> float:
    return float(np.sqrt(delivered * plan.noise_variance(devices)) * plan.clip_norm / SCALE)


def update_of(name: str, dimension: int) -> Any:
    vector = np.random.default_rng(list(name.encode())).standard_normal(dimension)
    return vector / np.linalg.norm(vector)


def withdraw(desk: Any, name: str) -> None:
    with SpeakerRoom(desk.vault.unlock_for_work(desk.vault.find(name).speaker_id)) as room:
        stop_contributing(room)
    desk.vault.end_work(desk.vault.find(name).speaker_id)


def test_the_sum_of_all_speakers_comes_out_with_the_noise_that_was_promised(world: World) -> None:
    world.desks[0].add_speaker("second on laptop 0")
    envelope = world.coordinator.offer(clip_norm=200.0, noise_multiplier=1.2, dimension=600)
    plan = world.coordinator.plan(clip_norm=200.0, noise_multiplier=1.2, dimension=600)
    for desk in world.desks:
        update = desk.bench.update
        desk.bench.update = lambda room, plan, update=update: 150.0 * update(room, plan)
    total, codes = world.run(envelope)
    names = [*(f"speaker {number}" for number in range(4)), "second on laptop 0"]
    expected = sum(150.0 * update_of(name, 600) for name in names)
    error = decode(total.values, clip_norm=200.0) - expected
    std = noise_std(plan, devices=4, delivered=4)
    assert codes == []
    assert (total.speakers, total.devices) == (5, 4)
    assert np.abs(error).max() < 6 * std
    assert abs(error.std() / std - 1) < 6 / np.sqrt(2 * 600), "as much noise as the plan promised, and not less"
    assert std > 200.0 * 1.2
    for desk in world.desks:
        assert desk.outcomes() == ["finished"]
        assert [event for event, _ in desk.told][-2:] == ["contributed", "finished"]
        assert desk.bench.forgotten == 1
    assert [desk.states(name) for desk, name in [(world.desks[0], "second on laptop 0"), (world.desks[3], "speaker 3")]] == [["spent"]] * 2
    assert world.desks[0].ledger("speaker 0").entries[0].noise_multiplier == 1.2


def test_a_vector_that_leaves_looks_like_nothing(world: World) -> None:
    sent: list[bytes] = []
    envelope = world.coordinator.offer(dimension=800)
    participations = [desk.participation() for desk in world.desks]
    handle = participations[0].handle

    def spying(body: Body, facts: Any) -> Body:
        answer = handle(body, facts)
        sent.append(answer.vector)
        return answer

    participations[0].handle = spying  # type: ignore[method-assign]
    world.run(envelope, participations)
    (vector,) = [each for each in sent if each]
    values = np.frombuffer(vector, dtype="<u4")
    assert values.size == 800
    assert abs(values.astype(np.float64).mean() / 2**31 - 1) < 6 * 2 / np.sqrt(12 * 800)
    counts = np.bincount(values >> 28, minlength=16)
    assert ((counts - 50) ** 2 / 50).sum() < 60  # chi-square, 15 degrees of freedom: alpha below 1e-6


def test_balance_counts_what_was_declared_without_opening_a_recording(world: World) -> None:
    world.desks[0].add_speaker("anna", age_band="70-79", settlement="rural")
    envelope = world.coordinator.offer(purpose=RoundPurpose.BALANCE, dimension=len(CELLS), clip_norm=HISTOGRAM_CLIP_NORM)
    total, _ = world.run(envelope)
    counts = decode(total.values, clip_norm=HISTOGRAM_CLIP_NORM)
    std = noise_std(world.coordinator.plan(clip_norm=HISTOGRAM_CLIP_NORM), devices=4, delivered=4)
    assert abs(counts[CELLS.index("age:70-79")] - 1) < 6 * std
    assert abs(counts[CELLS.index("age:rather not say")] - 4) < 6 * std
    assert all(not desk.bench.worked for desk in world.desks)


def test_evaluation_sums_figures(world: World) -> None:
    envelope = world.coordinator.offer(purpose=RoundPurpose.EVALUATION, dimension=EVALUATION_DIMENSION, clip_norm=EVALUATION_CLIP_NORM)
    total, codes = world.run(envelope)
    assert codes == []
    std = noise_std(world.coordinator.plan(clip_norm=EVALUATION_CLIP_NORM), devices=4, delivered=4)
    row = decode(total.values, clip_norm=EVALUATION_CLIP_NORM).reshape(len(CELLS), 4)[CELLS.index("settlement:rather not say")]
    assert np.abs(row - [4, 2, 1, 3]).max() < 6 * std


def test_weights_of_groups_make_a_contribution_smaller(world: World) -> None:
    world.desks[0].add_speaker("otto", settlement="urban")
    envelope = world.coordinator.offer(weights_permille={"settlement:rather not say": 0}, clip_norm=1000.0, dimension=600)
    for desk in world.desks:
        update = desk.bench.update
        desk.bench.update = lambda room, plan, update=update: 1e9 * update(room, plan)
    total, _ = world.run(envelope)
    plan = world.coordinator.plan(clip_norm=1000.0)
    error = decode(total.values, clip_norm=1000.0) - 1000.0 * update_of("otto", 600)
    assert abs(error.std() / noise_std(plan, devices=4, delivered=4) - 1) < 0.2, "only otto is in the sum, clipped to the norm"


def test_one_who_withdraws_is_not_sent_and_the_others_go_on(world: World) -> None:
    def before_stage(kind: str) -> None:
        if kind == "mask":
            withdraw(world.desks[1], "speaker 1")

    total, codes = world.run(world.coordinator.offer(), before_stage=before_stage)
    assert codes == ["consent"]
    assert (total.devices, total.speakers) == (3, 3)
    assert world.desks[1].outcomes() == ["consent"]
    assert world.desks[1].states("speaker 1") == ["released"]
    assert world.desks[2].states("speaker 2") == ["spent"]


def test_one_who_is_forgotten_in_the_middle_is_not_sent(world: World) -> None:
    def before_stage(kind: str) -> None:
        if kind == "mask":
            world.desks[1].vault.revoke(world.desks[1].vault.find("speaker 1").speaker_id)

    total, codes = world.run(world.coordinator.offer(), before_stage=before_stage)
    assert codes == ["consent"]
    assert total.devices == 3


def test_withdrawing_while_the_answer_waits_for_its_slot_still_counts(world: World) -> None:
    desk = world.desks[1]

    def asleep() -> None:
        if desk.vault.find("speaker 1").work_allowed and desk.states("speaker 1") == ["spent"]:
            withdraw(desk, "speaker 1")

    world.clock.asleep = asleep
    total, codes = world.run(world.coordinator.offer())
    assert codes == ["consent"]
    assert total.devices == 3
    assert desk.states("speaker 1") == ["spent"], "what was written as spent stays spent"


def test_another_speaker_of_the_laptop_gets_her_budget_back(world: World) -> None:
    desk = world.desks[1]
    desk.add_speaker("anna")

    def before_stage(kind: str) -> None:
        if kind == "mask":
            withdraw(desk, "speaker 1")

    _, codes = world.run(world.coordinator.offer(), before_stage=before_stage)
    assert codes == ["consent"]
    assert desk.states("anna") == ["released"]


def test_who_cannot_afford_the_plan_is_left_out(world: World) -> None:
    world.desks[0].add_speaker("poor", budget=1.0)
    total, codes = world.run(world.coordinator.offer())
    assert codes == []
    assert total.speakers == 4
    assert world.desks[0].states("poor") == []
    assert "poor" not in world.desks[0].bench.worked
    assert {"speaker": "poor", "why": "this round would pass the privacy budget of 1"} in [values for _, values in world.desks[0].told]


def test_who_has_nothing_to_give_is_left_out_and_gets_her_budget_back(world: World, nothing_heard: Exception) -> None:
    desk = world.desks[0]
    desk.add_speaker("silent")
    desk.bench.failing["silent"] = nothing_heard
    total, codes = world.run(world.coordinator.offer())
    assert codes == []
    assert total.speakers == 4
    assert desk.states("silent") == ["released"]


@pytest.mark.parametrize("who", ["nobody consented", "no takes", "no work allowed", "consent ended", "about to be forgotten", "failed"])
def test_with_nobody_left_the_offer_is_refused(world: World, who: str, nothing_heard: Exception) -> None:
    desk = world.desks[0]
    speaker = desk.vault.find("speaker 0").speaker_id
    if who == "nobody consented":
        with SpeakerRoom(desk.vault.unlock_for_work(speaker)) as room:
            room.withdraw_consent(Purpose.FEDERATED)
    elif who == "no takes":
        with SpeakerRoom(desk.vault.unlock_for_work(speaker)) as room:
            room.remove_take("take-0001")
    elif who == "no work allowed":
        desk.vault.end_work(speaker)
    elif who == "consent ended":
        world.clock.now_s += 366 * 24 * 3600
    elif who == "about to be forgotten":
        with desk.vault.unlock_for_work(speaker) as unlocked:
            unlocked.put_json("forget", {"keep_exports": False}, kind="job")
    else:
        desk.bench.failing["speaker 0"] = nothing_heard
    assert desk.refusal(world.coordinator.offer()) == "nobody"
    assert desk.outcomes() == ["nobody"]


def test_when_nobody_can_afford_it_the_offer_is_refused(world: World) -> None:
    desk = world.desks[0]
    codes = [desk.refusal(world.coordinator.offer(round_number=number)) for number in range(1, 3)]
    assert codes == ["", ""]
    desk.add_speaker("anna", budget=2.0)
    with desk.vault.unlock(desk.vault.find("speaker 0").speaker_id, "1234") as unlocked:
        PrivacyLedger(unlocked).set_budget(0.5)
    assert desk.refusal(world.coordinator.offer(round_number=3)) == "budget"
    assert desk.outcomes()[-1] == "budget"


def test_rounds_go_on_until_the_budget_is_used_up_whatever_the_coordinator_says(world: World) -> None:
    done = 0
    for number in range(1, 9):
        try:
            world.run(world.coordinator.offer(round_number=number, noise_multiplier=1.1))
            done += 1
        except FederationError:
            break
    assert done == 3
    for number, desk in enumerate(world.desks):
        assert desk.states(f"speaker {number}") == ["spent"] * 3
        assert desk.ledger(f"speaker {number}").spent_epsilon() <= 8.0
        assert desk.outcomes()[-1] == "budget"


def test_answers_to_private_work_leave_on_the_grid(world: World) -> None:
    desk = world.desks[0]
    for takes_s, leaves_s in ((0.0, 1.0), (0.9, 1.0), (1.1, 2.0), (7.3, 8.0)):
        desk.bench.takes_s = takes_s
        began = world.clock.now_s
        desk.refusal(world.coordinator.offer(run=f"{int(takes_s * 10):016x}", noise_multiplier=50.0))
        assert world.clock.now_s - began == pytest.approx(leaves_s, abs=1e-3)


def test_a_refusal_after_private_work_leaves_on_the_grid_too(world: World, nothing_heard: Exception) -> None:
    desk = world.desks[0]
    desk.bench.failing["speaker 0"] = nothing_heard
    desk.bench.takes_s = 2.5
    began = world.clock.now_s
    assert desk.refusal(world.coordinator.offer()) == "nobody"
    assert world.clock.now_s - began == pytest.approx(3.0, abs=1e-3)


def test_a_round_that_ends_during_the_work_is_left(world: World) -> None:
    desk = world.desks[0]
    desk.bench.takes_s = 700.0
    assert desk.refusal(world.coordinator.offer()) == "expired"
    assert desk.states("speaker 0") == ["released"]
    assert desk.bench.forgotten == 1


def test_a_deadline_that_passes_while_noise_is_drawn_costs_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*arguments: Any, **named: Any) -> Any:
        world.clock.now_s += 601
        return add_noise(*arguments, **named)

    monkeypatch.setattr(participation, "add_noise", slow)
    with pytest.raises(FederationError):
        world.run(world.coordinator.offer())
    assert world.desks[0].states("speaker 0") == ["released"]
    assert world.desks[0].outcomes() == ["expired"]


def test_a_journal_that_cannot_be_written_stops_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageError("the disk is full")

    desk = world.desks[0]
    monkeypatch.setattr(seen_rounds, "append_line", full)
    with pytest.raises(StorageError):
        desk.refusal(world.coordinator.offer())
    assert desk.states("speaker 0") == []
    assert not desk.bench.worked


def test_a_ledger_that_cannot_be_written_keeps_the_vector_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    spend = PrivacyLedger.spend

    def full(ledger: PrivacyLedger, digest: str) -> None:
        if ledger._vault.name == "speaker 2":
            raise StorageError("the disk is full")
        spend(ledger, digest)

    monkeypatch.setattr(PrivacyLedger, "spend", full)
    total, codes = world.run(world.coordinator.offer())
    assert codes == ["budget"]
    assert total.devices == 3
    assert world.desks[2].states("speaker 2") == ["released"]


def test_silence_until_the_deadline_drops_everything(world: World) -> None:
    desk = world.desks[0]
    mine = desk.participation()
    envelope = world.coordinator.offer()
    mine.handle(Body("offer", {"plan": envelope.to_document()}), Facts())
    clipped = mine._clipped
    assert clipped is not None
    assert clipped.values.any()
    assert not mine.expire()
    world.clock.now_s += 601
    assert mine.expire()
    assert mine.is_over
    assert not clipped.values.any(), "numbers are overwritten"
    assert desk.states("speaker 0") == ["released"]
    assert desk.outcomes() == ["expired"]
    answer = mine.handle(Body("roster", {"advertisements": []}), Facts())
    assert answer.refused is not None
    assert answer.refused[0] == "order"


def test_a_mistake_of_ours_gives_the_budget_back_and_is_not_hidden(world: World) -> None:
    desk = world.desks[0]
    desk.bench.failing["speaker 0"] = RuntimeError("a mistake")
    with pytest.raises(RuntimeError):
        desk.refusal(world.coordinator.offer())
    assert desk.states("speaker 0") == ["released"]
    assert desk.outcomes() == ["left"]


def test_nothing_is_left_in_memory_after_a_round(world: World) -> None:
    participations = [desk.participation() for desk in world.desks]
    world.run(world.coordinator.offer(), participations)
    for each in participations:
        assert each.is_over
        assert each._clipped is None
        assert each._participant is not None
        assert each._participant._secrets is None
        assert each._participant._kept == {}


def test_a_killed_process_gives_back_what_it_had_reserved(world: World) -> None:
    desk = world.desks[0]
    assert desk.refusal(world.coordinator.offer(noise_multiplier=1.1)) == ""
    assert desk.states("speaker 0") == ["reserved"]
    assert desk.refusal(world.coordinator.offer(round_number=2, noise_multiplier=1.1)) == ""
    assert desk.states("speaker 0") == ["released", "reserved"]


@pytest.mark.parametrize("kind", ["roster", "mask", "survivors", "unmask", "chat"])
def test_stages_out_of_turn_end_the_round(world: World, kind: str) -> None:
    first = world.desks[0].participation()
    answer = first.handle(Body(kind, {}), Facts())
    assert answer.refused is not None
    assert answer.refused[0] == "order"
    second: RoundParticipation = world.desks[0].participation()
    offer = Body("offer", {"plan": world.coordinator.offer().to_document()})
    assert second.handle(offer, Facts()).refused is None
    again = second.handle(offer if kind == "roster" else Body(kind, {}), Facts())
    assert again.refused is not None
    assert again.refused[0] in {"order", "participants"}
    assert second.is_over
    assert world.desks[0].states("speaker 0") == ["released"]
