"""Recording: the loop on blocks of sound, and the whole way from a virtual microphone of the operating system.

The virtual microphone is a private PulseAudio server with a null sink, seen by PortAudio through ALSA: real drivers, real time, no
hardware. It needs Debian's libportaudio2, libasound2-plugins and pulseaudio.
"""

import base64
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.audio import Origin, RawTake, from_flac_bytes, resample
from hometone_client.audio.recorder import TAIL_S, Level, capture, input_devices
from hometone_shared.errors import AudioError

RATE = 16_000
BLOCK = 800


def blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, samples.size, BLOCK):
        yield samples[first : first + BLOCK]


def endless(value: float = 0.1) -> Iterator[np.ndarray]:
    """A driver: it reuses one buffer."""
    buffer = np.empty(BLOCK, np.float32)
    while True:
        buffer[:] = value
        yield buffer


def test_all_blocks_arrive_in_order(spoken: RawTake) -> None:
    take = capture(blocks(spoken.samples), sample_rate_hz=RATE, stop=threading.Event())
    np.testing.assert_array_equal(take.samples, spoken.samples)
    assert take.origin is Origin.MICROPHONE


def test_half_a_second_is_taken_after_the_stop_request() -> None:
    stop = threading.Event()

    def stopping_after_two_seconds() -> Iterator[np.ndarray]:
        for index, block in enumerate(endless()):
            if index * BLOCK == 2 * RATE:
                stop.set()
            yield block

    take = capture(stopping_after_two_seconds(), sample_rate_hz=RATE, stop=stop)
    assert take.duration_s == 2.0 + TAIL_S


def test_the_longest_duration_is_exact_and_ends_an_endless_microphone() -> None:
    take = capture(endless(), sample_rate_hz=RATE, stop=threading.Event(), max_duration_s=1.23)
    assert take.samples.size == round(1.23 * RATE)


def test_the_tail_does_not_pass_the_longest_duration() -> None:
    stop = threading.Event()
    stop.set()
    take = capture(endless(), sample_rate_hz=RATE, stop=stop, max_duration_s=0.2)
    assert take.duration_s == 0.2


def test_levels_come_ten_times_a_second_in_dbfs() -> None:
    levels: list[Level] = []
    sine = (0.5 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    capture(blocks(sine), sample_rate_hz=RATE, stop=threading.Event(), on_level=levels.append)
    assert len(levels) == 20
    assert [level.elapsed_s for level in levels] == pytest.approx([0.1 * (n + 1) for n in range(20)])
    for level in levels:
        assert level.rms_dbfs == pytest.approx(-9.03, abs=0.01)  # 20 log10(0.5 / sqrt 2)
        assert level.peak_dbfs == pytest.approx(-6.02, abs=0.01)


def test_silence_between_words_has_the_lowest_level() -> None:
    levels: list[Level] = []
    sound = np.concatenate([np.full(RATE, 0.1), np.zeros(RATE)]).astype(np.float32)
    capture(blocks(sound), sample_rate_hz=RATE, stop=threading.Event(), on_level=levels.append)
    assert levels[-1].rms_dbfs == levels[-1].peak_dbfs == -120.0


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (np.empty(0, np.float32), "no sound"),
        (np.zeros(RATE, np.float32), "only silence"),
        (np.full(RATE, np.nan, np.float32), "not sound"),
    ],
    ids=["nothing", "a muted microphone", "a broken driver"],
)
def test_what_no_voice_can_come_of(sound: np.ndarray, says: str) -> None:
    with pytest.raises(AudioError, match=says) as caught:
        capture(blocks(sound), sample_rate_hz=RATE, stop=threading.Event(), on_level=lambda _: None)
    assert caught.value.hint


def test_a_driver_beyond_full_scale_is_clipped_and_studio_rates_come_down() -> None:
    take = capture(iter([np.full(96_000, 1.5, np.float32)]), sample_rate_hz=96_000, stop=threading.Event())
    assert take.sample_rate_hz == 48_000
    assert take.samples.size == 48_000
    assert take.samples.max() == 1.0


def test_without_portaudio_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match="PortAudio is not installed") as caught:
        input_devices()
    assert "libportaudio2" in caught.value.hint


RECORD = """
import base64, json, sys, threading
from hometone_client.audio import to_flac_bytes
from hometone_client.audio.recorder import input_devices, record
from hometone_shared.errors import AudioError
device = sys.argv[1] or None
stop, levels = threading.Event(), []
def level(now):
    if not levels:
        print("recording", flush=True)
        threading.Timer(float(sys.argv[2]), stop.set).start()
    levels.append(now.peak_dbfs)
try:
    take = record(stop=stop, device=device, on_level=level, max_duration_s=30)
except AudioError as error:
    print(json.dumps({"message": error.message, "hint": error.hint}))
else:
    print(json.dumps({
        "names": [each.name for each in input_devices()], "levels": levels, "origin": take.origin,
        "flac": base64.b64encode(to_flac_bytes(take)).decode(),
    }))
"""

needs_portaudio = pytest.mark.skipif(
    sys.platform != "linux" or ctypes.util.find_library("portaudio") is None, reason="PortAudio is absent: install libportaudio2"
)
needs_pulseaudio = pytest.mark.skipif(
    shutil.which("pulseaudio") is None or shutil.which("paplay") is None,
    reason="there is no virtual microphone: install pulseaudio and libasound2-plugins",
)


@pytest.fixture
def virtual_microphone() -> Iterator[dict[str, str]]:
    """The environment in which PortAudio has one microphone, `hometone_test`, that hears what is played to the sink `speaker`."""
    with tempfile.TemporaryDirectory(prefix="ht") as name:  # short: the name of a socket has 108 characters at most
        folder = Path(name)
        (folder / "alsa.conf").write_text(
            "</usr/share/alsa/alsa.conf>\n"
            'pcm.hometone_test { type pulse hint { show on description "test" } }\n'
            "pcm.!default { type pulse }\n"
        )
        (folder / "script.pa").write_text(
            f"load-module module-native-protocol-unix socket={folder}/native auth-anonymous=1\n"
            "load-module module-null-sink sink_name=speaker rate=48000\n"
            "load-module module-remap-source master=speaker.monitor source_name=microphone\n"
            "set-default-source microphone\n"
        )
        environment = {
            **os.environ,
            "HOME": name,
            "XDG_RUNTIME_DIR": name,
            "PULSE_SERVER": f"unix:{folder}/native",
            "ALSA_CONFIG_PATH": f"{folder}/alsa.conf",
        }
        server = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(folder / "script.pa"), "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"],
            env=environment,
            stderr=subprocess.PIPE,
        )
        try:
            deadline = time.monotonic() + 20
            while not (folder / "native").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"PulseAudio does not start: {server.communicate(timeout=5)[1][-500:]!r}")
                time.sleep(0.05)
            yield environment
        finally:
            server.terminate()
            server.communicate(timeout=10)


@needs_portaudio
@needs_pulseaudio
def test_a_real_recording_from_a_virtual_microphone(virtual_microphone: dict[str, str], tmp_path: Path, spoken: RawTake) -> None:
    played = tmp_path / "played.wav"
    soundfile.write(played, spoken.samples, spoken.sample_rate_hz, subtype="PCM_16")
    seconds = spoken.duration_s + 1.0
    recorder = subprocess.Popen(
        [sys.executable, "-c", RECORD, "hometone_test", str(seconds)], env=virtual_microphone, stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    assert recorder.stdout.readline() == "recording\n"
    subprocess.run(["paplay", "-d", "speaker", str(played)], env=virtual_microphone, check=True, timeout=60)
    answer = json.loads(recorder.communicate(timeout=60)[0])
    assert "message" not in answer, answer
    assert "hometone_test" in answer["names"]
    take = from_flac_bytes(base64.b64decode(answer["flac"]))
    assert answer["origin"] == take.origin == Origin.MICROPHONE
    assert take.duration_s >= seconds + TAIL_S - 0.2
    assert len(answer["levels"]) == pytest.approx(take.duration_s * 10, abs=3)
    assert max(answer["levels"]) == pytest.approx(20 * np.log10(np.abs(spoken.samples).max()), abs=1.0)
    heard = resample(take.samples, from_hz=take.sample_rate_hz, to_hz=spoken.sample_rate_hz)
    size = heard.size + spoken.samples.size
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(spoken.samples, size)), size)
    assert match.max() / (spoken.samples**2).sum() > 0.9  # the words are in it, whole and at their own level


UNLESS_THERE_IS_ONE = """
import json
from hometone_client.audio.recorder import input_devices, record
if input_devices():
    print(json.dumps(None))
    raise SystemExit
"""


@needs_portaudio
def test_a_computer_without_a_microphone_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": f"unix:{tmp_path}/nobody"}
    command = [sys.executable, "-c", UNLESS_THERE_IS_ONE + RECORD, "", "1"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    answer = json.loads(ran.stdout.splitlines()[-1])
    if answer is None:
        pytest.skip("this computer has a microphone, which the tests must not switch on")
    assert answer["message"] == "this computer has no microphone"
    assert "plug in" in answer["hint"]


@needs_portaudio
@needs_pulseaudio
def test_a_microphone_that_is_not_there(virtual_microphone: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", RECORD, "no such thing", "1"], env=virtual_microphone, capture_output=True, text=True, check=True, timeout=60
    )
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert answer["message"] == "there is no such microphone"
    assert "hometone_test" in answer["hint"]
