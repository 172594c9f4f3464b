"""The recovery sheet: the code with which its owner can take her voice back from anywhere, shown after her PIN was typed again.

What it may see: a PIN and a recovery secret, as long as one answer takes. What it must never do: keep either, or show the sheet twice for
one PIN.
"""

from typing import Final

import segno
from fastapi import APIRouter
from starlette.responses import Response

from hometone_client.pages.visit import Own, Posted
from hometone_client.withdrawal.withdrawing import joined_coordinator
from hometone_shared.errors import HometoneError
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.tombstone import coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret

router: Final = APIRouter()


@router.get("/me/recovery")
def ask(visit: Own) -> Response:
    """What the sheet is, and the PIN."""
    return visit.page("recovery/ask.html")


@router.post("/me/recovery")
def show(visit: Own, form: Posted) -> Response:
    """The sheet, as the answer to the PIN and nowhere else."""
    vault, home = visit.house.vault(), visit.house.home
    try:
        vault.unlock(visit.room.speaker_id, form.text("pin")).close()
        secret = RecoverySecret(vault.withdrawal_secret(visit.room.speaker_id))
        joined = joined_coordinator(home)
        address = None if joined is None else CoordinatorDescriptor.from_envelope(joined.descriptor, key=joined.key).address
    except HometoneError as error:
        return visit.again("/me/recovery", error=error)
    return visit.page(
        "recovery/sheet.html",
        name=visit.room.name,
        code=secret.code(),
        english=secret.words("en").split(),
        chinese=secret.words("zh").split(),
        picture=segno.make(secret.code(), error="m").svg_data_uri(scale=5, border=4),
        address=address,
        fingerprint=None if joined is None else coordinator_name(joined.key),
        number=secret.pseudonym,
    )
