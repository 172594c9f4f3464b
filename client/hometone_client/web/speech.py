"""One request's way from text to bytes on the wire, sentence by sentence.

1. Take a place at the desk, or be told to come back (429).
2. Wait for the turn (503 if it takes too long), load the voice, speak the first sentence and encode it. Whatever goes wrong up to
   here is an answer with a status, since nothing has been sent.
3. Send; for each further sentence wait for the turn again, so that two listeners are served alternately.
4. Between sentences look whether the client is still there; if not, stop: nothing is computed for nobody.
5. An error in the middle breaks the connection off (or, with server-sent events, is an event): a cut-off answer must not look complete.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hometone_client.audio.encoding import MEDIA_TYPES, NATIVE_RATE_HZ, UNLABELLED_FORMATS, StreamEncoder, check_format
from hometone_client.audio.labels import LABEL_HEADER, SyntheticLabel
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.web.problems import described
from hometone_client.web.requests import MODELS, SpeechRequest
from hometone_client.web.state import ApiState
from hometone_shared.errors import HometoneError, TextError, UsageError

_SPEAKING_FRAMES_HZ: Final = 40
_CLIENT_CLOSED: Final = 499


class SpeechJob:
    """The state of one request while it is being answered; it holds a place at the desk until it is closed."""

    def __init__(self, request: Request, body: SpeechRequest, state: ApiState) -> None:
        """Check what can be checked without the voice, and take a place.

        Raises:
            UsageError: A field has an impossible value.
            BusyError: All places are taken.
        """
        if body.model not in MODELS:
            raise UsageError("there is no model of that name", hint=f"use {MODELS[0]}")
        if len(body.input) > state.limits.text_characters:
            raise UsageError(f"the text is longer than {state.limits.text_characters} characters", hint="send it in parts")
        if not body.input.strip():
            raise TextError("the text is empty", hint="send a sentence")
        check_format(fmt=body.response_format, sample_rate_hz=body.sample_rate_hz)
        self._settings = body.settings()
        self._voice = state.registry.get(body.voice_id)
        self._request = request
        self._body = body
        self._state = state
        self.label = SyntheticLabel.fresh()
        self._encoder = StreamEncoder(fmt=body.response_format, sample_rate_hz=body.sample_rate_hz, label=self.label)
        self._sentences: Iterator[SpokenSentence] | None = None
        self._tokens = 0
        self._frames = 0
        state.desk.enter()  # (1)

    def close(self) -> None:
        """Give the place back and drop what is left of the work."""
        if isinstance(self._sentences, Iterator) and hasattr(self._sentences, "close"):
            self._sentences.close()
        self._encoder.close()
        self._state.desk.leave()

    def _start(self) -> Iterator[SpokenSentence]:
        speaker = self._state.speaker(self._voice.load())
        audible = self._body.audible_label or self._body.response_format in UNLABELLED_FORMATS
        return iter(speaker.speak(self._body.input, language=self._body.language, settings=self._settings, audible_label=audible))

    def _next(self) -> bytes | None:
        """Speak and encode one sentence; None when there are no more. Runs in a thread."""
        if self._sentences is None:
            self._sentences = self._start()
        sentence = next(self._sentences, None)
        if sentence is None:
            return None
        self._tokens += len(sentence.utterance.tokens)
        self._frames += round(sentence.samples.size * _SPEAKING_FRAMES_HZ / NATIVE_RATE_HZ)
        return self._encoder.write(np.ascontiguousarray(sentence.samples))

    async def piece(self) -> bytes | None:
        """Return the next sentence's bytes when it is this request's turn; None at the end, or when nobody listens any more."""
        async with self._state.desk.turn():  # (2) (3)
            if await self._request.is_disconnected():  # (4)
                return None
            return await self._state.desk.compute(self._next)

    async def audio(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield the bytes of the sound."""
        yield first
        while (piece := await self.piece()) is not None:
            if piece:
                yield piece
        yield self._encoder.close()

    async def events(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield OpenAI's server-sent events."""
        try:
            async for piece in self.audio(first):
                if piece:
                    yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode("ascii")})
        except HometoneError as error:  # (5)
            yield _event({"type": "error", "error": described(error)})
            return
        usage = {"input_tokens": self._tokens, "output_tokens": self._frames, "total_tokens": self._tokens + self._frames}
        yield _event({"type": "speech.audio.done", "usage": usage})


def _event(content: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n\n"


class _SpeechResponse(StreamingResponse):
    """Closes the job whichever way the answer ends: complete, broken off, or never begun."""

    def __init__(self, job: SpeechJob, content: AsyncIterator[bytes], *, media_type: str) -> None:
        super().__init__(content, media_type=media_type, headers={LABEL_HEADER: job.label.to_json(), "Cache-Control": "no-store"})
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.close()


async def answer(request: Request, body: SpeechRequest, state: ApiState) -> Response:
    """Answer `POST /v1/audio/speech`.

    Raises:
        HometoneError: Anything that goes wrong before the first byte.
    """
    job = SpeechJob(request, body, state)
    try:
        first = await job.piece()
    except BaseException:
        job.close()
        raise
    if first is None:
        job.close()
        if await request.is_disconnected():
            return Response(status_code=_CLIENT_CLOSED)
        raise TextError("there is nothing in this text that can be read aloud", hint="send a sentence")
    if body.stream_format == "sse":
        return _SpeechResponse(job, job.events(first), media_type="text/event-stream")
    return _SpeechResponse(job, job.audio(first), media_type=MEDIA_TYPES[body.response_format])
