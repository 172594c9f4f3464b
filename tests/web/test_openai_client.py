"""The `openai` package as it comes, against the local API with a real stock voice."""

import io
import time
import wave
from collections.abc import Iterator

import httpx
import openai
import pytest

from hometone_client.audio.labels import read_label
from hometone_client.web import ApiState, LocalServer

pytestmark = pytest.mark.models
TEXT = "Hello there. How are you today?"


@pytest.fixture
def client(server: LocalServer, api: ApiState) -> Iterator[openai.OpenAI]:
    with (
        httpx.Client(trust_env=False) as http,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=api.token, max_retries=0, http_client=http) as made,
    ):
        yield made


def seconds(wav: bytes) -> float:
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getframerate() == 24_000
        return len(file.readframes(10**7)) / 48_000


def test_speech_is_made_and_labelled(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="af_heart", input=TEXT, response_format="wav", speed=1.2)
    sound = answer.read()
    assert 1.0 < seconds(sound) < 6.0
    assert read_label(sound) is not None
    assert answer.response.headers["x-aigc"]


def test_the_clients_own_default_is_mp3(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="tts-1-hd", voice={"id": "stock:zf_xiaobei"}, input="您好。")
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert read_label(answer.content) is not None


def test_sound_streams_sentence_by_sentence(client: openai.OpenAI) -> None:
    arrived: list[tuple[float, int]] = []
    with client.audio.speech.with_streaming_response.create(
        model="hometone", voice="af_heart", input=TEXT, response_format="wav"
    ) as answer:
        arrived.extend((time.monotonic(), len(piece)) for piece in answer.iter_bytes())
    assert sum(length for _, length in arrived) > 48_000
    assert len(arrived) > 1


def test_events_stream(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="hometone", voice="af_heart", input=TEXT, response_format="wav", stream_format="sse"
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith("data: {") for line in lines)
    assert "speech.audio.done" in lines[-1]


def test_models_are_listed_and_voices_can_be_asked_for(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["hometone"]
    voices = client.get("/voices", cast_to=httpx.Response).json()["data"]
    assert {"stock:af_heart", "stock:zf_xiaobei"} <= {voice["id"] for voice in voices}


def test_what_only_hometone_knows_goes_through_the_clients_extra_body(client: openai.OpenAI) -> None:
    answer = client.post("/audio/speech/timed", body={"input": "Hello.", "voice": "af_heart"}, cast_to=httpx.Response).json()
    assert answer["sentences"][0]["phonemes"]
    wished = {"pitch": -2, "length_scale": 1.3, "seed": 1}
    sound = client.audio.speech.create(model="hometone", voice="af_heart", input="Hello.", response_format="wav", extra_body=wished)
    assert seconds(sound.content) > 0.5


def test_errors_are_the_clients_own_kinds(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="there is no voice of that name"):
        client.audio.speech.create(model="hometone", voice="nobody", input="Hello.")
    with pytest.raises(openai.BadRequestError, match="no model of that name"):
        client.audio.speech.create(model="gpt-4o-mini-tts", voice="af_heart", input="Hello.")
    stranger = client.with_options(api_key="another")
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()
