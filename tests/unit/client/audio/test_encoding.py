"""Files and streams in every format: the sound is the sound, the length is right, the AI label is inside."""

import io
import itertools
import struct
import wave

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_client.audio.encoding import MEDIA_TYPES, SAMPLE_RATES_HZ, StreamEncoder, check_format, encode
from hometone_client.audio.labels import COMMENT, SyntheticLabel, read_label
from hometone_shared.errors import AudioError, UsageError

LABEL = SyntheticLabel.fresh()
FILES = ["wav", "flac", "mp3", "opus", "aac"]
SECONDS = 1.5


def tone(hz: float = 440.0, seconds: float = SECONDS) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(round(24_000 * seconds)) / 24_000)).astype(np.float32)


def decoded(data: bytes) -> tuple[np.ndarray, int]:
    with av.open(io.BytesIO(data)) as container:
        rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    joined = np.concatenate([frame.reshape(1, -1) if frame.ndim == 1 else frame for frame in frames], axis=1)[0]
    return (joined / 32768 if joined.dtype == np.int16 else joined).astype(np.float32), rate


def peak_hz(samples: np.ndarray, rate: int) -> float:
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    return float(np.argmax(np.abs(np.fft.rfft(middle * np.hanning(middle.size)))) * rate / middle.size)


def streamed(samples: np.ndarray, *, fmt: str, rate: int = 24_000, piece: int = 5000) -> bytes:
    encoder = StreamEncoder(fmt=fmt, sample_rate_hz=rate, label=LABEL)  # type: ignore[arg-type]
    parts = [encoder.write(samples[i : i + piece]) for i in range(0, samples.size, piece)]
    return b"".join([*parts, encoder.close()])


@pytest.mark.parametrize("whole", [True, False], ids=["file", "stream"])
@pytest.mark.parametrize(("fmt", "rate"), [(fmt, rate) for fmt in FILES for rate in SAMPLE_RATES_HZ[fmt]])  # type: ignore[index]
def test_every_format_and_rate(fmt: str, rate: int, whole: bool) -> None:
    data = encode(tone(), fmt=fmt, sample_rate_hz=rate, label=LABEL) if whole else streamed(tone(), fmt=fmt, rate=rate)  # type: ignore[arg-type]
    assert read_label(data) == LABEL
    samples, got_rate = decoded(data)
    assert got_rate == (48_000 if fmt == "opus" else rate)  # FFmpeg always decodes Opus at 48 kHz
    # MP3 and AAC streams without a length in the header keep the encoder's padding: up to two frames of 1152 samples.
    slack = 0.001 if fmt in {"wav", "flac"} else 2.5 * 1152 / rate
    assert samples.size / got_rate == pytest.approx(SECONDS, abs=slack)
    assert peak_hz(samples, got_rate) == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(samples[samples.size // 4 : samples.size // 2] ** 2)) == pytest.approx(
        0.4 / np.sqrt(2), rel=0.06
    )  # LAME lowers the level by up to 5 % on purpose


@pytest.mark.parametrize("fmt", ["wav", "flac"])
def test_lossless_formats_keep_every_sample(fmt: str) -> None:
    samples = np.random.default_rng(2).uniform(-1, 1, 24_000).astype(np.float32)
    for data in (encode(samples, fmt=fmt, label=LABEL), streamed(samples, fmt=fmt)):  # type: ignore[arg-type]
        got, _ = decoded(data)
        assert got.size == samples.size
        assert np.abs(got - samples).max() < 2 / 32_767  # half a step of rounding, and 32767 read as 32768


def test_beyond_full_scale_is_clipped_and_never_wraps() -> None:
    got, _ = decoded(encode(np.array([2.0, -2.0, 1.0, -1.0], np.float32), fmt="wav", label=LABEL))
    np.testing.assert_allclose(got, [1, -1, 1, -1], atol=1e-4)


def test_a_wav_file_is_read_by_others_and_shows_its_comment() -> None:
    data = encode(tone(), fmt="wav", sample_rate_hz=22_050, label=LABEL)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22_050, 1, 2)
        assert file.getnframes() == round(22_050 * SECONDS)
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.comment == COMMENT


def test_a_streamed_wav_says_length_unknown_and_is_read_to_its_end() -> None:
    data = streamed(tone(), fmt="wav")
    assert data[4:8] == b"\xff\xff\xff\xff"
    assert data[data.index(b"data") + 4 :][:4] == b"\xff\xff\xff\xff"
    samples, rate = soundfile.read(io.BytesIO(data))
    assert (len(samples), rate) == (tone().size, 24_000)


@pytest.mark.parametrize("fmt", ["wav", "pcm", "flac", "mp3", "opus", "aac"])
def test_a_stream_gives_bytes_before_it_is_closed(fmt: str) -> None:
    encoder = StreamEncoder(fmt=fmt, label=LABEL)  # type: ignore[arg-type]
    first = encoder.write(tone())
    assert len(first) > 2000
    encoder.close()


def test_pcm_is_the_samples_alone() -> None:
    samples = tone()
    got = np.frombuffer(streamed(samples, fmt="pcm"), "<i2")
    np.testing.assert_allclose(got / 32_767, samples, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 12_000), max_size=6), rate=st.sampled_from([22_050, 24_000, 48_000]))
def test_a_stream_does_not_depend_on_how_it_is_cut(cuts: list[int], rate: int) -> None:
    samples = tone(seconds=0.5)
    encoder = StreamEncoder(fmt="pcm", sample_rate_hz=rate, label=LABEL)
    edges = [0, *sorted(cuts), samples.size]
    data = b"".join(encoder.write(samples[a:b]) for a, b in itertools.pairwise(edges)) + encoder.close()
    whole = streamed(samples, fmt="pcm", rate=rate, piece=samples.size)
    assert len(data) == len(whole) == 2 * round(0.5 * rate)
    assert np.abs(np.frombuffer(data, "<i2").astype(int) - np.frombuffer(whole, "<i2")).max() <= 1


@pytest.mark.parametrize("fmt", FILES)
def test_nothing_at_all_still_makes_a_labelled_file_or_stream(fmt: str) -> None:
    nothing = np.zeros(0, np.float32)
    assert read_label(encode(nothing, fmt=fmt, label=LABEL) + b"") == LABEL if fmt in {"wav", "flac"} else True  # type: ignore[arg-type]
    encoder = StreamEncoder(fmt=fmt, label=LABEL)  # type: ignore[arg-type]
    assert isinstance(encoder.close(), bytes)
    assert encoder.close() == b""
    with pytest.raises(AudioError):
        encoder.write(nothing)


def test_a_stream_that_is_broken_off_is_released() -> None:
    with StreamEncoder(fmt="mp3", label=LABEL) as encoder:
        encoder.write(tone())
    with pytest.raises(AudioError):
        encoder.write(tone())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_refused(value: float) -> None:
    with pytest.raises(AudioError):
        encode(np.array([0.1, value], np.float32), fmt="wav", label=LABEL)


@pytest.mark.parametrize(("fmt", "rate"), [("ogg", 24_000), ("WAV", 24_000), ("opus", 22_050), ("wav", 0), ("mp3", 8_001), ("", 24_000)])
def test_unknown_formats_and_rates_are_refused_with_what_is_known(fmt: str, rate: int) -> None:
    with pytest.raises(UsageError) as caught:
        check_format(fmt=fmt, sample_rate_hz=rate)
    assert caught.value.hint


def test_no_file_is_made_without_a_place_for_the_label() -> None:
    with pytest.raises(UsageError):
        encode(tone(), fmt="pcm", label=LABEL)


def test_every_format_has_a_media_type() -> None:
    assert MEDIA_TYPES.keys() == SAMPLE_RATES_HZ.keys()
