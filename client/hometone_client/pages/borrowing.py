"""Voices that were lent to this computer: its card, taking one in, whether each may speak now, trying one, removing one. Needs no PIN.

What it may see: lent copies. What it must never do: let one speak, or say that it may, whose lease does not hold.
"""

from typing import Final

import segno
from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import DEFAULT_LABEL, recipient_card
from hometone_client.lending.guests import Guest, guest_entries, guests
from hometone_client.lending.known_log import KnownLog
from hometone_client.lending.package import LONGEST_PACKAGE
from hometone_client.pages.readings import Readings, Wish
from hometone_client.pages.visit import Here, Posted, Visit
from hometone_client.speakers.forgetting import forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speakers.uses import Way
from hometone_client.withdrawal.delivery import contact_if_joined
from hometone_client.withdrawal.pages import day
from hometone_keys import SpeakerEntry
from hometone_shared.errors import ConsentError, HometoneError, UsageError, VaultError
from hometone_shared.records.lease import LONGEST_LABEL, words_of_card
from hometone_shared.records.signing import Envelope

router: Final = APIRouter()
_MOST_IN_PICTURE: Final = 1200
"""Bytes of a card that telephones still read from a screen."""


class Tried(Readings):
    """What lent voices were tried with."""


class Card:
    """The card that was made in this session; its words change with its label."""

    def __init__(self) -> None:
        """None yet."""
        self.envelope: Envelope | None = None

    def close(self) -> None:
        """Forget it; a card is no secret, and is made anew in a moment."""
        self.envelope = None


@router.get("/borrowed")
def show(visit: Here) -> Response:
    """Card and voices."""
    house = visit.house
    lent, damaged = _lent(visit)
    tried = visit.browser.kept(Tried, Tried).newest
    return visit.page(
        "borrowing/borrowing.html",
        lent=lent,
        damaged=damaged,
        label=DEFAULT_LABEL,
        longest=LONGEST_LABEL,
        tried=tried if tried is not None and tried.is_whole else None,
        joined=KnownLog.of(house.home).is_joined,
    )


def _lent(visit: Visit) -> tuple[list[tuple[Guest, dict[str, str] | None, str, str]], list[SpeakerEntry]]:
    """Each copy with why it may not speak now, until when it may, and when its owner's word was last heard; and damaged ones."""
    house = visit.house
    if not house.has_vault:
        return [], []
    vault, log, now_s = house.vault(), KnownLog.of(house.home), int(house.now().timestamp())
    found = []
    for guest in guests(vault):
        why: dict[str, str] | None = None
        try:
            guest.require(log, now_s=now_s)
        except ConsentError as error:
            why = dict(visit.told(error))
        found.append((guest, why, day(guest.speaks_until), day(guest.state.last_contact)))
    readable = {guest.speaker_id for guest, *_ in found}
    return found, [entry for entry in guest_entries(vault) if entry.speaker_id not in readable]


@router.post("/borrowed/card")
def make_card(visit: Here, form: Posted) -> Response:
    """The card of this computer, under a name of its own."""
    house = visit.house
    try:
        envelope = recipient_card(
            house.vault(create=True), coordinator=KnownLog.of(house.home).coordinator, label=form.text("label") or DEFAULT_LABEL
        )
    except HometoneError as error:
        return visit.again("/borrowed", error=error, form=form)
    visit.browser.kept(Card, Card).envelope = envelope
    return visit.go("/borrowed/card")


@router.get("/borrowed/card")
def card(visit: Here) -> Response:
    """Its four words, large; the file; a picture for a telephone."""
    envelope = visit.browser.kept(Card, Card).envelope
    if envelope is None:
        return visit.go("/borrowed")
    data = envelope.to_bytes()
    picture = "" if len(data) > _MOST_IN_PICTURE else segno.make(data, error="l").svg_data_uri(scale=4, border=4)
    return visit.page("borrowing/card.html", check_words=words_of_card(envelope).split(), picture=picture)


@router.get("/borrowed/card/file")
def card_file(visit: Here) -> Response:
    """The card as a file."""
    envelope = visit.browser.kept(Card, Card).envelope
    if envelope is None:
        raise UsageError("there is no card here any more", hint="make it again")
    return visit.sound(envelope.to_bytes(), media_type="application/octet-stream", name="hometone.card")


@router.post("/borrowed")
def take_in(visit: Here, form: Posted) -> Response:
    """Take in a voice that somebody has lent to this computer."""
    house = visit.house
    try:
        files = form.files("package")
        if not files:
            raise UsageError("the lent voice cannot be read", hint="choose the file that Hometone has written")
        if len(files[0].content) > LONGEST_PACKAGE:
            raise UsageError("this is too long for a lent voice", hint="choose the file that Hometone has written")
        vault = house.vault(create=True)
        contact_if_joined(house.home, vault)  # its owner may be new to the log, or have left it
        name = form.text("name").strip() or None
        guest = borrow(vault, files[0].content, log=KnownLog.of(house.home), now=house.now(), name=name)
    except HometoneError as error:
        return visit.again("/borrowed", error=error, form=form)
    house.forget_loaded()
    return visit.go("/borrowed", notice="borrowing-taken", name=guest.name, date=day(guest.speaks_until))


def _place(visit: Visit, place: str) -> SpeakerEntry:
    entry = visit.house.place(place)
    if not entry.is_guest:
        raise UsageError("this voice was not lent to this computer", hint="list the voices to see the names")
    return entry


@router.post("/borrowed/{place}/try")
async def try_out(visit: Here, form: Posted, place: str) -> Response:
    """Let it say good morning."""
    _ = form
    house = visit.house
    try:
        entry = _place(visit, place)
        voice = next((each for each in house.lent(way=Way.SAY) if each.id == entry.name), None)
        if voice is None:
            raise UsageError("there is nobody of that name here", hint="list the voices to see the names")
        reading = visit.browser.kept(Tried, Tried).begin(house, Wish(text=visit.words("borrowing-greeting"), language=visit.language))
        await reading.speak(house, voice.load)
        if reading.error is not None:
            raise reading.error
    except HometoneError as error:
        return visit.again("/borrowed", error=error)
    return visit.go("/borrowed", notice="borrowing-tried", name=entry.name)


@router.get("/borrowed/sound/{number}")
def sound(visit: Here, number: int) -> Response:
    """What it said."""
    return visit.sound(visit.browser.kept(Tried, Tried).find(number).file("wav"))


@router.get("/borrowed/{place}/remove")
def ask_remove(visit: Here, place: str) -> Response:
    """Whether it is meant; nothing is done yet."""
    try:
        entry = _place(visit, place)
    except HometoneError as error:
        return visit.again("/borrowed", error=error)
    return visit.page("borrowing/remove.html", name=entry.name, place=place)


@router.post("/borrowed/{place}/remove")
def remove(visit: Here, form: Posted, place: str) -> Response:
    """Erase a lent copy and the files that the command wrote with it."""
    _ = form
    house = visit.house
    try:
        entry = _place(visit, place)
        vault = house.vault()
        room: SpeakerRoom | None
        try:
            room = SpeakerRoom(vault.unlock_for_work(entry.speaker_id))
        except VaultError:
            room = None  # damaged: it is erased without a look into it
        forget(vault, entry.speaker_id, home=house.home, room=room)
    except HometoneError as error:
        return visit.again("/borrowed", error=error)
    house.forget_loaded()
    visit.browser.drop(Tried)
    return visit.go("/borrowed", notice="borrowing-removed", name=entry.name)
