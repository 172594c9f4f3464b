"""The `wyoming` package as it comes, against a real stock voice, and against `hometone serve` as its own process."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from hometone_client.assistant import Assistant

from wyoming.audio import AudioChunk, AudioStart, AudioStop  # isort: skip - hometone quiets what it warns of
from wyoming.client import AsyncClient  # isort: skip
from wyoming.info import Describe, Info  # isort: skip
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped, SynthesizeVoice  # isort: skip

pytestmark = pytest.mark.models
LABEL_BYTES = 48_000  # "This is a synthetic voice." takes more than a second


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncClient]:
    async with asyncio.timeout(60), AsyncClient.from_uri(url) as client:
        yield client


async def spoken(client: AsyncClient, *, streamed: bool = False) -> np.ndarray:
    """Int16 samples of one answer, read as Home Assistant reads it."""
    sound = b""
    while (event := await client.read_event()) is not None:
        if AudioStart.is_type(event.type):
            start = AudioStart.from_event(event)
            assert (start.rate, start.width, start.channels) == (24_000, 2, 1)
        elif AudioChunk.is_type(event.type):
            sound += AudioChunk.from_event(event).audio
        elif SynthesizeStopped.is_type(event.type) or (AudioStop.is_type(event.type) and not streamed):
            return np.frombuffer(sound, "<i2")
    raise AssertionError("the connection ended before the sound did")


@pytest.mark.usefixtures("server")
def test_stock_voices_are_described_and_speak(assistant: Assistant) -> None:
    async def work() -> None:
        async with connected(assistant.url) as client:
            await client.write_event(Describe().event())
            event = await client.read_event()
            assert event is not None
            (program,) = Info.from_event(event).tts
            assert len(program.voices) > 50
            await client.write_event(Synthesize(text="The light is on.", voice=SynthesizeVoice(name="stock:am_adam")).event())
            samples = await spoken(client)
            assert samples.size > LABEL_BYTES // 2
            assert np.abs(samples).max() > 3_000

    asyncio.run(work())


@pytest.mark.usefixtures("server")
def test_a_growing_text_is_spoken_while_it_grows(assistant: Assistant) -> None:
    async def work() -> None:
        async with connected(assistant.url) as client:
            await client.write_event(SynthesizeStart(voice=SynthesizeVoice(language="zh-CN")).event())
            for piece in ("客厅的灯", "已经打开了。现在", "是二十二度。"):
                await client.write_event(SynthesizeChunk(text=piece).event())
            await client.write_event(Synthesize(text="客厅的灯已经打开了。现在是二十二度。").event())
            await client.write_event(SynthesizeStop().event())
            assert (await spoken(client, streamed=True)).size > 3 * 24_000

    asyncio.run(work())


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C of another process")
@pytest.mark.parametrize("label", [True, False])
def test_serve_speaks_for_assistants_and_ends_with_both(label: bool, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "hometone_client.cli", "serve", "--port", "0", "--assistant-port", "0", "--json"]
    line += [] if label else ["--no-assistant-label"]
    errors = tmp_path / "stderr.txt"
    with errors.open("wb") as sink, subprocess.Popen(line, stdout=subprocess.PIPE, stderr=sink) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())

            async def ask() -> int:
                async with connected(told["assistant_url"]) as client:
                    await client.write_event(Synthesize(text="Yes.", voice=SynthesizeVoice(name="af_heart")).event())
                    return int((await spoken(client)).nbytes)

            length = asyncio.run(ask())
            assert (length > 110_000) == label  # "Yes." alone has 76,000
            answer = httpx.get(f"{told['url']}/v1/voices", headers={"Authorization": f"Bearer {told['token']}"}, trust_env=False)
            assert answer.status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
    assert "Traceback" not in errors.read_text(encoding="utf-8")

    async def gone() -> None:
        async with connected(told["assistant_url"]):
            pass

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(gone())
