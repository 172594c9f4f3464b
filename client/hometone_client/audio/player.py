"""The loudspeaker: mono sound -> sounddevice (PortAudio), stoppable, with its faults in words.

Two parts, so that what decides can be tested without hardware and what touches hardware decides nothing:

1. `feed` cuts sound into blocks for somebody who takes them one after the other, until it is over or somebody asks to stop; the last
   block before a stop fades out, because a cut hurts the ear and the loudspeaker.
2. `play` opens the device at the rate that it prefers, resamples, and hands it the blocks. It returns when the last one has been heard.

Nothing is written anywhere.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hometone_client.audio import portaudio
from hometone_client.audio.resampling import resample
from hometone_shared.errors import AudioError

BLOCK_S: Final = 0.05
_PATIENCE_S: Final = 5.0  # a loudspeaker that takes nothing for so long is gone
_EDGE_S: Final = 0.1  # silence around the sound: some devices swallow the first milliseconds, and the last ones
_WORDS: Final = portaudio.Words("loudspeaker")
_NO_LOUDSPEAKER_HINT: Final = "plug in a loudspeaker, or switch it on in the sound settings of this computer"

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OutputDevice:
    """A loudspeaker as PortAudio lists it.

    Attributes:
        index: Number to give to `play`; it may change when devices are plugged in or out.
        name: As the driver calls it.
        channels: Most output channels it offers.
        sample_rate_hz: The rate it prefers.
        is_default: Whether the system would choose it.
    """

    index: int
    name: str
    channels: int
    sample_rate_hz: int
    is_default: bool


def feed(samples: Samples, *, sample_rate_hz: int, stop: threading.Event) -> Iterator[Samples]:
    """Cut sound into blocks of `BLOCK_S`; after a stop request comes one more, which fades out.

    Args:
        samples: float32 [n], magnitude at most 1.
        sample_rate_hz: Their rate.
        stop: Looked at before each block.

    Yields:
        float32 [m], in order.

    Raises:
        AudioError: These are not samples that a loudspeaker may be given.
    """
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise AudioError("this is no sound that could be played", hint="make it anew")
    size = max(1, round(BLOCK_S * sample_rate_hz))
    for first in range(0, samples.size, size):
        block = np.clip(samples[first : first + size], -1.0, 1.0)
        if stop.is_set():
            yield (block * np.linspace(1.0, 0.0, block.size, dtype=np.float32)).astype(np.float32)
            return
        yield block


def output_devices() -> tuple[OutputDevice, ...]:
    """All loudspeakers of this computer; empty when there is none.

    Raises:
        AudioError: PortAudio is not installed or does not start.
    """
    return tuple(
        OutputDevice(
            index=device.index,
            name=device.name,
            channels=device.outputs,
            sample_rate_hz=device.sample_rate_hz,
            is_default=device.is_default_output,
        )
        for device in portaudio.listed(_WORDS)
        if device.outputs > 0
    )


def play(samples: Samples, *, sample_rate_hz: int, stop: threading.Event, device: int | str | None = None) -> bool:
    """Play mono sound to the end, or until `stop` is set.

    Args:
        samples: float32 [n], magnitude at most 1.
        sample_rate_hz: Their rate.
        stop: Set it from another thread, a key handler or a timer.
        device: Index or part of the name of an `OutputDevice`; None takes the system's choice.

    Returns:
        Whether all of it was played.

    Raises:
        AudioError: No PortAudio, no loudspeaker, no such, taken away while playing, or no sound.
    """
    chosen = portaudio.chosen(
        output_devices(),
        device,
        kind=_WORDS.kind,
        none_here=lambda: AudioError("this computer has no loudspeaker", hint=_NO_LOUDSPEAKER_HINT),
    )
    rate = chosen.sample_rate_hz
    edge = np.zeros(round(_EDGE_S * rate), np.float32)
    sound = np.concatenate([edge, resample(np.asarray(samples, np.float32), from_hz=sample_rate_hz, to_hz=rate), edge])
    size = max(1, round(BLOCK_S * rate))
    blocks = _Blocks(feed(sound, sample_rate_hz=rate, stop=stop))
    over = threading.Event()
    with portaudio.driver(_WORDS) as sounddevice:

        def give(out: Samples, _frames: int, _time: Any, _status: Any) -> None:
            """Runs in the thread of the driver: copy and return."""
            if not blocks.next_into(out):
                raise sounddevice.CallbackStop

        with sounddevice.OutputStream(
            device=chosen.index,
            samplerate=rate,
            channels=min(2, chosen.channels),
            dtype="float32",
            blocksize=size,
            latency="high",
            callback=give,
            finished_callback=over.set,
        ):
            given = -1
            while not over.wait(_PATIENCE_S):
                if blocks.given == given:
                    break
                given = blocks.given
    if not blocks.ended:
        raise AudioError("the loudspeaker stopped while playing", hint="check its plug or its battery, and try again")
    return blocks.given * size >= sound.size


class _Blocks:
    """What the driver's thread takes, and how much of it was taken."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self.given = 0
        self.ended = False

    def next_into(self, out: Samples) -> bool:
        """Fill one block, all channels alike, silence where there is no more sound; says whether there may be another."""
        block = next(self._blocks, None)
        out.fill(0.0)
        if block is None:
            self.ended = True
            return False
        out[: block.size] = block[:, None]
        self.given += 1
        return True
