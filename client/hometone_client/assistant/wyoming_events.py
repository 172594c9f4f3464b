"""One connection of a voice assistant: the events of the Wyoming protocol in and out. The only module that knows `wyoming`.

1. An event is a line of JSON, more JSON of a told length, and bytes of a told length. Each of the three is bounded before it is read;
   the reader of the package is not used, because it believes whatever length it is told.
2. `describe` is answered with the voices that can be used now; `ping` with `pong`.
3. `synthesize`: sound as it is spoken, between `audio-start` and `audio-stop`. A place at the desk is held meanwhile, and each sentence
   waits for its turn, as in the local API.
4. `synthesize-start`, `-chunk`, `-stop`: the text arrives in pieces, and each whole sentence is spoken at once. The `synthesize` that
   older servers need in between repeats the same text, and is skipped.
5. The voice is loaded once for each request, and its consent is looked at then. Before each further piece it is asked for again: a voice
   that was locked or revoked meanwhile falls silent.
6. An error is an `error` event, and the connection ends: assistants that know no errors wait for sound until then.

Samples on the wire have no place for the AI label. It is told beside them (field `AIGC` of `audio-start`, which others skip), and aloud
unless the owner of this computer has switched that off.
"""

import asyncio
import importlib.metadata
import json
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hometone_client.assistant.growing_text import GrowingText
from hometone_client.audio.encoding import NATIVE_RATE_HZ, StreamEncoder
from hometone_client.audio.labels import AIGC_KEY, SyntheticLabel
from hometone_client.speaking.synthesizer import SpokenSentence
from hometone_client.voices.registry import Voice
from hometone_client.web.problems import described
from hometone_client.web.state import Speaks
from hometone_shared.errors import HometoneError, ProtocolError, TextError, UsageError

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore", DeprecationWarning
    )  # it looks for the standard library's audioop first, which Python 3.13 no longer has
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.error import Error
    from wyoming.event import Event
    from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
    from wyoming.ping import Ping, Pong
    from wyoming.server import AsyncEventHandler
    from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

if TYPE_CHECKING:
    from hometone_client.assistant.assistant import AssistantState

_LOG: Final = logging.getLogger(__name__)
_IDLE_S: Final = 300.0
_BETWEEN_CHUNKS_S: Final = 60.0
_UNREAD_S: Final = 120.0  # a program that plays as it reads may take as long as a sentence lasts
_CHUNK: Final = 9_600  # bytes, 0.2 s
_LONGEST_NAME: Final = 128
_USUAL_VOICE: Final = "stock:af_heart"
_MAKERS: Final = {
    "stock": Attribution(name="hexgrad (Kokoro-82M)", url="https://huggingface.co/hexgrad/Kokoro-82M"),
    "own": Attribution(name="a person of this computer", url=""),
    "lent": Attribution(name="lent by its owner", url=""),
}


class Conversation(AsyncEventHandler):
    """Serves one connection until it ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, state: "AssistantState") -> None:
        """Take the connection over; `run` serves it."""
        super().__init__(reader, writer)
        self._state = state
        self._request: _Request | None = None  # a streamed one

    async def run(self) -> None:
        """Answer events until the other side leaves, falls silent, or sends something else."""
        try:
            while True:
                idle_s = _IDLE_S if self._request is None else _BETWEEN_CHUNKS_S
                async with asyncio.timeout(idle_s):
                    event = await read_event(self.reader, longest=self._state.limits.body_bytes)
                if event is None or not await self.handle_event(event):
                    return
        except (OSError, EOFError, TimeoutError, ProtocolError):
            return  # it left, or it is no assistant
        finally:
            if self._request is not None:
                self._request.close()
            self.writer.close()

    async def handle_event(self, event: Event) -> bool:
        """Answer one event; False ends the connection."""
        try:
            await self._answer(event)
        except HometoneError as error:
            problem = described(error)
            await self.write_event(Error(text=str(problem["message"]), code=problem["code"]).event())
            return False
        return True

    async def _answer(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event((await asyncio.to_thread(self._info)).event())
        elif Ping.is_type(event.type):
            await self.write_event(Pong(text=_text(event.data, "text", usual="")).event())
        elif Synthesize.is_type(event.type) and self._request is None:
            request = self._new_request(event.data)
            try:
                await request.say(request.text.add(_text(event.data, "text")) + request.text.rest())
                await request.end()
            finally:
                request.close()
        elif SynthesizeStart.is_type(event.type):
            if self._request is not None:
                self._request.close()
            self._request = None
            self._request = self._new_request(event.data)
        elif SynthesizeChunk.is_type(event.type) and self._request is not None:
            await self._request.say(self._request.text.add(_text(event.data, "text")))
        elif SynthesizeStop.is_type(event.type) and self._request is not None:
            request, self._request = self._request, None
            try:
                await request.say(request.text.rest())
                await request.end()
            finally:
                request.close()
            await self.write_event(SynthesizeStopped().event())

    def _new_request(self, data: dict[str, Any]) -> "_Request":
        if data.get("text_format") not in {None, "text"}:
            raise UsageError("only plain text can be spoken", hint="send the text without marks such as SSML")
        wanted = data.get("voice")
        if not isinstance(wanted, dict | None):
            raise ProtocolError("this is no name of a voice")
        name, language = (_text(wanted or {}, key, usual="") for key in ("name", "language"))
        if max(len(name), len(language)) > _LONGEST_NAME:
            raise ProtocolError("this is no name of a voice")
        spoken_in = language.replace("_", "-").lower().partition("-")[0] or None
        voice = name or _usual_voice(self._state.registry.voices(), language=spoken_in)
        return _Request(self, self._state, voice=voice, language=None if name else spoken_in)

    def _info(self) -> Info:
        version = importlib.metadata.version("hometone-client")
        voices = [
            TtsVoice(
                name=voice.id,
                attribution=_MAKERS[voice.kind],
                installed=True,
                description=voice.id.removeprefix("stock:"),
                version=version,
                languages=list(voice.languages),
            )
            for voice in self._state.registry.voices()
        ]
        program = TtsProgram(
            name="hometone",
            attribution=Attribution(name="Hometone", url=""),
            installed=True,
            description="Synthetic voices of this computer",
            version=version,
            voices=voices,
            supports_synthesize_streaming=True,
        )
        return Info(tts=[program])

    async def send(self, event: Event) -> None:
        """Send one event; the other side may take its time, but not for ever."""
        async with asyncio.timeout(_UNREAD_S):
            await self.write_event(event)


class _Request:
    """One text, whole or growing, on its way to sound; it holds a place at the desk until it is closed."""

    def __init__(self, conversation: Conversation, state: "AssistantState", *, voice: str, language: str | None) -> None:
        self._conversation = conversation
        self._state = state
        self._voice_id = voice
        self._language = language
        state.registry.get(voice)
        label = SyntheticLabel.fresh()
        self._label = label
        self._encoder = StreamEncoder(fmt="pcm", label=label)
        self._speaker: Speaks | None = None
        self._sentences: Iterator[SpokenSentence] = iter(())
        self._has_begun = False
        self.text = GrowingText(longest=state.limits.text_characters)
        state.desk.enter()

    def close(self) -> None:
        """Give the place back."""
        self._drop()
        self._state.desk.leave()

    async def say(self, text: str) -> None:
        """Speak a piece of the text; one without words is passed over."""
        if not any(map(str.isalnum, text)):
            return
        self._drop()
        opened = False

        def spoken() -> bytes | None:
            nonlocal opened
            if not opened:
                self._sentences = self._opened(text)
                opened = True
            sentence = next(self._sentences, None)
            return None if sentence is None else self._encoder.write(np.ascontiguousarray(sentence.samples))

        while not self._conversation.writer.is_closing():
            async with self._state.desk.turn():
                sound = await self._state.desk.compute(spoken)
            if sound is None:
                return
            await self._sent(sound)

    def _opened(self, text: str) -> Iterator[SpokenSentence]:
        voice = self._state.registry.get(self._voice_id)  # (5)
        is_first = self._speaker is None
        if self._speaker is None:
            self._speaker = self._state.speaker(voice.load())
        return iter(self._speaker.speak(text, language=self._language, audible_label=self._state.audible_label and is_first))

    async def _sent(self, sound: bytes) -> None:
        if not self._has_begun:
            start = AudioStart(rate=NATIVE_RATE_HZ, width=2, channels=1).event()
            start.data[AIGC_KEY] = self._label.to_json()
            await self._conversation.send(start)
            self._has_begun = True
        for first in range(0, len(sound), _CHUNK):
            chunk = AudioChunk(rate=NATIVE_RATE_HZ, width=2, channels=1, audio=sound[first : first + _CHUNK])
            await self._conversation.send(chunk.event())

    async def end(self) -> None:
        """Say that this was all.

        Raises:
            TextError: Nothing was said.
        """
        if not self._has_begun:
            raise TextError("there is nothing in this text that can be read aloud", hint="send a sentence")
        await self._conversation.send(AudioStop().event())

    def _drop(self) -> None:
        if hasattr(self._sentences, "close"):
            self._sentences.close()
        self._sentences = iter(())


def _usual_voice(voices: tuple[Voice, ...], *, language: str | None) -> str:
    """The voice of a request that names none: a stock voice of its language. Nobody's own voice speaks unless it was asked for by name."""
    if language in {None, "en"}:
        return _USUAL_VOICE
    for voice in voices:
        if voice.kind == "stock" and language in {tag.partition("-")[0].lower() for tag in voice.languages}:
            return voice.id
    raise UsageError("there is no voice for that language", hint="choose a voice by its name")


def _text(data: dict[str, Any], key: str, *, usual: str | None = None) -> str:
    found = data.get(key, usual)
    if found is None and usual is not None:
        return usual
    if not isinstance(found, str):
        raise ProtocolError(f"an event without {key}")
    return found


async def read_event(reader: asyncio.StreamReader, *, longest: int) -> Event | None:
    """Read one event; None when the other side has ended (1).

    Args:
        reader: Its own limit bounds the line.
        longest: Bytes of JSON, and bytes of payload, that are read.

    Raises:
        ProtocolError: That is no event, or a longer one.
        EOFError: The other side left in the middle of it.
        OSError: The connection broke.
    """
    try:
        line = await reader.readline()
    except ValueError as error:  # longer than the reader's limit
        raise ProtocolError("an event is too long") from error
    if not line:
        return None
    head = _object(line)
    data_bytes, payload_bytes = (_length(head.get(key), longest=longest) for key in ("data_length", "payload_length"))
    data, more = head.get("data") or {}, _object(await reader.readexactly(data_bytes)) if data_bytes else {}
    if payload_bytes:
        await reader.readexactly(payload_bytes)  # nothing that is understood here has one
    kind = head.get("type")
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise ProtocolError("this is no event")
    return Event(type=kind, data=data | more)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("this is no event") from error
    if not isinstance(found, dict):
        raise ProtocolError("this is no event")
    return found


def _length(told: object, *, longest: int) -> int:
    if told is None:
        return 0
    if type(told) is not int or not 0 <= told <= longest:
        raise ProtocolError("an event tells an impossible length")
    return told
