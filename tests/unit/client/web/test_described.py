"""The description of the local API (OpenAPI) is true: schemathesis sends what it allows and what it does not, to real stock voices."""

import itertools
from typing import Any

import pytest
import schemathesis
from desk_speaker import TOKEN, ToneSpeaker, state
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, Synthesizer
from hometone_client.voices import VoiceRegistry
from hometone_client.web import ApiState, Limits, LocalServer, create_app

AUTH = {"Authorization": f"Bearer {TOKEN}"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
ADDRESSES = {
    ("get", "/health"),
    ("get", "/v1/models"),
    ("get", "/v1/voices"),
    ("post", "/v1/audio/speech"),
    ("post", "/v1/audio/speech/timed"),
}


def document(api: ApiState) -> dict[str, Any]:
    return create_app(api).openapi()


def test_every_address_tells_its_statuses_and_its_token() -> None:
    described = document(state())
    found = {(method, path) for path, item in described["paths"].items() for method in item}
    assert found == ADDRESSES
    assert described["components"]["securitySchemes"] == {
        "token": {"type": "http", "scheme": "bearer", "description": "New at each start of the server."}
    }
    for method, path in found:
        operation = described["paths"][path][method]
        assert ("security" in operation) == (path != "/health")
        expected = {"200", "403", "408", "413", "500"} | ({"401"} if path != "/health" else set())
        expected |= {"400", "429", "503"} if method == "post" else set()
        assert set(operation["responses"]) == expected
    sounds = described["paths"]["/v1/audio/speech"]["post"]["responses"]["200"]["content"]
    assert set(sounds) == {"audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "audio/aac", "audio/pcm", "text/event-stream"}
    assert "HTTPValidationError" not in described["components"]["schemas"]
    references = [value for value in _values(described, "$ref") if isinstance(value, str)]
    assert {reference.rpartition("/")[2] for reference in references} <= set(described["components"]["schemas"])


def _values(node: object, key: str) -> list[object]:
    if isinstance(node, dict):
        return ([node[key]] if key in node else []) + list(itertools.chain.from_iterable(_values(value, key) for value in node.values()))
    if isinstance(node, list):
        return list(itertools.chain.from_iterable(_values(value, key) for value in node))
    return []


def walk(api: ApiState, *, examples: int, voice: str, said: str) -> set[tuple[str, int]]:
    """Let schemathesis try every operation on a running server, with good data and bad; returns which statuses it met.

    Args:
        api: What is served.
        examples: How many requests for each operation and kind of data.
        voice: Takes the place of every second good request's voice, of which no description can know the names.
        said: Takes the place of its text.
    """
    app = create_app(api)
    schema = schemathesis.openapi.from_dict(app.openapi())
    met: set[tuple[str, int]] = set()
    turns = itertools.count()
    with LocalServer(app) as server:
        for result in schema.get_all_operations():
            operation = result.ok()
            modes = [schemathesis.GenerationMode.POSITIVE]
            modes += [schemathesis.GenerationMode.NEGATIVE] if operation.method == "post" else []
            for mode in modes:

                @given(case=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=examples,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                def tried(case: schemathesis.Case) -> None:
                    is_good = case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
                    checks = CHECKS if is_good else [*CHECKS, negative_data_rejection]
                    if is_good and isinstance(case.body, dict) and next(turns) % 2:
                        case.body |= {"voice": voice, "input": said}
                        case.body.pop("speed", None)  # it contradicts length_scale
                    response = case.call(base_url=server.url, headers=AUTH, timeout=60)
                    case.validate_response(response, checks=checks, headers=AUTH)
                    met.add((case.path, response.status_code))

                tried()
    return met


def test_whatever_is_sent_the_answer_is_one_that_the_description_names() -> None:
    met = walk(state(ToneSpeaker(), text_characters=60, timed_characters=60), examples=60, voice="anna", said="one.")
    assert {path for path, status in met if status == 200} == {path for _, path in ADDRESSES}
    assert {path for path, status in met if status == 400} == {path for method, path in ADDRESSES if method == "post"}
    assert all(status < 500 for _, status in met)


@pytest.mark.models
def test_with_real_voices_no_request_ends_in_a_fault() -> None:
    sessions = Sessions(model_folder())
    api = ApiState(
        token=TOKEN,
        registry=VoiceRegistry(base_sha256=sessions.base_sha256),
        speaker=lambda voice: Synthesizer(model_folder(), voice, sessions=sessions),
        limits=Limits(text_characters=24, timed_characters=24),
    )
    met = walk(api, examples=10, voice="stock:af_heart", said="Hi.")
    assert {path for path, status in met if status == 200} == {path for _, path in ADDRESSES}
    assert all(status < 500 for _, status in met)
