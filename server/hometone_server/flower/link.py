"""What the dashboard wants of Flower, in three calls; tests have a fake of the same shape.

What it may see: node keys and states. What it must never do: know a laptop's network address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hometone_server.flower.runs import NodeState, node_states, start_run, unregister_node
from hometone_server.home import CoordinatorHome


class FlowerLink(Protocol):
    """The running coordinator (`serve`)."""

    def nodes(self) -> Mapping[bytes, NodeState]:
        """Node key -> state.

        Raises:
            FederationError: It does not run.
        """
        ...

    def start(self, run: str) -> int:
        """Let it work through a campaign; Flower's number of the run.

        Raises:
            FederationError: It does not run, or says no.
        """
        ...

    def forget(self, node_key: bytes) -> None:
        """Let a node key connect no more.

        Raises:
            FederationError: It does not run.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunningFlower:
    """The one of a coordinator's folder.

    Attributes:
        home: The folder.
    """

    home: CoordinatorHome

    def nodes(self) -> Mapping[bytes, NodeState]:
        """See `FlowerLink`."""
        return {state.node_key: state for state in node_states(self.home)}

    def start(self, run: str) -> int:
        """See `FlowerLink`."""
        return start_run(self.home, {"campaign": run})

    def forget(self, node_key: bytes) -> None:
        """See `FlowerLink`."""
        unregister_node(self.home, node_key)
