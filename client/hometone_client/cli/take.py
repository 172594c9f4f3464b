"""`hometone take add`: recordings in, measured at once, stored sealed."""

import csv
import datetime as dt
import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from hometone_client.cli.kept_takes import add_commands
from hometone_client.cli.session import PinFile, Session
from hometone_client.enrolling.intake import Recogniser, Spoken, assess, keep, plain_figures
from hometone_client.models import model_folder
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import HometoneError, TakeRejectedError, UsageError

if TYPE_CHECKING:
    from hometone_client.audio import RawTake
    from hometone_client.audio.recorder import Level
    from hometone_client.takes import AssessedTake, Campaign

_LONGEST_TABLE_BYTES: Final = 16 << 20
EPILOG = """\b
Examples:
  hometone take add mei kitchen.m4a holiday.mp3              recordings in free words; they are written down on this computer
  hometone take add mei greeting.wav --text "Good morning."  the words are known
  hometone take add mei --microphone --prompt zh:1           read the first sentence of the Chinese campaign
  hometone take add mei --microphone --seconds 20            talk freely for twenty seconds
  hometone take add mei *.flac --texts texts.csv             many recordings whose words are known
  hometone take add mei test.flac --held-out                 keep it for judging the voice; it is not learnt from

About one minute of speech makes a voice. A take that is too short, too noisy or clipped is not stored, and the reason is given with the
figure and the aim (exit code 9); the other files of the same line are stored all the same."""


def prompted(prompt: str | None, *, text: str | None, language: str | None, folder: Path | None) -> Spoken:
    """The words that belong to a take.

    Args:
        prompt: `CAMPAIGN:NUMBER`, sentences counted from 1.
        text: The words themselves.
        language: ISO 639 code.
        folder: Campaigns of the coordinator.

    Raises:
        UsageError: Both were given, or there is no such sentence.
    """
    from hometone_client.takes import campaign

    if prompt is None:
        return Spoken(text=text, language=language)
    if text is not None:
        raise UsageError("a take has either a prompt or a text", hint="leave one of the two out")
    name, _, number = prompt.rpartition(":")
    chosen: Campaign = campaign(name, folder)
    if not number.isdecimal() or not 1 <= int(number) <= len(chosen.sentences):
        raise UsageError("there is no such sentence", hint=f"choose {name}:1 to {name}:{len(chosen.sentences)}")
    return Spoken(text=chosen.sentences[int(number) - 1], language=language or chosen.language)


def read_texts(table: Path) -> dict[str, Spoken]:
    """The words of many recordings: a CSV table with the columns `file`, `text` and, if wanted, `language`.

    Raises:
        UsageError: It cannot be read or has no such columns.
    """
    try:
        with table.open("rb") as source:
            data = source.read(_LONGEST_TABLE_BYTES + 1)
        if len(data) > _LONGEST_TABLE_BYTES:
            raise UsageError("the table of texts is too long", hint="give a table of the recordings of one speaker")
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
        return {row["file"]: Spoken(text=row["text"] or None, language=row.get("language") or None) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise UsageError("the table of texts cannot be read", hint="it is a UTF-8 CSV file with the columns file and text") from error


def plain_findings(assessed: "AssessedTake", *, language: str) -> list[dict[str, Any]]:
    """What is worth saying about a take, as plain JSON."""
    return [
        {
            "code": finding.code.value,
            "severity": finding.severity.value,
            "figure": finding.figure,
            "aim": finding.aim,
            "unit": finding.unit,
            "words": finding.words(language),
        }
        for finding in assessed.findings
    ]


def stop_after_line(session: Session, stop: threading.Event) -> None:
    """Wait for Enter, then end the recording."""
    session.terminal.read_line()
    stop.set()


def record_take(session: Session, *, spoken: Spoken, seconds: float | None, device: str | None) -> "RawTake":
    """Record from a microphone until Enter is pressed, or for a while.

    Raises:
        UsageError: Nobody is there to press Enter, and no length was given.
        AudioError: The microphone refuses.
    """
    from hometone_client.audio.recorder import record

    terminal = session.terminal
    if seconds is None and not terminal.interactive:
        raise UsageError("nobody is there to end the recording", hint="say how long with --seconds")
    stop = threading.Event()
    if spoken.text:
        terminal.text(f"\n    {spoken.text}\n")
    if terminal.interactive:
        terminal.wait_for_enter("press-enter-to-record")
    if seconds is None:
        terminal.say("press-enter-to-stop")
        threading.Thread(target=stop_after_line, args=(session, stop), daemon=True).start()
    else:
        terminal.say("recording-for", seconds=f"{seconds:g}")
    chosen = int(device) if device is not None and device.isdecimal() else device

    def level(now: "Level") -> None:
        terminal.meter(now.rms_dbfs, now.elapsed_s)

    # With a fixed length the tail that follows a key is part of it.
    take = record(stop=stop, device=chosen, on_level=level, **({} if seconds is None else {"max_duration_s": seconds}))
    terminal.end_meter()
    return take


class Intake:
    """Assesses and stores takes of one speaker."""

    def __init__(self, session: Session, room: SpeakerRoom, *, held_out: bool) -> None:
        """The recogniser is loaded with the first take that needs it."""
        self._session = session
        self._room = room
        self._held_out = held_out
        self._recogniser = Recogniser(model_folder(), progress=session.terminal.line)

    def add(self, take: "RawTake", *, spoken: Spoken) -> dict[str, Any]:
        """Assess one take and store it if the gate lets it pass.

        Raises:
            TakeRejectedError: With figure and aim; nothing was stored.
        """
        terminal = self._session.terminal
        assessed = assess(take, spoken=spoken, recogniser=self._recogniser)
        answer: dict[str, Any] = {
            "seconds": round(take.duration_s, 3),
            "figures": plain_figures(assessed),
            "findings": plain_findings(assessed, language=terminal.language),
        }
        try:
            record = keep(self._room, assessed, spoken=spoken, held_out=self._held_out, language=terminal.language)
        except TakeRejectedError as error:
            return {**answer, "stored": False, "error": error.message, "hint": error.hint}
        return {**answer, "stored": True, "take": record.name, "language": record.language}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Recordings of a speaker.", rich_markup_mode=None)
    app.add_typer(group, name="take")

    @group.callback()
    def take() -> None:
        """Recordings of a speaker."""

    add_commands(group)

    @group.command(name="add", epilog=EPILOG)
    def add(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose recordings they are.")],
        files: Annotated[
            list[Path] | None, typer.Argument(help="Sound files: wav, flac, mp3, ogg, opus, m4a, webm; any rate, any channels.")
        ] = None,
        text: Annotated[str | None, typer.Option(help="What is said in it, word for word; for one recording.")] = None,
        texts: Annotated[Path | None, typer.Option(help="CSV table of the words: file, text and, if wanted, language.")] = None,
        prompt: Annotated[
            str | None, typer.Option(metavar="CAMPAIGN:N", help="Sentence N of a campaign, for instance zh:1 or en:3.")
        ] = None,
        campaigns: Annotated[Path | None, typer.Option(help="Folder with further campaigns (JSON files).")] = None,
        language: Annotated[str | None, typer.Option(help="Language spoken, such as zh or en; default: recognised.")] = None,
        microphone: Annotated[bool, typer.Option("--microphone", help="Record now instead of reading files.")] = False,
        device: Annotated[str | None, typer.Option(help="Which microphone: its number or a part of its name (hometone doctor).")] = None,
        seconds: Annotated[float | None, typer.Option(help="Record for so long; otherwise until Enter is pressed.", min=1, max=180)] = None,
        held_out: Annotated[bool, typer.Option("--held-out", help="Keep for judging the voice; do not learn from it.")] = False,
        pin_file: PinFile = None,
    ) -> None:
        """Add recordings: each is measured at once, and stored sealed if it is good enough."""
        from hometone_client.audio import decode

        session: Session = context.obj
        terminal = session.terminal
        paths = files or []
        if bool(paths) == microphone:
            raise UsageError("say where the recording comes from", hint="name files, or use --microphone")
        if len(paths) > 1 and (text is not None or prompt is not None):
            raise UsageError("one text belongs to one recording", hint="add them one by one, or leave the text out")
        spoken = prompted(prompt, text=text, language=language, folder=campaigns)
        known = read_texts(texts) if texts is not None else {}
        results: list[dict[str, Any]] = []
        failure: HometoneError | None = None
        with session.speaker(speaker, pin_file=pin_file) as room:
            room.require(Purpose.OWN_VOICE, now=dt.datetime.now(dt.UTC))
            intake = Intake(session, room, held_out=held_out)
            with terminal.progress("taking", count=max(1, len(paths))) as line:
                for number, path in enumerate(paths or [None]):
                    source = path.name if path else "microphone"
                    line.update(number / max(1, len(paths)), words=source)
                    try:
                        take = decode(path) if path else record_take(session, spoken=spoken, seconds=seconds, device=device)
                        result = intake.add(take, spoken=known.get(source, spoken))
                        if not result["stored"]:
                            failure = failure or TakeRejectedError(f"{source}: {result['error']}", hint=result["hint"])
                    except HometoneError as error:
                        if (
                            not path or len(paths) == 1 or error.exit_code in range(3, 8)
                        ):  # consent and vault: no other file would do better
                            raise
                        result = {"stored": False, "error": error.message, "hint": error.hint}
                        failure = failure or type(error)(f"{source}: {error.message}", hint=error.hint)
                    results.append({"file": source, **result})
            usable_s = round(sum(record.speech_s for record in room.takes() if not record.held_out), 1)
        table = Table(box=None, pad_edge=False)
        for key in ("column-file", "column-seconds", "column-result"):
            table.add_column(terminal.words(key))
        for result in results:
            words = result.get("take") or result["error"]
            advice = "; ".join(finding["words"] for finding in result.get("findings", [])) if result["stored"] else ""
            table.add_row(result["file"], f"{result.get('seconds', 0):.1f}", f"{words} {advice}".strip())
        values = {"speaker": speaker, "takes": results, "speech_s": usable_s}
        if failure is not None:
            if not terminal.as_json:
                terminal.answer("take add", values, table=table)
            raise typer.Exit(terminal.fail("take add", failure, values=values))
        terminal.answer("take add", values, table=table)
        terminal.say("speech-so-far", seconds=usable_s)
