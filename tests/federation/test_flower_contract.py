"""Which of Flower's own, partly internal, names and habits this project relies on. A failure here names what changed."""

import dataclasses
import hashlib
import importlib
import inspect
import io
import zipfile
from pathlib import Path

import pytest

BUNDLE = Path(__file__).resolve().parents[2] / "server" / "federation"
# module, name, parameters that we give (None: only that it is there)
CALLS = [
    ("flwr.superlink.main", "create_app", ("config", "superlink_lifespan_class")),
    ("flwr.superlink.cli.flower_superlink", "SuperLinkLifespan", ("config", "state_factory")),
    ("flwr.superlink.auth_plugin", "NoOpControlAuthnPlugin", None),
    ("flwr.supernode.fleet_http_client", "FleetHttpClient", ("base_url", "interceptors", "verify")),
    ("flwr.supercore.control.control_http_client", "ControlHttpClient", ("base_url", "interceptors", "verify")),
    ("flwr.supercore.runtime", "RuntimeHttpClient", ("base_url", "interceptors", "verify")),
    ("flwr.supercore.interceptors", "RuntimeVersionHttpInterceptor", ("component_name",)),
    ("flwr.supercore.interceptors", "RuntimeTokenHttpInterceptor", ("token",)),
    ("flwr.supercore.interceptors", "SuperExecAuthHttpInterceptor", ("master_secret", "protected_methods")),
    ("flwr.supercore.inflatable.inflatable_object", "get_all_nested_objects", ("obj",)),
    ("flwr.supercore.inflatable.inflatable_object", "get_object_tree", ("obj",)),
    ("flwr.supercore.inflatable.inflatable_object", "no_object_id_recompute", ()),
    ("flwr.app.message", "remove_content_from_message", ("message",)),
    ("flwr.common.serde", "message_to_proto", ("message",)),
    ("flwr.common.serde", "message_from_proto", ("message_proto",)),
    ("flwr.common.serde", "run_from_proto", None),
    ("flwr.common.serde", "context_from_proto", None),
    ("flwr.common.serde", "fab_to_proto", ("fab",)),
    ("flwr.common.serde", "user_config_to_proto", ("user_config",)),
    ("flwr.supercore.fab", "Fab", ("hash_str", "content", "verifications")),
    ("flwr.superlink.grid", "HttpGrid", ("token",)),
    ("flwr.serverapp", "ServerApp", None),
    ("flwr.supercore.task_identity", "TaskIdentity", None),
    ("flwr.supercore.error", "FlowerError", None),
]
REQUESTS = {
    "flwr.proto.fleet_pb2": {
        "ActivateNodeRequest": {"public_key", "heartbeat_interval"},
        "ActivateNodeResponse": {"node_id"},
        "DeactivateNodeRequest": {"node_id"},
        "PullMessagesRequest": {"node"},
        "PullMessagesResponse": {"messages_list", "message_object_trees"},
        "PushMessagesRequest": {"node", "messages_list", "message_object_trees", "clientapp_runtime_list"},
        "PushMessagesResponse": {"objects_to_push", "session_id"},
    },
    "flwr.proto.message_pb2": {
        "PullObjectRequest": {"node", "run_id", "object_id"},
        "PullObjectResponse": {"object_found", "object_available", "object_content"},
        "PushObjectRequest": {"node", "run_id", "session_id", "object_id", "object_content"},
        "ConfirmMessageReceivedRequest": {"node", "run_id", "message_object_id"},
        "ObjectTree": {"object_id", "children"},
    },
    "flwr.proto.run_pb2": {"GetRunRequest": {"node", "run_id"}, "GetRunResponse": {"run"}},
    "flwr.proto.heartbeat_pb2": {"SendNodeHeartbeatRequest": {"node", "heartbeat_interval"}},
    "flwr.proto.node_pb2": {"NodeInfo": {"node_id", "public_key", "status"}},
    "flwr.proto.runtime_pb2": {
        "AcquireTaskRequest": {"supported_task_types"},
        "AcquireTaskResponse": {"task", "token"},
        "GetNodesResponse": {"nodes"},
        "PullTaskInputResponse": {"context", "run", "task_id"},
        "PushTaskOutputRequest": {"sub_status", "details"},
        "PushAppMessagesRequest": {"messages_list", "message_object_trees"},
        "PushAppMessagesResponse": {"objects_to_push", "session_id"},
        "PullAppMessagesRequest": {"message_ids"},
        "PullAppMessagesResponse": {"messages_list", "message_object_trees"},
    },
    "flwr.proto.control_pb2": {
        "StartRunRequest": {"fab", "override_config"},
        "StartRunResponse": {"run_id"},
        "StopRunRequest": {"run_id"},
        "ListRunsRequest": {"run_id", "limit"},
        "ListRunsResponse": {"run_dict"},
        "ListNodesResponse": {"nodes_info"},
        "RegisterNodeRequest": {"public_key"},
        "RegisterNodeResponse": {"node_id"},
        "UnregisterNodeRequest": {"node_id"},
    },
}
VALUES = [
    ("flwr.common.constant", "TIMESTAMP_HEADER", "flwr-timestamp"),
    ("flwr.common.constant", "TIMESTAMP_TOLERANCE", 300),
    ("flwr.common.constant", "SYSTEM_TIME_TOLERANCE", 5),
    ("flwr.common.constant", "HEARTBEAT_PATIENCE", 2),
    ("flwr.common.constant", "ISOLATION_MODE_PROCESS", "process"),
    ("flwr.supercore.constant", "FLEET_HTTP_PUBLIC_KEY_HEADER", "flwr-public-key"),
    ("flwr.supercore.constant", "FLEET_HTTP_SIGNATURE_HEADER", "flwr-signature"),
]


def test_version_is_the_pinned_one():
    import flwr

    assert flwr.__version__ == "1.41.0", "read the release notes, run this folder, then change this line"


def test_a_record_can_be_read_without_the_message_around_it():
    from flwr.app import ConfigRecord, RecordDict
    from flwr.supercore.inflatable.inflatable_object import get_object_tree

    record = ConfigRecord({"kind": "offer", "document": b"{}", "vector": b"1234"})
    tree = get_object_tree(RecordDict({"body": record}))
    (leaf,) = tree.children
    assert leaf.object_id == hashlib.sha256(record.deflate()).hexdigest()
    assert not leaf.children
    assert ConfigRecord.inflate(record.deflate()) == record


@pytest.mark.parametrize(("module", "name", "parameters"), CALLS, ids=[f"{module}.{name}" for module, name, _ in CALLS])
def test_name_is_where_it_was_and_takes_what_we_give(module, name, parameters):
    found = getattr(importlib.import_module(module), name, None)
    assert found is not None, f"{module}.{name} is gone"
    if parameters is not None:
        missing = set(parameters) - set(inspect.signature(found).parameters)
        assert not missing, f"{module}.{name} no longer takes {sorted(missing)}"


@pytest.mark.parametrize("module", REQUESTS)
def test_protobuf_messages_have_the_fields_we_use(module):
    loaded = importlib.import_module(module)
    for name, fields in REQUESTS[module].items():
        missing = fields - set(getattr(loaded, name).DESCRIPTOR.fields_by_name)
        assert not missing, f"{module}.{name} no longer has {sorted(missing)}"


@pytest.mark.parametrize(("module", "name", "value"), VALUES, ids=[name for _, name, _ in VALUES])
def test_constant_is_what_the_protocol_says(module, name, value):
    assert getattr(importlib.import_module(module), name) == value


def test_fleet_client_has_the_methods_we_call_by_name():
    from flwr.supernode.fleet_http_client import FleetHttpClient

    names = ("ActivateNode", "DeactivateNode", "SendNodeHeartbeat", "PullMessages", "GetRun", "PullObject", "PushMessages", "PushObject")
    assert [name for name in names if not hasattr(FleetHttpClient, name)] == []


def test_superlink_configuration_has_exactly_the_fields_we_fill():
    from flwr.superlink.config_loader import SuperLinkLifespanConfig

    source = (Path(__file__).resolve().parents[2] / "server/hometone_server/flower/superlink.py").read_text()
    filled = {field.name for field in dataclasses.fields(SuperLinkLifespanConfig) if f"        {field.name}=" in source}
    assert filled == {field.name for field in dataclasses.fields(SuperLinkLifespanConfig)}, "fields of SuperLinkLifespanConfig changed"


def test_idle_middleware_is_known_by_name(tmp_path, monkeypatch):
    from flwr.superlink import main

    from hometone_server.flower.superlink import IDLE_MIDDLEWARE

    names = {middleware.cls.__name__ for middleware in main._get_middleware()}
    kept = {"BaseHTTPMiddleware", "ControlAuthenticationMiddleware", "NodeAuthMiddleware", "ProtobufTranslationMiddleware"}
    assert names == kept | IDLE_MIDDLEWARE, "the SuperLink has other middleware: decide for each whether it may be left out"


def test_superlink_has_the_routes_that_the_gates_pass():
    from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES

    from hometone_server.flower.gates import CONTROL_CALLS, FLEET_CALLS, RUNTIME_CALLS

    paths = {path for _, path in PROTOBUF_REQUEST_TYPES}
    assert paths >= FLEET_CALLS | RUNTIME_CALLS | CONTROL_CALLS


def test_clients_keep_their_connection_where_we_replace_it():
    from flwr.supercore.runtime import RuntimeHttpClient

    client = RuntimeHttpClient("https://127.0.0.1:1")
    assert type(client._client).__name__ == "Client", "ProtobufClient._client is gone"
    client.close()


def test_grid_uses_the_client_we_put_into_it():
    from flwr.supercore.run import Run
    from flwr.supercore.runtime import RuntimeHttpClient

    from hometone_server.flower.grid import TaskGrid

    client = RuntimeHttpClient("https://127.0.0.1:1")
    grid = TaskGrid(client, Run.create_empty(7))
    assert grid._runtime_client is client, "HttpGrid no longer uses _client"
    assert grid.run.run_id == 7
    client.close()


def test_message_types_of_our_kinds_are_valid():
    from flwr.app.metadata import validate_message_type

    for kind in ("offer", "roster", "mask", "survivors", "unmask"):
        assert validate_message_type(f"query.{kind}")


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern")  # inside flwr
def test_flower_reads_our_bundle_like_its_own(tmp_path, monkeypatch):
    from flwr.cli.build import build_fab_from_disk
    from flwr.cli.config_utils import get_fab_metadata
    from flwr.cli.install import install_from_fab
    from flwr.common.config import get_fab_config, get_project_dir

    from hometone_server.flower.bundle import build_bundle

    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    ours = build_bundle(BUNDLE)
    identity, version = get_fab_metadata(ours)
    assert (identity, version) == ("hometone/hometone-round", "1.0.0")
    assert get_fab_config(ours)["tool"]["flwr"]["app"]["components"]["serverapp"] == "hometone_round.server_app:app"
    install_from_fab(ours, skip_prompt=True)
    assert (get_project_dir(identity, version, hashlib.sha256(ours).hexdigest()) / "hometone_round" / "server_app.py").is_file()
    theirs = zipfile.ZipFile(io.BytesIO(build_fab_from_disk(BUNDLE)))
    assert set(theirs.namelist()) == set(zipfile.ZipFile(io.BytesIO(ours)).namelist())
