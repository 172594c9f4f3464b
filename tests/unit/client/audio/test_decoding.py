"""Everything phones and recorders write is read; everything hostile is refused in words (requirement 5)."""

import contextlib
import io
import os
import sys
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_client.audio import Origin, RawTake, decode, resample
from hometone_client.audio.decoding import MAX_CHANNELS
from hometone_shared.errors import AudioError


def encoded(take: RawTake, container: str, codec: str, rate: int, layout: str = "mono") -> bytes:
    """The take in another format, by FFmpeg's own encoders."""
    sound = resample(take.samples, from_hz=take.sample_rate_hz, to_hz=rate)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.tile(sound, (len(stream.layout.channels), 1)), format="fltp", layout=layout)
        frame.sample_rate = rate
        fitting = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=stream.frame_size or 0)
        for part in fitting.resample(frame) + fitting.resample(None):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def wav(samples: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16", container: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation at the best of small delays (lossy formats shift by a frame)."""
    size = min(a.size, b.size)
    spectrum = np.fft.rfft(a[:size], 2 * size) * np.conj(np.fft.rfft(b[:size], 2 * size))
    return float(np.fft.irfft(spectrum).max() / np.sqrt((a[:size] ** 2).sum() * (b[:size] ** 2).sum()))


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_u8", 8_000, "mono"),
        ("wav", "pcm_s16le", 11_025, "mono"),
        ("wav", "pcm_s24le", 96_000, "stereo"),
        ("wav", "pcm_s32le", 48_000, "mono"),
        ("wav", "pcm_f32le", 22_050, "stereo"),
        ("wav", "pcm_f64le", 44_100, "mono"),
        ("wav", "pcm_mulaw", 8_000, "mono"),
        ("aiff", "pcm_s16be", 22_050, "mono"),
        ("flac", "flac", 192_000, "mono"),
        ("mp3", "libmp3lame", 44_100, "stereo"),
        ("ogg", "libopus", 48_000, "mono"),
        ("webm", "libopus", 48_000, "stereo"),
        ("ipod", "aac", 44_100, "mono"),
        ("adts", "aac", 44_100, "stereo"),
        ("mp4", "aac", 48_000, "5.1"),
    ],
)
def test_common_formats_rates_and_channels(spoken: RawTake, container: str, codec: str, rate: int, layout: str) -> None:
    take = decode(encoded(spoken, container, codec, rate, layout))
    assert take.origin is Origin.FILE
    assert take.sample_rate_hz == min(rate, 48_000)
    assert take.duration_s == pytest.approx(spoken.duration_s, abs=0.1)
    assert likeness(resample(take.samples, from_hz=take.sample_rate_hz, to_hz=16_000), spoken.samples) > 0.97


def test_ogg_vorbis(spoken: RawTake) -> None:
    take = decode(wav(spoken.samples, subtype="VORBIS", container="OGG"))
    assert likeness(take.samples, spoken.samples) > 0.97


def test_sixteen_bits_come_in_exactly(spoken: RawTake, spoken_file: Path) -> None:
    expected, rate = soundfile.read(spoken_file, dtype="float32")
    assert rate == spoken.sample_rate_hz
    np.testing.assert_array_equal(spoken.samples, expected)


@pytest.mark.parametrize(
    "name", ["录音 一.flac", "ünïcödé – ñ.mp3", "concat:a|b.wav", "-y.flac", "file:x.wav", "a\nb.flac", "🎤.m4a", "no ending"]
)
def test_names_in_any_script_and_with_any_ending(tmp_path: Path, spoken_file: Path, spoken: RawTake, name: str) -> None:
    path = tmp_path / name
    try:
        path.write_bytes(spoken_file.read_bytes())
    except OSError:
        pytest.skip("this file system refuses the name")
    np.testing.assert_array_equal(decode(path).samples, spoken.samples)
    np.testing.assert_array_equal(decode(str(path)).samples, spoken.samples)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist on Linux only")
def test_a_name_that_is_no_text(tmp_path: Path, spoken_file: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.flac")
    Path(path).write_bytes(spoken_file.read_bytes())
    assert decode(path).duration_s > 4


@pytest.mark.parametrize("dead", [0, 1])
def test_the_living_channel_is_kept(spoken: RawTake, dead: int) -> None:
    both = np.stack([spoken.samples, spoken.samples], axis=1)
    both[:, dead] = 0.0
    np.testing.assert_array_equal(decode(wav(both)).samples, spoken.samples)


@pytest.mark.parametrize("speech_at", [0, 1])
def test_speech_wins_over_louder_hum(spoken: RawTake, speech_at: int) -> None:
    hum = 0.8 * np.sin(2 * np.pi * 50 * np.arange(spoken.samples.size) / 16_000)
    both = np.stack([hum, hum], axis=1)
    both[:, speech_at] = spoken.samples
    np.testing.assert_array_equal(decode(wav(both)).samples, spoken.samples)


def test_channels_in_antiphase_do_not_cancel(spoken: RawTake) -> None:
    take = decode(wav(np.stack([spoken.samples, -spoken.samples], axis=1)))
    assert likeness(np.abs(take.samples), np.abs(spoken.samples)) > 0.999


def test_floats_above_full_scale_are_turned_down_not_cut(spoken: RawTake) -> None:
    take = decode(wav(spoken.samples * 30_000, subtype="FLOAT"))
    assert np.abs(take.samples).max() == pytest.approx(1.0, abs=1e-6)
    assert likeness(take.samples, spoken.samples) > 0.999999


def damaged_at(position: float) -> np.ndarray:
    samples = np.full(16_000, 0.1)
    samples[8_000] = position
    return samples


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello world" * 1000, "not a sound recording"),
        (bytes(10_000), "not a sound recording"),
        (wav(np.zeros(0)), "too short|not a sound recording"),
        (wav(np.ones(1)), "too short"),
        (wav(damaged_at(np.nan), subtype="FLOAT"), "not sound"),
        (wav(damaged_at(np.inf), subtype="DOUBLE"), "not sound"),
        (wav(damaged_at(1e300), subtype="DOUBLE"), "not sound"),
        (wav(np.zeros(16_000)), "silent"),
        (wav(np.full((1_600, MAX_CHANNELS + 1), 0.1)), "channels"),
    ],
    ids=["empty", "text", "zeros", "0 samples", "1 sample", "nan", "infinite", "beyond float32", "silent", "channels"],
)
def test_hostile_bytes(data: bytes, says: str) -> None:
    with pytest.raises(AudioError, match=says) as caught:
        decode(data)
    assert caught.value.hint


def test_a_picture_without_sound() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    with pytest.raises(AudioError, match="holds no sound"):
        decode(buffer.getvalue())


def test_playlists_do_not_open_other_files(spoken_file: Path) -> None:
    for playlist in (f"#EXTM3U\n#EXTINF:9,\nfile://{spoken_file}\n#EXT-X-ENDLIST\n", f"ffconcat version 1.0\nfile {spoken_file}\n"):
        with pytest.raises(AudioError, match="not a sound recording"):
            decode(playlist.encode())


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="folder"):
        decode(tmp_path)
    with pytest.raises(AudioError, match="no such file") as caught:
        decode(tmp_path / "gone.wav")
    assert str(tmp_path) not in caught.value.message + caught.value.hint
    with pytest.raises(AudioError, match="cannot be opened"):
        decode("a\0b.wav")
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match="empty"):
        decode(tmp_path / "empty.wav")


@pytest.mark.skipif(sys.platform == "win32", reason="devices have other names there")
def test_an_endless_device_is_not_read() -> None:
    with pytest.raises(AudioError, match="not a file"):
        decode("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path, spoken_file: Path) -> None:
    path = tmp_path / "locked.flac"
    path.write_bytes(spoken_file.read_bytes())
    path.chmod(0)
    with pytest.raises(AudioError, match="may not be read"):
        decode(path)


def test_half_a_flac_is_refused_with_what_is_left(spoken_file: Path) -> None:
    whole = spoken_file.read_bytes()
    with pytest.raises(AudioError, match="damaged; only 2 s"):
        decode(whole[: len(whole) // 2])


def test_half_an_m4a_is_refused(spoken: RawTake) -> None:
    whole = encoded(spoken, "ipod", "aac", 44_100)
    with pytest.raises(AudioError):
        decode(whole[: len(whole) // 2])


def test_half_a_wav_gives_the_half_that_is_there(spoken: RawTake) -> None:
    whole = wav(spoken.samples)
    take = decode(whole[: len(whole) // 2])
    np.testing.assert_array_equal(take.samples, spoken.samples[: take.samples.size])
    assert take.duration_s == pytest.approx(spoken.duration_s / 2, abs=0.05)


def test_three_hours_are_refused_by_the_header_without_decoding() -> None:
    data = wav(np.full(3 * 3600 * 1000, 0.01, np.float32), rate=1000, container="FLAC")
    tracemalloc.start()
    with pytest.raises(AudioError, match="longer than 15 minutes"):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_header_that_lies_about_the_length_does_not_help() -> None:
    # An endless live stream: WAV with the length field left open, as recorders that were switched off leave it.
    rate = 8_000
    data = bytearray(wav(np.full(16 * 60 * rate, 0.01, np.float32), rate=rate, subtype="PCM_U8"))
    data[40:44] = (1000).to_bytes(4, "little")  # "data" chunk: 1000 bytes
    try:
        assert decode(bytes(data)).duration_s <= 15 * 60
    except AudioError as error:
        assert "15 minutes" in error.message  # noqa: PT017 - either is right, nothing else is


def test_a_stream_without_stated_length_stops_at_the_limit(spoken: RawTake) -> None:
    # ADTS has no header for the whole file: the length shows only while decoding.
    one = encoded(RawTake(np.tile(spoken.samples[:16_000], 20), 16_000, Origin.FILE), "adts", "aac", 16_000)
    with pytest.raises(AudioError, match="longer than 15 minutes"):
        decode(one * 50)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_the_bytes_it_is_a_take_or_an_audio_error(spoken_file: Path, data: st.DataObject) -> None:
    whole = bytearray(spoken_file.read_bytes()[:20_000])
    for _ in range(data.draw(st.integers(1, 20))):
        whole[data.draw(st.integers(0, 200) | st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with contextlib.suppress(AudioError):  # anything else fails the test
        assert decode(cut).samples.size
