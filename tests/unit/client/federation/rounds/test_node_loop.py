"""The node: one round in flight, a newer one takes its place, deadlines and `--once` end what should end."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hometone_client.federation.node import Ended, Node, joined, only_one, serve_rounds
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.messages import Body

World = Any


class Facts:
    fab_hash = "ee" * 32
    primary_task_type = "flwr-serverapp"
    clock_ahead_s = 0.0


def node_at(desk: Any) -> Node:
    return Node(desk.laptop(), desk.standing())


def offer(world: World, **changes: Any) -> Body:
    return Body("offer", {"plan": world.coordinator.offer(**changes).to_document()})


class Line:
    """A connection in memory: hands over what the test says, then waits for `stop`."""

    def __init__(self, *bodies: Body) -> None:
        self.bodies = bodies
        self.answers: list[Body] = []
        self.down: Exception | None = None

    def serve(self, handle: Callable[[Body, Any], Body], *, stop: threading.Event, told: Callable[[str], None] = lambda _: None) -> None:
        if self.down is not None:
            raise self.down
        told("connected")
        for body in self.bodies:
            self.answers.append(handle(body, Facts()))
        assert stop.wait(10.0), "nobody stopped the node"


def test_rounds_follow_one_another(world: World) -> None:
    nodes = [node_at(desk) for desk in world.desks]
    for number in (1, 2):
        total, codes = world.run(world.coordinator.offer(round_number=number), nodes)
        assert (total.speakers, codes) == (4, [])
    for node in nodes:
        assert node.ended == (Ended("finished"), Ended("finished"))


def test_a_stage_without_a_round_is_refused(world: World) -> None:
    node = node_at(world.desks[0])
    assert node.handle(Body("roster", {"advertisements": []}), Facts()).refused == ("order", "no round is in flight on this computer")
    assert node.ended == ()


def test_a_newer_round_takes_the_place_of_the_one_in_flight(world: World) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    assert node.handle(offer(world, noise_multiplier=1.1), Facts()).refused is None
    assert node.handle(offer(world, attempt=2, noise_multiplier=1.1), Facts()).refused is None
    assert desk.states("speaker 0") == ["released", "reserved"]
    assert [ended.outcome for ended in node.ended] == ["left"]
    node.close()
    node.close()
    assert desk.states("speaker 0") == ["released", "released"]
    assert [ended.outcome for ended in node.ended] == ["left", "left"]
    assert desk.outcomes() == ["left", "left"]


def test_an_offer_that_is_refused_does_not_disturb_the_round_in_flight(world: World) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    node.handle(offer(world), Facts())
    refused = node.handle(offer(world, attempt=2, noise_multiplier=0.5), Facts()).refused
    assert refused is not None
    assert refused[0] == "limits"
    assert desk.states("speaker 0") == ["reserved"]
    assert [ended.outcome for ended in node.ended] == ["limits"]


def test_an_accepted_plan_that_nobody_can_serve_ends_the_one_before_too(world: World, nothing_heard: Exception) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    node.handle(offer(world), Facts())
    desk.bench.failing["speaker 0"] = nothing_heard
    refused = node.handle(offer(world, attempt=2), Facts()).refused
    assert refused is not None
    assert refused[0] == "nobody"
    assert [ended.outcome for ended in node.ended] == ["left", "nobody"]
    assert node.handle(Body("mask", {}), Facts()).refused is not None


def test_a_mistake_of_ours_ends_the_round_and_not_the_node(world: World) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    desk.bench.failing["speaker 0"] = RuntimeError("a text that nobody should see")
    with pytest.raises(RuntimeError):
        node.handle(offer(world), Facts())
    assert node.ended == (Ended("failed", "a mistake of Hometone's own (RuntimeError)"),)
    del desk.bench.failing["speaker 0"]
    assert node.handle(offer(world, attempt=2), Facts()).refused is None


def test_a_deadline_that_passes_in_silence_ends_the_round(world: World) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    node.handle(offer(world), Facts())
    node.expire()
    assert node.ended == ()
    world.clock.now_s += 601
    node.expire()
    node.expire()
    assert [ended.outcome for ended in node.ended] == ["expired"]
    assert desk.states("speaker 0") == ["released"]


def test_looking_at_the_deadline_does_not_wait_for_work(world: World) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    desk.bench.during = node.expire  # would wait for itself for ever
    assert node.handle(offer(world), Facts()).refused is None


def test_once_ends_after_one_round_and_closes_the_node(world: World) -> None:
    desk = world.desks[0]
    line = Line(offer(world, minimum_cohort=2))
    words: list[str] = []
    node = node_at(desk)
    serve_rounds(node, line, stop=threading.Event(), once=True, told=words.append)
    assert [answer.refused is not None for answer in line.answers] == [True]
    assert words == ["connected"]
    assert [ended.outcome for ended in node.ended] == ["limits"]


def test_a_time_limit_ends_it_and_drops_the_round_in_flight(world: World) -> None:
    desk = world.desks[0]
    node = node_at(desk)
    serve_rounds(node, Line(offer(world)), stop=threading.Event(), longest_s=0.0)
    assert desk.states("speaker 0") == ["released"]
    assert [ended.outcome for ended in node.ended] == ["left"]


def test_a_coordinator_that_lets_nobody_in_is_an_error(world: World) -> None:
    line = Line()
    line.down = FederationError("the coordinator does not know this laptop, or has revoked it")
    before = threading.active_count()
    with pytest.raises(FederationError, match="does not know"):
        serve_rounds(node_at(world.desks[0]), line, stop=threading.Event())
    assert threading.active_count() == before


def test_one_node_at_a_time(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(UsageError, match="already"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_without_a_coordinator_there_is_no_node(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="joined"):
        joined(tmp_path)
