"""The switches: what one's voice may be used for, until when; saying yes, aloud where that is needed; taking a yes back.

What it may see: her unlocked things, a spoken phrase in memory. What it must never do: keep the recording, or store a yes that was not
said.
"""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from hometone_client.audio import RawTake, decode
from hometone_client.audio.encoding import MEDIA_TYPES
from hometone_client.enrolling.agreeing import agree
from hometone_client.enrolling.studio import Studio
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.pages.forms import Form
from hometone_client.pages.house import House
from hometone_client.pages.phrase_recording import PhraseRecording
from hometone_client.pages.privacy import BUDGETS
from hometone_client.pages.readings import Reading, Readings, Wish, in_background
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.retention.consent_end import keep_end_up_to_date
from hometone_client.speakers.agreement import checked_phrase, refuse_synthetic, standings
from hometone_client.speakers.consent import LONGEST_DAYS, SPOKEN_PURPOSES, Purpose, SpokenCheck, consent_text
from hometone_client.speakers.spoken_phrase import phrase_to_speak
from hometone_client.voices import VoiceRegistry
from hometone_client.withdrawal.reconciliation import ended_purposes, require_not_ended
from hometone_client.withdrawal.stopping import PARTIAL, hand_over, stop
from hometone_keys import SpeakerEntry
from hometone_shared.errors import ConsentError, HometoneError, UsageError
from hometone_shared.withdrawal.recovery import RecoverySecret

router: Final = APIRouter()
DAYS: Final = (365, 180, 90, 30)
SOON: Final = dt.timedelta(days=30)
"""A consent that ends within this is offered to be renewed."""
_STOCK: Final = {"en": "stock:af_heart", "zh": "stock:zf_xiaoxiao"}


class Aloud(Readings):
    """Texts of consents that are read aloud."""


def studio_of(house: House) -> Studio:
    """The microphone of this laptop, which all pages share."""
    return house.kept(Studio, lambda: Studio(models=house.models))


def _recording(visit: Visit) -> PhraseRecording:
    return visit.browser.kept(PhraseRecording, lambda: PhraseRecording(studio_of(visit.house)))


def _purpose(name: str) -> Purpose:
    if name not in set(Purpose):
        raise UsageError("there is no such purpose", hint="go back to the beginning")
    return Purpose(name)


def _entry(visit: Visit) -> SpeakerEntry:
    return visit.house.place(visit.room.speaker_id)


def _ended(visit: Visit) -> frozenset[Purpose]:
    """What she has taken back, for good."""
    secret = RecoverySecret(visit.house.vault().withdrawal_secret(visit.room.speaker_id))
    return ended_purposes(visit.house.home, secret.pseudonym)


@router.get("/me/consents")
def consents(visit: Own) -> Response:
    """All switches."""
    now, ended = visit.house.now(), _ended(visit)
    return visit.page("consents/consents.html", standings=standings(visit.room, now=now), ended=ended, now=now, soon=SOON)


@router.get("/me/consents/{name}")
def one(visit: Own, name: str) -> Response:
    """One purpose: its text, and what can be done with it."""
    purpose, now = _purpose(name), visit.house.now()
    standing = next(each for each in standings(visit.room, now=now) if each.purpose is purpose)
    ended = purpose in _ended(visit)
    aloud = purpose in SPOKEN_PURPOSES and not ended
    ledger = PrivacyLedger(visit.room.vault) if purpose is Purpose.FEDERATED else None
    recording = _recording(visit)
    return visit.page(
        "consents/one.html",
        standing=standing,
        ended=ended,
        paragraphs=[part.strip() for part in consent_text(purpose, visit.language).split("\n\n") if part.strip()],
        phrase=phrase_to_speak(visit.room, locale=visit.language, now=now) if aloud else None,
        records=recording.purpose == purpose.value,
        meter=recording.meter,
        over=recording.is_over,
        is_partial=purpose in PARTIAL,
        days=DAYS,
        budgets=BUDGETS if ledger is not None else (),
        budget=ledger.budget.epsilon if ledger is not None and ledger.budget else None,
    )


@router.get("/me/consents/{name}/aloud")
async def aloud(visit: Own, name: str) -> Response:
    """The text, read by a stock voice while it is computed."""
    purpose = _purpose(name)
    house = visit.house
    readings = visit.browser.kept(Aloud, Aloud)
    reading = readings.begin(house, Wish(text=consent_text(purpose, visit.language), language=visit.language))
    in_background(reading, house, lambda: VoiceRegistry(base_sha256=house.loaded.base_sha256).get(_STOCK[visit.language]).load())
    return StreamingResponse(_while_heard(reading), media_type=MEDIA_TYPES["wav"])


async def _while_heard(reading: Reading) -> AsyncIterator[bytes]:
    """Its sound; whoever goes away ends it, and nothing more is computed for nobody."""
    try:
        async for piece in reading.stream():
            yield piece
    finally:
        reading.drop()


@router.post("/me/consents/{name}/give")
def give(visit: Own, form: Posted, name: str) -> Response:
    """A yes in writing."""
    purpose = _purpose(name)
    back = f"/me/consents/{purpose.value}"
    try:
        _store(visit, form, purpose, spoken=None)
    except HometoneError as error:
        return visit.again(back, error=error, form=form)
    return visit.go("/me/consents", notice="consents-given", purpose=visit.words(f"consents-{purpose.value}"))


@router.post("/me/consents/{name}/record")
def record(visit: Own, form: Posted, name: str) -> Response:
    """Begin to record the phrase; from now on the microphone is open."""
    purpose = _spoken_purpose(name)
    back = f"/me/consents/{purpose.value}"
    try:
        _require_yes(form)
        require_not_ended(visit.house.home, visit.house.vault(), visit.room.speaker_id, purpose=purpose)
        _recording(visit).begin(purpose.value)
    except HometoneError as error:
        return visit.again(back, error=error, form=form)
    return visit.go(back)


@router.get("/me/consents/{name}/level")
def level(visit: Own, name: str) -> Response:
    """How loud it is, for the page's script."""
    purpose, recording = _spoken_purpose(name), _recording(visit)
    reload, over = recording.purpose != purpose.value, recording.is_over
    answer = visit.part("consents/level.html", meter=recording.meter, over=over, reload=reload)
    if over:
        answer.headers["X-Done"] = "1"  # nothing asks any more, so that whoever has gone away is locked in time
    return answer


@router.post("/me/consents/{name}/discard")
def discard(visit: Own, form: Posted, name: str) -> Response:
    """Close the microphone, and forget what was said."""
    _ = form
    _recording(visit).close()
    return visit.go(f"/me/consents/{_spoken_purpose(name).value}", notice="consents-discarded")


@router.post("/me/consents/{name}/spoken")
def spoken(visit: Own, form: Posted, name: str) -> Response:
    """A yes that was spoken: from the microphone, or a recording that was chosen."""
    purpose = _spoken_purpose(name)
    back = f"/me/consents/{purpose.value}"
    try:
        take = _recording(visit).end() if form.text("from") == "microphone" else _chosen_take(form)
        _require_yes(form)
        require_not_ended(visit.house.home, visit.house.vault(), visit.room.speaker_id, purpose=purpose)
        _store(visit, form, purpose, spoken=_checked(visit, take))
    except HometoneError as error:
        return visit.again(back, error=error, form=form)
    return visit.go("/me/consents", notice="consents-given", purpose=visit.words(f"consents-{purpose.value}"))


def _chosen_take(form: Form) -> RawTake:
    files = form.files("recording")
    if not files:
        raise UsageError("no recording was chosen", hint="choose one or more sound files")
    refuse_synthetic(files[0].content)
    return decode(files[0].content)


def _checked(visit: Visit, take: RawTake) -> SpokenCheck:
    house, now = visit.house, visit.house.now()
    phrase = phrase_to_speak(visit.room, locale=visit.language, now=now)
    return checked_phrase(visit.room, phrase, take, transcriber=studio_of(house).recogniser(), models=house.models, now=now)


@router.get("/me/consents/{name}/back")
def ask_back(visit: Own, name: str) -> Response:
    """What taking it back means; nothing is done yet."""
    purpose = _purpose(name)
    if purpose not in PARTIAL:
        return visit.go("/stop")
    return visit.page("consents/back.html", purpose=purpose)


@router.post("/me/consents/{name}/back")
def take_back(visit: Own, form: Posted, name: str) -> Response:
    """Take a yes back: for good, here and wherever it reaches."""
    purpose, house = _purpose(name), visit.house
    back = f"/me/consents/{purpose.value}/back"
    try:
        if purpose not in PARTIAL:
            raise UsageError("there is no such purpose", hint="go back to the beginning")
        if not form.flag("sure"):
            raise UsageError("nothing was removed", hint="set the switch if you are sure")
        done = stop(house.home, house.vault(), _entry(visit), room=visit.room, scope=frozenset({purpose}))
        handed = hand_over(house.home, house.vault(), done.known.tombstone)
    except HometoneError as error:
        return visit.again(back, error=error, form=form)
    notice = "consents-back-waits" if handed.joined and not handed.delivered else "consents-back-done"
    return visit.go("/me/consents", notice=notice, purpose=visit.words(f"consents-{purpose.value}"))


def _spoken_purpose(name: str) -> Purpose:
    purpose = _purpose(name)
    if purpose not in SPOKEN_PURPOSES:
        raise UsageError("there is no such purpose", hint="go back to the beginning")
    return purpose


def _require_yes(form: Form) -> None:
    if not form.flag("agreed"):
        raise ConsentError("there was no consent, so nothing was stored", hint="nothing more is needed")


def _store(visit: Visit, form: Form, purpose: Purpose, *, spoken: SpokenCheck | None) -> None:
    house = visit.house
    _require_yes(form)
    require_not_ended(house.home, house.vault(), visit.room.speaker_id, purpose=purpose)
    days = form.number("days", LONGEST_DAYS)
    if days not in DAYS:
        raise ConsentError("a consent holds for 1 to 365 days", hint="ask again when it has ended")
    if purpose is Purpose.FEDERATED and form.text("budget"):
        PrivacyLedger(visit.room.vault).set_budget(form.number("budget", 0.0))
    agree(visit.room, house.vault(), purpose=purpose, locale=visit.language, days=int(days), spoken=spoken)
    keep_end_up_to_date(visit.room, house.vault())
