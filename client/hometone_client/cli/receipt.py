"""`hometone receipt show|verify|fetch`: who has answered a withdrawal, checked without a network."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hometone_client.cli.session import Session
from hometone_client.cli.withdraw import At, Fingerprint, coordinator_of
from hometone_client.speakers.exports import write_file
from hometone_client.withdrawal.bundles import SUGGESTED_NAME, fetched_bundle, read_bundle
from hometone_client.withdrawal.pages import day, model_words, pending_words, receipt_page, removed_words, role_words
from hometone_shared.errors import UsageError
from hometone_shared.log.cosignature import WitnessKey
from hometone_shared.records.canonical import checked_hexadecimal
from hometone_shared.withdrawal.verified_receipt import VerifiedReceipt

SHOW_EPILOG = """\b
Examples:
  hometone receipt show hometone-receipt.json
  hometone receipt show hometone-receipt.json --print receipt.html"""
VERIFY_EPILOG = """\b
Examples:
  hometone receipt verify hometone-receipt.json --coordinator-key 7c...
  hometone receipt verify hometone-receipt.json --witness-key NAME+KEYID+KEY

Opens no connection. Checks every signature, and every proof that something is in the coordinator's log; with the two options also whose log
it is, and that a witness has seen it. Exit code 14 if anything does not hold."""
FETCH_EPILOG = """\b
Examples:
  hometone receipt fetch --pseudonym 3f... --out receipt.json
  hometone receipt fetch --file hometone-receipt.json --out newer.json"""
PseudonymOption = Annotated[str | None, typer.Option("--pseudonym", metavar="HEX", help="32 digits, as the receipt shows them.")]
_PSEUDONYM_CHARACTERS: Final = 32


def register(app: typer.Typer) -> None:
    """Add the commands."""
    receipts = typer.Typer(name="receipt", help="Receipts of withdrawals.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(receipts)

    @receipts.command(name="show", epilog=SHOW_EPILOG)
    def show(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="The receipt.")],
        page: Annotated[Path | None, typer.Option("--print", help="Write a page to be printed to this file (HTML).")] = None,
    ) -> None:
        """Say what a receipt says, after checking everything that it proves by itself."""
        _tell(context.obj, "receipt show", read_bundle(file).verified(), page=page)

    @receipts.command(name="verify", epilog=VERIFY_EPILOG)
    def verify(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="The receipt.")],
        coordinator_key: Annotated[str | None, typer.Option(metavar="HEX", help="The coordinator's key, 64 digits.")] = None,
        witness_key: Annotated[
            list[str] | None, typer.Option(metavar="NAME+KEYID+KEY", help="A witness that has to have seen the log; repeatable.")
        ] = None,
        page: Annotated[Path | None, typer.Option("--print", help="Write a page to be printed to this file (HTML).")] = None,
    ) -> None:
        """Check a receipt."""
        key = None if coordinator_key is None else bytes.fromhex(checked_hexadecimal(coordinator_key.lower(), name="the coordinator's key"))
        witnesses = [WitnessKey.parse(text) for text in witness_key or ()]
        _tell(context.obj, "receipt verify", read_bundle(file).verified(key, witnesses), page=page)

    @receipts.command(name="fetch", epilog=FETCH_EPILOG)
    def fetch(
        context: typer.Context,
        pseudonym: PseudonymOption = None,
        file: Annotated[Path | None, typer.Option("--file", help="An earlier receipt of the same person.")] = None,
        out: Annotated[Path, typer.Option(help="Where to write it.")] = Path(SUGGESTED_NAME),
        at: At = None,
        fingerprint: Fingerprint = None,
    ) -> None:
        """Ask the coordinator for the newest receipt, with everybody's answers."""
        if (pseudonym is None) == (file is None):
            raise UsageError("a receipt is fetched by pseudonym or by an earlier receipt", hint="--pseudonym HEX, or --file FILE")
        session: Session = context.obj
        asked = read_bundle(file).verified().pseudonym if file is not None else (pseudonym or "").lower()
        checked_hexadecimal(asked, name="a pseudonym", characters=_PSEUDONYM_CHARACTERS)
        coordinator = coordinator_of(session, at, fingerprint)
        bundle = fetched_bundle(coordinator, asked)
        write_file(out, bundle.to_bytes())
        _tell(session, "receipt fetch", bundle.verified(coordinator.key), out=out)


def _tell(session: Session, command: str, found: VerifiedReceipt, *, page: Path | None = None, out: Path | None = None) -> None:
    terminal = session.terminal
    if page is not None:
        write_file(page, receipt_page(found, language=terminal.language).encode())
    values: dict[str, Any] = {
        "pseudonym": found.pseudonym,
        "scope": sorted(found.tombstone.scope),
        "made": found.tombstone.made,
        "received": found.received,
        "coordinator_key": None if found.coordinator_key is None else found.coordinator_key.hex(),
        "witnessed": dict(found.witnessed),
        "complete": found.is_complete,
        "answers": [
            {
                "role": answer.role.value,
                "device": answer.device,
                "at": answer.at,
                "filed": answer.filed,
                "removed": {kind.value: count for kind, count in answer.removed.items()},
                "key_destroyed": answer.receipt.key_destroyed,
                "shared_model": None if answer.treatment is None else answer.treatment.to_document(),
            }
            for answer in found.newest
        ],
        "pending": [
            {"role": answer.role.value, "device": answer.device, "what": item.what.value, "until": item.until}
            for answer, item in found.pending
        ],
    }
    lines = [terminal.words("receipt-complete" if found.is_complete else "receipt-open", pseudonym=found.pseudonym)]
    for answer in found.newest:
        who, counts = role_words(answer.role, terminal.language), removed_words(answer.removed, terminal.language)
        lines.append(terminal.words("receipt-answer", who=who, date=day(answer.at), counts=counts))
        if answer.treatment is not None:
            lines.append(f"  {model_words(answer.treatment, terminal.language)}")
    lines += [
        terminal.words("receipt-pending", who=role_words(answer.role, terminal.language), what=pending_words(item, terminal.language))
        for answer, item in found.pending
    ]
    if out is not None:
        values["out"] = str(out)
    terminal.answer(command, values, lines=lines)
