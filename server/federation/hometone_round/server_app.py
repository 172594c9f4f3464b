"""The coordinator's side of a run: hands Flower's grid to the installed server."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from hometone_server.flower.exchange import FlowerExchange
from hometone_server.rounds.app import run

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the campaign that the run's settings name."""
    with FlowerExchange(grid) as exchange:
        run(exchange, context.run_config)
