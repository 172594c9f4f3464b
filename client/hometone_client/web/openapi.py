"""Describes the local API to programs (OpenAPI 3.1): what each address takes, and every status it may answer with.

There is no page of it: such pages load scripts from elsewhere. The document is for tools and tests: `create_app(...).openapi()`.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hometone_client.audio.encoding import MEDIA_TYPES
from hometone_client.audio.labels import LABEL_HEADER
from hometone_client.web.answers import Problem

_BEARER: Final = "token"
_OPEN: Final = frozenset({"/health"})
_MEANINGS: Final = {
    400: "A field is wrong, the voice unknown or locked, or the text cannot be read.",
    401: "The token is missing or wrong.",
    403: "Not this computer, a page of another site, or no consent.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    429: "All places are taken.",
    500: "The vault or the model is damaged, or a fault of the program.",
    503: "Too long a wait, or too little memory.",
}
_ALWAYS: Final = (401, 403, 408, 413, 500)
_SPEAKING: Final = (400, 429, 503)
_LABEL: Final = {"description": "The AI label (GB 45438-2025), JSON.", "schema": {"type": "string"}}

#: For the route that answers with sound.
SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The sound, sentence by sentence.",
        "headers": {LABEL_HEADER: _LABEL},
        "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in MEDIA_TYPES.values()}
        | {"text/event-stream": {}},  # OpenAPI 3.1 has no words for events
    }
}
#: For the route that answers with sound and times.
TIMED: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "The sound and its times.", "headers": {LABEL_HEADER: _LABEL}}}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` complete: the token, the statuses, no 422, which this API does not use."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, summary="Synthetic voices of this computer", routes=app.routes)
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    components["securitySchemes"] = {_BEARER: {"type": "http", "scheme": "bearer", "description": "New at each start of the server."}}
    for path, item in found["paths"].items():
        for method, operation in item.items():
            statuses = [status for status in _ALWAYS if path not in _OPEN or status != 401]
            statuses += _SPEAKING if method == "post" else ()
            responses = operation["responses"]
            responses.pop("422", None)
            responses |= {str(status): _problem(status) for status in sorted(statuses)}
            if path not in _OPEN:
                operation["security"] = [{_BEARER: []}]
    return found


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in {429, 503}:
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer
