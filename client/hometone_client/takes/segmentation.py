"""Where in a take somebody speaks: silero VAD 6 on onnxruntime, and the cutting into pieces for adaptation (requirement 7).

1. The sound is brought to 16 kHz and, when it is faint, louder by up to 30 dB: the network was trained on speech of ordinary level.
   The gate judges the level; here only the words must be found.
2. The network gives a probability of speech for every 32 ms (512 samples, 64 samples of context).
3. Speech begins at 0.5 and ends below 0.35 (silero's own pair) once 0.2 s have passed; a blip under 0.2 s is no speech. Every
   stretch is widened by 0.1 s, so that soft onsets and the end of a breath stay in.
4. `pieces` joins neighbours and splits long stretches at their deepest pause, so that each piece lasts 1 to 12 s.

The network's file comes with the package faster-whisper (MIT, as silero VAD is) and is run directly: neither faster-whisper nor torch is
imported. All times are seconds from the beginning of the take, so they hold at any rate.
"""

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hometone_client.audio.resampling import resample
from hometone_shared.errors import ModelError

VAD_RATE_HZ: Final = 16_000
WINDOW: Final = 512
CONTEXT: Final = 64
WINDOW_S: Final = WINDOW / VAD_RATE_HZ

START_PROBABILITY: Final = 0.5
STOP_PROBABILITY: Final = 0.35
MIN_PAUSE_S: Final = 0.2
MIN_SPEECH_S: Final = 0.2
PADDING_S: Final = 0.1

MIN_PIECE_S: Final = 1.0
"""Shorter pieces tell a speaker embedding too little."""
MAX_PIECE_S: Final = 12.0
"""Longer ones cost memory in training and gain nothing."""
JOIN_PAUSE_S: Final = 0.6
"""A pause up to this long stays inside a piece: it is rhythm. Longer ones are cut out."""

_FAINT_RMS: Final = 0.05  # -26 dBFS, the ordinary level of speech
_MAX_GAIN: Final = 31.6  # 30 dB
_BATCH: Final = 4096  # windows at once, 2 minutes of sound


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A stretch of a take.

    Attributes:
        start_s: Seconds from the beginning of the take.
        end_s: Likewise; greater than `start_s`.
    """

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def cut(self, samples: npt.NDArray[np.float32], sample_rate_hz: int) -> npt.NDArray[np.float32]:
        """The stretch itself, a view of `samples`."""
        return samples[round(self.start_s * sample_rate_hz) : round(self.end_s * sample_rate_hz)]


@dataclass(frozen=True, slots=True)
class Activity:
    """What the network heard.

    Attributes:
        probabilities: float32 [n], probability of speech in each 32 ms.
        speech: Stretches of speech in order, not overlapping, widened by `PADDING_S`.
        duration_s: Length of the take.
    """

    probabilities: npt.NDArray[np.float32]
    speech: tuple[Segment, ...]
    duration_s: float

    @property
    def speech_s(self) -> float:
        """Seconds with speech in them."""
        return sum(segment.duration_s for segment in self.speech)


def detect(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> Activity:
    """Find the speech in mono sound.

    Args:
        samples: float32 [n].
        sample_rate_hz: Their rate.

    Raises:
        ModelError: The network's file is missing.
    """
    duration_s = samples.size / sample_rate_hz
    at_16k = resample(samples, from_hz=sample_rate_hz, to_hz=VAD_RATE_HZ)
    probabilities = _probabilities(_louder(at_16k))
    return Activity(probabilities, _stretches(probabilities, duration_s), duration_s)


def pieces(activity: Activity) -> tuple[Segment, ...]:
    """The speech of a take cut into pieces of 1 to 12 s for adaptation, in order, not overlapping.

    A lone word shorter than a second is widened into the silence around it; where there is none (a take shorter than a second), it is
    left out.
    """
    joined: list[Segment] = []
    for segment in activity.speech:
        if joined and segment.start_s - joined[-1].end_s <= JOIN_PAUSE_S and segment.end_s - joined[-1].start_s <= MAX_PIECE_S:
            joined[-1] = Segment(joined[-1].start_s, segment.end_s)
        else:
            joined.extend(_split(segment, activity.probabilities))
    fitted: list[Segment] = []
    for index, segment in enumerate(joined):
        floor = fitted[-1].end_s if fitted else 0.0
        ceiling = joined[index + 1].start_s if index + 1 < len(joined) else activity.duration_s
        widened = _widen(segment, floor=floor, ceiling=ceiling)
        if widened.duration_s >= MIN_PIECE_S - 1e-9:
            fitted.append(widened)
        elif fitted and segment.end_s - fitted[-1].start_s <= MAX_PIECE_S:
            fitted[-1] = Segment(fitted[-1].start_s, segment.end_s)
    return tuple(fitted)


def _widen(segment: Segment, *, floor: float, ceiling: float) -> Segment:
    """Up to `MIN_PIECE_S`, evenly on both sides as far as there is room."""
    missing = MIN_PIECE_S - segment.duration_s
    if missing <= 0:
        return segment
    before = min(missing / 2, segment.start_s - floor)
    after = min(missing - before, ceiling - segment.end_s)
    before = min(missing - after, segment.start_s - floor)
    return Segment(segment.start_s - before, segment.end_s + after)


def _split(segment: Segment, probabilities: npt.NDArray[np.float32]) -> list[Segment]:
    """Halve a stretch at its least speech-like window, until every part fits; parts never get shorter than `MIN_PIECE_S`."""
    if segment.duration_s <= MAX_PIECE_S:
        return [segment]
    # Leave at least a third on each side: one deep pause near the end must not leave twelve seconds and a half word.
    third = segment.duration_s / 3
    first, last = round((segment.start_s + third) / WINDOW_S), round((segment.end_s - third) / WINDOW_S)
    smooth = np.convolve(probabilities, np.full(5, 0.2, np.float32), mode="same")[first:last]
    cut_s = (first + int(np.argmin(smooth)) + 0.5) * WINDOW_S
    return _split(Segment(segment.start_s, cut_s), probabilities) + _split(Segment(cut_s, segment.end_s), probabilities)


def _louder(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Faint sound raised towards -26 dBFS (its louder half second decides), by 30 dB at most and never into clipping."""
    size = VAD_RATE_HZ // 2
    if samples.size < size:
        rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if samples.size else 0.0
    else:
        frames = samples[: samples.size // size * size].reshape(-1, size).astype(np.float64)
        rms = float(np.percentile(np.sqrt((frames**2).mean(axis=1)), 90))
    peak = float(np.abs(samples).max(initial=0.0))
    if rms <= 0.0 or rms >= _FAINT_RMS:
        return samples
    return samples * np.float32(min(_FAINT_RMS / rms, _MAX_GAIN, 1.0 / peak))


def _stretches(probabilities: npt.NDArray[np.float32], duration_s: float) -> tuple[Segment, ...]:
    """Probabilities -> padded stretches (rule 3 above)."""
    raw: list[tuple[float, float]] = []
    start: float | None = None
    quiet_since: float | None = None
    for index, probability in enumerate(probabilities):
        now = index * WINDOW_S
        if probability >= START_PROBABILITY:
            quiet_since = None
            if start is None:
                start = now
        elif start is not None and probability < STOP_PROBABILITY:
            if quiet_since is None:
                quiet_since = now
            if now + WINDOW_S - quiet_since >= MIN_PAUSE_S:
                raw.append((start, quiet_since))
                start = quiet_since = None
    if start is not None:
        raw.append((start, min(duration_s, quiet_since if quiet_since is not None else duration_s)))
    stretches: list[Segment] = []
    for begin, end in raw:
        if end - begin < MIN_SPEECH_S:
            continue
        padded = Segment(max(0.0, begin - PADDING_S), min(duration_s, end + PADDING_S))
        if stretches and padded.start_s <= stretches[-1].end_s:
            stretches[-1] = Segment(stretches[-1].start_s, padded.end_s)
        else:
            stretches.append(padded)
    return tuple(stretches)


def _probabilities(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Run the network: float32 [n] at 16 kHz -> float32 [ceil(n / 512)], at least one."""
    count = max(1, -(-samples.size // WINDOW))
    windows = np.pad(samples, (0, count * WINDOW - samples.size)).reshape(count, WINDOW)
    context = np.zeros((count, CONTEXT), np.float32)
    context[1:] = windows[:-1, -CONTEXT:]
    inputs = np.concatenate([context, windows], axis=1).astype(np.float32)
    h = np.zeros((1, 1, 128), np.float32)
    c = np.zeros((1, 1, 128), np.float32)
    outputs = []
    for first in range(0, count, _BATCH):
        output, h, c = _network().run(None, {"input": inputs[first : first + _BATCH], "h": h, "c": c})
        outputs.append(np.asarray(output, dtype=np.float32).reshape(-1))
    return np.concatenate(outputs)


@functools.lru_cache(maxsize=1)
def _network() -> Any:
    """The silero VAD session: one thread, no memory arena (it would keep the largest take for ever)."""
    # find_spec looks the package up without importing it.
    package = importlib.util.find_spec("faster_whisper")
    path = Path(package.origin).parent / "assets" / "silero_vad_v6.onnx" if package is not None and package.origin else None
    if path is None or not path.is_file():
        raise ModelError("the network that finds speech is missing", hint="install the package faster-whisper again")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
