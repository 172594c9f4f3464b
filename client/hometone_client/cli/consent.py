"""`hometone consent SPEAKER`: what she has said yes to and what her voice was used for; another yes, aloud where that is needed."""

import datetime as dt
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.retention.consent_end import keep_consent, keep_end_up_to_date
from hometone_client.speakers.consent import LONGEST_DAYS, SPOKEN_PURPOSES, Locale, Purpose, SpokenCheck, consent_text, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Use, Way
from hometone_client.withdrawal.reconciliation import apply_ended, require_not_ended
from hometone_keys import Vault
from hometone_shared.errors import AudioError, ConsentError, UsageError

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
    from hometone_client.cli.take import Spoken, record_take
    from hometone_client.embedding.ge2e import SpeakerEncoder
    from hometone_client.models import ensure, model_folder
    from hometone_client.speakers.spoken_phrase import check_spoken, own_embedding, phrase_to_speak, use_up_phrase, waiting_phrase
    from hometone_client.takes import Transcriber

    terminal = session.terminal
    encoder = SpeakerEncoder(ensure("ge2e", progress=terminal.line, folder=model_folder()))
    own = own_embedding(room, encoder)
    if file is None:
        phrase = phrase_to_speak(room, locale=terminal.language, now=now)
        take: RawTake = record_take(session, spoken=Spoken(text=phrase.text, language=phrase.locale), seconds=seconds, device=device)
    else:
        waiting = waiting_phrase(room, now=now)
        if waiting is None:
            raise UsageError("no phrase waits to be spoken, or its day is over", hint=f"hometone consent {room.name} --phrase gives one")
        phrase, take = waiting, decode(file)
        refuse_synthetic(file)
    transcriber = Transcriber(ensure("whisper-base", progress=terminal.line, folder=model_folder()))
    check = check_spoken(take, phrase=phrase, own=own, transcriber=transcriber, encoder=encoder, now=now)
    use_up_phrase(room)
    return check


def refuse_synthetic(file: Path) -> None:
    """Refuse a recording that says itself that a machine has spoken it; whoever removes the label is not found out by this.

    Raises:
        ConsentError: It carries an AI label.
    """
    from hometone_client.audio.labels import read_label

    label = None
    with suppress(AudioError):  # a file that cannot carry one
        label = read_label(file.read_bytes())
    if label is not None:
        raise ConsentError("this recording is marked as spoken by a machine", hint="the owner of the voice has to say the phrase herself")


def agree(room: SpeakerRoom, vault: Vault, *, purpose: Purpose, locale: Locale, days: int, spoken: SpokenCheck | None) -> dict[str, Any]:
    """Store a yes, and let begin what it allows.

    Returns:
        The documented keys about it.
    """
    consent = give_consent(locale=locale, now=dt.datetime.now(dt.UTC), days=days, purpose=purpose, spoken=spoken)
    if purpose is Purpose.FEDERATED:
        from hometone_client.federation.ledger import DEFAULT_EPSILON, PrivacyLedger

        ledger = PrivacyLedger(room.vault)
        if ledger.budget is None:
            ledger.set_budget(DEFAULT_EPSILON)
    keep_consent(room, vault, consent)
    if purpose is Purpose.FEDERATED:
        vault.allow_work(room.vault)
    return {
        "speaker": room.name,
        "purpose": purpose.value,
        "expires": consent.expires.isoformat(),
        "spoken": None if spoken is None else spoken.to_record(),
    }


def overview(room: SpeakerRoom, *, now: dt.datetime) -> list[dict[str, Any]]:
    """Every purpose: whether it is allowed now, until when, and whether it was agreed to aloud."""
    found = []
    for purpose in Purpose:
        line: dict[str, Any] = {"purpose": purpose.value, "allowed": False, "expires": None, "spoken": None}
        try:
            consent = room.consent(purpose)
        except ConsentError as error:
            line["error"] = error.message
            consent = None
        if consent is not None:
            line |= {
                "allowed": consent.given <= now < consent.expires and (purpose not in SPOKEN_PURPOSES or consent.spoken is not None),
                "expires": consent.expires.isoformat(),
                "spoken": None if consent.spoken is None else consent.spoken.to_record(),
            }
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
                values = agree(room, vault, purpose=purpose, locale=terminal.language, days=days, spoken=check)
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
