"""`hometone consent SPEAKER`: what she has said yes to and what her voice was used for; another yes, aloud where that is needed."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.enrolling.agreeing import agree
from hometone_client.retention.consent_end import keep_end_up_to_date
from hometone_client.speakers.agreement import checked_phrase, refuse_synthetic, standings
from hometone_client.speakers.consent import (
    LONGEST_DAYS,
    SPOKEN_PURPOSES,
    Consent,
    Purpose,
    SpokenCheck,
    consent_text,
)
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Use, Way
from hometone_client.withdrawal.reconciliation import apply_ended, require_not_ended
from hometone_shared.errors import ConsentError, UsageError

if TYPE_CHECKING:
    from hometone_client.audio import RawTake

EPILOG = """\b
Examples:
  hometone consent mei                                            what she has agreed to, until when, and what her voice was used for
  hometone consent mei --purpose announcements --microphone       the text, a yes, and a phrase to say
  hometone consent mei --phrase                                   the phrase, to be recorded elsewhere within a day
  hometone consent mei --purpose announcements --spoken phrase.wav --yes

Announcements and archive let a voice be used by others, so they are agreed to aloud: six words that are drawn by chance, in her own voice.
The recording is checked on this computer and not kept. To take a purpose back: hometone revoke mei --scope announcements."""


def spoken_check(
    session: Session, room: SpeakerRoom, *, file: Path | None, device: str | None, seconds: float | None, now: dt.datetime
) -> SpokenCheck:
    """Read or record the phrase, and check it.

    Raises:
        UsageError: No phrase waits for a file, or she has no recordings.
        ConsentError: Other words, or another voice.
    """
    from hometone_client.audio import decode
    from hometone_client.cli.take import record_take
    from hometone_client.enrolling.intake import Recogniser, Spoken
    from hometone_client.models import model_folder
    from hometone_client.speakers.spoken_phrase import phrase_to_speak, waiting_phrase

    terminal = session.terminal
    if file is None:
        phrase = phrase_to_speak(room, locale=terminal.language, now=now)
        take: RawTake = record_take(session, spoken=Spoken(text=phrase.text, language=phrase.locale), seconds=seconds, device=device)
    else:
        waiting = waiting_phrase(room, now=now)
        if waiting is None:
            raise UsageError("no phrase waits to be spoken, or its day is over", hint=f"hometone consent {room.name} --phrase gives one")
        phrase, take = waiting, decode(file)
        refuse_synthetic(file.read_bytes())
    recogniser = Recogniser(model_folder(), progress=terminal.line)
    return checked_phrase(room, phrase, take, transcriber=recogniser(), models=model_folder(), progress=terminal.line, now=now)


def about_consent(room: SpeakerRoom, consent: Consent) -> dict[str, Any]:
    """The documented keys about a yes that was stored."""
    return {
        "speaker": room.name,
        "purpose": consent.purposes[0].value,
        "expires": consent.expires.isoformat(),
        "spoken": None if consent.spoken is None else consent.spoken.to_record(),
    }


def overview(room: SpeakerRoom, *, now: dt.datetime) -> list[dict[str, Any]]:
    """Every purpose: whether it is allowed now, until when, and whether it was agreed to aloud."""
    found = []
    for standing in standings(room, now=now):
        consent = standing.consent
        line: dict[str, Any] = {
            "purpose": standing.purpose.value,
            "allowed": standing.allowed,
            "expires": None if consent is None else consent.expires.isoformat(),
            "spoken": None if consent is None or consent.spoken is None else consent.spoken.to_record(),
        }
        if standing.unreadable:
            line["error"] = standing.unreadable
        found.append(line)
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="consent", epilog=EPILOG)
    def consent(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Who agrees.")],
        purpose: Annotated[Purpose | None, typer.Option(help="What to; without it, everything is shown.")] = None,
        phrase: Annotated[bool, typer.Option("--phrase", help="Only show the phrase that is to be said; good for a day.")] = False,
        spoken: Annotated[Path | None, typer.Option(help="A recording of the phrase.")] = None,
        microphone: Annotated[bool, typer.Option("--microphone", help="Record the phrase now.")] = False,
        device: Annotated[str | None, typer.Option(help="Which microphone: its number or a part of its name (hometone doctor).")] = None,
        seconds: Annotated[float | None, typer.Option(help="Record for so long; otherwise until Enter is pressed.", min=2, max=60)] = None,
        days: Annotated[int, typer.Option(help="How long it holds, at most 365 days.", min=1, max=LONGEST_DAYS)] = LONGEST_DAYS,
        withdraw: Annotated[bool, typer.Option("--withdraw", help="Say how a purpose is taken back.")] = False,
        yes: Yes = False,
        pin_file: PinFile = None,
    ) -> None:
        """Show what a speaker has agreed to, or ask for one more purpose.

        The text is shown; --yes says that it was read out to her, or that she read it, and that she agreed.
        """
        session: Session = context.obj
        terminal = session.terminal
        now = dt.datetime.now(dt.UTC)
        if withdraw:
            scope = f" --scope {purpose.value}" if purpose is not None and purpose is not Purpose.OWN_VOICE else ""
            raise UsageError("a yes is taken back everywhere at once, not only here", hint=f"hometone revoke {speaker}{scope}")
        if spoken is not None and microphone:
            raise UsageError("a phrase is spoken once", hint="give --spoken FILE or --microphone")
        if purpose is None and (spoken is not None or microphone):
            raise UsageError("say what she agrees to", hint="add --purpose announcements, for instance")
        aloud = spoken is not None or microphone
        if purpose in SPOKEN_PURPOSES and not (aloud or phrase):
            raise UsageError(
                f"consent to {purpose.value} is given aloud",
                hint=f"add --microphone, or record what hometone consent {speaker} --phrase shows and add --spoken FILE",
            )
        with session.vault() as vault:
            entry = vault.find(speaker)
            with session.unlocked(vault, entry, pin_file=pin_file) as room:
                if phrase:
                    _show_phrase(session, room, now=now)
                    return
                if purpose is None:
                    apply_ended(session.home, vault, room)
                    keep_end_up_to_date(room, vault)
                    _show(session, room, now=now)
                    return
                require_not_ended(session.home, vault, room.speaker_id, purpose=purpose)
                terminal.text(consent_text(purpose, terminal.language))
                if not yes and not terminal.confirm(terminal.words("ask-consent"), expected=terminal.words("yes-word"), option="--yes"):
                    raise ConsentError("there was no consent, so nothing was stored", hint="nothing more is needed")
                check = spoken_check(session, room, file=spoken, device=device, seconds=seconds, now=now) if aloud else None
                given = agree(room, vault, purpose=purpose, locale=terminal.language, days=days, spoken=check)
                values = about_consent(room, given)
        words = terminal.words(f"consent-{purpose.value}")
        terminal.answer(
            "consent", values, lines=[terminal.words("consented", name=values["speaker"], purpose=words, date=values["expires"][:10])]
        )


def _show_phrase(session: Session, room: SpeakerRoom, *, now: dt.datetime) -> None:
    from hometone_client.speakers.spoken_phrase import GOOD_FOR, phrase_to_speak

    phrase = phrase_to_speak(room, locale=session.terminal.language, now=now)
    values = {"speaker": room.name, "phrase": phrase.text, "language": phrase.locale, "until": (phrase.made + GOOD_FOR).isoformat()}
    session.terminal.answer("consent", values, lines=[phrase.text])
    session.terminal.say("phrase-hint")


def _show(session: Session, room: SpeakerRoom, *, now: dt.datetime) -> None:
    terminal = session.terminal
    purposes, uses = overview(room, now=now), room.uses()
    values = {"speaker": room.name, "purposes": purposes, "uses": [use.to_record() for use in uses]}
    table = Table(box=None, pad_edge=False)
    for key in ("column-purpose", "column-state"):
        table.add_column(terminal.words(key))
    for line in purposes:
        state = terminal.words("consent-until", date=line["expires"][:10]) if line["allowed"] else terminal.words("consent-not-given")
        table.add_row(terminal.words(f"consent-{line['purpose']}"), state)
    terminal.answer("consent", values, lines=[terminal.words("consent-uses", uses=_words(session, uses))], table=table)


def _words(session: Session, uses: tuple[Use, ...]) -> str:
    """How often each way, in words."""
    terminal = session.terminal
    counts = {way: sum(use.count for use in uses if use.way is way) for way in Way}
    return terminal.words("list-comma").join(terminal.words(f"use-{way.value}", count=count) for way, count in counts.items())
