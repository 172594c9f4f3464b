"""A running local API with the real stock voices."""

from collections.abc import Iterator

import pytest
import pytest_socket

from hometone_client.assistant import Assistant, AssistantState
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.voices import VoiceRegistry
from hometone_client.web import ApiState, LocalServer, create_app, new_token


@pytest.fixture(scope="module")
def api() -> ApiState:
    sessions = Sessions(model_folder())
    return ApiState(
        token=new_token(),
        registry=VoiceRegistry(base_sha256=sessions.base_sha256),
        speaker=lambda voice: Synthesizer(model_folder(), voice, sessions=sessions),
    )


@pytest.fixture
def assistant(api: ApiState) -> Assistant:
    return Assistant(AssistantState(registry=api.registry, speaker=api.speaker, desk=api.desk, limits=api.limits), port=0)


@pytest.fixture
def server(api: ApiState, assistant: Assistant) -> Iterator[LocalServer]:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    with LocalServer(create_app(api), beside=assistant.running) as running:
        yield running
