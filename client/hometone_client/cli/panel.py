"""`hometone panel list|add|fetch|prepare|report`: the listening test on this computer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.listening.panels import LONGEST_FILE, PanelShelf
from hometone_client.models import model_folder
from hometone_keys import Vault
from hometone_shared.errors import ConsentError, ModelError, UsageError
from hometone_shared.records.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from hometone_client.listening.levels import Samples

LIST_EPILOG = """\b
Examples:
  hometone panel list
  hometone panel list --json"""
ADD_EPILOG = """\b
Examples:
  hometone panel add panel.json      a file that the coordinator has made
  hometone panel fetch               the newest one, over the network"""
PREPARE_EPILOG = """\b
Examples:
  hometone panel prepare mei
  hometone panel prepare mei --panel 4f1c --yes --pin-file pin.txt

She has agreed first: hometone consent mei --purpose listening-test. Everything that is made is sealed with her things and goes with
them. What listeners answer stays here; a round of the purpose listening sums averages of many people, with noise."""
REPORT_EPILOG = """\b
Examples:
  hometone panel report mei
  hometone panel report mei --json"""

Number = Annotated[str | None, typer.Option("--panel", help="Number of the panel, or its beginning; default: the newest.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panels = typer.Typer(help="Let people judge the voices of this computer by ear.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(panels, name="panel")

    @panels.command(name="list", epilog=LIST_EPILOG)
    def list_(context: typer.Context) -> None:
        """Show the panels that this computer knows, and how many voices are ready."""
        from hometone_client.listening.sittings import Sittings

        session: Session = context.obj
        terminal = session.terminal
        rows: list[dict[str, Any]] = [{**_about(panel), "voices": 0} for panel in PanelShelf(session.home).panels()]
        if rows and Vault.exists(session.home):
            with session.vault() as vault:
                rows = [{**_about(offer.panel), "voices": offer.voices} for offer in Sittings(session.home, vault).offers()]
        table = Table(box=None, pad_edge=False)
        for key in ("column-panel", "column-title", "column-questions", "column-voices"):
            table.add_column(terminal.words(key))
        for row in rows:
            table.add_row(row["panel"], row["title"], str(row["trials"]), str(row["voices"]))
        terminal.answer(
            "panel list", {"panels": rows}, lines=[] if rows else [terminal.words("panels-none")], table=table if rows else None
        )

    @panels.command(name="add", epilog=ADD_EPILOG)
    def add(context: typer.Context, file: Annotated[Path, typer.Argument(help="The panel, as the coordinator gave it out.")]) -> None:
        """Take in a panel from a file."""
        session: Session = context.obj
        try:
            with file.open("rb") as source:
                data = source.read(LONGEST_FILE + 1)
        except OSError as error:
            raise UsageError("the file of the panel cannot be read", hint="check its name and its permissions") from error
        _known(session, "panel add", PanelShelf(session.home).add(data))

    @panels.command(name="fetch")
    def fetch(context: typer.Context) -> None:
        """Ask the coordinator for its newest panel."""
        session: Session = context.obj
        _known(session, "panel fetch", PanelShelf(session.home).fetch())

    @panels.command(name="prepare", epilog=PREPARE_EPILOG)
    def prepare_(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose voice is to be heard.")],
        panel: Number = None,
        measure: Annotated[bool, typer.Option(help="Let the recogniser and DNSMOS judge the sounds, too.")] = True,
        distillmos: Annotated[bool, typer.Option("--distillmos", help="Let DistillMOS judge them, too; needs torch.")] = False,
        yes: Yes = False,
        pin_file: PinFile = None,
    ) -> None:
        """Make the sounds of a listening test for one voice.

        What the voice is going to say is shown; --yes says that its owner has seen it and agrees.
        """
        from hometone_client.listening.preparing import Voices, prepare, texts_for
        from hometone_client.listening.rendering import Renderer, measured_by

        session: Session = context.obj
        terminal = session.terminal
        chosen = PanelShelf(session.home).find(panel)
        with session.speaker(speaker, pin_file=pin_file) as room:
            texts = texts_for(room, chosen)
            terminal.say("panel-shows", name=room.name)
            for sentences in texts.values():
                for sentence in sentences:
                    terminal.line(f"  {sentence}")
            if not yes and not terminal.confirm(terminal.words("ask-panel"), expected=terminal.words("yes-word"), option="--yes"):
                raise ConsentError("nothing was made, as you wished", hint="nothing more is needed")
            renderer = Renderer(model_folder())
            with terminal.progress("panel-preparing", voice=room.name) as line:
                made = prepare(
                    room,
                    chosen,
                    voices=Voices(own=renderer.voice, stock=renderer.stock),
                    measure=measured_by(model_folder(), distillmos=_distillmos() if distillmos else None)
                    if measure or distillmos
                    else None,
                    progress=line.update,
                )
            name = room.name
        values = {
            "speaker": name,
            "panel": made.panel,
            "clips": made.clips,
            "seconds": round(made.seconds, 1),
            "languages": list(made.languages),
        }
        words = terminal.words("panel-prepared", name=name, clips=made.clips, seconds=f"{made.seconds:.0f}")
        terminal.answer("panel prepare", values, lines=[words])

    @panels.command(name="report", epilog=REPORT_EPILOG)
    def report(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose voice was judged.")],
        panel: Annotated[
            str | None, typer.Option("--panel", help="Number of the panel, or its beginning; default: the last one she was judged in.")
        ] = None,
        pin_file: PinFile = None,
    ) -> None:
        """Show the owner of a voice what listeners said: means with 95 % intervals, beside what was measured."""
        from hometone_client.listening.report import panel_report

        session: Session = context.obj
        terminal = session.terminal
        number = None if panel is None else PanelShelf(session.home).find(panel).number
        with session.speaker(speaker, pin_file=pin_file) as room:
            found, name = panel_report(room, panel=number), room.name
        table = Table(box=None, pad_edge=False)
        for key in ("column-what", "column-language", "column-listeners", "column-mean"):
            table.add_column(terminal.words(key))
        for opinion in found.opinions:
            what = f"{terminal.words(f'scale-{opinion.scale.value}')}, {terminal.words(f'role-{opinion.role.value}')}"
            mean = f"{opinion.mean.value:.2f} ({opinion.mean.low:.2f} - {opinion.mean.high:.2f})"
            table.add_row(what, opinion.language, str(opinion.listeners), mean)
        for measured in found.measurements:
            for figure, value in measured.figures.items():
                what = f"{terminal.words(f'figure-{figure}')}, {terminal.words(f'role-{measured.role.value}')}"
                table.add_row(what, measured.language, "", f"{value:.1%}" if figure == "error_rate" else f"{value:.2f}")
        words = terminal.words("panel-heard", name=name, listeners=found.listeners, headphones=found.with_headphones, know=found.who_know)
        terminal.answer("panel report", {"speaker": name, **found.to_record()}, lines=[words], table=table)


def _distillmos() -> "Callable[[Samples, int], float]":
    try:
        from hometone_client.evaluation.distillmos import DistillMos
    except ImportError as error:
        raise ModelError("DistillMOS needs torch, which is not installed", hint="leave out --distillmos") from error
    from hometone_client.models import ensure

    return DistillMos(ensure("distillmos", folder=model_folder())).score


def _about(panel: Panel) -> dict[str, Any]:
    return {
        "panel": panel.number,
        "title": panel.title,
        "made": panel.made,
        "languages": list(panel.sentences),
        "scales": sorted(scale.value for scale in panel.scales),
        "trials": panel.trials,
        "traps": panel.traps,
    }


def _known(session: Session, command: str, panel: Panel) -> None:
    words = session.terminal.words("panel-known", number=panel.number, title=panel.title)
    session.terminal.answer(command, _about(panel), lines=[words])
