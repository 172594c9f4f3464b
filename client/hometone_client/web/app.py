"""The routes of the local API (requirements 27, 57, 58; docs/api.md). They hold no state of their own."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from hometone_client.web import openapi, problems
from hometone_client.web.answers import Health, ModelEntry, ModelList, TimedAnswer, VoiceEntry, VoiceList
from hometone_client.web.guard import Guard
from hometone_client.web.requests import MODELS, SpeechRequest, TimedRequest
from hometone_client.web.speech import answer as answer_speech
from hometone_client.web.state import ApiState
from hometone_client.web.timed import answer as answer_timed


def create_app(state: ApiState) -> FastAPI:
    """Build the API.

    Args:
        state: What it works with; it stays the caller's, so that voices can be unlocked and revoked while the server runs.
    """
    # No OpenAPI pages: they load scripts from elsewhere, and this server has no network.
    app = FastAPI(title="Hometone", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, token=state.token, limits=state.limits)
    problems.install(app)
    openapi.describe(app)

    @app.get("/health")
    async def health() -> Health:
        return Health()

    @app.get("/v1/models")
    async def models() -> ModelList:
        return ModelList(data=[ModelEntry(id=MODELS[0])])

    @app.get("/v1/voices")
    def voices() -> VoiceList:
        listed = [VoiceEntry(id=voice.id, kind=voice.kind, languages=list(voice.languages)) for voice in state.registry.voices()]
        return VoiceList(data=listed)

    @app.post("/v1/audio/speech", response_class=Response, responses=openapi.SOUND)
    async def speech(request: Request, body: SpeechRequest) -> Response:
        return await answer_speech(request, body, state)

    @app.post("/v1/audio/speech/timed", response_model=TimedAnswer, responses=openapi.TIMED)
    async def timed_speech(request: Request, body: TimedRequest) -> Response:
        return await answer_timed(request, body, state)

    return app
