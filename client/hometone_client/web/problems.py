"""Errors -> answers, in OpenAI's shape: {"error": {"message", "type", "param", "code"}}.

An answer never holds the text that was to be spoken, a path or a secret: messages of `HometoneError` are written that way, values from the
request are left out, and an error that nobody foresaw is told as "internal error" and logged by its type only.
"""

import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from hometone_client.web.state import BusyError, ImpatientError
from hometone_shared.errors import ConsentError, HometoneError, ResourceError, TextError, UsageError, VaultError, WrongSecretError

_LOG: Final = logging.getLogger(__name__)

#: First match counts, so subclasses stand before their parents: (class, status, type, code).
_STATUS: Final[tuple[tuple[type[HometoneError], int, str, str], ...]] = (
    (UsageError, 400, "invalid_request_error", "invalid_value"),
    (TextError, 400, "invalid_request_error", "unreadable_text"),
    (ConsentError, 403, "permission_error", "no_consent"),
    (WrongSecretError, 403, "permission_error", "locked"),
    (VaultError, 500, "server_error", "vault"),
    (BusyError, 429, "rate_limit_error", "rate_limit_exceeded"),
    (ImpatientError, 503, "server_error", "overloaded"),
    (ResourceError, 503, "server_error", "resources"),
    (HometoneError, 500, "server_error", "internal"),
)
_RETRY_AFTER_S: Final = {429: "5", 503: "30"}


def problem(
    status: int, message: str, *, kind: str, code: str | None = None, param: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Build one answer."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"} | (headers or {}))


def described(error: HometoneError) -> dict[str, str | None]:
    """Return the inner object of OpenAI's shape for a deliberate error."""
    _, _, kind, code = _row(error)
    return {"message": _text(error), "type": kind, "param": None, "code": code}


def _row(error: HometoneError) -> tuple[type[HometoneError], int, str, str]:
    return next(row for row in _STATUS if isinstance(error, row[0]))


def _text(error: HometoneError) -> str:
    return f"{error.message}: {error.hint}" if error.hint else error.message


def _from_hometone(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HometoneError):  # pragma: no cover - registered for HometoneError only
        raise error
    _, status, kind, code = _row(error)
    headers = {"Retry-After": _RETRY_AFTER_S[status]} if status in _RETRY_AFTER_S else None
    return problem(status, _text(error), kind=kind, code=code, headers=headers)


def _from_validation(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):  # pragma: no cover - registered for that class only
        raise error
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part != "body" and not isinstance(part, int)]
    param = place[0] if place else None
    # An unknown field's name comes from the client; it is told back shortened, its value is not.
    message = str(first["msg"])
    if first["type"] == "json_invalid" or param is None:
        param, message = None, "the body is not a JSON object: send one, with Content-Type: application/json"
    return problem(
        400,
        f"{param[:40]}: {message}" if param else message,
        kind="invalid_request_error",
        code="invalid_value",
        param=param and param[:40],
    )


def _from_http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):  # pragma: no cover - registered for that class only
        raise error
    messages = {404: "there is nothing at this address", 405: "this address does not answer that method"}
    message = messages.get(error.status_code, "the request cannot be answered")
    return problem(error.status_code, message, kind="invalid_request_error", headers=dict(error.headers or {}))


def _from_anything(_request: Request, error: Exception) -> JSONResponse:
    _LOG.error("unexpected %s in a request", type(error).__name__)
    return problem(500, "internal error", kind="server_error", code="internal")


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(HometoneError, _from_hometone)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(HTTPException, _from_http)
    app.add_exception_handler(Exception, _from_anything)
