"""`hometone revoke SPEAKER`: everything of hers is gone, and a receipt says so."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hometone_client.cli.session import PIN_VARIABLE, PinFile, Session, Yes
from hometone_client.speakers.exports import write_file
from hometone_client.speakers.forgetting import forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import DamagedVaultError, HometoneError, StorageError, UsageError, VaultError

EPILOG = """\b
Examples:
  hometone revoke mei
  hometone revoke mei --pin-file pin.txt --yes --receipt receipt.json

Forgetting needs no reason, no network and no PIN. With the PIN, sound files that were written in her voice are removed too, and the scan
afterwards looks for pieces of her recordings. Killed at any moment, it finishes when any command starts again."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="revoke", epilog=EPILOG)
    def revoke(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Who is to be forgotten.")],
        pin_file: PinFile = None,
        yes: Yes = False,
        keep_exports: Annotated[bool, typer.Option("--keep-exports", help="Leave sound files in her voice where they are.")] = False,
        receipt: Annotated[Path | None, typer.Option(help="Write the signed receipt to this file.")] = None,
    ) -> None:
        """Forget a speaker: recordings, declarations, voice, checkpoints, jobs, exports."""
        import os

        session: Session = context.obj
        terminal = session.terminal
        with session.vault() as vault:
            entry = vault.find(speaker)
            question = terminal.words("ask-revoke", name=entry.name)
            if not yes and not terminal.confirm(question, expected=entry.name, option="--yes"):
                raise UsageError("nothing was removed", hint="to remove her, type her name")
            with_pin = pin_file is not None or bool(os.environ.get(PIN_VARIABLE))
            room = None
            if with_pin:
                with suppress(DamagedVaultError):  # damage keeps nobody from being forgotten; it is then done as without her PIN
                    room = SpeakerRoom(vault.unlock(entry.speaker_id, session.pin(pin_file)))
            done = forget(vault, entry.speaker_id, home=session.home, room=room, keep_exports=keep_exports)
            left = len(vault.speakers())
        failure: HometoneError | None = None
        if receipt is not None:
            try:
                write_file(receipt, done.receipt.to_json())
            except StorageError:
                failure = StorageError("she was forgotten, but the receipt could not be written", hint="keep the one in this answer")
        values = {
            "receipt": asdict(done.receipt),
            "exports": {"known": done.exports_known, "removed": done.exports_removed, "not_found": done.exports_missing},
            "scan": {**asdict(done.scan), "clean": done.scan.clean},
            "speakers_left": left,
        }
        if not done.scan.clean:
            failure = VaultError(
                "pieces of this speaker were found after she was removed",
                hint="something outside Hometone copied her data into its folder; look there",
            )
        lines = [
            terminal.words("revoked", files=done.receipt.files_removed, kib=done.receipt.bytes_removed // 1024),
            terminal.words("scanned", files=done.scan.files, canaries=done.scan.canaries),
        ]
        if keep_exports:
            lines.append(terminal.words("exports-kept"))
        elif done.exports_known:
            lines.append(terminal.words("exports-removed", removed=done.exports_removed, missing=done.exports_missing))
        else:
            lines.append(terminal.words("exports-unknown"))
        if failure is not None:
            if not terminal.as_json:
                terminal.answer("revoke", values, lines=[done.receipt.to_json().decode(), *(lines if done.scan.clean else ())])
            raise typer.Exit(terminal.fail("revoke", failure, values=values))
        terminal.answer("revoke", values, lines=lines)
