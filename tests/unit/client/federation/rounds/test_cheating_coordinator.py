"""Every way in which a coordinator may cheat a laptop ends in a refusal with its own code (docs/protocol.md, section 8)."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_client.federation.policy import DevicePolicy
from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.messages import Body
from hometone_shared.records.canonical import b64, canonical
from hometone_shared.records.device import DeviceStatus
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.records.signing import Envelope
from hometone_shared.secagg.roster import Advertisement

World = Any


class Facts:
    fab_hash = "ee" * 32
    primary_task_type = "flwr-serverapp"
    clock_ahead_s = 0.0


def code_of(answer: Body) -> str:
    return answer.refused[0] if answer.refused else ""


def untouched(world: World) -> bool:
    """Nobody was heard, and nobody's budget was looked at."""
    desk = world.desks[0]
    return not desk.bench.worked and desk.states("speaker 0") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"noise_multiplier": 0.9}, "limits"),
        ({"clip_norm": 5000.0}, "limits"),
        ({"minimum_cohort": 2}, "limits"),
        ({"dimension": 1001}, "limits"),
        ({"purpose": RoundPurpose.BALANCE, "dimension": 7}, "limits"),
        ({"reply_slot_ms": 0}, "limits"),
        ({"deadline": 1_800_000_000 + 8 * 24 * 3600}, "limits"),
        ({"base_sha256": "a0" * 32}, "base"),
        ({"basis_sha256": "b0" * 32}, "basis"),
        ({"release": 1}, "release"),
        ({"release_sha256": "c0" * 32}, "release"),
        ({"bundle_sha256": "e0" * 32}, "bundle"),
        ({"log_root": "d0" * 32}, "log"),
        ({"log_size": 10_000}, "log"),
        ({"issued": 1_799_999_000, "deadline": 1_799_999_900}, "expired"),
        ({"issued": 1_800_000_301, "deadline": 1_800_000_900}, "clock"),
    ],
)
def test_a_plan_that_asks_for_too_much_or_does_not_fit(world: World, changes: dict[str, Any], code: str) -> None:
    assert world.desks[0].refusal(world.coordinator.offer(**changes)) == code
    assert untouched(world)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"fab_hash": "e0" * 32}, "bundle"),
        ({"primary_task_type": "flwr-simulation"}, "bundle"),
        ({"clock_ahead_s": 5.1}, "clock"),
        ({"clock_ahead_s": -300.1}, "clock"),
        ({"clock_ahead_s": float("nan")}, "clock"),
        ({"clock_ahead_s": 5.0}, ""),
        ({"clock_ahead_s": -300.0}, ""),
    ],
)
def test_a_run_of_another_bundle_or_another_time(world: World, facts: dict[str, Any], code: str) -> None:
    assert world.desks[0].refusal(world.coordinator.offer(), **facts) == code
    assert code == "" or untouched(world)


def test_a_plan_that_was_changed_on_the_way(world: World) -> None:
    envelope = world.coordinator.offer()
    lowered = canonical({**world.coordinator.plan().to_document(), "noise_multiplier": 1.1})
    assert world.desks[0].refusal(dataclasses.replace(envelope, payload=lowered)) == "plan-signature"
    assert world.desks[0].refusal(dataclasses.replace(envelope, kind="hometone/release/v1")) == "plan-signature"
    assert untouched(world)
    assert world.desks[0].outcomes() == []


@pytest.mark.parametrize(
    "document",
    [{}, {"plan": {}}, {"plan": "x"}, {"plan": None, "more": 1}, {"plan": {"key": "", "payload": "", "signature": "", "type": ""}}],
)
def test_an_offer_that_is_none(world: World, document: dict[str, Any]) -> None:
    assert code_of(world.desks[0].participation().handle(Body("offer", document), Facts())) == "plan-signature"


def test_a_signed_document_that_is_no_plan(world: World) -> None:
    coordinator = world.coordinator
    document = {**coordinator.plan().to_document(), "modulus_bits": 64}
    envelope = coordinator.append(Envelope.sign("hometone/round-plan/v1", document, coordinator.key))
    assert world.desks[0].refusal(envelope) == "plan-signature"


def test_a_plan_of_another_coordinator(world: World) -> None:
    assert world.desks[0].refusal(world.coordinator.offer(key=Ed25519PrivateKey.generate())) == "coordinator"


def test_a_plan_that_is_not_in_the_log(world: World) -> None:
    assert world.desks[0].refusal(world.coordinator.offer(in_log=False)) == "log"
    assert untouched(world)


def test_a_log_that_was_rewritten(world: World) -> None:
    desk, coordinator = world.desks[0], world.coordinator
    assert desk.refusal(coordinator.offer(noise_multiplier=50.0)) == ""
    honest = list(coordinator.entries_)
    del coordinator.entries_[-1]
    assert desk.refusal(coordinator.offer(round_number=2, noise_multiplier=50.0)) == "log"
    (evidence,) = desk.log.evidence()
    coordinator.entries_ = honest
    assert desk.refusal(coordinator.offer(round_number=3, noise_multiplier=50.0)) == "log", "going back to the old log explains nothing"
    evidence.unlink()
    assert desk.refusal(coordinator.offer(round_number=4, noise_multiplier=50.0)) == ""


def test_a_log_that_became_shorter(world: World) -> None:
    desk, coordinator = world.desks[0], world.coordinator
    assert desk.refusal(coordinator.offer(noise_multiplier=50.0)) == ""
    envelope = coordinator.offer(round_number=2)
    coordinator.entries_ = coordinator.entries_[:3]
    assert desk.refusal(envelope) == "log"


def test_a_coordinator_whose_log_cannot_be_reached(world: World) -> None:
    envelope = world.coordinator.offer()
    world.coordinator.away = FederationError("the coordinator cannot be reached")
    assert world.desks[0].refusal(envelope) == "log"


def test_a_round_that_is_offered_again(world: World) -> None:
    desk, coordinator = world.desks[0], world.coordinator
    envelope = coordinator.offer(attempt=3, noise_multiplier=50.0)
    assert desk.refusal(envelope) == ""
    assert desk.refusal(envelope) == "replayed"
    assert desk.refusal(coordinator.offer(attempt=3, noise_multiplier=60.0)) == "replayed"
    assert desk.refusal(coordinator.offer(attempt=2, noise_multiplier=60.0)) == "replayed"
    assert desk.refusal(coordinator.offer(attempt=4, noise_multiplier=60.0)) == ""
    assert desk.refusal(coordinator.offer(round_number=2, noise_multiplier=60.0)) == ""


def test_a_plan_that_was_refused_once_stays_refused(world: World) -> None:
    desk = world.desks[0]
    envelope = world.coordinator.offer(minimum_cohort=2)
    assert desk.refusal(envelope) == "limits"
    desk.policy = DevicePolicy().with_minimum_cohort(2)
    assert desk.refusal(envelope) == "replayed"
    assert desk.outcomes() == ["limits"]


def test_a_release_whose_vector_is_not_what_was_announced(world: World) -> None:
    desk = world.desks[0]
    desk.cannot_hold = ProtocolError("the vector of a release is not the one that was announced")
    assert desk.refusal(world.coordinator.offer()) == "release"


def test_a_release_of_another_base(world: World) -> None:
    coordinator = world.coordinator
    first = next(envelope for envelope in coordinator.entries_ if envelope.kind == "hometone/release/v1")
    second = coordinator.add_release(number=1, parent=first.digest, base_sha256="a1" * 32)
    assert world.desks[0].refusal(coordinator.offer(release=1, release_sha256=second.digest)) == "release"


def test_checks_come_in_the_order_of_the_protocol(world: World) -> None:
    """Each plan breaks everything from one check on; the first that is broken is named."""
    desk, coordinator = world.desks[0], world.coordinator
    desk.policy = dataclasses.replace(desk.policy, purposes=frozenset({RoundPurpose.MODEL}))
    desk.vault.end_work(desk.vault.find("speaker 0").speaker_id)
    broken: dict[str, Any] = {}
    expected: list[str] = []
    for code, change in [
        ("nobody", {}),
        ("limits", {"noise_multiplier": 0.5}),
        ("release", {"release": 7}),
        ("basis", {"basis_sha256": "b0" * 32}),
        ("base", {"base_sha256": "a0" * 32}),
        ("purpose", {"purpose": RoundPurpose.EVALUATION}),
        ("expired", {"deadline": 1_799_999_999, "issued": 1_799_999_000}),
    ]:
        broken |= change
        expected.append(code)
        assert desk.refusal(coordinator.offer(round_number=len(expected), **broken)) == code
    replayed = coordinator.offer(round_number=len(expected), **broken)
    assert desk.refusal(replayed) == "replayed"
    broken["round_number"] = 20
    assert desk.refusal(coordinator.offer(in_log=False, **broken)) == "log"
    assert desk.refusal(coordinator.offer(in_log=False, bundle_sha256="e0" * 32, **broken)) == "bundle"
    stranger = Ed25519PrivateKey.generate()
    assert desk.refusal(coordinator.offer(in_log=False, key=stranger, bundle_sha256="e0" * 32, **broken)) == "coordinator"
    forged = dataclasses.replace(coordinator.offer(in_log=False, key=stranger, **broken), signature=bytes(64))
    assert desk.refusal(forged) == "plan-signature"
    assert desk.refusal(forged, clock_ahead_s=9.0) == "clock"


def offered(world: World, **changes: Any) -> tuple[list[Any], Any]:
    envelope = world.coordinator.offer(**changes)
    participations = [desk.participation() for desk in world.desks]
    aggregator = world.coordinator.aggregator(envelope)
    for participation in participations:
        answer = participation.handle(Body("offer", {"plan": envelope.to_document()}), Facts())
        aggregator.add_advertisement(answer.document["advertisement"])
    return participations, aggregator


def _swapped_key(roster: dict[str, Any]) -> None:
    roster["advertisements"][0]["mask_key"] = b64(Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def _smaller(roster: dict[str, Any]) -> None:
    del roster["advertisements"][2:]


def _without_order(roster: dict[str, Any]) -> None:
    roster["advertisements"].reverse()


def _nonsense(roster: dict[str, Any]) -> None:
    roster["advertisements"] = "everybody"


@pytest.mark.parametrize("cheat", [_swapped_key, _smaller, _without_order, _nonsense])
def test_a_roster_that_does_not_hold(world: World, cheat: Callable[[dict[str, Any]], None]) -> None:
    participations, aggregator = offered(world)
    roster = aggregator.close_roster()
    cheat(roster)
    assert code_of(participations[0].handle(Body("roster", roster), Facts())) == "roster"
    assert world.desks[0].states("speaker 0") == ["released"]
    assert world.desks[0].outcomes() == ["roster"]


def test_a_roster_with_an_invented_laptop(world: World) -> None:
    participations, aggregator = offered(world)
    roster = aggregator.close_roster()
    key = Ed25519PrivateKey.generate()
    digest = participations[0].accepted.digest
    invented = Advertisement.signed(key, plan_digest=digest, mask_key=b"\x09" * 32, seal_key=b"\x0a" * 32, commitment=bytes(32), speakers=1)
    roster["advertisements"] = sorted([*roster["advertisements"], invented.to_document()], key=lambda each: each["device"])
    assert code_of(participations[0].handle(Body("roster", roster), Facts())) == "roster"


def test_a_roster_with_a_revoked_laptop(world: World) -> None:
    participations, aggregator = offered(world)
    roster = aggregator.close_roster()
    world.coordinator.add_device(world.desks[3].vault, status=DeviceStatus.REVOKED)
    world.desks[0].log.update(world.coordinator)
    assert code_of(participations[0].handle(Body("roster", roster), Facts())) == "roster"


def test_a_laptop_that_joined_after_the_plan_is_found_in_the_log(world: World) -> None:
    coordinator = world.coordinator
    late = coordinator.entries_.pop(-1)
    participations = [desk.participation() for desk in world.desks]
    envelope = coordinator.offer()
    answers = [each.handle(Body("offer", {"plan": envelope.to_document()}), Facts()) for each in participations]
    coordinator.append(late)
    aggregator = coordinator.aggregator(envelope)
    for answer in answers:
        aggregator.add_advertisement(answer.document["advertisement"])
    assert participations[0].handle(Body("roster", aggregator.close_roster()), Facts()).refused is None


def test_lists_of_participants_and_survivors_that_do_not_hold(world: World) -> None:
    participations, aggregator = offered(world)
    roster = aggregator.close_roster()
    devices = [each["device"] for each in roster["advertisements"]]
    by_device = {each._participant.device: each for each in participations}
    for device, participation in by_device.items():
        aggregator.add_shares(device, participation.handle(Body("roster", roster), Facts()).document)
    requests = aggregator.close_shares()
    split = {**requests[devices[0]], "participants": devices[:2]}
    assert code_of(by_device[devices[0]].handle(Body("mask", split), Facts())) == "participants"
    torn = {**requests[devices[1]], "shares": {}}
    assert code_of(by_device[devices[1]].handle(Body("mask", torn), Facts())) == "shares"
    assert by_device[devices[2]].handle(Body("mask", requests[devices[2]]), Facts()).vector
    assert code_of(by_device[devices[2]].handle(Body("survivors", {"survivors": devices[2:3]}), Facts())) == "survivors"
    assert by_device[devices[3]].handle(Body("mask", requests[devices[3]]), Facts()).vector
    assert by_device[devices[3]].handle(Body("survivors", {"survivors": devices}), Facts()).refused is None
    assert code_of(by_device[devices[3]].handle(Body("unmask", {"signatures": {}}), Facts())) == "signatures"
    desks = {each._participant.device: desk for each, desk in zip(participations, world.desks, strict=True)}
    names = {device: desk.vault.speakers()[0].name for device, desk in desks.items()}
    assert [desks[device].states(names[device]) for device in devices] == [["released"], ["released"], ["spent"], ["spent"]]
    assert [desks[device].outcomes() for device in devices] == [["participants"], ["shares"], ["contributed"], ["contributed"]]


def test_the_vector_cannot_be_asked_for_twice(world: World) -> None:
    participations, aggregator = offered(world)
    roster = aggregator.close_roster()
    by_device = {each._participant.device: each for each in participations}
    for device, participation in by_device.items():
        aggregator.add_shares(device, participation.handle(Body("roster", roster), Facts()).document)
    device, request = next(iter(aggregator.close_shares().items()))
    assert by_device[device].handle(Body("mask", request), Facts()).vector
    again = by_device[device].handle(Body("mask", request), Facts())
    assert (code_of(again), again.vector) == ("order", b"")
    desk = next(desk for each, desk in zip(participations, world.desks, strict=True) if each is by_device[device])
    assert desk.states(desk.vault.speakers()[0].name) == ["spent"]
