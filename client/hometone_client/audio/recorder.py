"""The microphone: blocks from sounddevice (PortAudio) -> `RawTake`, with the level ten times a second (requirement 5).

Two parts, so that what decides can be tested without hardware and what touches hardware decides nothing:

1. `capture` takes an iterator of sound blocks, reports levels, and ends 0.5 s after the stop request (people release the key while the
   last syllable still sounds), at the longest duration, or when the blocks end.
2. `record` opens the device and feeds `capture`. The callback of the sound driver only copies the block into a bounded queue. Blocks
   that the driver lost make the take fail: a gap would be learnt as part of the voice.

Nothing is written anywhere.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hometone_client.audio import portaudio
from hometone_client.audio.raw_take import MAX_SAMPLE_RATE_HZ, Origin, RawTake
from hometone_client.audio.resampling import resample
from hometone_shared.errors import AudioError

TAIL_S: Final = 0.5
"""Recorded after the stop request."""

LEVEL_INTERVAL_S: Final = 0.1
DEFAULT_MAX_DURATION_S: Final = 180.0

_QUEUE_S: Final = 30.0  # sound that may wait while this process is busy
_PATIENCE_S: Final = 5.0  # a microphone that says nothing for so long is gone
_FLOOR_DBFS: Final = -120.0
_SILENT_PEAK: Final = 2.0**-15

_WORDS: Final = portaudio.Words("microphone", instead="or record with a phone and import the file")
_NO_MICROPHONE_HINT = "plug in a microphone or headset, or record with a phone and import the file"
_PRIVACY_HINT = "unmute the microphone and allow this program to use it in the privacy settings of this computer"


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A microphone as PortAudio lists it.

    Attributes:
        index: Number to give to `record`; it may change when devices are plugged in or out.
        name: As the driver calls it.
        channels: Most input channels it offers.
        sample_rate_hz: The rate it prefers.
        is_default: Whether the system would choose it.
    """

    index: int
    name: str
    channels: int
    sample_rate_hz: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class Level:
    """How loud the last tenth of a second was; full scale is 0 dBFS, digital silence -120.

    Attributes:
        rms_dbfs: Root mean square.
        peak_dbfs: Largest sample.
        elapsed_s: Seconds recorded so far.
    """

    rms_dbfs: float
    peak_dbfs: float
    elapsed_s: float


def capture(
    blocks: Iterable[npt.NDArray[np.float32]],
    *,
    sample_rate_hz: int,
    stop: threading.Event,
    on_level: Callable[[Level], None] | None = None,
    max_duration_s: float = DEFAULT_MAX_DURATION_S,
) -> RawTake:
    """Collect blocks into one take.

    Args:
        blocks: float32 [n] each, in order; not read any further once the take is complete.
        sample_rate_hz: Their rate.
        stop: Set by whoever watches the key or the clock; `TAIL_S` more is taken after it.
        on_level: Called about ten times a second of sound, from the calling thread.
        max_duration_s: The take ends here in any case.

    Returns:
        The take, origin `MICROPHONE`, at most 48 kHz.

    Raises:
        AudioError: No sound at all, or values that are not sound.
    """
    limit = round(max_duration_s * sample_rate_hz)
    tail = round(TAIL_S * sample_rate_hz)
    interval = max(1, round(LEVEL_INTERVAL_S * sample_rate_hz))
    collected: list[npt.NDArray[np.float32]] = []
    taken, metered = 0, 0
    pending: list[npt.NDArray[np.float32]] = []
    asked_to_stop = False
    for block in blocks:
        if stop.is_set() and not asked_to_stop:
            asked_to_stop = True
            limit = min(limit, taken + tail)
        part = np.array(block[: limit - taken], dtype=np.float32)  # a copy: drivers reuse their buffers
        collected.append(part)
        pending.append(part)
        taken += part.size
        if on_level is not None and taken - metered >= interval:
            on_level(_level(np.concatenate(pending), elapsed_s=taken / sample_rate_hz))
            pending, metered = [], taken
        if taken >= limit:
            break
    samples = np.concatenate(collected) if collected else np.empty(0, np.float32)
    if samples.size == 0:
        raise AudioError("the microphone delivered no sound", hint=_NO_MICROPHONE_HINT)
    if not np.isfinite(samples).all():
        raise AudioError("the microphone delivered values that are not sound", hint="choose another microphone, or restart this computer")
    if float(np.abs(samples).max()) < _SILENT_PEAK:
        raise AudioError("the microphone delivered only silence", hint=_PRIVACY_HINT)
    rate = min(sample_rate_hz, MAX_SAMPLE_RATE_HZ)
    samples = resample(samples, from_hz=sample_rate_hz, to_hz=rate)
    return RawTake(np.clip(samples, -1.0, 1.0), rate, Origin.MICROPHONE)


def _level(samples: npt.NDArray[np.float32], *, elapsed_s: float) -> Level:
    """Level of one stretch."""
    finite = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    rms, peak = float(np.sqrt(np.mean(finite**2))), float(np.abs(finite).max())
    return Level(rms_dbfs=_dbfs(rms), peak_dbfs=_dbfs(peak), elapsed_s=elapsed_s)


def _dbfs(amplitude: float) -> float:
    return max(_FLOOR_DBFS, 20.0 * float(np.log10(max(amplitude, 1e-12))))


def input_devices() -> tuple[InputDevice, ...]:
    """All microphones of this computer; empty when there is none.

    Raises:
        AudioError: PortAudio is not installed or does not start.
    """
    return tuple(
        InputDevice(
            index=device.index,
            name=device.name,
            channels=device.inputs,
            sample_rate_hz=device.sample_rate_hz,
            is_default=device.is_default_input,
        )
        for device in portaudio.listed(_WORDS)
        if device.inputs > 0
    )


def record(
    *,
    stop: threading.Event,
    device: int | str | None = None,
    on_level: Callable[[Level], None] | None = None,
    max_duration_s: float = DEFAULT_MAX_DURATION_S,
) -> RawTake:
    """Record from a microphone until `stop` is set (plus `TAIL_S`) or `max_duration_s` is over.

    Args:
        stop: Set it from another thread, a key handler or a timer.
        device: Index or part of the name of an `InputDevice`; None takes the system's choice.
        on_level: As in `capture`.
        max_duration_s: As in `capture`.

    Raises:
        AudioError: No PortAudio, no such microphone, taken away while recording, blocks lost, or silent.
    """
    chosen = _choose(device)
    with _microphone(chosen) as blocks:
        return capture(blocks, sample_rate_hz=chosen.sample_rate_hz, stop=stop, on_level=on_level, max_duration_s=max_duration_s)


def _choose(device: int | str | None) -> InputDevice:
    """The device that was meant."""
    return portaudio.chosen(
        input_devices(),
        device,
        kind=_WORDS.kind,
        none_here=lambda: AudioError("this computer has no microphone", hint=_NO_MICROPHONE_HINT),
    )


@contextmanager
def _microphone(device: InputDevice) -> Generator[Iterable[npt.NDArray[np.float32]], None, None]:
    """Open the device; yields its blocks, first channel, until nobody reads any more."""
    block_size = max(1, round(device.sample_rate_hz * LEVEL_INTERVAL_S / 2))
    waiting: queue.Queue[npt.NDArray[np.float32]] = queue.Queue(maxsize=round(_QUEUE_S / LEVEL_INTERVAL_S * 2))
    lost = threading.Event()

    def take(block: npt.NDArray[np.float32], _frames: int, _time: Any, status: Any) -> None:
        """Runs in the thread of the driver: copy and return."""
        if status.input_overflow:
            lost.set()
        try:
            waiting.put_nowait(block[:, 0].copy())
        except queue.Full:
            lost.set()

    def blocks() -> Generator[npt.NDArray[np.float32], None, None]:
        while True:
            if lost.is_set():
                raise AudioError(
                    "part of the recording was lost because this computer was too busy", hint="close other programs and try again"
                )
            try:
                yield waiting.get(timeout=_PATIENCE_S)
            except queue.Empty as error:
                raise AudioError("the microphone stopped while recording", hint="check its plug or its battery, and try again") from error

    with (
        portaudio.driver(_WORDS) as sounddevice,
        sounddevice.InputStream(
            device=device.index, samplerate=device.sample_rate_hz, channels=1, dtype="float32", blocksize=block_size, callback=take
        ),
    ):
        yield blocks()
