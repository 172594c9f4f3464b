"""`hometone withdraw` and `hometone recovery`: a person's code on paper, and what it does from any computer."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hometone_client.cli.revoke import keep_bundle, travelled
from hometone_client.cli.session import PinFile, Session, Yes
from hometone_client.speakers.exports import write_file
from hometone_client.withdrawal.bundles import best_bundle
from hometone_client.withdrawal.pages import recovery_sheet
from hometone_client.withdrawal.stopping import wish_of
from hometone_client.withdrawal.withdrawing import Stranger, joined_coordinator, met, place_of, withdraw, withdraw_by_code
from hometone_keys import Vault
from hometone_shared.errors import HometoneError, UsageError
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.tombstone import coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

WITHDRAW_EPILOG = """\b
Examples:
  hometone withdraw --code HR1-...
  hometone withdraw --words "abandon ability ..."
  hometone withdraw --code HR1-... --at voices.example.org:443 --fingerprint 4f...

The code is on the recovery sheet. It ends everything: her voice, rounds, lent copies. This needs no PIN, and not the computer on which the
voice was made; if it is this one, everything of hers is removed here as well. With --code - the code is read from standard input."""
RECOVERY_EPILOG = """\b
Examples:
  hometone recovery mei --out sheet.html           print it, give it to somebody she trusts, delete the file
  hometone recovery mei

Whoever has the code can withdraw her, and nothing else: it opens nothing."""

At = Annotated[str | None, typer.Option("--at", metavar="HOST:PORT", help="The coordinator; otherwise the one that was joined.")]
Fingerprint = Annotated[
    str | None, typer.Option("--fingerprint", metavar="HEX", help="32 digits of the coordinator's key, from the paper; with --at.")
]


def coordinator_of(session: Session, at: str | None, fingerprint: str | None) -> Stranger:
    """The coordinator that a line names, or the one that was joined.

    Raises:
        UsageError: There is neither, or half of the two options is missing.
        FederationError: It cannot be reached.
        ProtocolError: It is another one.
    """
    if (at is None) != (fingerprint is None):
        raise UsageError("--at and --fingerprint belong together", hint="both are on the paper")
    if at is not None and fingerprint is not None:
        return met(at, fingerprint=fingerprint.lower())
    joined = joined_coordinator(session.home)
    if joined is None:
        raise UsageError("this computer has not joined a coordinator", hint="name the one on the paper: --at HOST:PORT --fingerprint HEX")
    return joined


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command(name="withdraw", epilog=WITHDRAW_EPILOG)
    def withdraw_from_paper(
        context: typer.Context,
        code: Annotated[str | None, typer.Option(help="The code that begins with HR1; - reads it from standard input.")] = None,
        words: Annotated[str | None, typer.Option(help="The twelve words, English or Chinese.")] = None,
        at: At = None,
        fingerprint: Fingerprint = None,
        repeat_shared_model: Annotated[
            bool, typer.Option("--repeat-shared-model", help="Ask for the shared model to be repeated without her.")
        ] = False,
        bundle: Annotated[Path | None, typer.Option(help="Write the receipt that says who has answered to this file.")] = None,
        yes: Yes = False,
    ) -> None:
        """Withdraw somebody with the code on her paper, from any computer."""
        session: Session = context.obj
        terminal = session.terminal
        if (code is None) == (words is None):
            raise UsageError("a withdrawal takes the code or the words", hint='hometone withdraw --code HR1-..., or --words "..."')
        text = terminal.read_line() if code == "-" else code or words or ""
        secret = RecoverySecret.from_text(text)
        if not yes and not terminal.confirm(terminal.words("ask-withdraw"), expected=terminal.words("yes-word"), option="--yes"):
            raise UsageError("nothing was withdrawn", hint="to withdraw, say yes")
        if Vault.exists(session.home):
            with session.vault(although_damaged=True) as vault:
                speaker_id = place_of(vault, secret)
                if speaker_id is not None:
                    _withdraw_here(session, vault, speaker_id, repeat_shared_model=repeat_shared_model, bundle=bundle)
                    return
        coordinator = coordinator_of(session, at, fingerprint)
        known = withdraw_by_code(session.home, secret, coordinator, wish=wish_of(repeat_shared_model))
        values: dict[str, Any] = {"pseudonym": secret.pseudonym, "sequence": known.tombstone.sequence, "delivered": True, "here": False}
        if bundle is not None:
            try:
                write_file(bundle, best_bundle(session.home, known.tombstone, coordinator=coordinator).to_bytes())
            except HometoneError as error:
                raise typer.Exit(terminal.fail("withdraw", error, values=values)) from error
        terminal.answer("withdraw", values, lines=[terminal.words("withdrawn-elsewhere", pseudonym=secret.pseudonym)])

    @app.command(name="recovery", epilog=RECOVERY_EPILOG)
    def recovery(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Whose code.")],
        out: Annotated[Path | None, typer.Option(help="Write a sheet to be printed to this file (HTML); it holds the code.")] = None,
        pin_file: PinFile = None,
    ) -> None:
        """Show a speaker's recovery code, with which she can be withdrawn from anywhere."""
        session: Session = context.obj
        terminal = session.terminal
        with session.vault() as vault:
            entry = vault.find(speaker)
            with session.unlocked(vault, entry, pin_file=pin_file):
                secret = RecoverySecret(vault.withdrawal_secret(entry.speaker_id))
        place = _address(session)
        values: dict[str, Any] = {
            "speaker": entry.name,
            "pseudonym": secret.pseudonym,
            "address": place[0] if place else None,
            "fingerprint": place[1] if place else None,
            "out": None if out is None else str(out),
        }
        if out is not None:
            page = recovery_sheet(secret, name=entry.name, coordinator=place, language=terminal.language)
            write_file(out, page.encode())
            terminal.answer("recovery", values, lines=[terminal.words("sheet-written", out=out)])
            return
        values |= {"code": secret.code(), "words": {"en": secret.words("en"), "zh": secret.words("zh")}}
        terminal.answer("recovery", values, lines=[secret.code(), secret.words("en"), secret.words("zh")])
        terminal.hint(terminal.words("recovery-hint"))


def _withdraw_here(session: Session, vault: Vault, speaker_id: str, *, repeat_shared_model: bool, bundle: Path | None) -> None:
    """She lives on this very computer: as `hometone revoke` without her PIN."""
    terminal = session.terminal
    withdrawn = withdraw(session.home, vault, speaker_id, wish=wish_of(repeat_shared_model))
    told, more = travelled(session, vault, withdrawn.known.tombstone)
    values = {**told, "here": True}
    failure = None if bundle is None else keep_bundle(session, withdrawn.known.tombstone, bundle)
    if failure is not None:
        raise typer.Exit(terminal.fail("withdraw", failure, values=values))
    terminal.answer("withdraw", values, lines=[terminal.words("withdrawn-here"), *more])


def _address(session: Session) -> tuple[str, str] | None:
    joined = joined_coordinator(session.home)
    if joined is None:
        return None
    address = CoordinatorDescriptor.from_envelope(joined.descriptor, key=joined.key).address
    return address, coordinator_name(joined.key)
