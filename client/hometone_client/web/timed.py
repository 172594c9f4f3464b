"""Answers `POST /v1/audio/speech/timed`: a text's sound, whole, and when each phoneme of it sounds, for faces whose mouth follows.

The sound is labelled as every other: inside its format, and once more beside it. Times count from its first sample, whatever the rate.
"""

import base64
import json

from starlette.requests import Request
from starlette.responses import Response

from hometone_client.audio.encoding import NATIVE_RATE_HZ, encode
from hometone_client.audio.labels import LABEL_HEADER
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.web.answers import TimedAnswer, TimedPhoneme, TimedSentence
from hometone_client.web.job import CLIENT_CLOSED, SpeakingJob, nothing_said
from hometone_client.web.requests import TimedRequest
from hometone_client.web.state import ApiState

_DECIMALS = 6  # a sample at 48 kHz lasts 21 microseconds


def timed(sentences: list[SpokenSentence]) -> list[TimedSentence]:
    """Put the sentences' own times one behind another."""
    found, before = [], 0
    for sentence in sentences:
        start_s = before / NATIVE_RATE_HZ
        before += sentence.samples.size
        phonemes = [
            TimedPhoneme(
                symbol=timing.symbol,
                start_s=round(start_s + timing.start_s, _DECIMALS),
                end_s=round(start_s + timing.end_s, _DECIMALS),
                mouth=timing.mouth,
            )
            for timing in sentence.timings
        ]
        found.append(
            TimedSentence(
                text=sentence.utterance.text,
                language=sentence.utterance.language,
                start_s=round(start_s, _DECIMALS),
                end_s=round(before / NATIVE_RATE_HZ, _DECIMALS),
                phonemes=phonemes,
            )
        )
    return found


async def answer(request: Request, body: TimedRequest, state: ApiState) -> Response:
    """Speak everything, then answer.

    Raises:
        HometoneError: Whatever goes wrong; nothing has been sent then.
    """
    job = SpeakingJob(request, body, state, fmt=body.response_format, longest=state.limits.timed_characters)
    try:
        sentences: list[SpokenSentence] = []
        while (sentence := await job.in_turn(job.spoken)) is not None:
            sentences.append(sentence)
        if await request.is_disconnected():
            return Response(status_code=CLIENT_CLOSED)
        if not sentences:
            raise nothing_said()

        def written() -> str:
            pieces = [sentence.samples for sentence in sentences]
            sound = encode(pieces, fmt=body.response_format, sample_rate_hz=body.sample_rate_hz, label=job.label)
            return TimedAnswer(
                sample_rate_hz=body.sample_rate_hz,
                audio=base64.b64encode(sound).decode("ascii"),
                format=body.response_format,
                label=json.loads(job.label.to_json()),
                sentences=timed(sentences),
            ).model_dump_json()

        content = await state.desk.compute(written)
    finally:
        job.close()
    headers = {LABEL_HEADER: job.label.to_json(), "Cache-Control": "no-store"}
    return Response(content, media_type="application/json", headers=headers)
