"""Nobody takes part whom the log does not know, or who has taken rounds back; a node hears of withdrawals by itself."""

import threading
from typing import Any

from tests.unit.client.federation.rounds.conftest import Facts, offer_body

from hometone_client.federation import node as nodes
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.node import Node, serve_rounds
from hometone_shared.errors import FederationError
from hometone_shared.messages import Body
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.tombstone import Tombstone, Withdrawal, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

World = Any


def withdraw(world: World, desk: Any, name: str, *purposes: Purpose) -> None:
    """A tombstone that comes to the coordinator from elsewhere."""
    secret = RecoverySecret(desk.vault.withdrawal_secret(desk.vault.find(name).speaker_id))
    tombstone = Tombstone(
        pseudonym=secret.pseudonym, coordinator=coordinator_name(world.coordinator.raw_key), scope=frozenset(purposes), sequence=1, made=1
    )
    withdrawal = Withdrawal(tombstone=tombstone.signed(secret.withdrawal_key()), received=2)
    world.coordinator.append(withdrawal.signed(world.coordinator.key))


def test_a_speaker_whom_the_log_does_not_know_is_left_out(world: World) -> None:
    desk = world.desks[0]
    desk.add_speaker("new", registered=False)
    total, codes = world.run(world.coordinator.offer())
    assert (total.speakers, codes) == (4, [])
    assert ("left-out", {"speaker": "new", "why": "the coordinator's log does not know this speaker yet"}) in desk.told
    assert desk.states("new") == []
    assert "new" not in desk.bench.worked


def test_one_who_has_taken_rounds_back_is_left_out(world: World) -> None:
    for desk, purpose in zip(world.desks, (Purpose.FEDERATED, Purpose.OWN_VOICE, Purpose.ANNOUNCEMENTS), strict=False):
        withdraw(world, desk, desk.vault.speakers()[0].name, purpose)
    envelope = world.coordinator.offer()
    assert [desk.refusal(envelope) for desk in world.desks] == ["nobody", "nobody", "", ""]


def test_a_withdrawal_that_is_heard_of_before_the_vector_leaves(world: World) -> None:
    desk = world.desks[0]

    def before_stage(stage: str) -> None:
        if stage == "mask":
            withdraw(world, desk, "speaker 0", Purpose.FEDERATED)
            desk.standing().catch_up()

    total, codes = world.run(world.coordinator.offer(), before_stage=before_stage)
    assert (total.speakers, codes) == (3, ["consent"])
    assert desk.states("speaker 0") == ["released"]


class Line:
    """A connection over which nothing comes."""

    def serve(self, handle: Any, *, stop: threading.Event, told: Any = None) -> None:
        assert stop.wait(10.0)


def test_a_node_is_in_contact_without_being_asked(world: World, monkeypatch: Any) -> None:
    desk = world.desks[0]
    monkeypatch.setattr(nodes, "TEND_S", 0.0)
    monkeypatch.setattr(nodes, "_WATCH_S", 0.01)
    node = Node(desk.laptop(), desk.standing())
    size = desk.log.head.size

    def seen_size() -> int:
        return PinnedLog(desk.folder, coordinator_key=world.coordinator.raw_key).head.size

    world.coordinator.away = FederationError("the coordinator cannot be reached")
    stop = threading.Event()
    server = threading.Thread(target=serve_rounds, args=(node, Line()), kwargs={"stop": stop})
    server.start()
    for _ in range(500):
        if sum(event == "contact-failed" for event, _ in desk.told) > 2:
            break
        stop.wait(0.01)
    world.coordinator.away = None
    for _ in range(500):
        if seen_size() > size:
            break
        stop.wait(0.01)
    stop.set()
    server.join()
    assert seen_size() == len(world.coordinator.entries_) > size
    assert ("contact-failed", {"why": "the coordinator cannot be reached"}) in desk.told


def test_no_contact_disturbs_a_request(world: World) -> None:
    desk = world.desks[0]
    node = Node(desk.laptop(), desk.standing())
    desk.bench.during = node.tend  # while a round is prepared; it must not wait for itself
    answer = node.handle(offer_body(world.coordinator.offer()), Facts())
    assert answer.refused is None
    assert isinstance(answer, Body)
    node.close()
