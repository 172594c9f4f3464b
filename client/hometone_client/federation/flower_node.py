"""A laptop's connection to a coordinator: with `flower_calls`, the only modules of the client that know Flower.

What it does: asks the coordinator for messages, hands each body to the caller, sends back what the caller answers. Flower's own node
downloads and executes the coordinator's bundle; this one does not. For one message:

1. Ask. Hometone's gateway holds the question for up to 20 s and answers when there is something; another would answer at once, and is then
   asked 20 times a second while a round is going on, and when not, ever more rarely, down to once in `slowest_poll_s`.
2. Once a run, get its facts: what kind of task, which bundle's hash, which settings. The bundle itself is never asked for.
3. Fetch the object that holds the body, which may still be on its way. A message of Flower is a chain of three objects, of which the
   outer two only name the next: they are not fetched, because every call costs the coordinator's server ten milliseconds. Whatever cannot
   be read is refused.
4. Let the caller answer. Errors become a refusal.
5. Send the answer: announce its three objects, and upload the innermost, the only one that the coordinator asks for; Flower drops what was
   not uploaded whole after three minutes, long after it was read. The request is not confirmed as received, which would delete it:
   requests are small and go with their run, and confirming one that is still being uploaded has crashed runs.

What it may see: bodies. What it must never do: run, load or fetch a bundle; open a port.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from hometone_client.federation.flower_calls import AwayError, FleetCalls, RunOverError
from hometone_shared.errors import FederationError, HometoneError, ProtocolError
from hometone_shared.messages import RECORD, Body

if TYPE_CHECKING:
    from flwr.app import Message
    from flwr.proto.message_pb2 import ObjectTree

NUMBER_FILE: Final = "flower-number"
"""Its usual name in `<home>/federation`."""
QUICKEST_POLL_S: Final = 0.05
SLOWEST_POLL_S: Final = 2.0
_POLL_GROWTH: Final = 1.1
_AWAKE_S: Final = 3.0
"""Time after a message during which it is asked at the quickest: longer than the coordinator needs between two stages."""
_OBJECT_POLL_S: Final = 0.03
_OBJECT_PATIENCE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 10.0
_DEPTH: Final = 3
_REMEMBERED_RUNS: Final = 16
_LOG: Final = logging.getLogger("hometone.node")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the coordinator's server says about the run that a message belongs to. Only its word: nothing of it is signed.

    Attributes:
        run_id: Flower's number.
        fab_hash: SHA-256 of the run's bundle, hexadecimal.
        primary_task_type: Flower's word for what kind of run it is; "flwr-serverapp" is the one there should be.
        override_config: The run's settings.
        clock_ahead_s: How far this laptop's clock is ahead of the coordinator's, give or take half a second.
    """

    run_id: int
    fab_hash: str
    primary_task_type: str
    override_config: dict[str, Any]
    clock_ahead_s: float


class NodeConnection:
    """One laptop at one coordinator."""

    def __init__(
        self,
        *,
        address: str,
        authority_pem: bytes,
        node_key: EllipticCurvePrivateKey,
        number_file: Path | None = None,
        quickest_poll_s: float = QUICKEST_POLL_S,
        slowest_poll_s: float = SLOWEST_POLL_S,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            address: `host:port` of the coordinator.
            authority_pem: The pinned certificate authority; no other is trusted.
            node_key: P-384; the coordinator knows its public half.
            number_file: Where to remember Flower's number for this laptop; without it, one that was killed is let in again after a minute.
            quickest_poll_s: Seconds between two questions while a round is going on, where they are not held.
            slowest_poll_s: The same after a long silence.

        Raises:
            ProtocolError: The authority's certificate cannot be read.
        """
        self._calls = FleetCalls(address=address, authority_pem=authority_pem, node_key=node_key, number_file=number_file)
        self._quickest_poll_s, self._slowest_poll_s = quickest_poll_s, slowest_poll_s
        self._facts: dict[int, RunFacts] = {}
        self._stop = threading.Event()

    def serve(
        self, handle: Callable[[Body, RunFacts], Body], *, stop: threading.Event, told: Callable[[str], None] = lambda _: None
    ) -> None:
        """Answer messages until `stop`.

        Args:
            handle: Gives the answer to one request. A HometoneError becomes a refusal with its message; any other exception one without.
            stop: Ends it within about a second, or after the request that is being handled.
            told: Called with "connected", "lost" and "reconnected".

        Raises:
            FederationError: The coordinator cannot be reached at first, shows another certificate, does not know this laptop's key, or the
                clock is wrong. Once connected, a coordinator that is away is waited for instead.
        """
        self._stop = stop
        with self._calls.connected():
            try:
                self._calls.activate()
            except AwayError as error:
                raise FederationError(
                    "the coordinator cannot be reached", hint="is this laptop on the network, and is the coordinator running?"
                ) from error
            told("connected")
            with self._calls.present():
                self._loop(handle, told)

    def _loop(self, handle: Callable[[Body, RunFacts], Body], told: Callable[[str], None]) -> None:
        poll_s, awake_until, lost = self._quickest_poll_s, 0.0, False
        pause_s = self._quickest_poll_s
        while not self._stop.is_set():
            asked = time.monotonic()
            try:
                if lost:
                    self._calls.activate()
                    told("reconnected")
                    lost, pause_s = False, self._quickest_poll_s
                worked = self._one(handle)
            except AwayError:
                if not lost:
                    told("lost")
                lost = True
                self._stop.wait(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            if worked:
                poll_s, awake_until = self._quickest_poll_s, time.monotonic() + _AWAKE_S
                continue
            self._stop.wait(max(0.0, poll_s - (time.monotonic() - asked)))
            if time.monotonic() > awake_until:
                poll_s = min(poll_s * _POLL_GROWTH, self._slowest_poll_s)

    def _one(self, handle: Callable[[Body, RunFacts], Body]) -> bool:
        """Take and answer one message (steps 1 to 5 of the module); whether there was one."""
        from flwr.common.serde import message_from_proto

        response = self._calls.pull(self._stop)  # (1)
        if response is None or not response.messages_list or not response.message_object_trees:
            return False
        try:
            request, tree = message_from_proto(response.messages_list[0]), response.message_object_trees[0]
            self._send(self._answer(request, tree, handle), request)  # (5)
        except (AwayError, FederationError):
            raise
        except RunOverError:
            _LOG.info("a run ended before its answer was there")
        except Exception as error:
            _LOG.warning("a message cannot even be refused: %s", type(error).__name__)
            return False
        return True

    def _answer(self, request: "Message", tree: "ObjectTree", handle: Callable[[Body, RunFacts], Body]) -> Body:
        try:
            facts = self._facts_of(request.metadata.run_id)  # (2)
            body = self._body(request, tree)  # (3)
        except ProtocolError as error:
            return Body.refusal("message", error.message)
        try:
            answer = handle(body, facts)  # (4)
            answer.document_bytes()  # an answer that cannot be written down is a refusal, too
        except HometoneError as error:
            return Body.refusal("failed", error.message)
        except Exception as error:
            # The text of a foreign exception may hold anything; only its class is worth a line, and only on this laptop.
            _LOG.warning("a request failed: %s", type(error).__name__)
            return Body.refusal("failed", "the laptop could not answer")
        return answer

    def _call(self, name: str, request: object) -> Any:
        return self._calls.call(name, request, stop=self._stop)

    def _facts_of(self, run_id: int) -> RunFacts:
        from flwr.common.serde import run_from_proto
        from flwr.proto.run_pb2 import GetRunRequest

        if run_id not in self._facts:
            run = run_from_proto(self._call("GetRun", GetRunRequest(node=self._calls.node, run_id=run_id)).run)
            if len(self._facts) >= _REMEMBERED_RUNS:
                self._facts.pop(next(iter(self._facts)))
            self._facts[run_id] = RunFacts(
                run_id=run_id,
                fab_hash=run.fab_hash,
                primary_task_type=run.primary_task_type,
                override_config=dict(run.override_config),
                clock_ahead_s=0.0,
            )
        return replace(self._facts[run_id], clock_ahead_s=self._calls.clock_ahead_s)

    def _body(self, request: "Message", tree: "ObjectTree") -> Body:
        from flwr.app import ConfigRecord

        leaf = _leaf(tree)
        content = self._object(request.metadata.run_id, leaf)
        if hashlib.sha256(content).hexdigest() != leaf:
            raise ProtocolError("a message is not the one that was announced")
        try:
            record = ConfigRecord.inflate(content)
        except Exception as error:
            raise ProtocolError("a message cannot be read") from error
        body = Body.from_entries(record)
        if request.metadata.message_type != f"query.{body.kind}":
            raise ProtocolError("a message is of another kind than it says")
        return body

    def _object(self, run_id: int, object_id: str) -> bytes:
        from flwr.proto.message_pb2 import PullObjectRequest

        request = PullObjectRequest(node=self._calls.node, run_id=run_id, object_id=object_id)
        until = time.monotonic() + _OBJECT_PATIENCE_S
        while True:
            response = self._call("PullObject", request)
            if response.object_available:
                content: bytes = response.object_content
                return content
            if not response.object_found or time.monotonic() > until or self._stop.is_set():
                raise ProtocolError("a message did not come whole")
            self._stop.wait(_OBJECT_POLL_S)

    def _send(self, answer: Body, request: "Message") -> None:
        from flwr.app import ConfigRecord, Message, RecordDict
        from flwr.app.message import remove_content_from_message
        from flwr.common.serde import message_to_proto
        from flwr.proto.fleet_pb2 import PushMessagesRequest
        from flwr.proto.message_pb2 import PushObjectRequest
        from flwr.supercore.inflatable.inflatable_object import get_object_tree, no_object_id_recompute

        node, run_id = self._calls.node, request.metadata.run_id
        with no_object_id_recompute():
            record = ConfigRecord({**answer.entries()})
            reply = Message(RecordDict({RECORD: record}), reply_to=request)
            reply.metadata.__dict__["_message_id"] = reply.object_id
            tree = get_object_tree(reply)
            leaf, content = record.object_id, record.deflate()
            proto = message_to_proto(remove_content_from_message(reply))
        # The time that it took to answer, which Flower would keep, is nobody's business.
        announced = PushMessagesRequest(node=node, messages_list=[proto], message_object_trees=[tree], clientapp_runtime_list=[0.0])
        response = self._call("PushMessages", announced)
        if leaf in response.objects_to_push:  # not if it is there already
            session = response.session_id
            upload = PushObjectRequest(node=node, run_id=run_id, session_id=session, object_id=leaf, object_content=content)
            self._call("PushObject", upload)


def _leaf(tree: "ObjectTree") -> str:
    """The innermost object of a message: message, records, one record; their number and depth are the sender's, so both are checked."""
    for _ in range(_DEPTH - 1):
        if len(tree.children) != 1:
            raise ProtocolError("a message does not hold one record")
        tree = tree.children[0]
    if tree.children:
        raise ProtocolError("a message does not hold one record")
    return str(tree.object_id)
