"""What may pass to the SuperLink, by address of the call: little from outside, a little more from this machine, nothing else.

Flower's own port answers everything to everybody who reaches it: whoever can, starts runs and takes tasks. So there are two listeners, each
behind a gate of its own:

* `PublicGate` lets laptops' eight Fleet calls through (each authenticated by the node's key inside Flower), `/health`, and whatever
  application is mounted under `/hometone/`. Not `get-fab`: a laptop never takes code. Not `confirm-message-received`: laptops have no need
  of it, and it deletes what others may still be fetching.
* `LoopbackGate` lets the executor's calls through (authenticated by secret or token inside Flower) and, for who shows the control secret,
  the calls that start runs and register laptops: another account on the same machine cannot.

Anything else is answered 404. Both are plain ASGI; neither may ever look into a body.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from hometone_server.flower.waiting import Application, Bell, Receive, Scope, Send, Turns, answer, wanted_wait_s
from hometone_shared.messages import LONGEST_VECTOR

HEALTH: Final = "/health"
MOUNT: Final = "/hometone"
PUSH_MESSAGES: Final = "/v1/fleet/push-messages"
PUSH_OBJECT: Final = "/v1/fleet/push-object"
PULL_MESSAGES: Final = "/v1/fleet/pull-messages"
RUNTIME_PUSH_MESSAGES: Final = "/v1/runtime/push-messages"
RUNTIME_PUSH_OBJECT: Final = "/v1/runtime/push-object"
RUNTIME_PULL_MESSAGES: Final = "/v1/runtime/pull-messages"
FLEET_CALLS: Final = frozenset(
    f"/v1/fleet/{name}"
    for name in (
        "activate-node",
        "deactivate-node",
        "get-run",
        "pull-messages",
        "pull-object",
        "push-messages",
        "push-object",
        "send-node-heartbeat",
    )
)
RUNTIME_CALLS: Final = frozenset(
    f"/v1/runtime/{name}"
    for name in (
        "acquire-task",
        "confirm-message-received",
        "get-nodes",
        "pull-messages",
        "pull-object",
        "pull-task-input",
        "push-logs",
        "push-messages",
        "push-object",
        "push-task-output",
        "send-task-heartbeat",
    )
)
CONTROL_CALLS: Final = frozenset(
    f"/v1/control/{name}" for name in ("list-nodes", "list-runs", "register-node", "start-run", "stop-run", "unregister-node")
)
CONTROL_HEADER: Final = "hometone-control"
_LAPTOPS_CARE: Final = frozenset({RUNTIME_PUSH_MESSAGES, RUNTIME_PUSH_OBJECT, "/v1/control/unregister-node"})
"""Announcements count, too: an object that was there before is not uploaded again. A revoked laptop hears of it at once."""
_COORDINATOR_CARES: Final = frozenset({PUSH_MESSAGES, PUSH_OBJECT})
_SMALL_BODY: Final = 1 << 20
_LARGE_BODY: Final = LONGEST_VECTOR + (2 << 20)
"""One object: a document and a vector."""


@dataclass(frozen=True, slots=True)
class Order:
    """What both gates share (see `waiting`).

    Attributes:
        turns: One call at a time.
        laptops: Rings after the coordinator announced or uploaded something for laptops.
        coordinator: Rings after a laptop announced or uploaded something.
    """

    turns: Turns = field(default_factory=Turns)
    laptops: Bell = field(default_factory=Bell)
    coordinator: Bell = field(default_factory=Bell)


class PublicGate:
    """The public side."""

    def __init__(self, superlink: Application, *, order: Order, mounted: Application | None = None) -> None:
        """Stand in front of the SuperLink.

        Args:
            superlink: Flower's application.
            order: Shared with the other gate.
            mounted: What answers below `/hometone/`, if anything does; it sees whole paths.
        """
        self._superlink = superlink
        self._mounted = mounted
        self._order = order

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one call through, or answer 404."""
        if scope["type"] == "lifespan":
            await (self._mounted or _no_lifespan)(scope, receive, send)
            return
        path, method = scope.get("path", ""), scope.get("method", "")
        if scope["type"] == "http" and method == "GET" and path == HEALTH:
            await self._superlink(scope, receive, send)
        elif scope["type"] == "http" and method == "POST" and path in FLEET_CALLS:
            most = _LARGE_BODY if path == PUSH_OBJECT else _SMALL_BODY
            wait_s = wanted_wait_s(scope) if path == PULL_MESSAGES else 0.0
            await self._order.turns.put(self._superlink, scope, receive, send, most=most, bell=self._order.laptops, wait_s=wait_s)
            if path in _COORDINATOR_CARES:
                self._order.coordinator.ring_soon()
        elif self._mounted is not None and scope["type"] == "http" and path.startswith(f"{MOUNT}/"):
            await self._mounted(scope, receive, send)
        else:
            await _nothing_here(scope, receive, send)


class LoopbackGate:
    """The side of this machine."""

    def __init__(self, superlink: Application, *, order: Order, control_secret: bytes) -> None:
        """Stand in front of the SuperLink.

        Args:
            superlink: Flower's application, whose lifespan is run here.
            order: Shared with the other gate.
            control_secret: What the header `hometone-control` has to say for control calls.
        """
        self._superlink = superlink
        self._secret = control_secret
        self._order = order

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one call through, or answer 404."""
        path, method = scope.get("path", ""), scope.get("method", "")
        if scope["type"] == "lifespan" or (scope["type"] == "http" and method == "GET" and path == HEALTH):
            await self._superlink(scope, receive, send)
        elif scope["type"] == "http" and method == "POST" and self._may_pass(scope):
            wait_s = wanted_wait_s(scope) if path == RUNTIME_PULL_MESSAGES else 0.0
            await self._order.turns.put(
                self._superlink, scope, receive, send, most=_LARGE_BODY, bell=self._order.coordinator, wait_s=wait_s
            )
            if path in _LAPTOPS_CARE:
                self._order.laptops.ring_soon()
        else:
            await _nothing_here(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in CONTROL_CALLS:
            shown = [value for name, value in scope["headers"] if name == CONTROL_HEADER.encode()]
            return len(shown) == 1 and hmac.compare_digest(shown[0], self._secret)
        return path in RUNTIME_CALLS


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    await answer(send, status=404, text=b"nothing here")


async def _no_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    del scope
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
