"""`hometone-coordinator simulate`: how a cohort of a given size behaves, without a single laptop."""

import time
from typing import Annotated

import typer
from rich.table import Table

from hometone_server.cli.session import Session
from hometone_server.simulation.trial import simulate_round
from hometone_shared.errors import FederationError
from hometone_shared.privacy.accounting import noise_multiplier

EPILOG = """\b
Examples:
  hometone-coordinator simulate --laptops 1000 --dimension 4000
  hometone-coordinator simulate --laptops 10 --laptops 100 --laptops 1000

Every virtual laptop runs the real protocol: keys, shares, exact noise, masks. The sum is checked bit for bit. Not simulated: network,
training, vaults."""
_TOLD_EVERY_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="simulate", epilog=EPILOG)
    def simulate(
        context: typer.Context,
        laptops: Annotated[list[int] | None, typer.Option(help="How many; may be given several times.", min=2)] = None,
        dimension: Annotated[int, typer.Option(help="Length of the vectors.", min=1)] = 4000,
        dropouts: Annotated[float, typer.Option(help="Share that leaves on the way, below a third.", min=0.0, max=0.33)] = 0.05,
        rounds: Annotated[int, typer.Option(help="Rounds that the budget is for.", min=1)] = 10,
        epsilon: Annotated[float, typer.Option(help="What a person may lose in all of them.")] = 4.0,
    ) -> None:
        """Simulate rounds among virtual laptops, in this process."""
        session: Session = context.obj
        terminal = session.terminal
        results = []
        table = Table(box=None, pad_edge=False)
        for key in ("column-laptops", "column-stayed", "column-seconds", "column-up", "column-down", "column-exact", "column-error"):
            table.add_column(terminal.words(key), justify="right")
        for count in laptops or [100]:
            told = time.monotonic()

            def watch(kind: str, done: int, of_all: int, count: int = count) -> None:
                nonlocal told
                if time.monotonic() - told >= _TOLD_EVERY_S:
                    told = time.monotonic()
                    terminal.say("simulating", laptops=count, stage=kind, done=done, all=of_all)

            result = simulate_round(
                laptops=count,
                dimension=dimension,
                dropouts=int(count * dropouts),
                noise_multiplier=noise_multiplier(epsilon=epsilon, delta=1 / (10 * count), rounds=rounds),
                told=watch,
            )
            if not result.exact:
                raise FederationError("a simulated sum is not exact", hint="this is a mistake in Hometone; please report it")
            results.append(
                {
                    "laptops": result.laptops,
                    "survivors": result.survivors,
                    "seconds": round(result.seconds, 3),
                    "seconds_by_stage": {stage: round(value, 3) for stage, value in result.figures.seconds.items()},
                    "bytes_up": round(result.bytes_up),
                    "bytes_down": round(result.bytes_down),
                    "exact": result.exact,
                    "mean_error": result.mean_error,
                }
            )
            table.add_row(
                str(result.laptops),
                str(result.survivors),
                f"{result.seconds:.1f}",
                f"{result.bytes_up / 1024:.1f} KiB",
                f"{result.bytes_down / 1024:.1f} KiB",
                "=",
                f"{result.mean_error:.3f}",
            )
        terminal.answer("simulate", {"dimension": dimension, "results": results}, table=table)
