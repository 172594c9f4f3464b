"""Any sound file -> `RawTake`, through PyAV (FFmpeg): phones, headsets and recorders write everything (requirement 5).

1. The file is opened by Python, never by FFmpeg, so that a name is only ever a name (FFmpeg would read `concat:...` or `http:...` as
   an instruction) and only a regular file is read. Container formats come from a closed list without playlists, so a file cannot
   make the decoder open other files or the network.
2. Whatever length the header claims, decoding stops one frame after `MAX_DURATION_S`.
3. Of several channels exactly one is kept: the one in which speech stands out most from its own floor. Averaging would halve the
   level next to a dead channel, cancel channels in antiphase and colour those of two microphones. It takes a first pass over the
   file that keeps one number a channel and 20 ms, so memory never grows with the channel count.
4. Rates above 48 kHz are resampled on the fly; all others stay as they are.

May see: files that the person names. Must never: write one. Every fault is an `AudioError`; no message holds a path.
"""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from hometone_client.audio.raw_take import MAX_SAMPLE_RATE_HZ, Origin, RawTake
from hometone_shared.errors import AudioError

MAX_DURATION_S: Final = 15 * 60
"""Longest recording accepted: fifteen times what a voice needs, and 173 MB of samples at 48 kHz."""

MIN_DURATION_S: Final = 0.1
MAX_CHANNELS: Final = 16

_CONTAINERS: Final = (
    "aac,ac3,aiff,amr,amrnb,amrwb,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,mpeg,mpegts,oga,ogg,opus,"
    "rf64,tta,voc,w64,wav,wv,ape,gsm,loas,latm"
)
_SCALE: Final = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}
_SILENT_PEAK: Final = 2.0**-15  # one step of 16 bits
_DAMAGED_SHARE: Final = 0.9  # a file with broken packets must still give this much of its stated length
_CHANNEL_FRAME_S: Final = 0.02
_CHANNEL_FLOOR_DB: Final = -80.0  # a gated channel is not better than a quiet one
_CHANNEL_REACH_DB: Final = 20.0  # channels this far below the loudest are cross-talk

_FORMATS_HINT = "choose a WAV, FLAC, MP3, OGG, Opus, M4A or WebM recording"
_NOT_AUDIO = "this file is not a sound recording that can be read"


def decode(source: str | os.PathLike[str] | bytes) -> RawTake:
    """Read a recording in any common format, rate, channel count and sample type.

    Args:
        source: A path in any script, or the bytes of the file itself.

    Returns:
        Mono float32 at the native rate (at most 48 kHz), origin `FILE`. Sound above full scale, which lossy formats and floating-point
        files can hold, is scaled down to it, so that no top is cut off here.

    Raises:
        AudioError: Nothing there, not readable, no sound, silent, too short, longer than `MAX_DURATION_S`, damaged.
    """
    with _opened(source) as file:
        samples, rate = _read(file)
    if not np.isfinite(samples).all():
        raise AudioError(
            "this recording holds values that are not sound (NaN or infinite)", hint="export it again from the program that made it"
        )
    if samples.size < MIN_DURATION_S * rate:
        raise AudioError("this recording is too short to hold speech", hint="choose a recording of at least a few seconds")
    peak = float(np.abs(samples).max())
    if peak < _SILENT_PEAK:
        raise AudioError("this recording is silent", hint="check that the microphone was switched on, and record again")
    if peak > 1.0:
        samples = np.clip(samples / np.float32(peak), -1.0, 1.0)
    return RawTake(samples, rate, Origin.FILE)


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes) -> Iterator[BinaryIO]:
    """The file as a seekable stream; every way in which the system can refuse becomes an `AudioError`."""
    if isinstance(source, bytes):
        if not source:
            raise AudioError("this file is empty", hint=_FORMATS_HINT)
        yield io.BytesIO(source)
        return
    try:
        path = Path(source)
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise AudioError("this is a folder, not a recording", hint="name the files inside it")
        if not stat.S_ISREG(about.st_mode):
            raise AudioError("this is not a file", hint=_FORMATS_HINT)
        if about.st_size == 0:
            raise AudioError("this file is empty", hint="copy it again from the phone or recorder")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise AudioError("there is no such file", hint="check the name; a name with spaces needs quotation marks") from error
    except PermissionError as error:
        raise AudioError("this file may not be read", hint="ask its owner for permission, or copy it to a folder of your own") from error
    except (OSError, ValueError) as error:
        raise AudioError("this file cannot be opened", hint="check the name, and that the disk or stick is still connected") from error
    with file:
        yield file


def _read(file: BinaryIO) -> tuple[npt.NDArray[np.float32], int]:
    """(samples of the best channel, rate)."""
    channels, rate = _describe(file)
    best = _best_channel(file, channels=channels, rate=rate) if channels > 1 else 0
    target = min(rate, MAX_SAMPLE_RATE_HZ)
    stream: Any = None
    if target != rate:
        import soxr

        stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
    pieces = []
    for block in _blocks(file, channels=channels, rate=rate):
        piece = block[best]
        pieces.append(stream.resample_chunk(piece) if stream is not None else piece.copy())
    if stream is not None:
        pieces.append(stream.resample_chunk(np.empty(0, np.float32), last=True))
    return (np.concatenate(pieces) if pieces else np.empty(0, np.float32)), target


@contextmanager
def _container(file: BinaryIO) -> Iterator[tuple[Any, Any]]:
    """(container, its best audio stream), with every fault of FFmpeg turned into an `AudioError`."""
    import av

    file.seek(0)
    try:
        with av.open(file, "r", options={"format_whitelist": _CONTAINERS}, metadata_errors="ignore") as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise AudioError("this file holds no sound", hint=_FORMATS_HINT)
            yield container, stream
    except av.error.MemoryError as error:
        raise AudioError("this recording needs more memory than there is", hint="cut it to a minute or two") from error
    except (av.error.FFmpegError, ValueError, TypeError, OverflowError, UnicodeError, ArithmeticError, NotImplementedError) as error:
        raise AudioError(_NOT_AUDIO, hint=_FORMATS_HINT) from error


def _describe(file: BinaryIO) -> tuple[int, int]:
    """(channels, rate) as the header states them, after the checks that need no decoding."""
    with _container(file) as (container, stream):
        channels, rate = int(stream.codec_context.channels), int(stream.codec_context.sample_rate or 0)
        stated_s = _stated_seconds(container, stream)
    if stated_s is not None and stated_s > MAX_DURATION_S:
        raise _too_long()
    if channels < 1 or rate < 1:
        raise AudioError(_NOT_AUDIO, hint=_FORMATS_HINT)
    if channels > MAX_CHANNELS:
        raise AudioError(f"this recording has {channels} channels; {MAX_CHANNELS} can be read", hint="export it in mono")
    return channels, rate


def _stated_seconds(container: Any, stream: Any) -> float | None:
    """Length by the header, s; None when it says nothing."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration) / 1_000_000  # AV_TIME_BASE
    return None


def _too_long() -> AudioError:
    return AudioError(
        f"this recording is longer than {MAX_DURATION_S // 60} minutes",
        hint="one minute of speech is enough: cut out the part with the clearest voice",
    )


def _blocks(file: BinaryIO, *, channels: int, rate: int) -> Iterator[npt.NDArray[np.float32]]:
    """Decoded blocks float32 [channels, n]. Broken packets are skipped and counted; too many of them, or too long a file, is refused."""
    import av

    seen, broken = 0, 0
    with _container(file) as (container, stream):
        stated_s = _stated_seconds(container, stream)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                break
            except av.error.EOFError:
                break
            except av.error.InvalidDataError:
                broken += 1
                if broken > 1000:
                    break
                continue
            for frame in frames:
                if frame.sample_rate != rate or len(frame.layout.channels) != channels:
                    raise AudioError("this recording changes its rate or channels on the way", hint="export it again as one WAV file")
                block = _as_float(frame, channels)
                seen += block.shape[1]
                if seen > MAX_DURATION_S * rate:
                    raise _too_long()
                yield block
    if broken and (stated_s is None or seen < _DAMAGED_SHARE * stated_s * rate):
        readable = f"only {seen / rate:.0f} s of it can be read"
        raise AudioError(f"this recording is damaged; {readable}", hint="copy it again from the phone or recorder, completely")


def _as_float(frame: Any, channels: int) -> npt.NDArray[np.float32]:
    """float32 [channels, n] of a frame of any sample format."""
    name = frame.format.name.removesuffix("p")
    if name not in _SCALE:
        raise AudioError(_NOT_AUDIO, hint=_FORMATS_HINT)
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, channels).T
    with np.errstate(over="ignore", invalid="ignore"):  # a double above float32's range becomes infinite and is refused by `decode`
        if name == "u8":
            array = array.astype(np.float32) - np.float32(128.0)
        scaled: npt.NDArray[np.float32] = (array / _SCALE[name]).astype(np.float32)
    return scaled


def _best_channel(file: BinaryIO, *, channels: int, rate: int) -> int:
    """The channel in which speech stands out most: loud frames (95th percentile) over quiet ones (10th).

    Only channels within 20 dB of the loudest are asked, and never one that is made for bass.
    """
    size = max(1, round(_CHANNEL_FRAME_S * rate))
    powers: list[npt.NDArray[np.float64]] = []
    with _container(file) as (_, stream):
        bass_only = [channel.name == "LFE" for channel in stream.layout.channels]
    rest = np.empty((channels, 0), np.float32)
    for block in _blocks(file, channels=channels, rate=rate):
        rest = np.concatenate([rest, block], axis=1)
        whole = rest.shape[1] // size * size
        if whole:
            frames = rest[:, :whole].reshape(channels, -1, size).astype(np.float64)
            with np.errstate(all="ignore"):  # NaN and infinity are judged by `decode`, on the channel that wins
                powers.append(frames.var(axis=2))
            rest = rest[:, whole:]
    if not powers:
        return 0
    levels = 10.0 * np.log10(np.nan_to_num(np.concatenate(powers, axis=1), nan=0.0, posinf=1e30) + 1e-20)
    loud, quiet = np.percentile(levels, 95, axis=1), np.percentile(levels, 10, axis=1)
    contrast = loud - np.maximum(quiet, _CHANNEL_FLOOR_DB)
    contrast[loud < loud.max() - _CHANNEL_REACH_DB] = -np.inf
    contrast[np.asarray(bass_only)] = -np.inf
    return int(np.argmax(np.round(contrast, 1)))
