"""`hometone convert SOURCE --voice VOICE`: a recording, or what the microphone hears, spoken again in another voice."""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from hometone_client.cli.say import FORMATS, checked_format, chosen_voice, deliver
from hometone_client.cli.session import PinFile, Session
from hometone_client.cli.take import stop_after_line
from hometone_client.models import model_folder
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import UsageError, VaultError

if TYPE_CHECKING:
    from hometone_client.audio.encoding import SpeechFormat
    from hometone_client.conversion.converting import ConversionSettings
    from hometone_client.conversion.pitch import Floats
    from hometone_client.speaking import Sessions
    from hometone_client.voices import Voice, VoiceParameters

_LISTENING_SHARE: Final = 0.25  # of the time that a conversion takes
_ASKED_ANEW_S: Final = 60.0  # a voice that speaks on and on is asked for anew, and counted, once a minute
EPILOG = """\b
Examples:
  hometone convert grandma.m4a --voice mei --out mei.wav
  hometone convert lecture.mp3 --voice af_heart --out lecture.mp3 --pitch -2
  hometone convert --live --voice mei                         until Enter is pressed; wear headphones

Words, timing and intonation are the recording's, the timbre is the voice's. The recording is kept nowhere. Every file carries the AI label;
live sound says first that the voice is synthetic."""
WORDS: Final = {
    "rehearsing": {"en": "finding out how fast this computer is", "zh": "正在测量这台电脑的速度"},
    "live": {
        "en": "speak now; {voice} says it about {latency} s later ({waiting} s listening, {computing} s computing, {reserve} s reserve)",
        "zh": "请说话；约 {latency} 秒后以 {voice} 的声音播放（听 {waiting} 秒，计算 {computing} 秒，余量 {reserve} 秒）",
    },
    "too-slow": {
        "en": "this computer is too slow to convert while you speak, so it goes phrase by phrase",
        "zh": "这台电脑太慢，无法边说边转换，改为逐句转换",
    },
    "by-phrase": {
        "en": "say a phrase, then pause; what you say while it is made and played is not heard",
        "zh": "请说一句，然后停顿；转换和播放期间说的话不会被听到",
    },
    "press-enter": {
        "en": "press Enter to end; wear headphones, or the microphone hears the voice again",
        "zh": "按回车键结束；请戴耳机，否则麦克风会再次听到这个声音",
    },
    "ended": {
        "en": "spoken as {voice}: {seconds} seconds, heard after {latency} s (median)",
        "zh": "以 {voice} 的声音说了 {seconds} 秒，延迟 {latency} 秒（中位数）",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A file that is to be made."""

    source: Path
    out: Path
    fmt: "SpeechFormat"
    rate: int
    settings: "ConversionSettings"
    audible_label: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _WantedLive:
    """A conversation that is to be had."""

    settings: "ConversionSettings"
    microphone: int | str | None
    loudspeaker: int | str | None
    seconds: float | None
    by_phrase: bool
    audible_label: bool


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="convert", epilog=EPILOG)
    def convert(
        context: typer.Context,
        source: Annotated[Path | None, typer.Argument(help="A recording of anybody, in any common format.")] = None,
        voice: Annotated[str, typer.Option(help="A speaker of this computer, a lent voice, or a stock voice (hometone voices).")] = "",
        out: Annotated[Path, typer.Option(help="The sound file; - writes to standard output.")] = Path("converted.wav"),
        fmt: Annotated[str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}; default: by the name of the file.")] = None,
        rate: Annotated[int, typer.Option(help="Samples per second, 24000 or 22050; others where the format allows.")] = 24_000,
        pitch: Annotated[float, typer.Option(help="Semitones up or down from the voice's own pitch.")] = 0.0,
        keep_pitch_range: Annotated[
            bool,
            typer.Option("--keep-pitch-range", help="Keep intonation in semitones; otherwise as lively as the voice is, within limits."),
        ] = False,
        noise_scale: Annotated[float, typer.Option(help="How far what is said is varied around what was heard.")] = 0.667,
        seed: Annotated[int | None, typer.Option(help="Makes the noise repeatable.")] = None,
        audible_label: Annotated[
            bool | None,
            typer.Option("--audible-label/--no-audible-label", help="Say first that the voice is synthetic; default: only when live."),
        ] = None,
        live: Annotated[bool, typer.Option("--live", help="From the microphone to the loudspeaker, while somebody speaks.")] = False,
        microphone: Annotated[
            str | None, typer.Option(help="Which microphone: its number or a part of its name (hometone doctor).")
        ] = None,
        loudspeaker: Annotated[str | None, typer.Option(help="Which loudspeaker: its number or a part of its name.")] = None,
        seconds: Annotated[float | None, typer.Option(help="Live for so long; otherwise until Enter is pressed.", min=1)] = None,
        by_phrase: Annotated[bool, typer.Option("--by-phrase", help="Live, but a phrase at a time, as slow computers do.")] = False,
        pin_file: PinFile = None,
    ) -> None:
        """Say again in a voice what somebody else said, offline.

        A recording may be 15 minutes long.
        """
        from hometone_client.conversion.converting import ConversionSettings

        session: Session = context.obj
        if not voice:
            raise UsageError("say which voice is to speak", hint="give --voice NAME; hometone voices lists them")
        if (source is None) != live:
            raise UsageError("say what is to be converted", hint="name a recording, or use --live")
        settings = ConversionSettings(noise_scale=noise_scale, pitch_semitones=pitch, keep_pitch_range=keep_pitch_range, seed=seed)
        if source is not None:
            checked = checked_format(session, out, fmt=fmt, rate=rate)
            wanted = _Wanted(source=source, out=out, fmt=checked, rate=rate, settings=settings, audible_label=bool(audible_label))
            _convert_file(session, voice, wanted, pin_file=pin_file)
            return
        if seconds is None and not session.terminal.interactive:
            raise UsageError("nobody is there to end the conversion", hint="say how long with --seconds")
        live_wish = _WantedLive(
            settings=settings,
            microphone=_device(microphone),
            loudspeaker=_device(loudspeaker),
            seconds=seconds,
            by_phrase=by_phrase,
            audible_label=audible_label is not False,
        )
        _convert_live(session, voice, live_wish, pin_file=pin_file)


def _words(session: Session, key: str, **values: object) -> str:
    return WORDS[key][session.terminal.language].format(**values)


def _device(given: str | None) -> int | str | None:
    return int(given) if given is not None and given.isdecimal() else given


def _convert_file(session: Session, voice: str, wanted: _Wanted, *, pin_file: Path | None) -> None:
    from hometone_client.audio.encoding import encode
    from hometone_client.audio.labels import SyntheticLabel
    from hometone_client.conversion.converting import Converter
    from hometone_client.conversion.source import read_source
    from hometone_client.speaking import Sessions

    terminal, out = session.terminal, wanted.out
    started = time.monotonic()
    sessions = Sessions(model_folder())
    with chosen_voice(session, voice, pin_file=pin_file, base_sha256=sessions.base_sha256) as (found, room):
        loaded = found.load()
        with terminal.progress("speaking", voice=found.id) as line:
            source = read_source(wanted.source, progress=lambda done: line.update(_LISTENING_SHARE * done))
            converter = Converter(model_folder(), loaded, sessions=sessions)
            pieces = _label(found, loaded, sessions) if wanted.audible_label else []
            said_s = 0.0
            for sound in converter.convert(source, wanted.settings):
                _require_open(room)
                pieces.append(sound)
                said_s += sound.size / 24_000
                line.update(_LISTENING_SHARE + (1.0 - _LISTENING_SHARE) * said_s / source.duration_s)
        label = SyntheticLabel.fresh()
        data = encode(pieces, fmt=wanted.fmt, sample_rate_hz=wanted.rate, label=label)
        values: dict[str, Any] = {
            "voice": found.id,
            "kind": found.kind,
            "format": wanted.fmt,
            "rate_hz": wanted.rate,
            "seconds": round(sum(piece.size for piece in pieces) / 24_000, 3),
            "speech_s": round(source.speech_s, 3),
            "pieces": len(source.pieces),
            "wall_s": round(time.monotonic() - started, 3),
            "produce_id": label.produce_id,
            "out": None if str(out) == "-" else str(out),
        }
        deliver(out, data, room=room)
    if str(out) != "-":
        terminal.answer("convert", values, lines=[terminal.words("said", out=out, seconds=f"{values['seconds']:.1f}")])


def _convert_live(session: Session, voice: str, wanted: _WantedLive, *, pin_file: Path | None) -> None:
    from hometone_client.conversion.converting import Converter
    from hometone_client.conversion.duplex import duplex
    from hometone_client.conversion.live import Phrases, fitting_hop
    from hometone_client.conversion.relay import relay_hops, relay_phrases
    from hometone_client.speaking import Sessions

    terminal = session.terminal
    sessions = Sessions(model_folder())
    with chosen_voice(session, voice, pin_file=pin_file, base_sha256=sessions.base_sha256) as (found, room):
        loaded = found.load()
        converter = Converter(model_folder(), loaded, sessions=sessions)
        label = _label(found, loaded, sessions)
        terminal.line(_words(session, "rehearsing"))
        fitting = None if wanted.by_phrase else fitting_hop(converter, settings=wanted.settings, speech=np.concatenate(label))
        values: dict[str, Any] = {"voice": found.id, "kind": found.kind, "mode": "hops" if fitting else "phrases", "stated_latency_s": None}
        with duplex(microphone=wanted.microphone, loudspeaker=wanted.loudspeaker) as devices:
            for sound in label if wanted.audible_label else []:
                devices.write(sound)
            devices.drain()
            stop = _ending(session, wanted.seconds)
            allowed = _asked_anew(found, room)
            account = None
            if fitting:
                sliding, latency = fitting
                values["stated_latency_s"] = round(latency.total_s, 3)
                figures = {
                    "latency": f"{latency.total_s:.1f}",
                    "waiting": f"{latency.waiting_s:.2f}",
                    "computing": f"{latency.computing_s:.2f}",
                    "reserve": f"{latency.reserve_s:.2f}",
                }
                terminal.line(_words(session, "live", voice=found.id, **figures))
                account = relay_hops(devices, sliding, reserve_s=latency.reserve_s, stop=stop, allowed=allowed)
            if account is None or account.fell_behind:
                if not wanted.by_phrase:
                    terminal.line(_words(session, "too-slow"))
                terminal.line(_words(session, "by-phrase"))
                values["mode"] = "phrases"
                account = relay_phrases(devices, Phrases(converter, settings=wanted.settings), stop=stop, allowed=allowed)
        measured_s = statistics.median(account.delays_s) if account.delays_s else None
        values |= {"measured_latency_s": None if measured_s is None else round(measured_s, 3), "seconds": round(account.spoken_s, 3)}
        shown = "-" if measured_s is None else f"{measured_s:.1f}"
    terminal.answer("convert", values, lines=[_words(session, "ended", voice=found.id, seconds=f"{account.spoken_s:.1f}", latency=shown)])


def _label(found: "Voice", loaded: "VoiceParameters", sessions: "Sessions") -> "list[Floats]":
    """The sentence that the voice is synthetic, in a language that the voice speaks."""
    from hometone_client.speaking import Synthesizer
    from hometone_client.speaking.synthesizer import audible_labels

    labels = audible_labels()
    language = next((tag.partition("-")[0] for tag in found.languages if tag.partition("-")[0] in labels), "en")
    spoken = Synthesizer(model_folder(), loaded, sessions=sessions).speak(labels[language], language=language)
    return [sentence.samples for sentence in spoken]


def _ending(session: Session, seconds: float | None) -> threading.Event:
    """Set after a while, or when somebody presses Enter."""
    stop = threading.Event()
    if seconds is None:
        session.terminal.line(_words(session, "press-enter"))
        threading.Thread(target=stop_after_line, args=(session, stop), daemon=True).start()
    else:
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()
    return stop


def _require_open(room: SpeakerRoom | None) -> None:
    if room is not None and not room.is_open:
        raise VaultError("this voice was removed or locked meanwhile", hint="nothing can be spoken with it any more")


def _asked_anew(found: "Voice", room: SpeakerRoom | None) -> Callable[[], None]:
    """Asks before each piece of sound whether the voice is still there, and once a minute whether it may still be used."""
    asked = time.monotonic()

    def allowed() -> None:
        nonlocal asked
        _require_open(room)
        if time.monotonic() - asked >= _ASKED_ANEW_S:
            found.load()
            asked = time.monotonic()

    return allowed
