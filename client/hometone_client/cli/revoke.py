"""`hometone revoke SPEAKER`: everything of hers is gone, or one purpose has ended for good, and a receipt says so."""

import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hometone_client.cli.session import PIN_VARIABLE, PinFile, Session, Yes
from hometone_client.speakers.exports import write_file
from hometone_client.speakers.forgetting import Forgotten, forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.stopping import PARTIAL, hand_over, stop, wish_of
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import DamagedVaultError, HometoneError, StorageError, UsageError, VaultError
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.tombstone import SharedModelWish, Tombstone

EPILOG = """\b
Examples:
  hometone revoke mei
  hometone revoke mei --pin-file pin.txt --yes --receipt receipt.json
  hometone revoke mei --scope announcements        only this ends; her voice stays
  hometone revoke mei --repeat-shared-model        and what she gave to the shared model is taken out of it

Forgetting needs no reason, no network and no PIN. With the PIN, sound files that were written in her voice are removed too, and the scan
afterwards looks for pieces of her recordings. Killed at any moment, it finishes when any command starts again. The coordinator and whoever
has borrowed her voice hear of it with the next contact: at once if they can be reached, otherwise with hometone sync or node."""

Scope = Annotated[
    list[str] | None,
    typer.Option(metavar="PURPOSE", help="End only this purpose: federated-learning, announcements, archive, listening-test; repeatable."),
]


def wished_scope(values: list[str] | None) -> frozenset[Purpose]:
    """The purposes that somebody named; her own voice, and with it everything, if none.

    Raises:
        UsageError: There is no such purpose.
    """
    known = {purpose.value: purpose for purpose in Purpose}
    if any(value not in known for value in values or ()):
        raise UsageError("there is no such purpose", hint=f"one of: {', '.join(purpose.value for purpose in PARTIAL)}")
    return frozenset(known[value] for value in values or [Purpose.OWN_VOICE.value])


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="revoke", epilog=EPILOG)
    def revoke(
        context: typer.Context,
        speaker: Annotated[str, typer.Argument(help="Who is to be forgotten.")],
        pin_file: PinFile = None,
        yes: Yes = False,
        keep_exports: Annotated[bool, typer.Option("--keep-exports", help="Leave sound files in her voice where they are.")] = False,
        receipt: Annotated[Path | None, typer.Option(help="Write this computer's signed receipt to this file.")] = None,
        bundle: Annotated[Path | None, typer.Option(help="Write the receipt that says who has answered to this file.")] = None,
        scope: Scope = None,
        repeat_shared_model: Annotated[
            bool, typer.Option("--repeat-shared-model", help="Ask for the shared model to be repeated without her.")
        ] = False,
    ) -> None:
        """Forget a speaker: recordings, declarations, voice, checkpoints, jobs, exports; or end one purpose."""
        session: Session = context.obj
        terminal = session.terminal
        purposes = wished_scope(scope)
        everything = Purpose.OWN_VOICE in purposes
        with session.vault(although_damaged=True) as vault:
            entry = vault.find(speaker)
            key = "ask-revoke" if everything else "ask-revoke-purpose"
            question = terminal.words(key, name=entry.name, purposes=_in_words(session, purposes))
            if not yes and not terminal.confirm(question, expected=entry.name, option="--yes"):
                raise UsageError("nothing was removed", hint="to remove her, type her name")
            room = _opened(session, vault, entry, pin_file=pin_file, everything=everything)
            if everything:
                _forget_everything(
                    session,
                    vault,
                    entry,
                    room=room,
                    keep_exports=keep_exports,
                    receipt=receipt,
                    bundle=bundle,
                    wish=wish_of(repeat_shared_model),
                )
            else:
                if entry.is_guest:
                    raise UsageError("this is a lent copy; only its owner can end purposes", hint="to remove it: hometone revoke NAME")
                _end_purposes(session, vault, entry, room=room, purposes=purposes, bundle=bundle, wish=wish_of(repeat_shared_model))


def _opened(session: Session, vault: Vault, entry: SpeakerEntry, *, pin_file: Path | None, everything: bool) -> SpeakerRoom | None:
    """Her things, with her PIN if it was given; for a purpose also without it, if this computer may."""
    if not entry.is_guest and (pin_file is not None or os.environ.get(PIN_VARIABLE)):
        with suppress(DamagedVaultError):  # damage keeps nobody from being forgotten; it is then done as without her PIN
            return SpeakerRoom(vault.unlock(entry.speaker_id, session.pin(pin_file)))
    if entry.is_guest or (not everything and entry.work_allowed):
        with suppress(HometoneError):
            return SpeakerRoom(vault.unlock_for_work(entry.speaker_id))
    return None


def _forget_everything(
    session: Session,
    vault: Vault,
    entry: SpeakerEntry,
    *,
    room: SpeakerRoom | None,
    keep_exports: bool,
    receipt: Path | None,
    bundle: Path | None,
    wish: SharedModelWish,
) -> None:
    terminal = session.terminal
    tombstone = None
    if entry.is_guest:
        done = forget(vault, entry.speaker_id, home=session.home, room=room)
    else:
        withdrawn = stop(session.home, vault, entry, room=room, wish=wish, keep_exports=keep_exports)
        tombstone = withdrawn.known.tombstone
        if withdrawn.forgotten is None:
            raise VaultError("she was not forgotten", hint="try again")
        done = withdrawn.forgotten
    values: dict[str, Any] = {
        "receipt": asdict(done.receipt),
        "exports": {"known": done.exports_known, "removed": done.exports_removed, "not_found": done.exports_missing},
        "scan": {**asdict(done.scan), "clean": done.scan.clean},
        "speakers_left": len(vault.speakers()),
    }
    lines = _lines(session, done, keep_exports=keep_exports)
    if tombstone is not None:
        told, more = travelled(session, vault, tombstone)
        values["withdrawal"] = told
        lines += more
    failure = _written(receipt, done.receipt.to_json())
    if bundle is not None and tombstone is not None:
        failure = keep_bundle(session, tombstone, bundle) or failure
    if not done.scan.clean:
        failure = VaultError(
            "pieces of this speaker were found after she was removed",
            hint="something outside Hometone copied her data into its folder; look there",
        )
    if failure is not None:
        if not terminal.as_json:
            terminal.answer("revoke", values, lines=[done.receipt.to_json().decode(), *(lines if done.scan.clean else ())])
        raise typer.Exit(terminal.fail("revoke", failure, values=values))
    terminal.answer("revoke", values, lines=lines)


def _lines(session: Session, done: Forgotten, *, keep_exports: bool) -> list[str]:
    terminal = session.terminal
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
    return lines


def _end_purposes(
    session: Session,
    vault: Vault,
    entry: SpeakerEntry,
    *,
    room: SpeakerRoom | None,
    purposes: frozenset[Purpose],
    bundle: Path | None,
    wish: SharedModelWish,
) -> None:
    terminal = session.terminal
    withdrawn = stop(session.home, vault, entry, room=room, scope=purposes, wish=wish)
    if room is not None:
        room.vault.close()
    told, more = travelled(session, vault, withdrawn.known.tombstone)
    names = _in_words(session, purposes)
    values = {
        "speaker": entry.name,
        "ended": sorted(purposes),
        "removed": {} if withdrawn.removal is None else {kind.value: count for kind, count in withdrawn.removal.removed.items()},
        "withdrawal": told,
    }
    if bundle is not None:
        failure = keep_bundle(session, withdrawn.known.tombstone, bundle)
        if failure is not None:
            raise typer.Exit(terminal.fail("revoke", failure, values=values))
    terminal.answer("revoke", values, lines=[terminal.words("purpose-ended", name=entry.name, purposes=names), *more])


def _in_words(session: Session, purposes: frozenset[Purpose]) -> str:
    terminal = session.terminal
    return terminal.words("list-comma").join(terminal.words(f"consent-{purpose.value}") for purpose in sorted(purposes))


def travelled(session: Session, vault: Vault, tombstone: Tombstone) -> tuple[dict[str, Any], list[str]]:
    """Hand a withdrawal over if the coordinator can be reached now; the documented keys, and the words."""
    terminal = session.terminal
    handed = hand_over(session.home, vault, tombstone)
    told = {
        "pseudonym": tombstone.pseudonym,
        "sequence": tombstone.sequence,
        "joined": handed.joined,
        "delivered": handed.delivered,
        "filed": handed.filed,
        "waiting": None if handed.waiting is None else handed.waiting.message,
    }
    if not handed.joined:
        return told, []
    if handed.waiting is not None and not handed.delivered:
        return told, [terminal.words("withdrawal-waiting", why=handed.waiting.message)]
    return told, [terminal.words("withdrawal-delivered" if handed.delivered else "withdrawal-not-needed")]


def keep_bundle(session: Session, tombstone: Tombstone, path: Path) -> HometoneError | None:
    """Write the best bundle that can be had; why not, if it cannot be."""
    from hometone_client.withdrawal.bundles import best_bundle

    try:
        write_file(path, best_bundle(session.home, tombstone).to_bytes())
    except HometoneError as error:
        return type(error)("it was done, but the receipt could not be written", hint="get it later: hometone receipt fetch")
    return None


def _written(path: Path | None, data: bytes) -> HometoneError | None:
    if path is None:
        return None
    try:
        write_file(path, data)
    except StorageError:
        return StorageError("she was forgotten, but the receipt could not be written", hint="keep the one in this answer")
    return None
