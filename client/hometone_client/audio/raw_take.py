"""A recording of a person as it came in, and the bytes under which the vault keeps it.

A `RawTake` is distrusted and private at once: nobody has measured it yet, and it is a person's voice. It never leaves the rooms
`audio`, `takes`, `adaptation`, `evaluation` and `speakers`; the only thing that may write one is the vault, which seals the bytes of
`to_flac_bytes`. Nothing here touches the disk.

FLAC at 24 bits is the stored form: it gives back every sample of 8-, 16- and 24-bit sources exactly and rounds floating-point and
lossy sources 144 dB below full scale, far under the quietest figure that `takes.quality` measures.
"""

import enum
import io
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hometone_shared.errors import AudioError

MAX_SAMPLE_RATE_HZ = 48_000
"""Faster sources are resampled to this rate on the way in: nothing downstream looks above 24 kHz."""

_FULL_SCALE_24 = 1 << 23
_DAMAGED = "a stored recording is damaged"
_DAMAGED_HINT = "delete this take and record it again"


class Origin(enum.StrEnum):
    """Where a take came from; results report the two apart (requirement 35)."""

    MICROPHONE = "microphone"
    FILE = "file"


@dataclass(frozen=True, slots=True, eq=False)
class RawTake:
    """One recording: mono, at its native rate, read-only.

    Attributes:
        samples: float32 [n], n >= 1, within [-1, 1]; frozen by this class. Kept out of `repr`.
        sample_rate_hz: Native rate, at most `MAX_SAMPLE_RATE_HZ` when it came through `decoding` or `recorder`.
        origin: Microphone or file.

    Raises:
        AudioError: The samples are empty, not mono, not finite or beyond full scale, or the rate is not positive.
    """

    samples: npt.NDArray[np.float32] = field(repr=False)
    sample_rate_hz: int
    origin: Origin

    def __post_init__(self) -> None:
        """Refuse what is not sound; make the samples read-only."""
        samples = np.ascontiguousarray(self.samples, dtype=np.float32)
        if samples is self.samples and samples.flags.writeable:
            samples = samples.view()
        if samples.ndim != 1 or samples.size == 0 or self.sample_rate_hz <= 0:
            raise AudioError("the recording is empty", hint="record or choose another one")
        if not np.isfinite(samples).all():
            raise AudioError(
                "the recording holds values that are not sound",
                hint="the file or the microphone driver is damaged; record again or export the file once more",
            )
        if float(np.abs(samples).max()) > 1.0:
            raise AudioError("the recording goes beyond full scale", hint="record again")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

    @property
    def duration_s(self) -> float:
        """Length in seconds, pauses included."""
        return self.samples.size / self.sample_rate_hz


def to_flac_bytes(take: RawTake) -> bytes:
    """The take as 24-bit mono FLAC in memory, its origin in a comment; to be sealed by the vault, never written in the clear."""
    import soundfile

    levels = np.clip(np.rint(take.samples.astype(np.float64) * _FULL_SCALE_24), -_FULL_SCALE_24, _FULL_SCALE_24 - 1).astype(np.int32)
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", samplerate=take.sample_rate_hz, channels=1, format="FLAC", subtype="PCM_24") as flac:
            flac.comment = take.origin.value
            flac.write(levels << 8)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"a recording at {take.sample_rate_hz} Hz cannot be stored", hint="export it at 48000 Hz and try again") from error
    return buffer.getvalue()


def from_flac_bytes(data: bytes) -> RawTake:
    """Read back what `to_flac_bytes` made.

    Raises:
        AudioError: The bytes are not such a recording.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data), "r") as flac:
            if (flac.format, flac.subtype, flac.channels) != ("FLAC", "PCM_24", 1):
                raise AudioError(_DAMAGED, hint=_DAMAGED_HINT)
            origin = Origin(flac.comment)
            levels = flac.read(dtype="int32")
            rate = int(flac.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        raise AudioError(_DAMAGED, hint=_DAMAGED_HINT) from error
    return RawTake((levels >> 8).astype(np.float32) / np.float32(_FULL_SCALE_24), rate, origin)
