"""Microphone and loudspeaker at once, both at the rate that the decoder knows: blocks in, sound out, each in its own time.

The callbacks of the sound driver only copy. What the microphone heard waits in a queue, what the loudspeaker shall play in another; where
the second runs dry the loudspeaker plays silence and that is counted, so that whoever fills it can see that it came too late. Nothing is
kept.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from hometone_client.audio import portaudio
from hometone_client.audio.player import OutputDevice, output_devices
from hometone_client.audio.recorder import InputDevice, input_devices
from hometone_client.base.runtime import SAMPLE_RATE_HZ
from hometone_shared.errors import AudioError

Floats = NDArray[np.float32]

BLOCK_S: Final = 0.02
_LATENCY_S: Final = 0.1  # of each device: Python may be late by that much
_WAITING_S: Final = 60.0  # sound of the microphone that may wait
_PATIENCE_S: Final = 5.0  # a microphone that says nothing for so long is gone
_MICROPHONE: Final = portaudio.Words("microphone")
_LOUDSPEAKER: Final = portaudio.Words("loudspeaker")


class Duplex:
    """Both devices, open; made by `duplex`."""

    def __init__(self, *, microphone_hz: int, loudspeaker_hz: int) -> None:
        """Take note of the devices' own rates."""
        self._heard: queue.Queue[Floats] = queue.Queue(maxsize=round(_WAITING_S / BLOCK_S))
        self._down = soxr.ResampleStream(microphone_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        self._up = soxr.ResampleStream(SAMPLE_RATE_HZ, loudspeaker_hz, 1, dtype="float32", quality="HQ")
        self._rate = loudspeaker_hz
        self._lock = threading.Lock()
        self._waiting: deque[Floats] = deque()
        self._dry = True
        self.gaps = 0
        self.lost = 0

    def read(self) -> Floats:
        """The next sound of the microphone, float32 [n] at 24 kHz; waits for it.

        Raises:
            AudioError: It has said nothing for five seconds.
        """
        try:
            block = self._heard.get(timeout=_PATIENCE_S)
        except queue.Empty as error:
            raise AudioError("the microphone stopped while recording", hint="check its plug or its battery, and try again") from error
        return np.asarray(self._down.resample_chunk(np.nan_to_num(np.clip(block, -1.0, 1.0))), dtype=np.float32)

    def write(self, samples: Floats) -> None:
        """Let the loudspeaker play float32 [n] at 24 kHz after what it was given before."""
        with self._lock:
            self._waiting.append(np.asarray(self._up.resample_chunk(samples), dtype=np.float32))

    @property
    def behind_s(self) -> float:
        """Seconds of the microphone's sound that nobody has read yet."""
        return self._heard.qsize() * BLOCK_S

    @property
    def waiting_s(self) -> float:
        """Seconds that the loudspeaker still has to play."""
        with self._lock:
            return sum(block.size for block in self._waiting) / self._rate

    def forget_heard(self) -> None:
        """Drop what the microphone heard and nobody has read."""
        while True:
            try:
                self._heard.get_nowait()
            except queue.Empty:
                return

    def drain(self) -> None:
        """Wait until everything was played."""
        while self.waiting_s > 0.0:
            time.sleep(BLOCK_S)
        time.sleep(2 * BLOCK_S)

    def heard(self, block: Floats, *, overflow: bool) -> None:
        """Called by the microphone's driver: copy and return."""
        self.lost += overflow
        try:
            self._heard.put_nowait(block[:, 0].copy())
        except queue.Full:
            self.lost += 1

    def give(self, out: Floats) -> None:
        """Called by the loudspeaker's driver: fill float32 [n, channels] and return."""
        out.fill(0.0)
        filled = 0
        with self._lock:
            while self._waiting and filled < out.shape[0]:
                block = self._waiting[0]
                taken = block[: out.shape[0] - filled]
                out[filled : filled + taken.size] = np.clip(taken, -1.0, 1.0)[:, None]
                filled += taken.size
                if taken.size == block.size:
                    self._waiting.popleft()
                else:
                    self._waiting[0] = block[taken.size :]
        dry = filled < out.shape[0]
        self.gaps += dry and (filled > 0 or not self._dry)
        self._dry = dry


@contextmanager
def duplex(*, microphone: int | str | None = None, loudspeaker: int | str | None = None) -> Generator[Duplex, None, None]:
    """Open both devices.

    Args:
        microphone: Its number, its name or a part of it; None takes the system's choice.
        loudspeaker: Likewise.

    Raises:
        AudioError: No PortAudio, no such device, or it refuses.
    """
    hears: InputDevice = portaudio.chosen(
        input_devices(),
        microphone,
        kind=_MICROPHONE.kind,
        none_here=lambda: AudioError("this computer has no microphone", hint="plug in a microphone or headset"),
    )
    speaks: OutputDevice = portaudio.chosen(
        output_devices(),
        loudspeaker,
        kind=_LOUDSPEAKER.kind,
        none_here=lambda: AudioError(
            "this computer has no loudspeaker", hint="plug in a loudspeaker, or switch it on in the sound settings of this computer"
        ),
    )
    both = Duplex(microphone_hz=hears.sample_rate_hz, loudspeaker_hz=speaks.sample_rate_hz)

    def take(block: Floats, _frames: int, _time: Any, status: Any) -> None:
        both.heard(block, overflow=bool(status.input_overflow))

    def give(out: Floats, _frames: int, _time: Any, _status: Any) -> None:
        both.give(out)

    with (
        portaudio.driver(_LOUDSPEAKER) as plays,
        plays.OutputStream(
            device=speaks.index,
            samplerate=speaks.sample_rate_hz,
            channels=min(2, speaks.channels),
            dtype="float32",
            blocksize=round(BLOCK_S * speaks.sample_rate_hz),
            latency=_LATENCY_S,
            callback=give,
        ),
        portaudio.driver(_MICROPHONE) as records,
        records.InputStream(
            device=hears.index,
            samplerate=hears.sample_rate_hz,
            channels=1,
            dtype="float32",
            blocksize=round(BLOCK_S * hears.sample_rate_hz),
            latency=_LATENCY_S,
            callback=take,
        ),
    ):
        yield both
