"""Runs and laptops' node keys, through Flower's Control API on loopback.

What it may see: run numbers, states, public node keys. What it must never do: reach another machine, or start a run with another bundle
than the one on this disk.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key, load_ssh_public_key
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    ListRunsResponse,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.supercore.constant import NodeStatus
from flwr.supercore.error import ApiErrorCode
from flwr.supercore.fab import Fab

from hometone_server.flower.bundle import build_bundle, bundle_settings, default_bundle
from hometone_server.flower.calls import call, control_client
from hometone_server.flower.folder import FlowerFolder
from hometone_server.home import CoordinatorHome
from hometone_shared.errors import FederationError, ProtocolError, UsageError

_LISTED_RUNS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """How far a run is, in Flower's words.

    Attributes:
        run_id: Flower's number.
        status: `pending`, `starting`, `running` or `finished`.
        ending: `completed`, `failed` or `stopped` once it is finished, else empty.
        details: Why it failed, if it did.
    """

    run_id: int
    status: str
    ending: str
    details: str

    @property
    def finished(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.status == "finished"


def start_run(home: CoordinatorHome, config: Mapping[str, str], *, bundle: Path | None = None) -> int:
    """Start a run of this coordinator's bundle.

    Args:
        home: The coordinator.
        config: Settings of the run; the bundle's configuration lists which there are.
        bundle: Another bundle's folder, for tests.

    Returns:
        Flower's number of the run.

    Raises:
        UsageError: The bundle has no such setting.
        FederationError: The SuperLink does not answer, or says no.
    """
    folder, place = FlowerFolder(home), bundle or default_bundle()
    unknown = set(config) - set(bundle_settings(place)[1])
    if unknown:
        raise UsageError("a run has no such setting", hint=f"unknown: {', '.join(sorted(unknown))}")
    archive = build_bundle(place)
    fab = Fab(hashlib.sha256(archive).hexdigest(), archive, {})
    request = StartRunRequest(fab=fab_to_proto(fab), override_config=user_config_to_proto(dict(config)))
    with control_client(folder) as client:
        response = call(client.StartRun, request, what="the run cannot be started")
    if not response.run_id:
        raise FederationError("the run cannot be started")
    folder.wake.touch()
    return int(response.run_id)


def stop_run(home: CoordinatorHome, run_id: int) -> None:
    """Stop a run; one that has ended already is left as it is.

    Raises:
        FederationError: There is no such run, or the SuperLink does not answer.
    """
    with control_client(FlowerFolder(home)) as client:
        if not _states(client.ListRuns, run_id)[0].finished:
            call(client.StopRun, StopRunRequest(run_id=run_id), what="the run cannot be stopped")


def run_state(home: CoordinatorHome, run_id: int) -> RunState:
    """How far one run is.

    Raises:
        FederationError: There is no such run, or the SuperLink does not answer.
    """
    with control_client(FlowerFolder(home)) as client:
        return _states(client.ListRuns, run_id)[0]


def list_runs(home: CoordinatorHome) -> list[RunState]:
    """The newest runs, newest first.

    Raises:
        FederationError: The SuperLink does not answer.
    """
    with control_client(FlowerFolder(home)) as client:
        return _states(client.ListRuns, None)


def register_node(home: CoordinatorHome, public_key: bytes) -> int:
    """Let a laptop's node key connect; one that may already keeps its number.

    Args:
        home: The coordinator.
        public_key: P-384, one line in OpenSSH's format.

    Returns:
        Flower's number of the node.

    Raises:
        ProtocolError: That is no such key.
        FederationError: The key was revoked, or the SuperLink does not answer.
    """
    request = RegisterNodeRequest(public_key=_pem(public_key))
    revoked = ("this laptop's key was revoked", "a revoked key never comes back: the laptop joins anew with another")
    with control_client(FlowerFolder(home)) as client:
        for node in call(client.ListNodes, ListNodesRequest(), what="the laptop cannot be registered").nodes_info:
            if node.public_key == request.public_key and node.status != NodeStatus.UNREGISTERED:
                return int(node.node_id)
        hints = {int(ApiErrorCode.PUBLIC_KEY_ALREADY_IN_USE): revoked}
        return int(call(client.RegisterNode, request, what="the laptop cannot be registered", hints=hints).node_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A laptop's node key as Flower knows it.

    Attributes:
        node_key: In OpenSSH's format.
        is_online: Whether it is connected now.
        registered: When it was registered, as Flower writes it (ISO 8601), or "".
    """

    node_key: bytes
    is_online: bool
    registered: str


def node_states(home: CoordinatorHome) -> list[NodeState]:
    """The laptops that may connect.

    Raises:
        FederationError: The SuperLink does not answer.
    """
    with control_client(FlowerFolder(home)) as client:
        nodes = call(client.ListNodes, ListNodesRequest(), what="the laptops cannot be counted").nodes_info
    return [
        NodeState(node_key=key, is_online=node.status == NodeStatus.ONLINE, registered=str(node.registered_at))
        for node in nodes
        if node.status != NodeStatus.UNREGISTERED and (key := openssh_key(node.public_key)) is not None
    ]


def connected_nodes(home: CoordinatorHome) -> int:
    """How many laptops are connected now.

    Raises:
        FederationError: The SuperLink does not answer.
    """
    with control_client(FlowerFolder(home)) as client:
        nodes = call(client.ListNodes, ListNodesRequest(), what="the laptops cannot be counted").nodes_info
        return sum(node.status == NodeStatus.ONLINE for node in nodes)


def unregister_node(home: CoordinatorHome, public_key: bytes) -> None:
    """Let a laptop's node key connect no more, ever; a key that is not registered is left as it is.

    Raises:
        ProtocolError: That is no P-384 key in OpenSSH's format.
        FederationError: The SuperLink does not answer.
    """
    pem = _pem(public_key)
    with control_client(FlowerFolder(home)) as client:
        nodes = call(client.ListNodes, ListNodesRequest(), what="the laptop cannot be revoked").nodes_info
        for node in nodes:
            if node.public_key == pem and node.status != NodeStatus.UNREGISTERED:
                call(client.UnregisterNode, UnregisterNodeRequest(node_id=node.node_id), what="the laptop cannot be revoked")


def openssh_key(pem: bytes) -> bytes | None:
    """A node's key as Flower keeps it (PEM), in the format that laptops hand over; `None` when it is no P-384 key."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        return None
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def _pem(public_key: bytes) -> bytes:
    try:
        key = load_ssh_public_key(public_key)
    except Exception as error:
        raise ProtocolError("a node key cannot be read") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise ProtocolError("a node key is not on P-384")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _states(list_runs_call: Callable[[ListRunsRequest], ListRunsResponse], run_id: int | None) -> list[RunState]:
    request = ListRunsRequest(limit=_LISTED_RUNS) if run_id is None else ListRunsRequest(run_id=run_id)
    runs = call(list_runs_call, request, what="the runs cannot be listed").run_dict.values()
    newest_first = sorted(runs, key=lambda run: run.pending_at, reverse=True)
    return [
        RunState(run_id=run.run_id, status=run.status.status, ending=run.status.sub_status, details=run.status.details)
        for run in newest_first
    ]
