"""The tests' own microphone and loudspeaker: what goes in comes out."""

import subprocess
from pathlib import Path

import numpy as np
import soundfile
from tests.sound_devices import RATE_HZ, SoundDevices

SAMPLE = Path(__file__).parents[2] / "sample" / "carlo" / "enrol-00.flac"


def test_the_loudspeaker_remembers_and_the_microphone_does_not_hear_it(sound_devices: SoundDevices, tmp_path: Path) -> None:
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    spoken = tmp_path / "spoken.wav"
    soundfile.write(spoken, samples, rate, subtype="PCM_16")
    mine = sound_devices.microphone.environment
    heard = tmp_path / "heard.raw"
    mark = sound_devices.loudspeaker.mark()
    with heard.open("wb") as out:
        words = ["parec", "--device=microphone", "--format=s16le", "--rate=48000", "--channels=1"]
        recorder = subprocess.Popen(words, env=mine, stdout=out)
        try:
            subprocess.run(["paplay", str(spoken)], env=mine, check=True, timeout=60)
            silent = np.frombuffer(heard.read_bytes(), "<i2")
            sound_devices.microphone.play(spoken)
        finally:
            recorder.terminate()
            recorder.wait(10)
    played = sound_devices.loudspeaker.recorded(since=mark)
    assert np.abs(played).max() > 0.5 * np.abs(samples).max()
    assert (np.abs(played) > 0).sum() / RATE_HZ > 0.5 * samples.size / rate
    assert silent.size
    assert np.abs(silent).max() == 0
    assert np.abs(np.frombuffer(heard.read_bytes(), "<i2")).max() / 32768 > 0.5 * np.abs(samples).max()
