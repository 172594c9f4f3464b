"""What laptops deliver about withdrawals, and witnesses about the log; and who asks for a receipt (docs/withdrawal.md, sections 4, 7, 8).

What it may see: signed records. What it must never do: write a pseudonym, an address or a key to a log.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hometone_server.gateway.answers import DOCUMENT, answer, answered, busy, document_answer, log_unforeseen
from hometone_server.gateway.limits import Attempts, bounded_body, peer_of
from hometone_server.records.cosignatures import Cosignatures
from hometone_server.withdrawal.bundle import Filings
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.log.checkpoint import LONGEST_NOTE
from hometone_shared.records.canonical import Document, Fields, checked_hexadecimal, parse
from hometone_shared.records.signing import Envelope
from hometone_shared.withdrawal.recovery import PSEUDONYM_CHARACTERS

SCRUB_EVERY_S: Final = 60.0


class WithdrawalDesk:
    """The routes."""

    def __init__(self, withdrawals: Withdrawals, *, filings: Filings, attempts: Attempts) -> None:
        """Serve a coordinator.

        Args:
            withdrawals: Takes what is delivered.
            filings: Hands out proofs.
            attempts: Limits of deliveries.
        """
        self._withdrawals = withdrawals
        self._filings = filings
        self._attempts = attempts
        self._cosignatures = Cosignatures(withdrawals.log)

    def deliveries(self) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """Path -> endpoint of everything that is posted."""
        return {
            "/speakers": self._delivery(self._register),
            "/tombstones": self._delivery(self._take),
            "/receipts": self._delivery(self._file),
            "/log/cosignatures": self._delivery(self._cosign),
        }

    def bundle(self, request: Request) -> Response:
        """The receipt about a pseudonym, to be kept as a file."""
        pseudonym = checked_hexadecimal(request.path_params["pseudonym"], name="a pseudonym", characters=PSEUDONYM_CHARACTERS)
        response = answer(self._filings.bundle(pseudonym).to_bytes(), DOCUMENT)
        response.headers["Content-Disposition"] = 'attachment; filename="hometone-receipt.json"'
        return response

    async def keep_scrubbing(self) -> None:
        """Empty the files of what was removed, at the start and whenever that could not be done at once."""
        while True:
            try:
                await run_in_threadpool(self._withdrawals.scrub)
            except Exception as error:
                log_unforeseen(error)
            await anyio.sleep(SCRUB_EVERY_S)

    def _delivery(self, work: Callable[[Fields], Document]) -> Callable[[Request], Awaitable[Response]]:
        async def read_and_work(request: Request) -> Response:
            if not self._attempts.allow(peer_of(request)):
                return busy("too much is delivered at once")
            body = await bounded_body(request)
            return document_answer(await run_in_threadpool(lambda: work(Fields(parse(body)))))

        async def endpoint(request: Request) -> Response:
            return await answered(lambda: read_and_work(request))

        return endpoint

    def _register(self, fields: Fields) -> Document:
        return self._filings.answer(self._withdrawals.register(_only_envelope(fields, "request")))

    def _take(self, fields: Fields) -> Document:
        return self._filings.tombstone_answer(self._withdrawals.take(_only_envelope(fields, "tombstone")))

    def _file(self, fields: Fields) -> Document:
        return self._filings.answer(self._withdrawals.file(_only_envelope(fields, "receipt")))

    def _cosign(self, fields: Fields) -> Document:
        note = fields.text("note", longest=LONGEST_NOTE).encode()
        fields.done()
        self._cosignatures.take(note)
        return {"checkpoint": self._cosignatures.newest_head().decode()}


def _only_envelope(fields: Fields, name: str) -> Envelope:
    envelope = Envelope.from_document(fields.take(name))
    fields.done()
    return envelope
