"""`hometone say VOICE TEXT`: any text in a voice, as a labelled sound file."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hometone_client.cli.session import PinFile, Session
from hometone_client.models import model_folder
from hometone_client.speakers.exports import check_place, export, write_file
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import Voice, VoiceRegistry
from hometone_keys import Vault
from hometone_shared.errors import TextError, UsageError

if TYPE_CHECKING:
    from hometone_client.audio.encoding import SpeechFormat
    from hometone_client.editing.controls import Controls

LONGEST_TEXT: Final = 200_000
_LONGEST_TEXT_BYTES: Final = 4 * LONGEST_TEXT  # UTF-8 takes at most four a character
FORMATS: Final = ("wav", "flac", "mp3", "opus", "aac")
EPILOG = """\b
Examples:
  hometone say mei "今天天气很好，我想去公园散步。" --out park.wav
  hometone say mei "Let's go to the 超市吧" --out shop.mp3 --length-scale 1.2
  hometone say af_heart "A stock voice needs no PIN." --out stock.flac --rate 22050
  echo "From a pipe." | hometone say mei - --out - > pipe.wav
  hometone say mei --ssml letter.ssml --out letter.wav
  hometone say mei "Good morning." --plan plan.json
  hometone say mei "Good morning." --controls plan.json --out morning.wav

A text that begins with a dash stands after --. Every file carries the AI label; --audible-label also says it aloud. The recommended noise
scale is 0.6 to 0.8."""


def read_text(text: str | None, text_file: Path | None) -> str:
    """The text from the line, a file, or standard input (`-`).

    Raises:
        UsageError: None or two of them were given.
        TextError: It is empty, too long, or not UTF-8.
    """
    if (text is None) == (text_file is None):
        raise UsageError("say what to speak", hint="give a text, or --text-file FILE, or - to read standard input")
    if text_file is None and text != "-":
        found = text or ""
    else:
        try:
            with nullcontext(sys.stdin.buffer) if text_file is None else text_file.open("rb") as source:
                data = source.read(_LONGEST_TEXT_BYTES + 1)
            if len(data) > _LONGEST_TEXT_BYTES:
                raise TextError(f"the text has more than {LONGEST_TEXT} characters, which is what is read at once", hint="split it")
            found = data.decode("utf-8-sig")
        except OSError as error:
            raise UsageError("the text file cannot be read", hint="check its name and its permissions") from error
        except UnicodeDecodeError as error:
            raise TextError("the text is not UTF-8", hint="save it as UTF-8") from error
    if not found.strip():
        raise TextError("the text is empty", hint="give at least one word")
    if len(found) > LONGEST_TEXT:
        raise TextError(f"the text has {len(found)} characters, at most {LONGEST_TEXT} are read at once", hint="split it")
    return found


def read_input(text: str | None, *, text_file: Path | None, ssml: Path | None) -> str:
    """The text, or the SSML document where that was named.

    Raises:
        UsageError: None or several of them were given.
        TextError: It is empty, too long, or not UTF-8.
    """
    if ssml is None:
        return read_text(text, text_file)
    if text is not None or text_file is not None:
        raise UsageError("a text and SSML were given", hint="give --ssml alone, without a text and --text-file")
    return read_text("-", None) if str(ssml) == "-" else read_text(None, ssml)


def read_controls(controls: Path | None) -> "Controls | None":
    """The controls of a file, if one was named.

    Raises:
        UsageError: It cannot be read, or is no controls.
    """
    from hometone_client.editing.controls import LONGEST_JSON, Controls

    if controls is None:
        return None
    try:
        with controls.open("rb") as source:
            return Controls.from_json(source.read(LONGEST_JSON + 1))
    except OSError as error:
        raise UsageError("the file of controls cannot be read", hint="check its name and its permissions") from error


@contextmanager
def chosen_voice(session: Session, name: str, *, pin_file: Path | None, base_sha256: str) -> Iterator[tuple[Voice, SpeakerRoom | None]]:
    """Unlock the speaker of that name, or open the lent copy, or find the stock voice.

    Raises:
        UsageError: There is neither.
        WrongSecretError: That is not her PIN.
    """
    from hometone_client.lending.guests import lent_voice
    from hometone_client.lending.known_log import watched_log
    from hometone_client.speakers.choosing import own_voice
    from hometone_client.speakers.uses import Way
    from hometone_client.withdrawal.delivery import contact_if_joined

    if not name.startswith("stock:") and Vault.exists(session.home):
        with ExitStack() as stack:
            vault = stack.enter_context(session.vault())
            try:
                entry = vault.find(name)
            except UsageError:
                entry = None
            if entry is not None and entry.is_guest:
                contact_if_joined(session.home, vault)  # its owner may have taken it back since; unreachable, the lease decides
                room = stack.enter_context(SpeakerRoom(vault.unlock_for_work(vault.find(name).speaker_id)))
                yield lent_voice(room, log=watched_log(session.home), way=Way.SAY), room
                return
            if entry is not None:
                room = stack.enter_context(session.unlocked(vault, entry, pin_file=pin_file))
                yield own_voice(room, way=Way.SAY), room
                return
    yield VoiceRegistry(base_sha256=base_sha256).get(name), None


def checked_format(session: Session, out: Path, *, fmt: str | None, rate: int) -> "SpeechFormat":
    """The format of the file to be written, before work is spent on what will be in it; `-` is standard output.

    Raises:
        UsageError: It cannot be written, or not beside JSON.
        StorageError: No file may appear there.
    """
    from hometone_client.audio.encoding import check_format

    to_pipe = str(out) == "-"
    if to_pipe and session.terminal.as_json:
        raise UsageError("sound and JSON cannot both go to standard output", hint="choose a file with --out")
    chosen = (fmt or ("wav" if to_pipe else out.suffix.lstrip("."))).lower()
    checked = check_format(fmt=chosen, sample_rate_hz=rate)
    if checked not in FORMATS:
        raise UsageError("raw samples cannot carry the AI label, so no file is made of them", hint="choose wav")
    if not to_pipe:
        check_place(out)
    return checked


def deliver(out: Path, data: bytes, *, room: SpeakerRoom | None) -> None:
    """Write labelled speech where it was asked for; a file in somebody's voice is noted in her vault, so that it goes when she goes.

    Raises:
        StorageError: The disk refuses.
        VaultError: She was forgotten or locked meanwhile; the file is not there.
    """
    if str(out) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    elif room is None:
        write_file(out, data)
    else:
        export(room, out, data)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="say", epilog=EPILOG)
    def say(
        context: typer.Context,
        voice: Annotated[str, typer.Argument(help="A speaker of this computer, a lent voice, or a stock voice (hometone voices).")],
        text: Annotated[str | None, typer.Argument(help="What to say; - reads standard input.")] = None,
        text_file: Annotated[Path | None, typer.Option(help="Read the text from this file (UTF-8).")] = None,
        ssml: Annotated[Path | None, typer.Option(help="Read SSML 1.1 from this file; - reads standard input.")] = None,
        controls: Annotated[Path | None, typer.Option(help="A JSON file of what to change about sentences, words and phonemes.")] = None,
        plan: Annotated[Path | None, typer.Option(help="Speak nothing; write words and phonemes there, as JSON for --controls.")] = None,
        out: Annotated[Path, typer.Option(help="The sound file; - writes to standard output.")] = Path("speech.wav"),
        fmt: Annotated[str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}; default: by the name of the file.")] = None,
        rate: Annotated[int, typer.Option(help="Samples per second, 24000 or 22050; others where the format allows.")] = 24_000,
        language: Annotated[str | None, typer.Option(help="How Latin words are read: en, es, fr, it, pt ...; default: guessed.")] = None,
        length_scale: Annotated[float, typer.Option(help="Above 1 is slower, below 1 faster.")] = 1.0,
        noise_scale: Annotated[float, typer.Option(help="Noise in the voice's source.")] = 0.667,
        pitch: Annotated[float, typer.Option(help="Semitones up or down; the timbre stays.")] = 0.0,
        pitch_range: Annotated[float, typer.Option(help="0 is a monotone, 1 the voice's own melody, 2 twice as lively.")] = 1.0,
        proof: Annotated[
            bool, typer.Option("--proof", help="Let the recogniser hear every sentence; one that it does not understand is said again.")
        ] = False,
        seed: Annotated[int | None, typer.Option(help="Makes the noise repeatable.")] = None,
        audible_label: Annotated[bool, typer.Option("--audible-label", help="Say first that the voice is synthetic.")] = False,
        pin_file: PinFile = None,
    ) -> None:
        """Speak a text in a voice, offline.

        Sentences are computed one after the other.
        """
        from hometone_client.audio.encoding import encode
        from hometone_client.audio.labels import SyntheticLabel
        from hometone_client.prooflistening import ProofListener, Proofreader
        from hometone_client.speaking import Sessions, SpeakingSettings, Synthesizer

        session: Session = context.obj
        terminal = session.terminal
        checked = checked_format(session, out, fmt=fmt, rate=rate)
        settings = SpeakingSettings(
            length_scale=length_scale,
            noise_scale=noise_scale,
            pitch_semitones=pitch,
            pitch_range=pitch_range,
            seed=seed,
            input_type="text" if ssml is None else "ssml",
            controls=read_controls(controls),
        )
        words = read_input(text, text_file=text_file, ssml=ssml)
        if plan is not None and str(plan) != "-":
            check_place(plan)
        values: dict[str, Any]
        sessions = Sessions(model_folder())
        started = time.monotonic()
        with chosen_voice(session, voice, pin_file=pin_file, base_sha256=sessions.base_sha256) as (found, room):
            synthesizer = Synthesizer(model_folder(), found.load(), sessions=sessions)
            if plan is not None:
                planned = synthesizer.plan(words, language=language, settings=settings)
                deliver(plan, json.dumps(planned, ensure_ascii=False, indent=1).encode() + b"\n", room=room)
                if str(plan) != "-":
                    values = {"voice": found.id, "plan": str(plan), "sentences": len(planned["sentences"])}
                    terminal.answer("say", values, lines=[terminal.words("planned", out=plan)])
                return
            proofreader = Proofreader(ProofListener(model_folder(), threads=1)) if proof else None
            pieces, first_s, spoken = [], 0.0, 0
            with terminal.progress("speaking", voice=found.id) as line:
                for sentence in synthesizer.speak(
                    words, language=language, settings=settings, audible_label=audible_label, proof=proofreader
                ):
                    first_s = first_s or time.monotonic() - started
                    pieces.append(sentence.samples)
                    spoken += len(sentence.utterance.text)
                    line.update(spoken / len(words))
            if not pieces:
                raise TextError("there is nothing in this text that can be read aloud", hint="give at least one word")
            label = SyntheticLabel.fresh()
            data = encode(pieces, fmt=checked, sample_rate_hz=rate, label=label)
            values = {
                "voice": found.id,
                "kind": found.kind,
                "format": checked,
                "rate_hz": rate,
                "seconds": round(sum(piece.size for piece in pieces) / 24_000, 3),
                "sentences": len(pieces),
                "first_sound_s": round(first_s, 3),
                "wall_s": round(time.monotonic() - started, 3),
                "produce_id": label.produce_id,
                "out": None if str(out) == "-" else str(out),
                "proof": None if proofreader is None else proofreader.summary.to_record(),
            }
            deliver(out, data, room=room)
        if proofreader is not None and (numbers := proofreader.summary.not_understood):
            terminal.say("proof-failed", numbers=", ".join(map(str, numbers)))
        if proofreader is not None and (count := proofreader.summary.not_checked):
            terminal.say("proof-unchecked", count=count)
        if str(out) != "-":
            terminal.answer("say", values, lines=[terminal.words("said", out=out, seconds=f"{values['seconds']:.1f}")])
