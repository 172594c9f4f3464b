"""Playing: blocks of sound, and the whole way to a virtual loudspeaker of the operating system and back through its monitor.

The virtual loudspeaker is that of `test_recorder`: a private PulseAudio server with a null sink, seen by PortAudio through ALSA.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.unit.client.audio.test_recorder import needs_portaudio, needs_pulseaudio, virtual_microphone  # noqa: F401 - a fixture

from hometone_client.audio import RawTake, resample
from hometone_client.audio.player import BLOCK_S, feed, output_devices
from hometone_shared.errors import AudioError

RATE = 16_000
SIZE = round(BLOCK_S * RATE)


def test_all_of_a_sound_is_given_in_order(spoken: RawTake) -> None:
    blocks = list(feed(spoken.samples, sample_rate_hz=RATE, stop=threading.Event()))
    assert {block.size for block in blocks[:-1]} == {SIZE}
    np.testing.assert_array_equal(np.concatenate(blocks), spoken.samples)


def test_after_a_stop_request_one_block_fades_out() -> None:
    stop = threading.Event()
    blocks = []
    for block in feed(np.full(RATE, 0.5, np.float32), sample_rate_hz=RATE, stop=stop):
        blocks.append(block)
        if len(blocks) == 3:
            stop.set()
    assert len(blocks) == 4
    assert blocks[-1][0] == 0.5
    assert blocks[-1][-1] == 0.0
    assert np.all(np.diff(blocks[-1]) < 0)


def test_what_is_beyond_full_scale_is_clipped() -> None:
    (block,) = feed(np.array([2.0, -3.0, 0.5], np.float32), sample_rate_hz=RATE, stop=threading.Event())
    np.testing.assert_array_equal(block, np.array([1.0, -1.0, 0.5], np.float32))


def test_nothing_gives_nothing() -> None:
    assert list(feed(np.empty(0, np.float32), sample_rate_hz=RATE, stop=threading.Event())) == []


@pytest.mark.parametrize("samples", [np.full((4, 2), 0.1, np.float32), np.array([0.1, np.nan], np.float32), np.array([np.inf], np.float32)])
def test_what_is_no_sound_reaches_no_loudspeaker(samples: np.ndarray) -> None:
    with pytest.raises(AudioError, match="no sound") as caught:
        list(feed(samples, sample_rate_hz=RATE, stop=threading.Event()))
    assert caught.value.hint


def test_without_portaudio_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match="loudspeaker driver PortAudio is not installed") as caught:
        output_devices()
    assert caught.value.hint == "install PortAudio (Debian, Ubuntu: libportaudio2)"


PLAY = """
import json, sys, threading
import soundfile
from hometone_client.audio.player import output_devices, play
from hometone_shared.errors import AudioError
samples, rate = soundfile.read(sys.argv[2], dtype="float32")
stop = threading.Event()
if float(sys.argv[3]):
    threading.Timer(float(sys.argv[3]), stop.set).start()
try:
    whole = play(samples, sample_rate_hz=rate, stop=stop, device=sys.argv[1] or None)
except AudioError as error:
    print(json.dumps({"message": error.message, "hint": error.hint}))
else:
    print(json.dumps({"whole": whole, "names": [each.name for each in output_devices()]}))
"""

LISTEN = """
import sys
import numpy as np, sounddevice, soundfile
rate = 48000
heard = []
with sounddevice.InputStream(device="hometone_test", samplerate=rate, channels=1, dtype="float32", blocksize=2400) as stream:
    print("listening", flush=True)
    for _ in range(round(float(sys.argv[2]) * 20)):
        heard.append(stream.read(2400)[0][:, 0].copy())
soundfile.write(sys.argv[1], np.concatenate(heard), rate, subtype="FLOAT")
"""


def heard_while_playing(environment: dict[str, str], folder: Path, spoken: RawTake, *, device: str, stop_after_s: float = 0.0):
    soundfile.write(folder / "played.wav", spoken.samples, spoken.sample_rate_hz, subtype="FLOAT")
    listen = [sys.executable, "-c", LISTEN, str(folder / "heard.wav"), str(spoken.duration_s + 6.0)]
    listener = subprocess.Popen(listen, env=environment, stdout=subprocess.PIPE, text=True)
    assert listener.stdout is not None
    assert listener.stdout.readline() == "listening\n"
    command = [sys.executable, "-c", PLAY, device, str(folder / "played.wav"), str(stop_after_s)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=True)
    listener.communicate(timeout=90)
    heard, rate = soundfile.read(folder / "heard.wav", dtype="float32")
    return json.loads(ran.stdout.splitlines()[-1]), resample(heard, from_hz=rate, to_hz=spoken.sample_rate_hz)


def share_of(wanted: np.ndarray, heard: np.ndarray) -> float:
    """How much of a sound is in what was heard, at its own level: 1 for all of it."""
    size = heard.size + wanted.size
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
    return float(match.max() / (wanted**2).sum())


@needs_portaudio
@needs_pulseaudio
@pytest.mark.parametrize("device", ["", "hometone_test"])
def test_what_is_played_is_heard(virtual_microphone: dict[str, str], tmp_path: Path, spoken: RawTake, device: str) -> None:  # noqa: F811
    shares = []
    for _ in range(3):  # a machine that is busy with other tests may drop a block
        answer, heard = heard_while_playing(virtual_microphone, tmp_path, spoken, device=device)
        assert answer["whole"] is True
        assert "hometone_test" in answer["names"]
        shares.append(share_of(spoken.samples, heard))
        if shares[-1] > 0.9:
            break
    assert max(shares) > 0.9  # the words are in it, whole and at their own level


@needs_portaudio
@needs_pulseaudio
def test_a_stop_request_ends_it_early(virtual_microphone: dict[str, str], tmp_path: Path, spoken: RawTake) -> None:  # noqa: F811
    long = RawTake(np.tile(spoken.samples, 4), spoken.sample_rate_hz, spoken.origin)
    answer, heard = heard_while_playing(virtual_microphone, tmp_path, long, device="", stop_after_s=4.0)
    assert answer["whole"] is False
    loud = np.flatnonzero(np.abs(heard) > 1e-3)
    assert 0 < (loud[-1] - loud[0]) / spoken.sample_rate_hz < long.duration_s / 2


@needs_portaudio
@needs_pulseaudio
def test_a_loudspeaker_that_goes_away_while_it_plays(
    virtual_microphone: dict[str, str],  # noqa: F811
    tmp_path: Path,
    spoken: RawTake,
) -> None:
    soundfile.write(tmp_path / "played.wav", np.tile(spoken.samples, 10), spoken.sample_rate_hz)
    playing = f"import threading, os; threading.Timer(3.0, os.system, args=['pactl exit']).start()\n{PLAY}"
    command = [sys.executable, "-c", playing, "", str(tmp_path / "played.wav"), "0"]
    ran = subprocess.run(command, env=virtual_microphone, capture_output=True, text=True, timeout=90, check=True)
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert answer["message"] in {"the loudspeaker stopped while playing", "the loudspeaker cannot be used"}
    assert answer["hint"]


@needs_portaudio
@needs_pulseaudio
def test_a_loudspeaker_that_is_not_there(virtual_microphone: dict[str, str], tmp_path: Path, spoken: RawTake) -> None:  # noqa: F811
    soundfile.write(tmp_path / "played.wav", spoken.samples, spoken.sample_rate_hz)
    command = [sys.executable, "-c", PLAY, "no such thing", str(tmp_path / "played.wav"), "0"]
    ran = subprocess.run(command, env=virtual_microphone, capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert answer["message"] == "there is no such loudspeaker"
    assert "hometone_test" in answer["hint"]


UNLESS_THERE_IS_ONE = """
import json
from hometone_client.audio.player import output_devices
if output_devices():
    print(json.dumps(None))
    raise SystemExit
"""


@needs_portaudio
def test_a_computer_without_a_loudspeaker_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "played.wav", np.zeros(100), RATE)
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": f"unix:{tmp_path}/nobody"}
    command = [sys.executable, "-c", UNLESS_THERE_IS_ONE + PLAY, "", str(tmp_path / "played.wav"), "0"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    answer = json.loads(ran.stdout.splitlines()[-1])
    if answer is None:
        pytest.skip("this computer has a loudspeaker, which the tests must not use")
    assert answer["message"] == "this computer has no loudspeaker"
    assert "plug in" in answer["hint"]
