"""Synthesised speech -> files and streams, always with the AI label in them (requirements 17, 58).

What it does: takes float32 sound at 24,000 Hz piece by piece, resamples it as one stream (soxr) and encodes it (FFmpeg through PyAV; WAV by
hand, since FFmpeg's WAV writer drops tags that it does not know). There is no way to make a file without a label.
What it may see: synthesised sound only. What it must never do: accept a `RawTake`; write to disk.

Bytes leave as soon as the encoder has them, so that a listener hears the first sentence while the second is being spoken:

1. samples in [-1, 1] are resampled, state kept across pieces;
2. PCM formats (WAV, FLAC, raw) are rounded to 16 bits; the others take floats;
3. the container's header, with the label, goes out first; a stream cannot go back, so a streamed WAV says "length unknown" (0xFFFFFFFF in
   both size fields, as FFmpeg and sox do for pipes), and a streamed FLAC says 0 samples (= unknown, RFC 9639 section 8.2). `encode` knows
   the length and writes it.
"""

import io
import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Literal, Protocol, Self

import av
import av.audio.stream
import numpy as np
import soxr
from numpy.typing import NDArray

from hometone_client.audio.labels import COMMENT, SyntheticLabel
from hometone_shared.errors import AudioError, UsageError

NATIVE_RATE_HZ: Final = 24_000

SpeechFormat = Literal["wav", "flac", "mp3", "opus", "aac", "pcm"]

#: Rates in Hz that each format can be written at. Opus knows its own five only (RFC 6716, section 2).
SAMPLE_RATES_HZ: Final[dict[SpeechFormat, tuple[int, ...]]] = {
    "wav": (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "flac": (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "mp3": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    "aac": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "pcm": (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}

MEDIA_TYPES: Final[dict[SpeechFormat, str]] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "pcm": "audio/pcm",
}

#: Formats with nowhere to put a label: whoever sends them must put the spoken one in front of the sound.
UNLABELLED_FORMATS: Final[frozenset[SpeechFormat]] = frozenset({"pcm"})

# Mono speech: transparent or nearly so in listening tests of these codecs (Opus 48 kbit/s fullband mono; MP3 and AAC need about 96).
_BIT_RATES: Final[dict[str, int]] = {"mp3": 96_000, "opus": 48_000, "aac": 96_000}
_CODECS: Final[dict[str, tuple[str, str, str]]] = {  # format -> FFmpeg container, codec, layout of samples handed over
    "flac": ("flac", "flac", "s16"),
    "mp3": ("mp3", "libmp3lame", "flt"),
    "opus": ("opus", "libopus", "flt"),
    "aac": ("adts", "aac", "flt"),
}
_UNKNOWN_LENGTH: Final = 0xFFFF_FFFF


class _Codec(Protocol):
    """One format's writer: floats at the target rate in, bytes out."""

    def write(self, samples: NDArray[np.float32]) -> bytes: ...

    def close(self) -> bytes: ...


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round to 16 bits; what the resampler pushed beyond full scale is clipped, never wrapped."""
    rounded: NDArray[np.int16] = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)
    return rounded


def _riff_chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _wav_header(*, sample_rate_hz: int, label: SyntheticLabel, data_bytes: int | None) -> bytes:
    """Write RIFF, fmt, LIST/INFO with the label, and the head of the data chunk.

    Multimedia Programming Interface and Data Specifications 1.0 (1991), chapters 2 and 3. INFO strings end in a zero byte. `ICMT` is the
    comment that ordinary players show; `AIGC` is the standard's key, four letters, as a chunk of its own beside it.
    """
    info = b"INFO" + b"".join(
        _riff_chunk(name, text.encode("utf-8") + b"\0")
        for name, text in ((b"ICMT", COMMENT), (b"ISFT", label.producer), (b"AIGC", label.to_json()))
    )
    body = (
        b"WAVE" + _riff_chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, sample_rate_hz, sample_rate_hz * 2, 2, 16)) + _riff_chunk(b"LIST", info)
    )
    if data_bytes is None:
        return b"RIFF" + struct.pack("<I", _UNKNOWN_LENGTH) + body + b"data" + struct.pack("<I", _UNKNOWN_LENGTH)
    riff_bytes = len(body) + 8 + data_bytes
    if riff_bytes >= _UNKNOWN_LENGTH:
        raise AudioError("the speech is too long for one WAV file", hint="choose FLAC, or make several files")
    return b"RIFF" + struct.pack("<I", riff_bytes) + body + b"data" + struct.pack("<I", data_bytes)


class _WavStream:
    def __init__(self, *, sample_rate_hz: int, label: SyntheticLabel) -> None:
        self._pending = _wav_header(sample_rate_hz=sample_rate_hz, label=label, data_bytes=None)

    def write(self, samples: NDArray[np.float32]) -> bytes:
        header, self._pending = self._pending, b""
        return header + _to_int16(samples).astype("<i2").tobytes()

    def close(self) -> bytes:
        header, self._pending = self._pending, b""
        return header


class _PcmStream:
    def write(self, samples: NDArray[np.float32]) -> bytes:
        return _to_int16(samples).astype("<i2").tobytes()

    def close(self) -> bytes:
        return b""


class _Pipe:
    """A write-only file for FFmpeg: no `seek`, so it writes headers that need no correction later."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


class _FfmpegStream:
    """FLAC, MP3, Ogg Opus and ADTS AAC by FFmpeg."""

    def __init__(self, target: _Pipe | io.BytesIO, *, fmt: SpeechFormat, sample_rate_hz: int, label: SyntheticLabel) -> None:
        container, codec, self._layout = _CODECS[fmt]
        options = {
            "mp3": {"id3v2_version": "3", "write_xing": str(int(isinstance(target, io.BytesIO)))},
            "aac": {"write_id3v2": "1"},
            # Short pages, so that a listener does not wait a second for the first one.
            "opus": {"page_duration": "200000"},
        }.get(fmt, {})
        self._target = target
        self._rate = sample_rate_hz
        self._pts = 0
        self._container = av.open(target, mode="w", format=container, container_options=options)
        stream = self._container.add_stream(codec, rate=sample_rate_hz, layout="mono")
        if not isinstance(stream, av.audio.stream.AudioStream):  # pragma: no cover - every codec of the table is an audio codec
            raise AudioError("this machine cannot write that format")
        if fmt in _BIT_RATES:
            stream.bit_rate = _BIT_RATES[fmt]
        else:
            stream.format = "s16"
        self._stream = stream
        # Ogg keeps comments with the stream, the others with the container.
        (stream if fmt == "opus" else self._container).metadata.update(label.tags())

    def write(self, samples: NDArray[np.float32]) -> bytes:
        if samples.size:
            values = _to_int16(samples) if self._layout == "s16" else samples
            frame = av.AudioFrame.from_ndarray(values.reshape(1, -1), format=self._layout, layout="mono")
            frame.sample_rate = self._rate
            frame.time_base = Fraction(1, self._rate)
            frame.pts = self._pts
            self._pts += samples.size
            self._container.mux(self._stream.encode(frame))
        return self._taken()

    def close(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._taken()

    def _taken(self) -> bytes:
        return self._target.take() if isinstance(self._target, _Pipe) else b""


def check_format(*, fmt: str, sample_rate_hz: int) -> SpeechFormat:
    """Return the format if it exists and can be written at that rate.

    Raises:
        UsageError: It cannot; the hint names what can.
    """
    known: dict[str, SpeechFormat] = {name: name for name in SAMPLE_RATES_HZ}
    if fmt not in known:
        raise UsageError("this sound format is not known", hint=f"choose one of {', '.join(known)}")
    if sample_rate_hz not in SAMPLE_RATES_HZ[known[fmt]]:
        rates = ", ".join(str(rate) for rate in SAMPLE_RATES_HZ[known[fmt]])
        raise UsageError(f"{fmt} cannot be written at {sample_rate_hz} Hz", hint=f"choose one of {rates} Hz")
    return known[fmt]


class StreamEncoder:
    """Encode speech piece by piece; concatenated, the returned bytes are one file or stream."""

    def __init__(self, *, fmt: SpeechFormat, sample_rate_hz: int = NATIVE_RATE_HZ, label: SyntheticLabel) -> None:
        """Open the stream.

        Args:
            fmt: One of `SAMPLE_RATES_HZ`. "pcm" is raw 16-bit little-endian mono and has no place for the label: the caller must
                speak the audible one (`UNLABELLED_FORMATS`).
            sample_rate_hz: Rate of the result.
            label: The AI label that is written into the header.

        Raises:
            UsageError: That format or rate does not exist.
        """
        check_format(fmt=fmt, sample_rate_hz=sample_rate_hz)
        self._codec: _Codec
        if fmt == "wav":
            self._codec = _WavStream(sample_rate_hz=sample_rate_hz, label=label)
        elif fmt == "pcm":
            self._codec = _PcmStream()
        else:
            self._codec = _FfmpegStream(_Pipe(), fmt=fmt, sample_rate_hz=sample_rate_hz, label=label)
        self._resampler = _resampler(sample_rate_hz)
        self._closed = False

    def write(self, samples: NDArray[np.float32]) -> bytes:
        """Take the next piece of sound.

        Args:
            samples: float32 [n] in [-1, 1] at 24,000 Hz; n may be 0.

        Returns:
            Whatever the encoder has finished, often nothing.

        Raises:
            AudioError: The samples are not finite, or the stream is closed.
        """
        if self._closed:
            raise AudioError("this sound stream is already finished")
        return self._codec.write(_resampled(self._resampler, samples, last=False))

    def close(self) -> bytes:
        """Finish the stream and return its last bytes; a second call returns nothing."""
        if self._closed:
            return b""
        self._closed = True
        tail = _resampled(self._resampler, np.zeros(0, np.float32), last=True)
        return self._codec.write(tail) + self._codec.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Release the encoder of a stream that was broken off; bytes that are still inside are dropped."""
        self.close()


def _resampler(sample_rate_hz: int) -> soxr.ResampleStream | None:
    if sample_rate_hz == NATIVE_RATE_HZ:
        return None
    return soxr.ResampleStream(NATIVE_RATE_HZ, sample_rate_hz, 1, dtype="float32", quality="HQ")


def _resampled(resampler: soxr.ResampleStream | None, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
    flat = np.ascontiguousarray(samples, dtype=np.float32).reshape(-1)
    if not np.isfinite(flat).all():
        raise AudioError(
            "the synthesised sound holds values that are not numbers", hint="report this, with the voice and the settings used"
        )
    if resampler is None:
        return flat
    resampled: NDArray[np.float32] = resampler.resample_chunk(flat, last=last)
    return resampled.reshape(-1)


def encode(
    samples: NDArray[np.float32] | Iterable[NDArray[np.float32]],
    *,
    fmt: SpeechFormat,
    sample_rate_hz: int = NATIVE_RATE_HZ,
    label: SyntheticLabel,
) -> bytes:
    """Encode a whole piece of speech, with exact lengths in the header.

    Args:
        samples: float32 [n] at 24,000 Hz, or the pieces of it in order.
        fmt: "wav", "flac", "mp3", "opus" or "aac".
        sample_rate_hz: Rate of the result.
        label: The AI label that is written into the file.

    Raises:
        UsageError: That format or rate does not exist, or the format cannot carry a label.
        AudioError: The samples are not finite.
    """
    check_format(fmt=fmt, sample_rate_hz=sample_rate_hz)
    if fmt in UNLABELLED_FORMATS:
        raise UsageError("raw samples cannot carry the AI label, so no file is made of them", hint="choose wav")
    pieces = [samples] if isinstance(samples, np.ndarray) else samples
    resampler = _resampler(sample_rate_hz)
    resampled = [_resampled(resampler, piece, last=False) for piece in pieces]
    resampled.append(_resampled(resampler, np.zeros(0, np.float32), last=True))
    whole = np.concatenate(resampled)
    if fmt == "wav":
        data = _to_int16(whole).astype("<i2").tobytes()
        return _wav_header(sample_rate_hz=sample_rate_hz, label=label, data_bytes=len(data)) + data
    target = io.BytesIO()
    stream = _FfmpegStream(target, fmt=fmt, sample_rate_hz=sample_rate_hz, label=label)
    stream.write(whole)
    stream.close()
    return target.getvalue()
