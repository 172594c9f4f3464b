"""`hometone-coordinator plan`: what a cohort can learn from a budget, before anybody takes part."""

from typing import Annotated

import typer
from rich.table import Table

from hometone_server.cli.session import Session
from hometone_shared.privacy.planning import LARGEST_USEFUL_NOISE_TO_SIGNAL, estimate
from hometone_shared.shared_model import SharedModel

EPILOG = """\b
Examples:
  hometone-coordinator plan --speakers 127 --rounds 10 --epsilon 4
  hometone-coordinator plan --speakers 20 --rounds 5 --epsilon 8 --laptops 6

Epsilon is what a speaker may lose altogether: below 1 is very little, 8 is a lot. Noise-to-signal above 1.5 means
that mostly noise is learnt: ask more people, plan fewer coordinates, or allow more."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="plan", epilog=EPILOG)
    def plan(
        context: typer.Context,
        speakers: Annotated[int, typer.Option(help="How many people take part.", min=2)],
        rounds: Annotated[int, typer.Option(help="How many rounds.", min=1)] = 10,
        epsilon: Annotated[float, typer.Option(help="What each of them may lose altogether.")] = 4.0,
        delta: Annotated[float | None, typer.Option(help="Default: one over ten times the number of people.")] = None,
        laptops: Annotated[int | None, typer.Option(help="Laptops they share; default: one each.")] = None,
        dimension: Annotated[int | None, typer.Option(help="Coordinates to learn; default: as many as are useful.", min=1)] = None,
        signal: Annotated[float, typer.Option(help="How alike people's changes are: norm of the mean over the clip norm.")] = 0.2,
        replays: Annotated[int, typer.Option(help="How often all may be repeated without somebody who withdrew.", min=0)] = 0,
        colluders: Annotated[int, typer.Option(help="Laptops that may be in league with the coordinator.", min=0)] = 0,
    ) -> None:
        """Work out dimension, noise and cost of a campaign without starting anything."""
        session: Session = context.obj
        terminal = session.terminal
        found = estimate(
            speakers=speakers,
            rounds=rounds,
            epsilon=epsilon,
            delta=delta,
            devices=laptops,
            dimension=dimension,
            signal=signal,
            reserved_replays=replays,
            largest_dimension=SharedModel.of_this_version().dimension,
            colluders=colluders,
        )
        values = {
            "speakers": found.speakers,
            "laptops": found.devices,
            "rounds": found.rounds,
            "epsilon": found.epsilon,
            "delta": found.delta,
            "dimension": found.dimension,
            "noise_multiplier": found.noise_multiplier,
            "noise_to_signal": found.noise_to_signal,
            "useful": found.useful,
            "epsilon_per_round": found.epsilon_per_round,
            "epsilon_after_rounds": list(found.epsilon_after_rounds),
            "bytes_up_per_laptop": found.bytes_up_per_device,
            "minimum_cohort": found.minimum_cohort,
            "threshold": found.threshold,
        }
        table = Table(box=None, pad_edge=False, show_header=False)
        for key, value in (
            ("plan-dimension", found.dimension),
            ("plan-noise", f"{found.noise_multiplier:.2f}"),
            ("plan-ratio", f"{found.noise_to_signal:.2f}"),
            ("plan-round-cost", f"{found.epsilon_per_round:.2f}"),
            ("plan-cost", f"{found.epsilon_after_rounds[-1]:.2f}, delta {found.delta:.1e}"),
            ("plan-bytes", f"{found.bytes_up_per_device / 1024:.1f} KiB"),
            ("plan-cohort", f"{found.minimum_cohort} / {found.threshold}"),
        ):
            table.add_row(terminal.words(key), str(value))
        terminal.answer("plan", values, table=table)
        if not found.useful:
            terminal.hint(terminal.words("plan-too-noisy", limit=LARGEST_USEFUL_NOISE_TO_SIGNAL))
