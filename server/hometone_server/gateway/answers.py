"""How the gateway answers: canonical JSON, notes as text, bytes; and how it refuses (docs/log.md, "Asking for it").

What it may see: what is answered. What it must never do: tell of an error more than its message, or write anything of a request to a log.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hometone_server.records.devices import DeviceRefusedError
from hometone_server.records.invitations import InvitationRefusedError
from hometone_server.records.refusals import FilingRefusedError
from hometone_shared.errors import HometoneError, ProtocolError, UsageError
from hometone_shared.records.canonical import Document, b64, canonical

DOCUMENT: Final = "application/json"
_LOG: Final = logging.getLogger(__name__)
_LONGEST_NUMBER: Final = 13


def answer(data: bytes, media_type: str, *, status: int = 200) -> Response:
    """Bytes that nobody keeps on the way."""
    return Response(data, status_code=status, media_type=media_type, headers={"Cache-Control": "no-store"})


def document_answer(document: Document) -> Response:
    """A document."""
    return answer(canonical(document), DOCUMENT)


def proof_answer(parts: list[bytes]) -> Response:
    """A proof of the log."""
    return document_answer({"proof": [b64(part) for part in parts]})


def refusal(status: int, *, code: str, message: str, hint: str) -> Response:
    """Why there is no answer."""
    return answer(canonical({"error": {"code": code, "hint": hint, "message": message}}), DOCUMENT, status=status)


def busy(message: str) -> Response:
    """Too many have asked."""
    return refusal(429, code="busy", message=message, hint="try again in a minute")


def queried_number(request: Request, name: str) -> int:
    """A number of the query.

    Raises:
        ProtocolError: It is none.
    """
    return _checked_number(request.query_params.get(name, ""))


def path_number(request: Request) -> int:
    """The number in the path.

    Raises:
        ProtocolError: It is none.
    """
    return _checked_number(request.path_params["number"])


def _checked_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise ProtocolError("a request lacks a whole number")
    return int(text)


async def answered(work: Callable[[], Awaitable[Response]]) -> Response:
    """An answer or a refusal; an error that nobody foresaw goes no further, because a traceback in a log may hold anything."""
    try:
        return await work()
    except (InvitationRefusedError, FilingRefusedError) as error:
        return _told(429 if error.code == "busy" else 403, error.code, error)
    except DeviceRefusedError as error:
        return _told(403, "refused", error)
    except UsageError as error:
        return _told(404, "missing", error)
    except ProtocolError as error:
        return _told(400, "malformed", error)
    except Exception as error:
        log_unforeseen(error)
        return refusal(500, code="internal", message="the coordinator has a problem", hint="tell the people who run it")


def log_unforeseen(error: Exception) -> None:
    """The kind of an error that nobody foresaw, and nothing else of it."""
    _LOG.error("a request failed: %s", type(error).__name__)


def _told(status: int, code: str, error: HometoneError) -> Response:
    return refusal(status, code=code, message=error.message, hint=error.hint)


async def not_here(_request: Request, error: Exception) -> Response:
    """For addresses at which nothing is."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refusal(status, code="missing", message="there is nothing at this address", hint="")
