"""The grid that the executor hands to the ServerApp: Flower's own, over a connection of ours.

Flower's HttpGrid connects by itself and retries by itself, and on an answer 401 sends SIGINT to its process; everything else of it is kept,
so that a bundle sees what it would see under the stock executor.
"""

from flwr.supercore.run import Run
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.superlink.grid import HttpGrid


class TaskGrid(HttpGrid):
    """A grid for one task."""

    def __init__(self, client: RuntimeHttpClient, run: Run) -> None:
        """Use a client that shows the task's token; it stays open, its owner closes it."""
        super().__init__(token="unused: the client shows it")  # noqa: S106 - not a secret
        self._client = client
        self.set_run(run)

    def close(self) -> None:
        """Leave the connection to its owner."""
