"""Somebody's recording, made ready to be spoken again: where speech is, how high, how loud. In memory only, and never anywhere else.

1. Any file -> mono at 24 kHz (`audio.decoding`), on the grid of the decoder's content: 600 samples a frame.
2. Speech is found (`takes.segmentation`) and cut into pieces of at most 12 s. A piece is heard with up to a quarter of a second of its
   surroundings on both sides, which are thrown away after decoding; where two pieces touch they cross over within 20 ms.
3. F0 and energy of each piece; then, of all of them together, the register of the person who speaks and how loud she is. Octave errors are
   taken back against her median.
4. Outside speech nothing is spoken at all: noise in pauses would become the noise of somebody's breath.

The recording is somebody's, perhaps somebody who is not here: it is not stored, logged or sent, and goes when the conversion is over.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.audio.decoding import decode
from hometone_client.audio.resampling import resample
from hometone_client.base.analysis import energy_curve, f0_curve
from hometone_client.base.runtime import CONTENT_HOP, F0_HOP, SAMPLE_RATE_HZ
from hometone_client.conversion.pitch import Floats, Register, voiced_where_loud, without_octave_errors
from hometone_client.takes.segmentation import Activity, Segment, detect, pieces
from hometone_shared.errors import AudioError

LOUD_PERCENTILE: Final = 80.0
SILENT_ENERGY: Final = np.float32(-9.3)
"""N of digital silence: log(1e-9 + norm of 80 bands at 1e-5)."""
CROSSING: Final = 480  # samples, 20 ms
_SURROUNDINGS: Final = 10  # frames, 250 ms
_GATE_MARGIN_S: Final = 0.05
_SHORTEST_S: Final = 1.5  # a lone word is put into silence of this length, so that it makes a piece
_NO_SPEECH: Final = "no speech was found in this recording"
_NO_SPEECH_HINT: Final = "choose a recording in which somebody speaks, closer to the microphone or with less noise around"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some seconds of a recording, with their surroundings; frames of 600 samples.

    Attributes:
        samples: float32 [600 T] at 24 kHz.
        first_frame: Where `samples` begins in the recording.
        begins: Sample of the recording from which the piece counts.
        ends: Sample up to which it counts.
        gate: float32 [600 T], 1 in speech and 0 outside, with soft edges; halves of crossings at both ends are in it.
        spoken: bool [2T], where there is speech, the surroundings included.
        f0_hz: float32 [2T], 0 where unvoiced.
        energy: float32 [2T], N as measured.
    """

    samples: Floats
    first_frame: int
    begins: int
    ends: int
    gate: Floats
    spoken: NDArray[np.bool_]
    f0_hz: Floats
    energy: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A recording, ready to be spoken again.

    Attributes:
        pieces: In order; not empty.
        total: Samples at 24 kHz of the whole recording.
        register: Where the melody of the person who speaks lies.
        loud: N of her loud frames (80th percentile of speech).
    """

    pieces: tuple[Piece, ...]
    total: int
    register: Register
    loud: float

    @property
    def duration_s(self) -> float:
        """Length of the recording, pauses included."""
        return self.total / SAMPLE_RATE_HZ

    @property
    def speech_s(self) -> float:
        """Seconds that are converted."""
        return sum(piece.ends - piece.begins for piece in self.pieces) / SAMPLE_RATE_HZ


def read_source(file: str | os.PathLike[str] | bytes, *, progress: Callable[[float], None] = lambda _: None) -> Source:
    """Read a recording of any common format and make it ready.

    Args:
        file: A path, or the bytes of the file.
        progress: Told how much is done, 0 to 1.

    Raises:
        AudioError: No recording, silent, too long, damaged, or nobody speaks in it.
    """
    take = decode(file)  # (1)
    return prepared(take.samples, take.sample_rate_hz, progress=progress)


def prepared(samples: Floats, rate_hz: int, *, progress: Callable[[float], None] = lambda _: None) -> Source:
    """Make sound ready: mono, float32 [n] in [-1, 1].

    Raises:
        AudioError: Nobody speaks in it.
    """
    sound = resample(np.asarray(samples, np.float32), from_hz=rate_hz, to_hz=SAMPLE_RATE_HZ)
    total = sound.size
    sound = np.pad(sound, (0, max(-total % CONTENT_HOP, round(_SHORTEST_S * SAMPLE_RATE_HZ) - total)))
    sound = np.pad(sound, (0, -sound.size % CONTENT_HOP))
    activity = detect(sound, SAMPLE_RATE_HZ)  # (2)
    measured = []
    cut = pieces(activity)
    for number, segment in enumerate(cut):
        measured.append(_measured(sound, segment, activity))
        progress((number + 1) / len(cut))
    if not measured or not any(piece.spoken.any() for piece in measured):
        raise AudioError(_NO_SPEECH, hint=_NO_SPEECH_HINT)
    loud = loudness(measured)
    register, melodies = melody(measured, loud=loud)
    return Source(tuple(replace(piece, f0_hz=f0_hz) for piece, f0_hz in zip(measured, melodies, strict=True)), total, register, loud)


def loudness(measured: list[Piece]) -> float:
    """N of the loud frames of speech."""
    return float(np.percentile(np.concatenate([piece.energy[piece.spoken] for piece in measured]), LOUD_PERCENTILE))


def melody(measured: list[Piece], *, loud: float) -> tuple[Register, list[Floats]]:
    """(3) The register of the person who speaks, and the curve of each piece without errors."""
    heard = [voiced_where_loud(piece.f0_hz * piece.spoken, piece.energy, loud=loud) for piece in measured]
    median_hz = Register.of(np.concatenate(heard)).median_hz
    curves = [without_octave_errors(curve, median_hz=median_hz) for curve in heard]
    return Register.of(np.concatenate(curves)), curves


def _measured(sound: Floats, segment: Segment, activity: Activity) -> Piece:
    begins, ends = (min(sound.size, round(at * SAMPLE_RATE_HZ)) for at in (segment.start_s, segment.end_s))
    first = max(0, begins // CONTENT_HOP - _SURROUNDINGS)
    last = min(sound.size // CONTENT_HOP, -(-ends // CONTENT_HOP) + _SURROUNDINGS)
    start = first * CONTENT_HOP
    samples = sound[start : last * CONTENT_HOP]
    gate = speech_gate(activity, first_sample=start, size=samples.size)
    spoken = gate[F0_HOP // 2 :: F0_HOP] > 0.5
    gate *= window(begins - start, ends - start, size=samples.size)
    return Piece(samples, first, begins, ends, gate, spoken, f0_curve(samples), energy_curve(samples))


def speech_gate(activity: Activity, *, first_sample: int, size: int) -> Floats:
    """(4) 1 in speech and 0 elsewhere, with soft edges, from a sample of the recording on; float32 [size]."""
    gate = np.zeros(size, np.float32)
    for each in activity.speech:
        begins, ends = (round(at * SAMPLE_RATE_HZ) - first_sample for at in (each.start_s - _GATE_MARGIN_S, each.end_s + _GATE_MARGIN_S))
        if begins < size and ends > 0:
            gate = np.maximum(gate, window(begins, ends, size=size))
    return gate


def window(begins: int, ends: int, *, size: int) -> Floats:
    """1 between two samples, raised-cosine edges of `CROSSING` samples centred on them: neighbours sum up to 1; float32 [size]."""
    at = np.arange(size) + 0.5
    rising, falling = (np.clip((at - edge) / CROSSING + 0.5, 0.0, 1.0) for edge in (begins, ends))
    return np.asarray(np.sin(np.pi / 2 * rising) ** 2 * np.cos(np.pi / 2 * falling) ** 2, dtype=np.float32)


def laid_out(sounds: Iterator[tuple[int, Floats]], *, total: int) -> Iterator[Floats]:
    """Sounds at their places, one stretch after the other, silence between them and sums where they overlap.

    Args:
        sounds: First sample and float32 [n] of each, in order; a sound overlaps its neighbours only.
        total: Samples altogether; what lies behind is cut off.

    Yields:
        float32 [m]; `total` samples altogether.
    """
    done, waiting = 0, np.zeros(0, np.float32)
    for start, sound in itertools.chain(sounds, [(total, np.zeros(0, np.float32))]):
        ready = max(0, min(start, total) - done)
        if ready:
            yield np.pad(waiting[:ready], (0, max(0, ready - waiting.size)))
            waiting = waiting[ready:]
            done += ready
        offset = start - done
        size = max(waiting.size, offset + sound.size)
        waiting = np.pad(waiting, (0, size - waiting.size))
        waiting[offset : offset + sound.size] += sound
