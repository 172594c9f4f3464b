"""A private PulseAudio server: a microphone that hears recordings, and a loudspeaker that remembers what it played.

Real drivers in real time, without hardware: PortAudio sees both through ALSA. It needs Debian's pulseaudio and libasound2-plugins (and
libportaudio2 for whoever records).
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NEEDED = ("pulseaudio", "paplay", "parec")
RATE_HZ = 48_000
_PATIENCE_S = 20.0
_ALSA = """</usr/share/alsa/alsa.conf>
pcm.hometone_test { type pulse hint { show on description "test" } }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
_SCRIPT = """load-module module-native-protocol-unix socket={folder}/native auth-anonymous=1
load-module module-null-sink sink_name=cable rate=48000 channels=1
load-module module-remap-source master=cable.monitor source_name=microphone
load-module module-null-sink sink_name=loudspeaker rate=48000 channels=1
set-default-source microphone
set-default-sink loudspeaker
"""


def missing() -> tuple[str, ...]:
    """Programs that are not here."""
    return tuple(name for name in NEEDED if shutil.which(name) is None)


@dataclass(frozen=True, slots=True)
class Microphone:
    """Hears silence, and what it is given."""

    environment: dict[str, str]

    def play(self, path: Path) -> None:
        """Let it hear a sound file from beginning to end; comes back when that is over."""
        subprocess.run(["paplay", "--device=cable", str(path)], env=self.environment, check=True, timeout=120)

    def playing(self, path: Path) -> subprocess.Popen[bytes]:
        """The same beside whatever else happens; the caller waits for it."""
        return subprocess.Popen(["paplay", "--device=cable", str(path)], env=self.environment)


@dataclass(frozen=True, slots=True)
class Loudspeaker:
    """Remembers."""

    tape: Path

    def mark(self) -> int:
        """A place on the tape, for `recorded`."""
        return self.tape.stat().st_size // 2 if self.tape.exists() else 0

    def recorded(self, *, since: int = 0) -> np.ndarray:
        """What was played so far, with the silences: float32 at `RATE_HZ`, one channel."""
        data = self.tape.read_bytes() if self.tape.exists() else b""
        samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")[since:]
        return (samples / 32768).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SoundDevices:
    """Both, and the environment in which a program finds them and no others."""

    environment: dict[str, str]
    microphone: Microphone
    loudspeaker: Loudspeaker


@contextmanager
def sound_devices() -> Iterator[SoundDevices]:
    """Run the server while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="ht") as name:  # short: the name of a socket has 108 characters at most
        folder = Path(name)
        (folder / "alsa.conf").write_text(_ALSA)
        (folder / "script.pa").write_text(_SCRIPT.format(folder=folder))
        places = {"XDG_RUNTIME_DIR": name, "PULSE_SERVER": f"unix:{folder}/native", "ALSA_CONFIG_PATH": f"{folder}/alsa.conf"}
        mine = {**os.environ, "HOME": name, **places}
        command = ["pulseaudio", "-n", "-F", str(folder / "script.pa"), "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(command, env=mine, stderr=log)
        tape = folder / "tape.raw"
        recorder = None
        try:
            _wait((folder / "native").exists, server, folder / "server.log")
            words = ["parec", "--device=loudspeaker.monitor", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=50"]
            with tape.open("wb") as out:
                recorder = subprocess.Popen(words, env=mine, stdout=out, stderr=subprocess.DEVNULL)
            _wait(lambda: tape.stat().st_size > 0, recorder, folder / "server.log")
            yield SoundDevices(places, Microphone(mine), Loudspeaker(tape))
        finally:
            for process in (recorder, server):
                if process is not None:
                    process.terminate()
                    process.wait(10)


def _wait(is_there: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while not is_there():
        assert process.poll() is None, f"PulseAudio does not start: {log.read_bytes()[-500:]!r}"
        assert time.monotonic() < ends, f"PulseAudio does not start: {log.read_bytes()[-500:]!r}"
        time.sleep(0.05)
