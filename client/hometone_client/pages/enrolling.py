"""Somebody new: consent first, then name and PIN, then what she wants to say about herself (requirements 8, 52, 53).

1. What she agreed to is in this session's memory until name and PIN are there; nothing is stored before, not even an empty vault.
2. With the PIN her place is made, and she is unlocked.
3. What she says about herself is asked for afterwards; everything may stay unsaid.

What it may see: a PIN, as long as the vault takes to seal her place. What it must never do: store anything of somebody who did not agree.
"""

from dataclasses import dataclass
from typing import Final, cast

from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.enrolling.places import Agreement, check_new_place, enrol
from hometone_client.pages.forms import Form
from hometone_client.pages.reading_aloud import paragraphs, parts, read_by_stock
from hometone_client.pages.visit import GoElsewhere, Here, Own, Posted, Visit
from hometone_client.speakers.consent import LONGEST_DAYS, SPOKEN_PURPOSES, Locale, Purpose, consent_text
from hometone_client.speakers.declaration import AGE_BANDS, NOT_SAID, SETTLEMENTS, Declaration
from hometone_shared.errors import ConsentError, HometoneError, UsageError

router: Final = APIRouter()
CHOSEN_LATER: Final = tuple(sorted(SPOKEN_PURPOSES))
OPTIONAL: Final = tuple(purpose for purpose in Purpose if purpose is not Purpose.OWN_VOICE and purpose not in SPOKEN_PURPOSES)
DAYS: Final = (LONGEST_DAYS, 182, 91, 30)


class Waiting:
    """What somebody has agreed to, until she has a place (1)."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.agreement: Agreement | None = None

    def close(self) -> None:
        """Forget it."""
        self.agreement = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The text of a consent as a page shows it.

    Attributes:
        title: Its first line.
        paragraphs: Lead and rest of each other one.
        aloud: Addresses of its parts, read aloud.
    """

    title: str
    paragraphs: tuple[tuple[str, str], ...]
    aloud: tuple[str, ...]


def shown(purpose: Purpose, locale: Locale) -> Shown:
    """The text of one purpose."""
    text = consent_text(purpose, locale)
    title, *rest = paragraphs(text)
    stop = "。" if locale == "zh" else ". "
    divided = tuple((lead + stop.strip(), after) for lead, _, after in (paragraph.partition(stop) for paragraph in rest))
    return Shown(title, divided, tuple(f"/new/aloud/{purpose.value}/{locale}/{number}" for number in range(len(parts(text)))))


@router.get("/new")
def consent(visit: Here) -> Response:
    """What will happen, in plain words, and a switch for each purpose."""
    texts = {purpose.value: shown(purpose, visit.language) for purpose in (Purpose.OWN_VOICE, *OPTIONAL)}
    later = tuple(purpose.value for purpose in CHOSEN_LATER)
    return visit.page("enrolling/consent.html", texts=texts, optional=[each.value for each in OPTIONAL], later=later, days=DAYS)


@router.get("/new/aloud/{purpose}/{locale}/{part}")
async def aloud(visit: Here, purpose: str, locale: str, part: int) -> Response:
    """A part of a text, read in a stock voice."""
    try:
        text = consent_text(Purpose(purpose), _locale(locale))
        found = parts(text)[part] if part >= 0 else ""
    except (ValueError, IndexError) as error:
        raise UsageError("there is no such page", hint="go back to the beginning") from error
    if not found:
        raise UsageError("there is no such page", hint="go back to the beginning")
    return visit.sound(await read_by_stock(visit.house, found, language=locale))


@router.post("/new")
def agree(visit: Here, form: Posted) -> Response:
    """(1) What she said yes to."""
    try:
        agreement = _agreement(visit, form)
    except HometoneError as error:
        return visit.again("/new", error=error, form=form)
    visit.browser.kept(Waiting, Waiting).agreement = agreement
    return visit.go("/new/name")


def _agreement(visit: Visit, form: Form) -> Agreement:
    if not form.flag(Purpose.OWN_VOICE.value):
        raise ConsentError(visit.words("new-needs-yes"), hint=visit.words("new-needs-yes-hint"))
    if form.text("read") not in {"self", "aloud"}:
        raise ConsentError(visit.words("new-needs-read"), hint=visit.words("new-needs-read-hint"))
    days = form.text("days", str(LONGEST_DAYS)).strip()
    if not (days.isascii() and days.isdecimal() and len(days) < 5):
        raise UsageError(visit.words("new-days-wrong"), hint=visit.words("new-days-wrong-hint"))
    return Agreement(
        locale=_locale(form.text("locale")),
        purposes=frozenset(purpose for purpose in OPTIONAL if form.flag(purpose.value)),
        days=int(days),
        drop_takes=form.text("after") == "drop",
        read_out=form.text("read") == "aloud",
    )


def _locale(text: str) -> Locale:
    if text not in {"en", "zh"}:
        raise UsageError("the form arrived damaged", hint="go back and try again")
    return cast("Locale", text)


@router.get("/new/name")
def ask_name(visit: Here) -> Response:
    """Name and PIN."""
    _waiting(visit)
    return visit.page("enrolling/name.html")


@router.post("/new/name")
def make_place(visit: Here, form: Posted) -> Response:
    """(2) Her place, and she is unlocked."""
    agreement = _waiting(visit)
    name, pin = form.text("name"), form.text("pin")
    try:
        check_new_place(name, pin)
        if form.text("pin_again") != pin:
            raise UsageError(visit.words("new-pins-differ"), hint=visit.words("new-pins-differ-hint"))
        room = enrol(visit.house.vault(create=True), name=name, pin=pin, agreement=agreement)
    except HometoneError as error:
        return visit.again("/new/name", error=error, form=form)
    visit.house.admit(visit.browser, room)
    return visit.go("/new/about", notice="new-made", name=room.name)


def _waiting(visit: Visit) -> Agreement:
    agreement = visit.browser.kept(Waiting, Waiting).agreement
    if agreement is None:
        raise GoElsewhere("/new")
    return agreement


@router.get("/new/about")
def ask_about(visit: Own) -> Response:
    """(3) What she wants to say about herself."""
    said = visit.room.declaration()
    values = {
        "age_band": said.age_band,
        "settlement": said.settlement,
        "region": "" if said.region == NOT_SAID else said.region,
        "gender": "" if said.gender == NOT_SAID else said.gender,
    }
    return visit.page("enrolling/about.html", said=values, age_bands=AGE_BANDS, settlements=SETTLEMENTS, not_said=NOT_SAID)


@router.post("/new/about")
def keep_about(visit: Own, form: Posted) -> Response:
    """Keep it, sealed; it stays on this computer."""
    try:
        declaration = Declaration(
            age_band=form.text("age_band", NOT_SAID),
            settlement=form.text("settlement", NOT_SAID),
            region=form.text("region").strip() or NOT_SAID,
            gender=form.text("gender").strip() or NOT_SAID,
        )
        visit.room.keep_declaration(declaration)
    except HometoneError as error:
        return visit.again("/new/about", error=error, form=form)
    return visit.go("/me/recording", notice="new-about-kept")
