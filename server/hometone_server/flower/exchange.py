"""Requests to laptops and their answers, as Flower messages.

1. Every body becomes one Flower message of type `query.<kind>` with one record. Equal bodies are one object for all laptops, so a roster is
   stored once.
2. All messages are announced in one call, then the objects that the SuperLink does not have are sent.
3. Answers are asked for until all have come, the time is up, the caller has enough, or those missing are gone (Flower knows after about a
   minute). The question is held by the gate until there is one (`waiting`); without our gate it is asked every 40 ms. (Flower's own
   `send_and_receive` asks every three seconds.)
   Of an answer's three objects only the innermost is fetched: the outer two name the next and nothing else. For the same reason only the
   innermost of a request is uploaded, unless laptops have so long for their answer that Flower would drop what is not there whole.
4. Long answers are deleted from the SuperLink once they were read, beside the next requests; the others go with their run.

While the SuperLink is away, each call is tried again until the time is up. What it may see: bodies. What it must never do: change one.
"""

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, Self, cast

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest, PushObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import GetNodesRequest, PullAppMessagesRequest, PushAppMessagesRequest
from flwr.serverapp import Grid
from flwr.supercore.inflatable.inflatable_object import InflatableObject, get_all_nested_objects, get_object_tree, no_object_id_recompute
from flwr.supercore.runtime import RuntimeHttpClient

from hometone_server.flower.calls import call
from hometone_server.flower.runs import openssh_key
from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.messages import RECORD, Body

POLL_S: Final = 0.04
_OBJECT_POLL_S: Final = 0.02
_OBJECT_PATIENCE_S: Final = 30.0
_NODES_PATIENCE_S: Final = 10.0
_TTL_SLACK_S: Final = 330.0
"""A message outlives its deadline by more than a laptop's clock may be wrong, so that Flower never drops one for its clock."""
_UPLOAD_PATIENCE_S: Final = 120.0
"""Flower drops a message whose objects have not all come 180 s after the last one."""
_DEPTH: Final = 3
"""Objects of a message: itself, its records, its one record."""
_THREADS: Final = 4
_LARGE_ANSWER: Final = 1 << 16
_LOG: Final = logging.getLogger("hometone.exchange")


class FlowerExchange:
    """The laptops of one run. Closes with `with`."""

    def __init__(self, grid: Grid) -> None:
        """Speak through a grid that knows its run.

        Args:
            grid: What Flower hands to a ServerApp; its Runtime client is used directly, because the grid's own calls wait in whole seconds.
        """
        self._client = cast("RuntimeHttpClient", cast("Any", grid)._runtime_client)  # noqa: SLF001 - the contract test holds this name
        self._run_id = grid.run.run_id
        self._node = Node(node_id=SUPERLINK_NODE_ID)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="exchange")

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Finish what is under way and let the threads go."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def nodes(self) -> dict[int, bytes | None]:
        """The laptops that are there now, and their public node keys in OpenSSH's format (`None`: not a key a laptop would have).

        Raises:
            FederationError: The run was stopped, or the SuperLink does not answer.
        """
        response = call(
            self._client.GetNodes, GetNodesRequest(), what="the laptops cannot be listed", until=time.monotonic() + _NODES_PATIENCE_S
        )
        return {node.node_id: openssh_key(node.public_key) for node in response.nodes}

    def exchange(
        self, requests: Mapping[int, Body], *, kind: str, timeout_s: float, enough: Callable[[Mapping[int, Body]], bool] | None = None
    ) -> dict[int, Body]:
        """Send one request each; return what came in time.

        Args:
            requests: Node number -> body; all bodies have the kind.
            kind: The message type.
            timeout_s: Seconds from now until answers are no longer waited for.
            enough: Asked several times a second with the answers so far; says that the others need not be waited for.

        Returns:
            Node number -> its answer, a refusal included. Laptops that did not answer, or answered what is no body, are not in it.

        Raises:
            FederationError: The run was stopped, or the SuperLink stayed away until the time was up.
            ProtocolError: A body has another kind or cannot be written down.
        """
        if any(body.kind != kind for body in requests.values()):
            raise ProtocolError("a request has another kind than its exchange")
        until = time.monotonic() + timeout_s
        waiting = self._push(requests, kind=kind, ttl_s=timeout_s + _TTL_SLACK_S, until=until) if requests else {}
        answers: dict[int, Body] = {}
        reading: dict[Future[Body | None], int] = {}
        while (waiting or reading) and time.monotonic() < until:
            asked = time.monotonic()
            for message, tree in self._pull(set(waiting), until=until) if waiting else ():
                node = waiting.pop(message.metadata.reply_to_message_id, None)
                if node is not None and tree is not None:
                    reading[self._pool.submit(self._read, tree, kind=kind, until=until)] = node
            if not waiting:
                wait(reading, timeout=until - time.monotonic(), return_when=FIRST_COMPLETED)
            for future in [future for future in reading if future.done()]:
                node, body = reading.pop(future), future.result()
                if body is not None:
                    answers[node] = body
            if (enough is not None and enough(answers)) or not (waiting or reading):
                break
            time.sleep(max(0.0, POLL_S - (time.monotonic() - asked)) if waiting else 0.0)
        return answers

    def _push(self, requests: Mapping[int, Body], *, kind: str, ttl_s: float, until: float) -> dict[str, int]:
        """Announce and upload; returns message id -> node."""
        records: dict[tuple[bytes, bytes], RecordDict] = {}
        waiting: dict[str, int] = {}
        protos, trees = [], []
        objects: dict[str, InflatableObject] = {}
        is_long = ttl_s - _TTL_SLACK_S > _UPLOAD_PATIENCE_S
        with no_object_id_recompute():
            for node, body in requests.items():
                content = (body.document_bytes(), body.vector)
                if content not in records:
                    records[content] = RecordDict({RECORD: ConfigRecord({**body.entries()})})
                message = Message(records[content], node, f"query.{kind}", ttl=ttl_s)
                message.metadata.__dict__["_message_id"] = message.object_id
                waiting[message.object_id] = node
                nested = get_all_nested_objects(message)
                objects.update(nested if is_long else {name: each for name, each in nested.items() if isinstance(each, ConfigRecord)})
                trees.append(get_object_tree(message))
                protos.append(message_to_proto(remove_content_from_message(message)))
        request = PushAppMessagesRequest(messages_list=protos, message_object_trees=trees)
        response = call(self._client.PushMessages, request, what="the laptops cannot be asked", until=until)

        def push(object_id: str) -> None:
            upload = PushObjectRequest(
                node=self._node,
                run_id=self._run_id,
                session_id=response.session_id,
                object_id=object_id,
                object_content=objects[object_id].deflate(),
            )
            call(self._client.PushObject, upload, what="the laptops cannot be asked", until=until)

        wanted = set(response.objects_to_push)
        for future in [self._pool.submit(push, object_id) for object_id in objects if object_id in wanted]:
            future.result()
        return waiting

    def _pull(self, message_ids: set[str], *, until: float) -> Iterator[tuple[Message, ObjectTree | None]]:
        request = PullAppMessagesRequest(message_ids=message_ids)
        response = call(self._client.PullMessages, request, what="the laptops' answers cannot be fetched", until=until)
        for proto, tree in zip(response.messages_list, response.message_object_trees, strict=False):
            message = message_from_proto(proto)
            yield message, None if message.has_error() else tree

    def _read(self, tree: ObjectTree, *, kind: str, until: float) -> Body | None:
        """Fetch one answer; what is no body is dropped, since it came from a laptop and not from Flower."""
        large = False
        try:
            leaf = _leaf(tree)
            content = self._object(leaf, until=until)
            large = len(content) > _LARGE_ANSWER
            body = _answer_of(leaf, content, kind=kind)
        except FederationError:
            return None
        except Exception as error:
            _LOG.warning("an answer cannot be read: %s", type(error).__name__)
            return None
        finally:
            if large:
                self._confirm_later(tree.object_id)
        return body

    def _object(self, object_id: str, *, until: float) -> bytes:
        request = PullObjectRequest(node=self._node, run_id=self._run_id, object_id=object_id)
        patience = min(until, time.monotonic() + _OBJECT_PATIENCE_S)
        while True:
            response = call(self._client.PullObject, request, what="a laptop's answer cannot be fetched", until=until)
            if response.object_available:
                return response.object_content
            if not response.object_found or time.monotonic() >= patience:
                raise FederationError("a laptop's answer did not come whole")
            time.sleep(_OBJECT_POLL_S)

    def _confirm_later(self, object_id: str) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile: the end of the run deletes it
            self._pool.submit(self._confirm, object_id)

    def _confirm(self, object_id: str) -> None:
        """Delete an answer that was read; the end of the run would do it too, so a failure is nobody's trouble."""
        request = ConfirmMessageReceivedRequest(node=self._node, run_id=self._run_id, message_object_id=object_id)
        try:
            call(self._client.ConfirmMessageReceived, request, what="an answer cannot be deleted")
        except FederationError:
            _LOG.info("an answer is left to the end of its run")


def _answer_of(leaf: str, content: bytes, *, kind: str) -> Body:
    if hashlib.sha256(content).hexdigest() != leaf:
        raise ProtocolError("an answer is not the one that was announced")
    body = Body.from_entries(ConfigRecord.inflate(content))
    if body.kind != kind and body.refused is None:
        raise ProtocolError("an answer has another kind than its request")
    return body


def _leaf(tree: ObjectTree) -> str:
    for _ in range(_DEPTH - 1):
        if len(tree.children) != 1:
            raise ProtocolError("an answer does not hold one record")
        tree = tree.children[0]
    if tree.children:
        raise ProtocolError("an answer does not hold one record")
    return str(tree.object_id)
