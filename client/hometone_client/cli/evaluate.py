"""`hometone evaluate VOICE`: how near, how clear, how natural, beside the real takes."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from hometone_client.cli.session import PinFile, Session
from hometone_client.models import model_folder
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.exports import export
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import UsageError

if TYPE_CHECKING:
    from hometone_client.embedding.mel import Floats
    from hometone_client.evaluation.assessment import Speak
    from hometone_client.evaluation.yardsticks import Clip, Yardsticks
    from hometone_client.speaking import Sessions
    from hometone_client.voices import VoiceParameters

QUICK_SENTENCES: Final = 3  # of ten
EPILOG = """\b
Examples:
  hometone evaluate mei
  hometone evaluate mei --html report.html --language zh --language mixed
  hometone evaluate mei --quick --json

Speaks sentences that the voice has never read and sets likeness, errors, quality, spectrum, pitch and rate beside takes that were kept back
(take add --held-out). Without --quick it speaks ten of each language, and the nearest mixture of stock voices speaks them too, unadapted,
as the floor. Three sentences say whether a voice works, not how good it is. A report holds figures and synthetic speech, no recording."""


def held_out_clips(room: SpeakerRoom) -> "list[Clip]":
    """The takes that were kept back.

    Raises:
        UsageError: Fewer than two; the ceiling needs two.
    """
    from hometone_client.evaluation.yardsticks import Clip

    clips = [
        Clip(take.samples, take.sample_rate_hz, record.text, record.language or "en") for record, take in room.recordings(held_out=True)
    ]
    if len(clips) < 2:
        raise UsageError("two takes must be kept back from training to judge by", hint=f"hometone take add {room.name} FILE --held-out")
    return clips


def speaker_of(sessions: "Sessions", voice: "VoiceParameters") -> "Speak":
    """A voice as a function from text to sound."""
    from hometone_client.speaking import Synthesizer

    synthesizer = Synthesizer(model_folder(), voice, sessions=sessions)

    def speak(text: str, language: str) -> "Floats":
        chosen = None if language in {"mixed", "zh"} else language
        return np.concatenate([sentence.samples for sentence in synthesizer.speak(text, language=chosen)])

    return speak


def unadapted(*, takes: "Sequence[Clip]", base_sha256: str, languages: Sequence[str], yardsticks: "Yardsticks") -> "VoiceParameters":
    """The mixture of stock voices nearest to a person: what there is without learning."""
    from hometone_client.adaptation.mixture import nearest_mixture
    from hometone_client.embedding.ge2e import centroid
    from hometone_client.voices import VoiceParameters

    centre = centroid([yardsticks.encoder.embed(take.samples, take.rate) for take in takes])
    mixture = nearest_mixture(centre, languages[0] if languages else takes[0].language)
    created = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return VoiceParameters(style=mixture.style, base_sha256=base_sha256, recipe="mixture-1", created=created, languages=tuple(languages))


def facts_of(record: dict[str, Any]) -> dict[str, str]:
    """Time, memory and cost of the voice, in words for the report."""
    usage = record.get("usage", {})
    facts = {"tier": str(record.get("tier", "")), "enrolment": f"{record.get('enrolment_s', 0):.0f} s"}
    if usage:
        facts |= {"adapting": f"{usage['wall_s']:.0f} s, {usage['cpu_s']:.0f} CPU-s, {usage['peak_mib']} MiB"}
        if usage.get("cost") is not None:
            facts["cost"] = f"{usage['cost']:.4f}"
    return facts


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="evaluate", epilog=EPILOG)
    def evaluate(
        context: typer.Context,
        voice: Annotated[str, typer.Argument(help="A speaker of this computer.")],
        html: Annotated[Path | None, typer.Option(help="Write the report as one page with players and spectrograms.")] = None,
        language: Annotated[
            list[str] | None, typer.Option(help="Speak the sentences of this language; repeatable. Default: her own.")
        ] = None,
        quick: Annotated[
            bool,
            typer.Option(
                "--quick",
                help=f"{QUICK_SENTENCES} sentences of each language, and no comparison with the unadapted mixture of stock voices.",
            ),
        ] = False,
        pin_file: PinFile = None,
    ) -> None:
        """Judge a voice beside its owner's real takes."""
        from hometone_client.evaluation.assessment import evaluate_voice
        from hometone_client.evaluation.held_out import languages as judged_languages
        from hometone_client.evaluation.yardsticks import Yardsticks
        from hometone_client.speaking import Sessions

        session: Session = context.obj
        terminal = session.terminal
        with session.speaker(voice, pin_file=pin_file) as room, terminal.progress("evaluating", voice=room.name) as line:
            room.require(Purpose.OWN_VOICE, now=dt.datetime.now(dt.UTC))
            own = room.voice()
            takes = held_out_clips(room)
            chosen = language or [tag for tag in dict.fromkeys(clip.language for clip in takes) if tag in judged_languages()] or ["en"]
            yardsticks = Yardsticks(folder=model_folder(), threads=2)
            sessions = Sessions(model_folder())
            baseline: Speak | None = None
            if not quick:
                mixture = unadapted(takes=takes, base_sha256=own.base_sha256, languages=own.languages, yardsticks=yardsticks)
                baseline = speaker_of(sessions, mixture)
            report = evaluate_voice(
                speaker_of(sessions, own),
                voice=room.name,
                languages=chosen,
                takes=takes,
                yardsticks=yardsticks,
                baseline=baseline,
                sentences=QUICK_SENTENCES if quick else None,
                facts=facts_of(room.voice_record()),
                progress=lambda done, total: line.update(done / total * 0.5),
            )
            room.note("evaluated", languages=list(chosen))
            if html is not None:
                export(room, html, report.to_html(terminal.language))
        values = {**json.loads(report.to_json()), "html": str(html) if html else None}
        lines = [report.to_table()]
        if html is not None:
            lines.append(terminal.words("report-written", path=html))
        terminal.answer("evaluate", values, lines=lines)
