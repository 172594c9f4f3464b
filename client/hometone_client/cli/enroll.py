"""`hometone enroll NAME`: consent, a PIN, an empty place in the vault."""

import datetime as dt
from typing import Annotated

import typer

from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.enrolling.places import place_for
from hometone_client.retention.consent_end import keep_consent
from hometone_client.retention.takes import choose_dropping, drops_takes
from hometone_client.speakers.consent import LONGEST_DAYS, Locale, Purpose, consent_text, give_consent
from hometone_client.speakers.declaration import AGE_BANDS, NOT_SAID, SETTLEMENTS, Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices.registry import STOCK_PREFIX
from hometone_shared.errors import ConsentError, UsageError

EPILOG = """\b
Examples:
  hometone enroll mei
  hometone enroll mei --lang zh --age-band 70-79 --region 陕西 --settlement rural --gender 女
  hometone enroll mei --pin-file pin.txt --yes --json

What a person says about herself is her choice, is sealed on this computer and is never guessed or sent."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="enroll", epilog=EPILOG)
    def enroll(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="What people call the voice.")],
        pin_file: PinFile = None,
        yes: Yes = False,
        days: Annotated[int, typer.Option(help="How long the consent holds, at most 365 days.", min=1, max=LONGEST_DAYS)] = LONGEST_DAYS,
        renew: Annotated[bool, typer.Option("--renew", help="The speaker exists; ask for her consent again.")] = False,
        age_band: Annotated[str, typer.Option(help=f"One of: {', '.join(AGE_BANDS)}.")] = NOT_SAID,
        region: Annotated[str, typer.Option(help="Free text.")] = NOT_SAID,
        settlement: Annotated[str, typer.Option(help=f"One of: {', '.join(SETTLEMENTS)}.")] = NOT_SAID,
        gender: Annotated[str, typer.Option(help="Free text.")] = NOT_SAID,
        drop_takes: Annotated[
            bool | None,
            typer.Option(
                "--drop-takes-after-training/--keep-takes",
                help="Whether her recordings go as soon as her voice is made; at first they stay.",
            ),
        ] = None,
    ) -> None:
        """Ask for consent and make a place for a new speaker.

        The text of the consent is shown; --yes says that it was read out to her, or that she read it, and that she agreed.
        """
        session: Session = context.obj
        terminal = session.terminal
        if name.strip().startswith(STOCK_PREFIX):
            raise UsageError(f"names that begin with {STOCK_PREFIX} belong to stock voices", hint="choose another name")
        locale: Locale = terminal.language
        declaration = Declaration(age_band=age_band, region=region, settlement=settlement, gender=gender)
        terminal.text(consent_text(Purpose.OWN_VOICE, locale))
        if not yes and not terminal.confirm(terminal.words("ask-consent"), expected=terminal.words("yes-word"), option="--yes"):
            raise ConsentError("there was no consent, so nothing was stored", hint="nothing more is needed")
        consent = give_consent(locale=locale, now=dt.datetime.now(dt.UTC), days=days)
        with session.vault(create=True) as vault:
            if renew:
                unlocked = vault.unlock(vault.find(name).speaker_id, session.pin(pin_file))
            else:
                unlocked = place_for(vault, name, session.new_pin(pin_file))
            with SpeakerRoom(unlocked) as room:
                if declaration != Declaration() or not renew:
                    room.keep_declaration(declaration)
                if drop_takes is not None:
                    choose_dropping(room, drop=drop_takes)
                keep_consent(room, vault, consent)  # last: from here on she is enrolled
                dropping = drops_takes(room)
                values = {
                    "speaker": room.name,
                    "speaker_id": room.speaker_id,
                    "purposes": [purpose.value for purpose in consent.purposes],
                    "expires": consent.expires.isoformat(),
                    "custody": vault.custody.value,
                    "drops_takes": dropping,
                }
        lines = [terminal.words("enrolled", name=values["speaker"], date=consent.expires.date().isoformat())]
        terminal.answer("enroll", values, lines=lines)
        terminal.hint(terminal.words("enrolled-hint", name=values["speaker"]))
