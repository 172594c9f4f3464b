"""The routes, without a socket: what is answered, what is refused, and that no answer tells what it should not."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from desk_speaker import TOKEN, ToneSpeaker, state

from hometone_client.audio.labels import SyntheticLabel, read_label
from hometone_client.web import ApiState, Limits, create_app
from hometone_client.web.requests import SpeechRequest
from hometone_shared.errors import UsageError

AUTH = {"Authorization": f"Bearer {TOKEN}"}
SECRET = "a text that nobody else should read"


def call(
    method: str,
    path: str,
    *,
    api: ApiState | None = None,
    headers: Mapping[str, str] | None = None,
    host: str = "127.0.0.1:8573",
    client: tuple[str, int] = ("127.0.0.1", 5000),
    **more: object,
) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(api or state()), raise_app_exceptions=False, client=client)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
            return await http.request(method, path, headers=AUTH if headers is None else headers, **more)  # type: ignore[arg-type]

    return asyncio.run(run())


def speech(api: ApiState | None = None, **fields: object) -> httpx.Response:
    return call("POST", "/v1/audio/speech", api=api, json={"model": "hometone", "input": "one. two.", "voice": "anna"} | fields)


def error(response: httpx.Response) -> dict[str, str | None]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    return dict(body["error"])


@pytest.mark.parametrize(
    ("fmt", "media_type"),
    [("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("aac", "audio/aac"), ("flac", "audio/flac"), ("wav", "audio/wav")],
)
def test_every_format_is_labelled_in_body_and_header(fmt: str, media_type: str) -> None:
    response = speech(response_format=fmt)
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "no-store"
    assert read_label(response.content) == SyntheticLabel.from_json(response.headers["x-aigc"])


def test_mp3_is_the_usual_format_as_in_openai() -> None:
    assert speech().headers["content-type"] == "audio/mpeg"


def test_pcm_has_the_length_of_its_sentences_and_says_that_it_is_synthetic() -> None:
    speaker = ToneSpeaker()
    response = speech(state(speaker), response_format="pcm", audible_label=False)
    assert len(response.content) == 2 * 2 * 12_000
    assert speaker.audible == [True]
    assert response.headers["x-aigc"]


def test_wishes_reach_the_voice() -> None:
    speaker = ToneSpeaker()
    api = state(speaker)
    for fields in (
        {"speed": 2.0},
        {"length_scale": 1.5, "noise_scale": 0.2, "pitch": -3, "pitch_range": 0.5, "seed": 9},
        {},
        {"audible_label": True},
    ):
        assert speech(api, **fields).status_code == 200
    assert [s.length_scale for s in speaker.settings] == [0.5, 1.5, 1.0, 1.0]
    second = speaker.settings[1]
    assert (second.noise_scale, second.pitch_semitones, second.pitch_range, second.seed) == (0.2, -3, 0.5, 9)
    assert speaker.settings[2].noise_scale == 0.667
    assert speaker.audible == [False, False, False, True]


def test_the_rate_of_the_sound_can_be_chosen() -> None:
    import io
    import wave

    with wave.open(io.BytesIO(speech(response_format="wav", sample_rate_hz=22_050).content)) as file:
        assert file.getframerate() == 22_050


def test_a_voice_is_named_as_text_or_as_an_object() -> None:
    assert speech(voice={"id": "anna"}).status_code == 200


def test_events_carry_the_same_sound() -> None:
    response = speech(response_format="pcm", stream_format="sse")
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in response.text.strip().split("\n\n")]
    assert [event["type"] for event in events] == ["speech.audio.delta", "speech.audio.delta", "speech.audio.done"]
    assert sum(len(base64.b64decode(event["audio"])) for event in events[:-1]) == 2 * 2 * 12_000
    assert events[-1]["usage"]["total_tokens"] == 2 + 40


def test_an_error_in_the_middle_of_events_is_an_event() -> None:
    response = speech(input="one. !bad. three.", stream_format="sse")
    last = json.loads(response.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["type"] == "error"
    assert last["error"]["code"] == "unreadable_text"


def test_an_error_in_the_first_sentence_is_an_answer() -> None:
    response = speech(input="!bad. two.")
    assert response.status_code == 400
    assert error(response)["code"] == "unreadable_text"


def test_a_place_is_given_back_whatever_happens() -> None:
    speaker = ToneSpeaker()
    api = state(speaker, places=1)
    for fields in ({}, {"input": "!bad"}, {"input": "one. !bad"}, {"voice": "withdrawn"}, {"speed": 99}, {"input": "..."}):
        with_error = speech(api, **fields)
        assert with_error.status_code != 429
    assert speech(api).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"input": ""}, 400),
        ({"input": "  \n"}, 400),
        ({"input": "..."}, 400),
        ({"input": 5}, 400),
        ({"input": "x" * 20_001}, 400),
        ({"voice": "nobody"}, 400),
        ({"voice": ""}, 400),
        ({"voice": {"id": "anna", "name": "x"}}, 400),
        ({"voice": "withdrawn"}, 403),
        ({"model": "gpt"}, 400),
        ({"response_format": "ogg"}, 400),
        ({"response_format": "opus", "sample_rate_hz": 22_050}, 400),
        ({"sample_rate_hz": -1}, 400),
        ({"speed": 0}, 400),
        ({"speed": 10}, 400),
        ({"speed": 1.0, "length_scale": 1.0}, 400),
        ({"length_scale": 0.1}, 400),
        ({"noise_scale": 3}, 400),
        ({"pitch": 13}, 400),
        ({"pitch_range": -1}, 400),
        ({"seed": -1}, 400),
        ({"stream_format": "websocket"}, 400),
        ({"instructions": "cheerful"}, 400),
    ],
)
def test_impossible_requests_are_refused_in_openais_shape(fields: dict[str, object], status: int) -> None:
    response = speech(**fields)
    assert response.status_code == status
    assert error(response)["type"] in {"invalid_request_error", "permission_error"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"input": NaN}', b"\xff\xfe", b'{"input":"' + SECRET.encode() + b'"', b"[" * 5000]
)
def test_bodies_that_are_not_requests(body: bytes) -> None:
    response = call("POST", "/v1/audio/speech", content=body, headers=AUTH | {"Content-Type": "application/json"})
    assert response.status_code == 400
    error(response)
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "fields",
    [{"input": SECRET, "voice": "nobody"}, {"input": SECRET, "seed": SECRET}, {"input": SECRET, "x": SECRET}, {"input": [SECRET]}],
)
def test_no_refusal_repeats_the_text(fields: dict[str, object]) -> None:
    response = speech(**fields)
    assert response.status_code == 400
    assert SECRET not in response.text


def test_voices_and_models_and_health() -> None:
    voices = {voice["id"]: voice for voice in call("GET", "/v1/voices").json()["data"]}
    assert voices["anna"] == {"id": "anna", "object": "voice", "kind": "own", "languages": ["zh"]}
    assert voices["stock:af_heart"]["kind"] == "stock"
    assert call("GET", "/v1/models").json()["data"][0]["id"] == "hometone"
    assert call("GET", "/health", headers={}).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer ünïcode".encode()},
    ],
)
@pytest.mark.parametrize("path", ["/v1/voices", "/v1/models", "/nothing"])
def test_without_the_token_nothing_is_told(headers: dict[str, str], path: str) -> None:
    response = call("GET", path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert error(response)["code"] == "invalid_api_key"


@pytest.mark.parametrize("host", ["127.0.0.1:8573", "localhost:8573", "[::1]:8573", "LOCALHOST:8573"])
def test_names_of_this_computer_are_answered(host: str) -> None:
    assert call("GET", "/v1/voices", host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8573", "127.0.0.1.evil.example:8573", "127.0.0.1:9", "localhost", "", "127.0.0.1:8573:8573"]
)
def test_a_page_that_rebinds_its_name_is_refused(host: str) -> None:
    for path in ("/v1/voices", "/health"):
        response = call("GET", path, headers=AUTH | {"Host": host})
        assert response.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "https://127.0.0.1:8573"])
def test_pages_of_other_sites_are_refused_and_get_no_cors(origin: str) -> None:
    response = call("GET", "/v1/voices", headers=AUTH | {"Origin": origin})
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]
    preflight = call("OPTIONS", "/v1/audio/speech", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 403


def test_our_own_pages_may_use_it() -> None:
    assert call("GET", "/v1/voices", headers=AUTH | {"Origin": "http://127.0.0.1:8573"}).status_code == 200


@pytest.mark.parametrize("client", [("192.168.1.5", 5000), ("10.0.0.1", 1), ("::ffff:192.168.1.5", 1), ("", 0)])
def test_other_computers_are_refused_even_if_the_app_is_served_wrongly(client: tuple[str, int]) -> None:
    assert call("GET", "/v1/voices", client=client).status_code == 403


def test_large_bodies_are_refused() -> None:
    response = speech(input="x" * 300_000)
    assert response.status_code == 413
    error(response)


def test_large_bodies_without_a_declared_length_are_refused() -> None:
    async def endless() -> object:
        while True:
            yield b"x" * 10_000

    response = call("POST", "/v1/audio/speech", content=endless(), headers=AUTH)
    assert response.status_code == 413


def test_a_body_that_does_not_come_is_given_up() -> None:
    async def slow() -> object:
        yield b"{"
        await asyncio.sleep(5)

    response = call("POST", "/v1/audio/speech", api=state(body_timeout_s=0.1), content=slow(), headers=AUTH)
    assert response.status_code == 408


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/docs", 404), ("GET", "/openapi.json", 404), ("GET", "/v1/audio/speech", 405)]
)
def test_other_addresses(method: str, path: str, status: int) -> None:
    response = call(method, path)
    assert response.status_code == status
    error(response)


@pytest.mark.filterwarnings("ignore")
def test_what_nobody_foresaw_is_an_internal_error_without_details(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ToneSpeaker):
        def speak(self, text: str, **_: object) -> object:  # type: ignore[override]
            raise KeyError(text)

    response = speech(state(Broken()), input=SECRET)
    assert response.status_code == 500
    assert error(response)["message"] == "internal error"
    assert SECRET not in response.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("token", ["", "short", "ü" * 40])
def test_a_weak_token_is_refused(token: str) -> None:
    good = state()
    with pytest.raises(UsageError):
        ApiState(token=token, registry=good.registry, speaker=good.speaker)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
def test_a_body_that_a_page_could_forge_is_refused_and_the_answer_says_what_is_missing(content_type: str) -> None:
    headers = AUTH | {"Content-Type": content_type}
    response = call("POST", "/v1/audio/speech", content=b'{"input": "one.", "voice": "anna"}', headers=headers)
    assert response.status_code == 400
    assert "Content-Type: application/json" in str(error(response)["message"])


def test_every_field_and_limit_of_a_request_is_in_the_docs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "api.md").read_text(encoding="utf-8")
    for field in SpeechRequest.model_fields:
        assert f"`{field}`" in page, field
    for route in ("POST /v1/audio/speech", "GET /v1/voices", "GET /v1/models", "GET /health"):
        assert route in page
    assert "20,000 characters" in page
    assert Limits().text_characters == 20_000
