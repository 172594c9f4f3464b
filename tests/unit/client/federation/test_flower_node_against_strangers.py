"""What a laptop's connection does with messages that no honest coordinator sends. The Fleet API is a few answers in memory."""

import threading
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import Run
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.task_identity import TaskIdentity

from hometone_client.federation.flower_node import NodeConnection
from hometone_shared.errors import ProtocolError
from hometone_shared.messages import Body

GOOD = {"document": b'{"a":1}', "kind": "offer", "vector": b""}


class Fleet:
    """A coordinator that sends one message and takes one answer."""

    node = Node(node_id=7)
    clock_ahead_s = 0.25

    def __init__(self, content, message_type="query.offer", *, tree=None, damage=None):
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 5, 1, 1
        message = Message(content, 7, message_type, ttl=100.0)
        message.metadata.__dict__["_message_id"] = message.object_id
        self.proto = message_to_proto(remove_content_from_message(message))
        self.tree = tree or get_object_tree(message)
        self.contents = {name: each.deflate() for name, each in get_all_nested_objects(message).items()}
        if damage is not None:
            self.contents = {name: damage(each) for name, each in self.contents.items()}
        self.answer_tree, self.answer = None, {}

    def pull(self, stop):
        return SimpleNamespace(messages_list=[self.proto], message_object_trees=[self.tree])

    def call(self, name, request, *, stop):
        if name == "GetRun":
            return SimpleNamespace(run=Run(run_id=5, fab_hash="ab", primary_task_type="flwr-serverapp"))
        if name == "PullObject":
            content = self.contents.get(request.object_id)
            return SimpleNamespace(object_found=content is not None, object_available=content is not None, object_content=content)
        if name == "PushMessages":
            self.answer_tree = request.message_object_trees[0]
            assert message_from_proto(request.messages_list[0]).metadata.reply_to_message_id == self.proto.metadata.message_id
            names = [branch.object_id for branch in _branches(self.answer_tree)]
            return SimpleNamespace(objects_to_push=names, session_id="s")
        self.answer[request.object_id] = request.object_content
        return None

    def body(self):
        ((leaf, content),) = self.answer.items()
        assert leaf == _branches(self.answer_tree)[-1].object_id
        return Body.from_entries(ConfigRecord.inflate(content))


def _branches(tree):
    return [tree, *(each for child in tree.children for each in _branches(child))]


def _connection(fleet):
    connection = object.__new__(NodeConnection)
    connection._calls, connection._facts, connection._stop = fleet, {}, threading.Event()
    return connection


def _answer(fleet, handle=lambda body, facts: Body(body.kind, {"seen": body.document, "fab": facts.fab_hash})):
    assert _connection(fleet)._one(handle)
    return fleet.body()


def test_an_honest_message_is_answered():
    answer = _answer(Fleet(RecordDict({"body": ConfigRecord(GOOD)})))
    assert answer == Body("offer", {"seen": {"a": 1}, "fab": "ab"})


@pytest.mark.parametrize(
    "fleet",
    [
        lambda: Fleet(RecordDict({})),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD), "mask": ConfigRecord({**GOOD, "kind": "mask"})})),
        lambda: Fleet(RecordDict({"body": ArrayRecord()})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "kind": "mask"})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "more": b""})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({"document": b"{}", "kind": "offer"})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "document": "{}"})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "document": b"{ }"})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "vector": b"123"})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "kind": "Offer"})}), "query.Offer"),
        lambda: Fleet(RecordDict({"body": ConfigRecord({**GOOD, "kind": b"offer"})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord({"document": b"{}", "vector": b""})})),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD)}), "train"),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD)}), damage=lambda content: b"\x00"),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD)}), damage=lambda content: b"Array  9\x00" + bytes(9)),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD)}), damage=lambda content: content[:-1]),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD)}), tree=ObjectTree(object_id="0" * 64)),
        lambda: Fleet(RecordDict({"body": ConfigRecord(GOOD)}), tree=_deep(60)),
        lambda: Fleet(
            RecordDict({"body": ConfigRecord(GOOD)}), tree=ObjectTree(object_id="a", children=[ObjectTree(object_id="b")] * 5000)
        ),
    ],
)
def test_anything_else_is_refused_and_nobody_is_asked(fleet):
    def nobody(body, facts):
        raise AssertionError("was asked")

    answer = _answer(fleet(), nobody)
    assert answer.refused is not None
    assert answer.refused[0] == "message"


def _deep(levels):
    tree = ObjectTree(object_id="a")
    for _ in range(levels):
        tree = ObjectTree(object_id="a", children=[tree])
    return tree


def _wide(branches):
    return ObjectTree(object_id="a", children=[ObjectTree(object_id="b")] * branches)


def test_an_answer_that_cannot_be_written_is_a_refusal():
    answer = _answer(Fleet(RecordDict({"body": ConfigRecord(GOOD)})), lambda body, facts: Body("offer", {"x": float("inf")}))
    assert answer.refused == ("failed", "a document cannot be written down")


def test_an_authority_that_is_none_is_refused():
    with pytest.raises(ProtocolError):
        NodeConnection(address="127.0.0.1:1", authority_pem=b"-----BEGIN CERTIFICATE-----", node_key=generate_private_key(SECP384R1()))
