"""The routes of the local API (requirements 27, 57, 58; docs/api.md). They hold no state of their own."""

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from hometone_client.web import problems
from hometone_client.web.guard import Guard
from hometone_client.web.requests import MODELS, SpeechRequest
from hometone_client.web.speech import answer
from hometone_client.web.state import ApiState


def create_app(state: ApiState) -> FastAPI:
    """Build the API.

    Args:
        state: What it works with; it stays the caller's, so that voices can be unlocked and revoked while the server runs.
    """
    # No OpenAPI pages: they load scripts from elsewhere, and this server has no network.
    app = FastAPI(title="Hometone", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, token=state.token, limits=state.limits)
    problems.install(app)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": MODELS[0], "object": "model", "created": 0, "owned_by": "hometone"}]}

    @app.get("/v1/voices")
    def voices() -> dict[str, Any]:
        listed = [
            {"id": voice.id, "object": "voice", "kind": voice.kind, "languages": list(voice.languages)} for voice in state.registry.voices()
        ]
        return {"object": "list", "data": listed}

    @app.post("/v1/audio/speech")
    async def speech(request: Request, body: SpeechRequest) -> Response:
        return await answer(request, body, state)

    return app
