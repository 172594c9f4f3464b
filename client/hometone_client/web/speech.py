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
from collections.abc import AsyncIterator
from typing import Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hometone_client.audio.encoding import MEDIA_TYPES, NATIVE_RATE_HZ, StreamEncoder
from hometone_client.audio.labels import LABEL_HEADER
from hometone_client.web.job import CLIENT_CLOSED, SpeakingJob, nothing_said
from hometone_client.web.problems import described
from hometone_client.web.requests import SpeechRequest
from hometone_client.web.state import ApiState
from hometone_shared.errors import HometoneError

_SPEAKING_FRAMES_HZ: Final = 40


class SpeechJob(SpeakingJob):
    """A request whose sound leaves as it is spoken."""

    def __init__(self, request: Request, body: SpeechRequest, state: ApiState) -> None:
        """Check the request and take a place.

        Raises:
            UsageError: A field has an impossible value.
            BusyError: All places are taken.
        """
        super().__init__(request, body, state, fmt=body.response_format, longest=state.limits.text_characters)  # (1)
        self._encoder = StreamEncoder(fmt=body.response_format, sample_rate_hz=body.sample_rate_hz, label=self.label)
        self._tokens = 0
        self._frames = 0

    def close(self) -> None:
        """Give the place back and drop what is left of the work."""
        try:
            self._encoder.close()
        finally:
            super().close()

    def _next(self) -> bytes | None:
        """Speak and encode one sentence; None when there are no more. Runs in a thread."""
        sentence = self.spoken()
        if sentence is None:
            return None
        self._tokens += len(sentence.utterance.tokens)
        self._frames += round(sentence.samples.size * _SPEAKING_FRAMES_HZ / NATIVE_RATE_HZ)
        return self._encoder.write(np.ascontiguousarray(sentence.samples))

    async def piece(self) -> bytes | None:
        """Return the next sentence's bytes when it is this request's turn; None at the end, or when nobody listens any more."""
        return await self.in_turn(self._next)  # (2) (3) (4)

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
            return Response(status_code=CLIENT_CLOSED)
        raise nothing_said()
    if body.stream_format == "sse":
        return _SpeechResponse(job, job.events(first), media_type="text/event-stream")
    return _SpeechResponse(job, job.audio(first), media_type=MEDIA_TYPES[body.response_format])
