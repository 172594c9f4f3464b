"""What every request that speaks has in common: its checks, its place at the desk, its turn for each sentence.

1. Check what can be checked without the voice, then take a place at the desk, or be told to come back (429).
2. For each sentence wait for the turn (503 if it takes too long), so that two listeners are served alternately.
3. In its turn look first whether the client is still there; nothing is computed for nobody.
4. The voice is loaded in the first turn; whether it may speak is decided then, anew for each request.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from starlette.requests import Request

from hometone_client.audio.encoding import UNLABELLED_FORMATS, SpeechFormat, check_format
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.web.requests import MODELS, SpokenText
from hometone_client.web.state import ApiState
from hometone_shared.errors import TextError, UsageError

CLIENT_CLOSED: Final = 499
_T = TypeVar("_T")


class SpeakingJob:
    """The state of one request while it is being answered; it holds a place at the desk until it is closed."""

    def __init__(self, request: Request, body: SpokenText, state: ApiState, *, fmt: SpeechFormat, longest: int) -> None:
        """Check what can be checked without the voice, and take a place (1).

        Args:
            request: Who asks.
            body: What is to be spoken.
            state: The desk and the voices.
            fmt: Format of the sound.
            longest: How many characters the text may have.

        Raises:
            UsageError: A field has an impossible value.
            TextError: The text is empty.
            BusyError: All places are taken.
        """
        if body.model not in MODELS:
            raise UsageError("there is no model of that name", hint=f"use {MODELS[0]}")
        if len(body.input) > longest:
            raise UsageError(f"the text is longer than {longest} characters", hint="send it in parts")
        if not body.input.strip():
            raise TextError("the text is empty", hint="send a sentence")
        check_format(fmt=fmt, sample_rate_hz=body.sample_rate_hz)
        self._settings = body.settings()
        self._voice = state.registry.get(body.voice_id)
        self._audible = body.audible_label or fmt in UNLABELLED_FORMATS
        self._request = request
        self._body = body
        self._state = state
        self.label = SyntheticLabel.fresh()
        self._sentences: Iterator[SpokenSentence] | None = None
        state.desk.enter()

    def close(self) -> None:
        """Give the place back and drop what is left of the work."""
        if isinstance(self._sentences, Iterator) and hasattr(self._sentences, "close"):
            self._sentences.close()
        self._state.desk.leave()

    def spoken(self) -> SpokenSentence | None:
        """Speak the next sentence; None when there are no more. Runs in a thread."""
        if self._sentences is None:
            speaker = self._state.speaker(self._voice.load())  # (4)
            body = self._body
            self._sentences = iter(speaker.speak(body.input, language=body.language, settings=self._settings, audible_label=self._audible))
        return next(self._sentences, None)

    async def in_turn(self, work: Callable[[], _T | None]) -> _T | None:
        """Do a sentence's work when it is this request's turn; None when nobody listens any more.

        Raises:
            ImpatientError: The turn did not come in time.
        """
        async with self._state.desk.turn():  # (2)
            if await self._request.is_disconnected():  # (3)
                return None
            return await self._state.desk.compute(work)


def nothing_said() -> TextError:
    """The error of a text that turned out to hold nothing to be read."""
    return TextError("there is nothing in this text that can be read aloud", hint="send a sentence")
