"""The assistants' server on real loopback, with the real `wyoming` client: what is spoken, what is refused, what hostile bytes do."""

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from desk_speaker import BASE, ToneSpeaker, parameters, state
from hypothesis import given
from hypothesis import strategies as st
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped, SynthesizeVoice

from hometone_client.assistant import Assistant, AssistantState
from hometone_client.assistant.growing_text import GrowingText
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.text.sentences import sentences
from hometone_client.voices.parameters import VoiceParameters
from hometone_client.voices.registry import Voice, VoiceRegistry
from hometone_client.web import LocalServer, create_app
from hometone_client.web.peers import is_own_process, is_same_user, owner
from hometone_shared.errors import ResourceError, UsageError

ANNA = SynthesizeVoice(name="anna")
SENTENCE_BYTES = 2 * 12_000


def assistants(speaker: ToneSpeaker | None = None, *, audible_label: bool = True, **limits: float) -> AssistantState:
    api = state(speaker or ToneSpeaker(), **limits)
    return AssistantState(registry=api.registry, speaker=api.speaker, desk=api.desk, limits=api.limits, audible_label=audible_label)


def talk(work: Callable[[Assistant], Awaitable[None]], served: AssistantState, **options: object) -> None:
    async def run() -> None:
        assistant = Assistant(served, port=0, **options)  # type: ignore[arg-type]
        async with asyncio.timeout(30), assistant.running():
            await work(assistant)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def connected(assistant: Assistant) -> AsyncIterator[AsyncTcpClient]:
    host, _, port = assistant.url.removeprefix("tcp://").rpartition(":")
    async with AsyncTcpClient(host.strip("[]"), int(port)) as client:
        yield client


async def until_end(client: AsyncTcpClient) -> list[Event]:
    """Everything that comes until the sound ends, or the connection."""
    events: list[Event] = []
    while (event := await client.read_event()) is not None:
        events.append(event)
        if AudioStop.is_type(event.type):
            break
    return events


def sound(events: list[Event]) -> bytes:
    return b"".join(AudioChunk.from_event(event).audio for event in events if AudioChunk.is_type(event.type))


def test_describe_lists_the_voices_that_can_be_used_now() -> None:
    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            await client.write_event(Describe().event())
            event = await client.read_event()
            assert event is not None
            (program,) = Info.from_event(event).tts
        assert program.name == "hometone"
        assert program.supports_synthesize_streaming
        voices = {voice.name: voice for voice in program.voices}
        assert voices["anna"].languages == ["zh"]
        assert voices["stock:af_heart"].installed
        assert "Kokoro" in voices["stock:af_heart"].attribution.name
        assert program.version == voices["anna"].version
        assert program.version

    talk(work, assistants())


def test_a_text_is_spoken_sentence_by_sentence_with_the_label_said_and_told() -> None:
    speaker = ToneSpeaker()

    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            for _ in range(2):  # a connection may ask again
                await client.write_event(Synthesize(text="one. two.", voice=ANNA).event())
                events = await until_end(client)
                start = AudioStart.from_event(events[0])
                assert (start.rate, start.width, start.channels) == (24_000, 2, 1)
                assert SyntheticLabel.from_json(events[0].data["AIGC"]).label == "1"
                assert AudioStop.is_type(events[-1].type)
                assert len(sound(events)) == 2 * SENTENCE_BYTES

    talk(work, assistants(speaker))
    assert speaker.audible == [True, True]
    assert speaker.closed == 2


def test_the_spoken_label_goes_only_when_the_owner_says_so_and_the_told_one_stays() -> None:
    speaker = ToneSpeaker()

    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="one.", voice=ANNA).event())
            assert "AIGC" in (await until_end(client))[0].data

    talk(work, assistants(speaker, audible_label=False))
    assert speaker.audible == [False]


def test_a_text_that_still_arrives_is_spoken_as_far_as_it_is_whole() -> None:
    speaker = ToneSpeaker()

    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            await client.write_event(SynthesizeStart(voice=ANNA).event())
            for piece in ("The fi", "rst. The se"):
                await client.write_event(SynthesizeChunk(text=piece).event())
            first = await client.read_event()  # before the text has ended
            assert first is not None
            assert AudioStart.is_type(first.type)
            await client.write_event(SynthesizeChunk(text="cond.  ").event())
            await client.write_event(Synthesize(text="The first. The second.", voice=ANNA).event())  # for servers that cannot stream
            await client.write_event(SynthesizeStop().event())
            events = await until_end(client)
            assert len(sound(events)) == 2 * SENTENCE_BYTES
            last = await client.read_event()
            assert last is not None
            assert SynthesizeStopped.is_type(last.type)

    talk(work, assistants(speaker))
    assert [text.strip() for text in speaker.spoken] == ["The first", "The second"]
    assert speaker.audible == [True, False]  # the label is said once


def test_without_a_name_a_stock_voice_of_the_language_speaks_and_nobodys_own() -> None:
    loaded: list[str] = []

    def load() -> VoiceParameters:
        loaded.append("anna")
        return parameters()

    served = assistants()
    registry = VoiceRegistry(base_sha256=BASE, own=lambda: (Voice(id="anna", kind="own", languages=("zh", "en"), load=load),))
    served = dataclasses.replace(served, registry=registry)

    async def work(assistant: Assistant) -> None:
        for voice in (None, SynthesizeVoice(language="zh_CN"), SynthesizeVoice(language="en-GB")):
            async with connected(assistant) as client:
                await client.write_event(Synthesize(text="one.", voice=voice).event())
                assert len(sound(await until_end(client))) == SENTENCE_BYTES
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="one.", voice=SynthesizeVoice(language="nb")).event())
            (event,) = await until_end(client)
            assert "no voice for that language" in Error.from_event(event).text
        assert loaded == []

    talk(work, served)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Synthesize(text="one.", voice=SynthesizeVoice(name="nobody")).event(), "invalid_value"),
        (Synthesize(text="one.", voice=SynthesizeVoice(name="withdrawn")).event(), "no_consent"),
        (Synthesize(text="!bad.", voice=ANNA).event(), "unreadable_text"),
        (Synthesize(text=" ... ", voice=ANNA).event(), "unreadable_text"),
        (Synthesize(text="x" * 101, voice=ANNA).event(), "invalid_value"),
        (Synthesize(text="<speak>one</speak>", voice=ANNA, text_format="ssml").event(), "invalid_value"),
        (Event(type="synthesize", data={}), "internal"),
        (Event(type="synthesize", data={"text": 5}), "internal"),
        (Event(type="synthesize", data={"text": "one", "voice": "anna"}), "internal"),
        (Event(type="synthesize", data={"text": "one", "voice": {"name": "x" * 200}}), "internal"),
    ],
)
def test_errors_are_told_and_give_the_place_back(event: Event, code: str) -> None:
    served = assistants(text_characters=100, places=1)

    async def work(assistant: Assistant) -> None:
        for _ in range(2):
            async with connected(assistant) as client:
                await client.write_event(event)
                (answer,) = await until_end(client)
                error = Error.from_event(answer)
                assert error.code == code
                assert "speak>" not in error.text
                assert await client.read_event() is None
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="one.", voice=ANNA).event())
            assert sound(await until_end(client))

    talk(work, served)


def test_a_voice_that_goes_while_the_text_arrives_falls_silent() -> None:
    here = [Voice(id="anna", kind="own", languages=("zh",), load=parameters)]
    served = dataclasses.replace(assistants(places=1), registry=VoiceRegistry(base_sha256=BASE, own=lambda: tuple(here)))

    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            await client.write_event(SynthesizeStart(voice=ANNA).event())
            await client.write_event(SynthesizeChunk(text="One. Two").event())
            event = await client.read_event()
            assert event is not None
            assert AudioStart.is_type(event.type)
            here.clear()
            await client.write_event(SynthesizeStop().event())
            events = await until_end(client)
            assert Error.is_type(events[-1].type)
            assert len(sound(events)) == SENTENCE_BYTES
        served.desk.enter()  # the place is free again

    talk(work, served)


def test_ping_is_answered_and_what_is_not_understood_is_passed_over() -> None:
    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            for stray in ("transcribe", "select-program", "synthesize-chunk", "synthesize-stop"):
                await client.write_event(Event(type=stray, data={"name": "hometone"}, payload=b"12"))
            await client.write_event(Ping(text="there?").event())
            event = await client.read_event()
            assert event is not None
            assert Pong.from_event(event).text == "there?"

    talk(work, assistants())


def test_when_all_places_are_taken_assistants_are_told_to_come_back() -> None:
    served = assistants(places=1)
    served.desk.enter()

    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="one.", voice=ANNA).event())
            (event,) = await until_end(client)
            assert Error.from_event(event).code == "rate_limit_exceeded"

    talk(work, served)


def test_only_loopback_and_only_free_ports() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org"):
        with pytest.raises(UsageError):
            Assistant(assistants(), host=host, port=0)
    with contextlib.closing(Assistant(assistants(), port=0)) as first, pytest.raises(ResourceError):
        Assistant(assistants(), port=int(first.url.rpartition(":")[2]))
    with contextlib.closing(Assistant(assistants(), host="::1", port=0)) as other:
        assert other.url.startswith("tcp://[::1]:")


def test_another_user_of_the_computer_gets_nothing() -> None:
    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            with contextlib.suppress(OSError):
                await client.write_event(Describe().event())
                assert await client.read_event() is None

    talk(work, assistants(), allowed=lambda _peer, _here: False)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_whose_a_connection_is_comes_from_the_system(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        here = listener.getsockname()[:2]
        with socket.create_connection(here) as mine:
            peer = mine.getsockname()[:2]
            if Path("/proc/net/tcp").exists():
                assert owner(peer, here) == os.getuid()
                assert owner((peer[0], 1), here) is None
                assert owner(peer, here, tables=(Path("/nowhere"),)) is None
            assert is_same_user(peer, here)
            assert is_own_process(peer, here)
            assert not is_own_process((peer[0], 1), here)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs a second user")
def test_a_program_of_another_user_really_gets_nothing() -> None:
    ask = (
        "import encodings.idna, os, socket, sys; os.setuid(65534)\n"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10)\n"
        'try:\n s.sendall(b\'{"type": "describe"}\\n\'); print(s.recv(100))\nexcept OSError: print(b"")'
    )

    async def work(assistant: Assistant) -> None:
        port = assistant.url.rpartition(":")[2]
        ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", ask, port], capture_output=True, check=True)
        assert ran.stdout.strip() == b"b''"

    talk(work, assistants())


def hostile() -> list[bytes]:
    generator = random.Random(7)
    event = b'{"type": "synthesize", "data_length": %s}\n'
    return [
        b"\n",
        b"[]\n",
        b'"describe"\n',
        b"{}\n",
        b'{"type": 5}\n',
        b'{"type": "describe", "data": []}\n{"type": "describe", "data": [1]}\n',
        b"[" * 100_000 + b"\n",
        b'{"type": "' + b"x" * 400_000,
        event % b"-1",
        event % b"99999999999999999999",
        event % b"1e400",
        event % b"true",
        event % b'"5"',
        event % b"5" + b"12345",
        event % b"2" + b"[]",
        event % b"9" + b"123",
        b'{"type": "describe", "payload_length": 99999999999}\n',
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        *(generator.randbytes(generator.randrange(1, 3_000)) + b"\n" for _ in range(60)),
    ]


def test_hostile_bytes_end_their_connection_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def work(assistant: Assistant) -> None:
        port = int(assistant.url.rpartition(":")[2])
        async with connected(assistant) as bystander:
            for sent in hostile():
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.suppress(OSError):
                    writer.write(sent)
                    writer.write_eof()
                    for line in (await reader.read()).splitlines():
                        assert json.loads(line)["type"] in {"error", "info"} or b"tts" in line
                writer.close()
            await bystander.write_event(Synthesize(text="one.", voice=ANNA).event())
            assert len(sound(await until_end(bystander))) == SENTENCE_BYTES

    talk(work, assistants(places=1))
    assert "unexpected" not in caplog.text


def test_too_many_programs_are_turned_away_and_come_in_again_later() -> None:
    async def work(assistant: Assistant) -> None:
        port = int(assistant.url.rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
        for _, writer in held:
            writer.write(b'{"type": "ping"}\n')
        for reader, _ in held:
            assert b"pong" in await reader.readline()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        writer.close()
        for _, other in held:
            other.close()
        for _ in range(200):
            async with connected(assistant) as client:
                with contextlib.suppress(OSError):
                    await client.write_event(Ping().event())
                    if await client.read_event() is not None:
                        return
            await asyncio.sleep(0.02)
        pytest.fail("nobody comes in any more")

    talk(work, assistants())


def test_a_program_that_leaves_stops_the_work_and_gives_its_place_back() -> None:
    speaker = ToneSpeaker(sentence_s=0.05)
    served = assistants(speaker, places=1)

    async def work(assistant: Assistant) -> None:
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="word. " * 200, voice=ANNA).event())
            assert await client.read_event() is not None
        for _ in range(400):
            if speaker.closed:
                break
            await asyncio.sleep(0.02)
        assert len(speaker.spoken) < 100
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="one.", voice=ANNA).event())
            assert sound(await until_end(client))

    talk(work, served)


def test_the_local_api_and_an_assistant_share_a_desk_and_end_together() -> None:
    import httpx

    speaker = ToneSpeaker(sentence_s=0.05)
    api = state(speaker)
    assistant = Assistant(AssistantState(registry=api.registry, speaker=api.speaker, desk=api.desk, limits=api.limits), port=0)

    async def ask() -> int:
        async with connected(assistant) as client:
            await client.write_event(Synthesize(text="a. b. c. d.", voice=ANNA).event())
            return len(sound(await until_end(client)))

    async def both(url: str) -> tuple[int, int]:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {api.token}"}, trust_env=False) as http:
            body = {"input": "a. b. c. d.", "voice": "anna", "response_format": "pcm"}
            response, length = await asyncio.gather(http.post("/v1/audio/speech", json=body), ask())
            return len(response.content), length

    with LocalServer(create_app(api), beside=assistant.running) as server:
        assert asyncio.run(both(server.url)) == (4 * SENTENCE_BYTES, 4 * SENTENCE_BYTES)
    assert speaker.most_at_once == 1
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(ask())


@given(st.lists(st.text(alphabet="ab .。!?\n1Dr”", max_size=12), max_size=12))
def test_a_growing_text_comes_out_whole_and_cut_where_sentences_end(pieces: list[str]) -> None:
    text = GrowingText(longest=1_000)
    parts = [text.add(piece) for piece in pieces]
    parts.append(text.rest())
    assert "".join(parts) == "".join(pieces)
    assert text.rest() == ""
    for part in parts[:-1]:
        assert not part or len(list(sentences(part))) >= 1


def test_abbreviations_and_numbers_do_not_end_a_growing_sentence() -> None:
    text = GrowingText(longest=1_000)
    assert [text.add(piece) for piece in ("I saw Dr", ". ", "Li at 3.", "5 km. ", "He")] == ["", "", "", "", "I saw Dr. Li at 3.5 km. "]
    assert text.rest() == "He"
    with pytest.raises(UsageError):
        GrowingText(longest=3).add("four")
