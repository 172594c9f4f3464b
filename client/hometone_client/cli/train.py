"""`hometone train SPEAKER`: make the voice, now."""

from typing import Annotated

import typer

from hometone_client.cli.session import PinFile, Session
from hometone_client.jobs.tiers import Tier
from hometone_client.models import model_folder

EPILOG = """\b
Examples:
  hometone train mei                    at most five minutes on two cores
  hometone train mei --tier quick       one to two minutes, a plainer likeness
  hometone train mei --plain-base       not on the newest release of the shared model

Interrupt it at any time (Ctrl+C, a closed lid): the next call goes on where it stopped. Many speakers: hometone queue."""

PriceOption = Annotated[
    float | None,
    typer.Option(
        "--price-per-hour",
        envvar="HOMETONE_PRICE_PER_HOUR",
        help="What an hour of this computer costs; goes into the record of the voice.",
        min=0,
    ),
]
TierOption = Annotated[Tier, typer.Option(help="How much care the voice is made with.")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="train", epilog=EPILOG)
    def train(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose voice.")],
        tier: TierOption = Tier.STANDARD,
        plain_base: Annotated[
            bool, typer.Option("--plain-base", help="Start from the base itself, even where this computer holds a shared release.")
        ] = False,
        price_per_hour: PriceOption = None,
        pin_file: PinFile = None,
    ) -> None:
        """Make a speaker's voice from her takes, on this computer."""
        from hometone_client.federation.newest_release import newest_release
        from hometone_client.jobs.making import make_voice

        session: Session = context.obj
        terminal = session.terminal
        with session.speaker(speaker, pin_file=pin_file) as room, terminal.progress("training", name=room.name) as line:
            record = make_voice(
                room,
                tier=tier,
                models=model_folder(),
                progress=lambda fraction, stage, left: line.update(fraction, words=terminal.words(f"stage-{stage}"), remaining_s=left),
                price_per_hour=price_per_hour,
                shared=None if plain_base else newest_release(session.home),
            )
            name = room.name
        usage = record["usage"]
        lines = [terminal.words("trained", name=name, seconds=round(usage["wall_s"]), mib=usage["peak_mib"])]
        terminal.answer("train", {"speaker": name, "record": record}, lines=lines)
        terminal.hint(terminal.words("trained-hint", name=name))
