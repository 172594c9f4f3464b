"""Stop using my voice: reached from every page, without a PIN, without a network, and where the vault is damaged in part.

1. Who: the person who is unlocked, or a name. Or a code from a recovery sheet, for a voice of any computer (`stopping_by_code`).
2. What: everything, or one purpose. What goes is counted for her who is unlocked; of somebody locked nothing is told but her name.
3. Then the name is typed. A slip of the hand presses buttons; it types no names. A PIN is not asked for: whoever forgot it has the same
   right, and whoever sits at this computer as this user could stop a voice from the command line as well. Nobody else gets here.
4. Withdrawal, kill-safe (`withdrawal.withdrawing`); the session is locked, loaded voices are forgotten; it is handed over if it can be.
5. The receipt, also later, with who has answered since.

What it may see: what its rooms see. What it must never do: undo anything, or tell of a locked person more than her name.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.house import House
from hometone_client.pages.receipts import receipt_path
from hometone_client.pages.visit import Here, Posted, Visit
from hometone_client.speakers.agreement import standings
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.opening import opened_vault
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.pages import day, purposes_words
from hometone_client.withdrawal.stopping import PARTIAL, Preview, hand_over, stop, wish_of
from hometone_keys import SpeakerEntry, Vault
from hometone_shared.errors import DamagedVaultError, HometoneError, UsageError, VaultError
from hometone_shared.pages.flash import Flash
from hometone_shared.records.purposes import Purpose

router: Final = APIRouter()
CHOICES: Final = (Purpose.OWN_VOICE, *PARTIAL)


@contextmanager
def vault_for_stopping(house: House) -> Iterator[Vault]:
    """The vault, also where what this laptop knows of its coordinator is damaged.

    Raises:
        UsageError: There is none.
        VaultError: It refuses.
    """
    try:
        vault = house.vault()
    except DamagedVaultError:
        with opened_vault(house.home, although_damaged=True) as vault:
            yield vault
        return
    yield vault


def unlocked_here(visit: Visit) -> SpeakerRoom | None:
    """Who is unlocked; nobody where her things are damaged, so that she is forgotten as without her PIN."""
    try:
        return visit.maybe_room
    except HometoneError:
        visit.browser.lock()
        return None


def _people(visit: Visit) -> tuple[SpeakerEntry, ...]:
    if not visit.house.has_vault:
        return ()
    with vault_for_stopping(visit.house) as vault:
        return tuple(entry for entry in vault.speakers() if not entry.is_guest)


def _entry(vault: Vault, place: str) -> SpeakerEntry:
    for entry in vault.speakers():
        if entry.speaker_id == place and not entry.is_guest:
            return entry
    raise UsageError("there is nobody of that name here", hint="list the voices to see the names")


@router.get("/stop")
def who(visit: Here) -> Response:
    """Whose voice (1), and what was stopped before (5)."""
    room = unlocked_here(visit)
    mine = None if room is None else room.speaker_id
    people = _people(visit)
    items = sorted(Outbox(visit.house.home).items(), key=lambda item: item.tombstone.made, reverse=True)
    return visit.page(
        "stopping/who.html",
        mine=next((entry for entry in people if entry.speaker_id == mine), None),
        others=[entry for entry in people if entry.speaker_id != mine],
        earlier=[
            (receipt_path(item.tombstone), day(item.tombstone.made), purposes_words(item.tombstone.scope, visit.language)) for item in items
        ],
    )


@router.get("/stop/of/{place}")
def what(visit: Here, place: str) -> Response:
    """Everything, or one purpose (2)."""
    room = unlocked_here(visit)
    try:
        with vault_for_stopping(visit.house) as vault:
            entry = _entry(vault, place)
    except HometoneError as error:
        return visit.again("/stop", error=error)
    mine = room if room is not None and room.speaker_id == place else None
    given = set(PARTIAL)
    if mine is not None:
        with suppress(HometoneError):
            given = {each.purpose for each in standings(mine, now=visit.house.now()) if each.consent is not None or each.unreadable}
    return visit.page("stopping/what.html", entry=entry, choices=[each for each in PARTIAL if each in given])


@router.post("/stop/of/{place}")
def look(visit: Here, form: Posted, place: str) -> Response:
    """To the second step; nothing is done yet."""
    if form.text("what") not in set(CHOICES):
        error = UsageError("there is no such purpose", hint="choose what is to end")
        return visit.again(f"/stop/of/{place}", error=error, form=form)
    path = f"/stop/of/{place}/sure"
    visit.browser.flash = Flash(path=path, typed={"what": form.text("what"), "repeat": "yes" if form.flag("repeat") else ""})
    return visit.go(path)


@router.get("/stop/of/{place}/sure")
def sure(visit: Here, place: str) -> Response:
    """What goes, what cannot be called back, and the name to be typed (2, 3)."""
    room = unlocked_here(visit)
    flash = visit.browser.flash
    chosen = flash.typed.get("what", "") if flash is not None and flash.path == visit.request.url.path else ""
    if flash is None or chosen not in set(CHOICES):
        return visit.go(f"/stop/of/{place}")
    try:
        with vault_for_stopping(visit.house) as vault:
            entry = _entry(vault, place)
    except HometoneError as error:
        return visit.again("/stop", error=error)
    preview = None
    if room is not None and room.speaker_id == place:
        with suppress(VaultError):
            preview = Preview.of(room, now_s=int(visit.house.now().timestamp()))
    return visit.page(
        "stopping/sure.html",
        entry=entry,
        purpose=Purpose(chosen),
        everything=Purpose(chosen) is Purpose.OWN_VOICE,
        repeat=flash.typed.get("repeat") == "yes",
        preview=preview,
    )


def is_her_name(typed: str, name: str) -> bool:
    """Whether somebody typed this name; capital letters, wide letters and spaces around it do not matter."""

    def plain(text: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

    return plain(typed) == plain(name)


@router.post("/stop/of/{place}/sure")
def finish(visit: Here, form: Posted, place: str) -> Response:
    """Stop (4)."""
    room, house = unlocked_here(visit), visit.house
    chosen = form.text("what")
    again = f"/stop/of/{place}/sure"
    try:
        if chosen not in set(CHOICES):
            raise UsageError("there is no such purpose", hint="choose what is to end")
        with vault_for_stopping(house) as vault:
            entry = _entry(vault, place)
            if not is_her_name(form.text("name"), entry.name):
                raise UsageError("nothing was removed, because the name is another one", hint="to go on, type the name as it stands there")
            mine = room if room is not None and room.speaker_id == place else None
            done = stop(house.home, vault, entry, room=mine, scope=frozenset({Purpose(chosen)}), wish=wish_of(form.flag("repeat")))
            visit.browser.lock()
            house.forget_loaded()
            with suppress(HometoneError):  # it is done; it travels with a later contact
                hand_over(house.home, vault, done.known.tombstone)
    except HometoneError as error:
        return visit.again(again if chosen in set(CHOICES) else f"/stop/of/{place}", error=error, form=form)
    return visit.go(receipt_path(done.known.tombstone), notice="stopping-done")
