"""`POST /v1/audio/speech/timed`: sound and times in one answer."""

import base64
import io
import itertools
import wave

import httpx
import pytest
from desk_speaker import TOKEN, ToneSpeaker, state
from test_api import call, error

from hometone_client.audio.labels import SyntheticLabel, read_label
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, Synthesizer, mouth_shapes
from hometone_client.voices import VoiceRegistry
from hometone_client.web import ApiState


def timed(api: ApiState, **fields: object) -> httpx.Response:
    return call("POST", "/v1/audio/speech/timed", api=api, json={"input": "one. two.", "voice": "anna"} | fields)


@pytest.mark.parametrize("fmt", ["wav", "flac", "mp3", "opus", "aac"])
def test_sound_label_and_sentences_come_in_one_answer(fmt: str) -> None:
    response = timed(state(), response_format=fmt)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert set(answer) == {"sample_rate_hz", "audio", "format", "label", "sentences"}
    label = read_label(base64.b64decode(answer["audio"]))
    assert label == SyntheticLabel.from_json(response.headers["x-aigc"])
    assert answer["label"]["ProduceID"] == label.produce_id
    assert (answer["format"], answer["sample_rate_hz"]) == (fmt, 24_000)
    assert [(s["start_s"], s["end_s"], s["text"].strip()) for s in answer["sentences"]] == [(0.0, 0.5, "one"), (0.5, 1.0, "two")]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"response_format": "pcm"}, 400),
        ({"stream_format": "sse"}, 400),
        ({"voice": "nobody"}, 400),
        ({"voice": "withdrawn"}, 403),
        ({"input": "one. !bad."}, 400),
        ({"input": "x" * 51}, 400),
        ({"input": ".."}, 400),
        ({"sample_rate_hz": 5}, 400),
        ({"speed": 99}, 400),
    ],
)
def test_what_is_refused_gives_its_place_back(fields: dict[str, object], status: int) -> None:
    speaker = ToneSpeaker()
    api = state(speaker, timed_characters=50, places=1)
    for _ in range(2):
        response = timed(api, **fields)
        assert response.status_code == status
        error(response)
    assert timed(api).status_code == 200


def test_the_audible_label_is_a_sentence_as_well_when_it_is_asked_for() -> None:
    speaker = ToneSpeaker()
    timed(state(speaker), audible_label=True)
    assert speaker.audible == [True]


@pytest.mark.models
@pytest.mark.parametrize("rate_hz", [24_000, 22_050])
def test_times_of_a_real_voice_cover_the_whole_sound(rate_hz: int) -> None:
    sessions = Sessions(model_folder())
    api = ApiState(
        token=TOKEN,
        registry=VoiceRegistry(base_sha256=sessions.base_sha256),
        speaker=lambda voice: Synthesizer(model_folder(), voice, sessions=sessions),
    )
    answer = timed(api, input="Good morning. 您好！", voice="stock:zf_xiaobei", sample_rate_hz=rate_hz).json()
    with wave.open(io.BytesIO(base64.b64decode(answer["audio"]))) as file:
        length_s = file.getnframes() / file.getframerate()
    assert [sentence["language"] for sentence in answer["sentences"]] == ["en", "zh"]
    phonemes = [phoneme for sentence in answer["sentences"] for phoneme in sentence["phonemes"]]
    assert phonemes[0]["start_s"] == 0.0
    assert phonemes[-1]["end_s"] == pytest.approx(length_s, abs=1e-4)
    assert all(one["end_s"] == pytest.approx(other["start_s"], abs=2e-6) for one, other in itertools.pairwise(phonemes))
    assert {phoneme["mouth"] for phoneme in phonemes} <= set(mouth_shapes())
    assert len({phoneme["mouth"] for phoneme in phonemes}) > 5
