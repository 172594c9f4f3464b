"""Notes body lengths of every call that a node makes, the same way for both kinds of node: around the method that signs their calls."""

import json
import time
from pathlib import Path

PRESENCE = ("heartbeat", "register-node", "activate-node", "deactivate-node", "unregister-node")
"""Ends of the paths of calls that say that a node is there: they belong to no round."""


def note_calls(signer: type, file: Path) -> None:
    """From now on, one JSON line a call.

    Args:
        signer: A class with Flower's `intercept`: `FleetCalls` here, `NodeAuthHttpInterceptor` in the stock node.
        file: Where to.
    """
    original = signer.intercept
    lines = file.open("a", buffering=1)

    def intercept(self: object, context: object, call_next: object) -> object:
        response = original(self, context, call_next)
        call = {"at": time.time(), "path": context.request.url.path, "up": len(context.request.content), "down": len(response.content)}
        lines.write(json.dumps(call) + "\n")
        return response

    signer.intercept = intercept


def between(file: Path, began: float, ended: float) -> dict[str, int]:
    """Bytes of a node's calls that were answered in a span of time, those about its presence left out."""
    calls = [json.loads(line) for line in file.read_text().splitlines()]
    counted = [call for call in calls if began <= call["at"] <= ended and not call["path"].endswith(PRESENCE)]
    return {"up": sum(call["up"] for call in counted), "down": sum(call["down"] for call in counted), "calls": len(counted)}
