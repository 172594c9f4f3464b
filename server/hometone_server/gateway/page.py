"""The page on which somebody withdraws with a recovery code, without her laptop (docs/withdrawal.md, section 4, step 4).

1. The code is typed; if it holds a mistake, the page says where, and keeps what was typed. 2. What goes is shown, and whether the shared
model shall be repeated is asked; nothing has happened yet. 3. The tombstone is made and taken like any other, and the receipt can be
downloaded. Who does it twice sees the receipt again.

Every code counts as an attempt, as in joining. What it may see: the recovery secret, for as long as a request lasts; its one power is to
withdraw. What it must never do: keep it, put it into an address, or write anything of it to a log.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hometone_server.gateway.answers import log_unforeseen
from hometone_server.gateway.limits import Attempts, bounded_body, peer_of
from hometone_server.gateway.mistakes import alert_about
from hometone_server.gateway.sheets import Sheet
from hometone_server.records.refusals import FilingRefusedError
from hometone_server.records.withdrawals import FiledTombstone
from hometone_server.withdrawal.bundle import Filings
from hometone_server.withdrawal.history import Exposure
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import ProtocolError
from hometone_shared.pages.words import preferred_language
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import Pending, PendingItem, Removed, Role, SharedModelTreatment, Treatment
from hometone_shared.records.tombstone import SharedModelWish, Tombstone, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.recovery_mistakes import Mistake, RecoveryMistakeError

RECEIPTS: Final = "/hometone/v1/withdrawals/"
_WEAK_EPSILON: Final = 20.0
"""Above it the page does not call the noise a protection."""
_MOST_FIELDS: Final = 8
_TRIES: Final = 3


class WithdrawalPage:
    """The page."""

    def __init__(
        self, withdrawals: Withdrawals, *, filings: Filings, attempts: Attempts, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Serve a coordinator.

        Args:
            withdrawals: Takes tombstones.
            filings: Says how they stand.
            attempts: Limits of typed codes, the same as of joining.
            name: The coordinator's.
            clock: Seconds since 1970.
        """
        self._withdrawals = withdrawals
        self._filings = filings
        self._attempts = attempts
        self._name = name
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """Step 1."""
        return self._begin(self._sheet(request)).response()

    async def act(self, request: Request) -> Response:
        """Steps 2 and 3; or the language of step 1 is changed, which is no attempt."""
        sheet = self._sheet(request)
        try:
            fields = _form(await bounded_body(request))
        except ProtocolError:
            return self._begin(sheet, alert="unreadable").response(status=400)
        typed = fields.get("code", "")
        if fields.get("step") == "language":
            return self._begin(sheet, typed=typed).response()
        if not self._attempts.allow(peer_of(request)):
            return self._begin(sheet, alert="busy", typed=typed).response(status=429)
        try:
            return await run_in_threadpool(self._read_and_step, sheet, fields)
        except FilingRefusedError:
            return self._begin(sheet, alert="refused", typed=typed).response(status=403)
        except Exception as error:
            log_unforeseen(error)
            return self._begin(self._sheet(request), alert="problem", typed=typed).response(status=500)

    def _sheet(self, request: Request) -> Sheet:
        language = preferred_language(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
        return Sheet(language, coordinator=self._name)

    def _begin(self, sheet: Sheet, *, alert: str = "", typed: str = "", mistake: Mistake | None = None) -> Sheet:
        sheet.title("title", step=1)
        if mistake is not None:
            alert_about(sheet, mistake)
        elif alert:
            sheet.alert(alert)
        sheet.paragraph("intro")
        sheet.code_form(typed, is_flawed=mistake is not None or alert == "unknown-code")
        sheet.paragraph("nothing-yet")
        return sheet

    def _read_and_step(self, sheet: Sheet, fields: dict[str, str]) -> Response:
        typed = fields.get("code", "")
        try:
            secret = RecoverySecret.from_text(typed)
        except RecoveryMistakeError as error:
            return self._begin(sheet, typed=typed, mistake=error.mistake).response(status=400)
        return self._step(sheet, fields, secret)

    def _step(self, sheet: Sheet, fields: dict[str, str], secret: RecoverySecret) -> Response:
        tables = self._withdrawals.tables
        pseudonym = secret.pseudonym
        if tables.registration(pseudonym) is None:
            return self._begin(sheet, alert="unknown-code", typed=fields["code"]).response(status=403)
        if tables.device_of(pseudonym) is None:
            return self._receipt(sheet, secret, was_there=True)
        wish = SharedModelWish.REPLAY if fields.get("wish") == SharedModelWish.REPLAY else SharedModelWish.LEAVE
        if fields.get("step") != "confirm":
            return self._preview(sheet, secret, wish)
        self._withdraw(secret, wish)
        return self._receipt(sheet, secret, was_there=False)

    def _preview(self, sheet: Sheet, secret: RecoverySecret, wish: SharedModelWish) -> Response:
        exposure = self._withdrawals.exposure(secret.pseudonym)
        sheet.title("preview-title", step=2)
        sheet.paragraph("registered", pseudonym=secret.pseudonym)
        sheet.bullets([sheet.words(key) for key in ("goes-coordinator", "goes-rounds", "goes-laptop", "goes-lent")])
        if exposure is None:
            sheet.paragraph("model-none")
        else:
            _bound(sheet, exposure)
        sheet.paragraph("stays")
        may_repeat = exposure is not None and exposure.from_release is not None
        sheet.confirm_form(secret.code(), may_repeat=may_repeat, wish=wish.value)
        return sheet.response()

    def _withdraw(self, secret: RecoverySecret, wish: SharedModelWish) -> None:
        for left in reversed(range(_TRIES)):
            newest = self._withdrawals.tables.newest(secret.pseudonym)
            tombstone = Tombstone(
                pseudonym=secret.pseudonym,
                coordinator=coordinator_name(self._withdrawals.log.key),
                scope=frozenset({Purpose.OWN_VOICE}),
                sequence=1 if newest is None else newest.sequence + 1,
                made=int(self._clock()),
                shared_model=wish,
            )
            try:
                self._withdrawals.take(tombstone.signed(secret.withdrawal_key()))
            except FilingRefusedError as error:
                if error.code != "replayed" or not left:  # her laptop has sent one in this very moment
                    raise
            else:
                return

    def _receipt(self, sheet: Sheet, secret: RecoverySecret, *, was_there: bool) -> Response:
        filed = self._withdrawals.tables.newest(secret.pseudonym)
        if filed is None:
            return self._begin(sheet, alert="problem").response(status=500)
        sheet.keep(secret.code())
        sheet.title("done-title", step=3)
        if was_there:
            sheet.paragraph("already")
        self._state(sheet, filed)
        sheet.download(RECEIPTS + secret.pseudonym)
        sheet.paragraph("download-help")
        sheet.paragraph("close")
        return sheet.response()

    def _state(self, sheet: Sheet, filed: FiledTombstone) -> None:
        receipts = [receipt.content for receipt in self._filings.receipts(filed)]
        records = sum(receipt.removed.get(Removed.RECORDS, 0) for receipt in receipts if receipt.role is Role.COORDINATOR)
        sheet.paragraph("done-received", when=_moment(self._filings.withdrawal(filed).received))
        sheet.paragraph("done-removed", records=records)
        sheet.paragraph("done-answered", laptops=sum(receipt.role is not Role.COORDINATOR for receipt in receipts))
        for treatment in (receipt.shared_model for receipt in receipts if receipt.role is Role.COORDINATOR):
            _treatment(sheet, treatment)
        sheet.heading("pending-title")
        waiting = [_waiting(sheet, item) for receipt in receipts for item in receipt.pending]
        if waiting:
            sheet.bullets(list(dict.fromkeys(waiting)))
        else:
            sheet.paragraph("pending-none")


def _bound(sheet: Sheet, told: Exposure | SharedModelTreatment) -> None:
    if told.epsilon > _WEAK_EPSILON:
        sheet.paragraph("model-weak", rounds=told.rounds)
    else:
        sheet.paragraph("model-bound", rounds=told.rounds, epsilon=f"{told.epsilon:.2f}", delta=f"{told.delta:.1e}")


def _treatment(sheet: Sheet, told: SharedModelTreatment | None) -> None:
    if told is None:
        return
    if told.treatment is Treatment.NONE:
        sheet.paragraph("model-none")
    elif told.treatment is Treatment.REPLAYED:
        sheet.paragraph("model-replayed", release=told.from_release)
    else:
        _bound(sheet, told)


def _waiting(sheet: Sheet, item: PendingItem) -> str:
    until = {"until": _moment(item.until)} if item.what is Pending.LAPTOP and item.until is not None else {"until": ""}
    return sheet.words(f"pending-{item.what.value}", **until)


def _form(body: bytes) -> dict[str, str]:
    """The fields of a posted form; of several with one name the first counts.

    Raises:
        ProtocolError: It is no form.
    """
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise ProtocolError("a form cannot be read") from error
    return {name: values[0] for name, values in fields.items()}


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
