"""`hometone queue`: many voices, unattended."""

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session
from hometone_client.cli.train import PriceOption, TierOption
from hometone_client.jobs.queue import ATTEMPTS, JobQueue
from hometone_client.jobs.tiers import Tier
from hometone_shared.errors import ResourceError

EPILOG = """\b
Examples:
  hometone queue add mei --pin-file pin.txt         her PIN lets this computer do this one job without it
  hometone queue list
  hometone queue run                                until the queue is empty; stop it at any time, nothing is lost

A job waits until there is memory for it. When it is done, the permission to open her data without the PIN ends."""
_PLAIN_INTERVAL_S = 15.0


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Many voices, unattended.", rich_markup_mode=None)
    app.add_typer(group, name="queue")

    @group.command(name="add", epilog=EPILOG)
    def add(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose voice.")],
        tier: TierOption = Tier.STANDARD,
        price_per_hour: PriceOption = None,
        pin_file: PinFile = None,
    ) -> None:
        """Put a speaker's voice into the queue."""
        session: Session = context.obj
        with session.vault() as vault:
            entry = vault.find(speaker)
            with session.unlocked(vault, entry, pin_file=pin_file) as room:
                job = JobQueue(vault, home=session.home).add(room, tier=tier, price_per_hour=price_per_hour)
        lines = [session.terminal.words("queued", name=entry.name, tier=tier.value)]
        session.terminal.answer("queue add", {"speaker": entry.name, "job": asdict(job)}, lines=lines)

    @group.command(name="list", epilog=EPILOG)
    def list_jobs(context: typer.Context) -> None:
        """Show what waits."""
        session: Session = context.obj
        terminal = session.terminal
        with session.vault() as vault:
            jobs = JobQueue(vault, home=session.home).jobs()
        table = Table(box=None, pad_edge=False)
        for key in ("column-voice", "column-tier", "column-added", "column-result"):
            table.add_column(terminal.words(key))
        for queued in jobs:
            state = queued.job.error or terminal.words("waiting")
            table.add_row(queued.name, queued.job.tier.value, queued.job.added[:16], f"{state} ({queued.job.attempts}/{ATTEMPTS})")
        values = {"jobs": [{"speaker": queued.name, **asdict(queued.job)} for queued in jobs]}
        if not jobs:
            terminal.say("queue-empty")
        terminal.answer("queue list", values, table=table if jobs else None)

    @group.command(name="remove", epilog=EPILOG)
    def remove(context: typer.Context, speaker: Annotated[str, typer.Argument(help="Whose job.")]) -> None:
        """Take a speaker's job out of the queue."""
        session: Session = context.obj
        with session.vault() as vault:
            entry = vault.find(speaker)
            JobQueue(vault, home=session.home).remove(entry.speaker_id)
        session.terminal.answer("queue remove", {"speaker": entry.name}, lines=[session.terminal.words("unqueued", name=entry.name)])

    @group.command(name="run", epilog=EPILOG)
    def run(
        context: typer.Context,
        workers: Annotated[int, typer.Option(help="Voices at once, if memory allows; one keeps two cores busy.", min=1, max=64)] = 1,
        patience: Annotated[float, typer.Option(help="Seconds that a job waits for memory.", min=0)] = 600.0,
    ) -> None:
        """Make every voice that waits."""
        session: Session = context.obj
        terminal = session.terminal
        told: dict[str, float] = {}

        def report(name: str, fraction: float, words: str, remaining_s: float | None) -> None:
            now = time.monotonic()
            if now - told.get(name, 0.0) >= _PLAIN_INTERVAL_S:
                told[name] = now
                left = f", {terminal.minutes(remaining_s)}" if remaining_s is not None else ""
                terminal.line(f"{name}: {fraction:.0%} {terminal.words(f'stage-{words}')}{left}")

        with session.vault() as vault:
            outcomes = JobQueue(vault, home=session.home).run(workers=workers, report=report, patience_s=patience)
        values: dict[str, Any] = {"outcomes": [asdict(outcome) for outcome in outcomes]}
        lines = [
            terminal.words("job-done", name=outcome.name, seconds=round(outcome.record["usage"]["wall_s"]))
            if outcome.done
            else terminal.words("job-failed", name=outcome.name, why=outcome.error)
            for outcome in outcomes
        ]
        failed = [outcome for outcome in outcomes if not outcome.done]
        if failed:
            if not terminal.as_json:
                terminal.answer("queue run", values, lines=lines)
            error = ResourceError(f"{len(failed)} of {len(outcomes)} voices were not made", hint="hometone queue list says why")
            raise typer.Exit(terminal.fail("queue run", error, values=values))
        if not outcomes:
            terminal.say("queue-empty")
        terminal.answer("queue run", values, lines=lines)
