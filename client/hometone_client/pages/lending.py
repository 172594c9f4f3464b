"""Lending one's voice: who holds a copy, until when; and a new copy, for one other computer or for the announcements of this one.

1. The card of the computer that wants it is read, and its four words are compared by telephone.
2. The package for it is made, and handed over as a file; for this computer it is taken in at once.

What it may see: her unlocked things. What it must never do: lend before the words were compared.
"""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import checked_card, lend, lent_copies, recipient_card
from hometone_client.lending.guests import guests
from hometone_client.lending.known_log import KnownLog
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.speakers.agreement import standings
from hometone_client.speakers.consent import Purpose
from hometone_client.withdrawal.delivery import ensure_registered
from hometone_client.withdrawal.pages import day
from hometone_shared.errors import HometoneError, ProtocolError, UsageError
from hometone_shared.records.device import device_id
from hometone_shared.records.lease import LONGEST_LABEL, LONGEST_LEASE_DAYS, RecipientCard, words_of_card
from hometone_shared.records.signing import Envelope

router: Final = APIRouter()
LONGEST_CARD: Final = 4096
DAYS: Final = (30, 14, 7, 1)


class Lending:
    """A loan that is being made in one session: the card, then the package. In memory only."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.card: Envelope | None = None
        self.package = b""
        self.label = ""

    def close(self) -> None:
        """Forget it."""
        self.card, self.package, self.label = None, b"", ""


def _lending(visit: Visit) -> Lending:
    return visit.browser.kept(Lending, Lending)


@router.get("/me/lending")
def show(visit: Own) -> Response:
    """Who holds a copy; what is needed to lend one."""
    house, now = visit.house, visit.house.now()
    announcements = next(each for each in standings(visit.room, now=now) if each.purpose is Purpose.ANNOUNCEMENTS)
    here = device_id(house.vault().device.public_signing_key())
    heard = {guest.lease.lease: guest.state.last_contact for guest in guests(house.vault())}
    lending = _lending(visit)
    return visit.page(
        "lending/lending.html",
        copies=[
            (copy, copy.recipient == here, day(copy.issued), day(copy.ends), day(heard[copy.lease]) if copy.lease in heard else "")
            for copy in reversed(lent_copies(visit.room))
        ],
        may_lend=announcements.allowed,
        has_voice=visit.room.has_voice,
        joined=KnownLog.of(house.home).is_joined,
        package=lending.package,
        label=lending.label,
        now_s=now.timestamp(),
    )


@router.post("/me/lending/card")
def card(visit: Own, form: Posted) -> Response:
    """The card of the computer that wants it (1)."""
    house = visit.house
    try:
        log = KnownLog.of(house.home)
        if form.text("to") == "here":
            envelope = recipient_card(house.vault(), coordinator=log.coordinator, label=visit.words("lending-here"))
        else:
            files = form.files("card")
            if not files:
                raise UsageError("the card cannot be read", hint="choose the file that Hometone has written")
            if len(files[0].content) > LONGEST_CARD:
                raise UsageError("this is too long for a card", hint="choose the file that Hometone has written")
            envelope = Envelope.from_bytes(files[0].content)
        checked_card(envelope, log=log)
    except HometoneError as error:
        return visit.again("/me/lending", error=error, form=form)
    lending = _lending(visit)
    lending.close()
    lending.card = envelope
    return visit.go("/me/lending/compare")


@router.get("/me/lending/compare")
def compare(visit: Own) -> Response:
    """The four words, large, and for how long (1)."""
    envelope = _lending(visit).card
    if envelope is None:
        return visit.go("/me/lending")
    read = RecipientCard.from_envelope(envelope)
    return visit.page(
        "lending/compare.html",
        label=read.label,
        check_words=words_of_card(envelope).split(),
        here=read.device == device_id(visit.house.vault().device.public_signing_key()),
        days=DAYS,
        name=visit.room.name,
        longest=LONGEST_LABEL,
    )


@router.post("/me/lending/lend")
def give(visit: Own, form: Posted) -> Response:
    """Lend it (2)."""
    house, lending = visit.house, _lending(visit)
    vault = house.vault()
    try:
        envelope = lending.card
        if envelope is None:
            raise UsageError("there is no card here any more", hint="choose the card again")
        log = KnownLog.of(house.home)
        card = checked_card(envelope, log=log)
        here = card.device == device_id(vault.device.public_signing_key())
        if not here and not form.flag("same"):
            raise UsageError("nothing was lent", hint="compare the four words with the borrower, then try again")
        days = form.number("days", LONGEST_LEASE_DAYS)
        if days not in DAYS:
            raise UsageError(f"a copy is lent for 1 to {LONGEST_LEASE_DAYS} days at a time", hint="choose one of the days that are offered")
        label = form.text("name").strip() or None
        _, package = lend(
            visit.room,
            vault,
            card=card,
            log=log,
            register=lambda: _register(visit),
            now=house.now(),
            lease_days=int(days),
            label=label,
        )
        if here:
            guest = borrow(vault, package, log=KnownLog.of(house.home), now=house.now(), name=label)
            lending.close()
            return visit.go("/me/lending", notice="lending-here-done", name=guest.name)
    except HometoneError as error:
        path = "/me/lending" if lending.card is None or isinstance(error, ProtocolError) else "/me/lending/compare"
        return visit.again(path, error=error, form=form)
    lending.close()
    lending.package, lending.label = package, card.label
    return visit.go("/me/lending", notice="lending-done", label=card.label)


def _register(visit: Visit) -> None:
    ensure_registered(visit.house.home, visit.house.vault(), visit.room.speaker_id, purpose=Purpose.ANNOUNCEMENTS)


@router.get("/me/lending/package")
def package(visit: Own) -> Response:
    """The file for the other computer; only that one can open it."""
    data = _lending(visit).package
    if not data:
        raise UsageError("the file is not here any more", hint="lend the voice again")
    return visit.sound(data, media_type="application/octet-stream", name="hometone-voice.htvoice")
