"""`hometone heritage make|show|say|open`: a voice kept as heritage of a dialect, sealed for one keeper (docs/heritage.md)."""

import datetime as dt
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hometone_client.cli.lend import read_file
from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.lending.known_log import KnownLog
from hometone_client.models import model_folder
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.exports import check_place, export, write_file
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.records.signing import Envelope

_LONGEST_CARD: Final = 4096
_LONGEST_PASSPHRASE_FILE: Final = 8192
MAKE_EPILOG = """\b
Examples:
  hometone heritage make mei --out mei.htheritage --for village.card
  hometone heritage make mei --out mei.htheritage --for village.card --dialect guanzhong --yes
  hometone heritage make mei --out mei.htheritage --passphrase-file words.txt --sample-text "..."

She has to have agreed, aloud (hometone consent NAME --purpose archive). Inside are her voice, her consent, a sample that a machine has
spoken, and a dialect pack; no recording and not her name. It can be opened until her consent ends, or she takes it back."""
SHOW_EPILOG = """\b
Examples:
  hometone heritage show mei.htheritage"""
SAY_EPILOG = """\b
Examples:
  hometone heritage say mei.htheritage "..." --out told.wav
  hometone heritage say mei.htheritage "..." --out told.mp3 --passphrase-file words.txt"""
OPEN_EPILOG = """\b
Examples:
  hometone heritage open mei.htheritage --out mei
  hometone heritage open mei.htheritage --out mei --passphrase-file words.txt

The voice itself stays sealed: hometone heritage say speaks with it. With --with-voice it is written, too; no withdrawal reaches it then."""

ArchiveFile = Annotated[Path, typer.Argument(help="The archive, .htheritage.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File whose first line is the passphrase; without it, the keeper's computer opens the archive.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    heritage = typer.Typer(name="heritage", help="Voices kept as heritage of a dialect.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(heritage)
    _register_make(heritage)
    _register_show(heritage)
    _register_say(heritage)
    _register_open(heritage)


def read_passphrase(path: Path) -> str:
    """The first line of a file.

    Raises:
        UsageError: It cannot be read, is empty, or is not text.
    """
    try:
        with path.open("rb") as source:
            data = source.readline(_LONGEST_PASSPHRASE_FILE)
        found = unicodedata.normalize("NFKC", data.decode("utf-8-sig")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the passphrase file cannot be read", hint="give a text file whose first line is the passphrase") from error
    if not found:
        raise UsageError("the passphrase file is empty", hint="give a text file whose first line is the passphrase")
    return found


def _register_make(heritage: typer.Typer) -> None:
    @heritage.command(name="make", epilog=MAKE_EPILOG)
    def make(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose voice.")],
        out: Annotated[Path, typer.Option(help="The archive, .htheritage.")],
        keeper: Annotated[Path | None, typer.Option("--for", help="The card of the keeper's computer (hometone recipient).")] = None,
        passphrase_file: Annotated[
            Path | None, typer.Option(help="Instead of a card: a file whose first line is a passphrase, at least twelve characters.")
        ] = None,
        dialect: Annotated[str | None, typer.Option(metavar="PACK", help="A dialect pack: its name, or its folder.")] = None,
        sample_text: Annotated[str | None, typer.Option(help="What the sample says; a sentence or two otherwise.")] = None,
        language: Annotated[str | None, typer.Option(help="What the sample is spoken in; otherwise as she was recorded.")] = None,
        yes: Yes = False,
        pin_file: PinFile = None,
    ) -> None:
        """Seal a voice, its consent, a sample and a dialect for one keeper.

        The four words of the card are shown; --yes says that they are the ones that the keeper sees.
        """
        from hometone_client.heritage.dialect import pack_files, pack_folder
        from hometone_client.heritage.making import Keeper, make_archive
        from hometone_client.heritage.samples import machine_sample

        session: Session = context.obj
        terminal = session.terminal
        check_place(out)
        log = KnownLog.of(session.home)
        pack = None if dialect is None else pack_files(pack_folder(dialect))
        passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
        card, words = (None, "") if keeper is None else _card(session, keeper, log=log, yes=yes)
        chosen = Keeper(card=card, passphrase=passphrase)
        with session.vault() as vault, session.unlocked(vault, vault.find(speaker), pin_file=pin_file) as room:

            def registered() -> None:
                from hometone_client.withdrawal.delivery import ensure_registered

                ensure_registered(session.home, vault, room.speaker_id, purpose=Purpose.ARCHIVE)

            entry, data = make_archive(
                room,
                vault,
                keeper=chosen,
                path=out,
                speak=partial(machine_sample, models=model_folder(), text=sample_text, language=language),
                log=log,
                register=registered,
                now=dt.datetime.now(dt.UTC),
                dialect=pack,
                dialect_name="" if dialect is None else Path(dialect).name,
            )
            export(room, out, data)
            name = room.name
        values = {"speaker": name, "out": str(out), "archive": entry.archive, "made": entry.made, "ends": entry.ends}
        values |= {"keeper": entry.keeper or None, "check_words": words or None, "bytes": len(data), "dialect": dialect}
        line = terminal.words("heritage-made", out=out, name=name, date=_day(entry.ends))
        terminal.answer("heritage make", values, lines=[line, terminal.words("heritage-made-hint")])


def _card(session: Session, path: Path, *, log: KnownLog, yes: bool) -> tuple[Any, str]:
    """The card of the keeper's machine, once its four words were compared.

    Raises:
        ProtocolError: It is not a card.
        UsageError: It is of another coordinator, or nobody has compared the words.
    """
    from hometone_client.lending.giving import checked_card
    from hometone_shared.records.lease import words_of_card

    terminal = session.terminal
    envelope = Envelope.from_bytes(read_file(path, longest=_LONGEST_CARD, what="card"))
    card, words = checked_card(envelope, log=log), words_of_card(envelope)
    terminal.say("lend-words", label=card.label, words=words)
    if not yes and not terminal.confirm(terminal.words("heritage-ask"), expected=terminal.words("yes-word"), option="--yes"):
        raise UsageError("nothing was archived", hint="compare the four words with the keeper, then try again")
    return card, words


def _register_show(heritage: typer.Typer) -> None:
    @heritage.command(name="show", epilog=SHOW_EPILOG)
    def show(context: typer.Context, file: ArchiveFile) -> None:
        """Say what can be read of an archive without opening it, and whether it may still be opened here."""
        from hometone_client.heritage.opening import require_kept

        session: Session = context.obj
        terminal = session.terminal
        archive = _archive(file)
        deed = archive.deed
        refusal: HometoneError | None = None
        try:
            require_kept(deed, log=KnownLog.of(session.home), now=dt.datetime.now(dt.UTC))
        except HometoneError as error:
            refusal = error
        values = {
            "archive": deed.archive,
            "pseudonym": deed.pseudonym,
            "coordinator": deed.coordinator,
            "opens": "passphrase" if archive.has_passphrase else "card",
            "keeper": deed.keeper,
            "made": deed.made,
            "ends": deed.ends,
            "may_be_opened": refusal is None,
            "why_not": None if refusal is None else refusal.message,
        }
        way = terminal.words("heritage-by-passphrase" if archive.has_passphrase else "heritage-by-card", keeper=deed.keeper or "")
        lines = [
            terminal.words("heritage-deed", archive=deed.archive, made=_day(deed.made), date=_day(deed.ends)),
            way,
            terminal.words("heritage-may-be-opened")
            if refusal is None
            else terminal.words("heritage-may-not-be-opened", why=refusal.message),
        ]
        terminal.answer("heritage show", values, lines=lines)


def _register_say(heritage: typer.Typer) -> None:
    @heritage.command(name="say", epilog=SAY_EPILOG)
    def say(
        context: typer.Context,
        file: ArchiveFile,
        text: Annotated[str | None, typer.Argument(help="What to say; - reads standard input.")] = None,
        out: Annotated[Path, typer.Option(help="The sound file; its ending is its format.")] = Path("heritage.wav"),
        text_file: Annotated[Path | None, typer.Option(help="A file with the text, instead of the text.")] = None,
        language: Annotated[str | None, typer.Option(help="How Latin words are read: en, en-gb, es, fr, it, pt.")] = None,
        passphrase_file: PassphraseFile = None,
    ) -> None:
        """Let an archived voice read a text; the archive stays sealed, and is looked at anew each time."""
        from hometone_client.audio.encoding import check_format, encode
        from hometone_client.audio.labels import SyntheticLabel
        from hometone_client.cli.say import FORMATS, read_text
        from hometone_client.speaking import Synthesizer
        from hometone_shared.errors import TextError

        session: Session = context.obj
        fmt = check_format(fmt=out.suffix.lstrip(".").lower(), sample_rate_hz=24_000)
        if fmt not in FORMATS:
            raise UsageError("raw samples cannot carry the AI label, so no file is made of them", hint="choose wav")
        words = read_text(text, text_file)
        check_place(out)
        with _opened(session, file, passphrase_file=passphrase_file) as found:
            sentences = Synthesizer(model_folder(), found.voice).speak(words, language=language)
            pieces = [sentence.samples for sentence in sentences]
        if not pieces:
            raise TextError("there is nothing in this text that can be read aloud", hint="give at least one word")
        label = SyntheticLabel.fresh()
        write_file(out, encode(pieces, fmt=fmt, label=label))
        seconds = sum(piece.size for piece in pieces) / 24_000
        values = {"archive": found.archive.deed.archive, "out": str(out), "seconds": round(seconds, 3), "produce_id": label.produce_id}
        session.terminal.answer("heritage say", values, lines=[session.terminal.words("said", out=out, seconds=f"{seconds:.1f}")])


def _register_open(heritage: typer.Typer) -> None:
    @heritage.command(name="open", epilog=OPEN_EPILOG)
    def open_command(
        context: typer.Context,
        file: ArchiveFile,
        out: Annotated[Path, typer.Option(help="An empty folder, or one that is not there yet.")],
        passphrase_file: PassphraseFile = None,
        with_voice: Annotated[bool, typer.Option("--with-voice", help="Write the voice, too; it is then sealed no more.")] = False,
    ) -> None:
        """Open an archive for its keeper: consent, sample and dialect into a folder."""
        from hometone_client.heritage.opening import write_folder

        session: Session = context.obj
        terminal = session.terminal
        with _opened(session, file, passphrase_file=passphrase_file) as found:
            files = write_folder(found, out, with_voice=with_voice)
        deed, contents, consent = found.archive.deed, found.contents, found.consent
        spoken = consent.spoken
        values: dict[str, Any] = {
            "archive": deed.archive,
            "pseudonym": deed.pseudonym,
            "out": str(out),
            "files": list(files),
            "languages": list(contents.languages),
            "dialect": contents.dialect or None,
            "program": contents.program,
            "base_sha256": found.voice.base_sha256,
            "consent": {
                "given": consent.given.isoformat(),
                "expires": consent.expires.isoformat(),
                "spoken": None if spoken is None else spoken.to_record(),
            },
        }
        given, date = consent.given.date().isoformat(), consent.expires.date().isoformat()
        lines = [terminal.words("heritage-opened", out=out, count=len(files)), terminal.words("heritage-agreed", given=given, date=date)]
        if with_voice:
            lines.append(terminal.words("heritage-voice-written"))
        terminal.answer("heritage open", values, lines=lines)


def _archive(file: Path) -> Any:
    from hometone_client.heritage.sealing import LONGEST_ARCHIVE, SealedArchive

    return SealedArchive.from_bytes(read_file(file, longest=LONGEST_ARCHIVE, what="heritage archive"))


@contextmanager
def _opened(session: Session, file: Path, *, passphrase_file: Path | None) -> Iterator[Any]:
    """An archive after all checks."""
    from hometone_client.heritage.opening import opened_archive

    archive = _archive(file)
    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    with session.vault(create=True) as vault:
        yield opened_archive(archive, home=session.home, vault=vault, passphrase=passphrase, now=dt.datetime.now(dt.UTC))


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
