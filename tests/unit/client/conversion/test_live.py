"""Live without hardware: hops join without a seam, silence costs nothing, slowness is noticed, a voice that was taken back falls silent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hometone_client.audio.resampling import resample
from hometone_client.conversion.converting import ConversionSettings, Converter
from hometone_client.conversion.duplex import Duplex
from hometone_client.conversion.live import Phrases, Sliding
from hometone_client.conversion.relay import relay_hops, relay_phrases
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions
from hometone_client.voices import stock_parameters
from hometone_shared.errors import ConsentError

SAMPLE = Path(__file__).resolve().parents[4] / "sample" / "allison"
SETTINGS = ConversionSettings(seed=1)
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def converter() -> Converter:
    sessions = Sessions(model_folder(), threads=1)
    return Converter(model_folder(), stock_parameters("am_michael", base_sha256=sessions.base_sha256), sessions=sessions)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Two seconds of her at 24 kHz, from the middle of a sentence."""
    samples, rate = soundfile.read(SAMPLE / "enrol-03.flac", dtype="float32")
    return resample(samples[rate // 2 : rate * 5 // 2], from_hz=rate, to_hz=24_000)


@contextmanager
def open_devices(sound: np.ndarray, *, blocks_at_once: int = 1) -> Iterator[Duplex]:
    """Both queues as the drivers would fill and empty them, a few times faster than life; the microphone goes on in silence."""
    devices = Duplex(microphone_hz=24_000, loudspeaker_hz=24_000)
    over = threading.Event()

    def run() -> None:
        position = 0
        while not over.is_set():
            for _ in range(blocks_at_once):
                block = sound[position : position + 480]
                devices.heard(np.pad(block, (0, 480 - block.size))[:, None], overflow=False)
                position += 480
            devices.give(np.zeros((480, 1), np.float32))
            time.sleep(0.005)

    driver = threading.Thread(target=run, daemon=True)
    driver.start()
    try:
        yield devices
    finally:
        over.set()
        driver.join()


def envelope(samples: np.ndarray) -> np.ndarray:
    """Level in steps of 10 ms."""
    return np.log(np.sqrt(np.mean(samples[: samples.size // 240 * 240].reshape(-1, 240) ** 2, axis=1)) + 0.01 * np.abs(samples).max())


def nothing() -> None:
    """The voice may be used."""


def test_hops_are_in_time_and_join_without_a_seam(converter: Converter, speech: np.ndarray) -> None:
    sliding = Sliding(converter, settings=SETTINGS, hop_s=1.0)
    out: list[np.ndarray] = []
    for block in np.split(np.pad(speech, (0, 30_000 - speech.size % 30_000)), 10):
        out += sliding.take(block)
    out += sliding.rest()
    sound = np.concatenate(out)
    assert sound.size % sliding.hop == 0
    size = min(sound.size, speech.size)
    one, other = (envelope(each[:size]) for each in (speech, sound))
    fits = [np.corrcoef(one[20:-20], other[20 + step : other.size - 20 + step])[0, 1] for step in range(-10, 11)]
    assert abs(int(np.argmax(fits)) - 10) <= 3  # steps of 10 ms
    assert max(fits) > 0.6
    # At the seam nothing jumps further than sound jumps anyway.
    jumps = np.abs(np.diff(sound))
    assert jumps[sliding.hop - 2 : sliding.hop + 2].max() <= np.percentile(jumps[jumps > 0], 99.9)


def test_silence_stays_silent_and_costs_nothing(converter: Converter) -> None:
    sliding = Sliding(converter, settings=SETTINGS, hop_s=1.0)
    noise = np.random.default_rng(1).normal(0, 1e-3, 60_000).astype(np.float32)
    (first, second) = sliding.take(noise)
    assert not first.any()
    assert not second.any()
    assert sliding.last_computing_s == 0.0


def test_a_phrase_is_spoken_after_a_pause_and_the_relay_plays_it(converter: Converter, speech: np.ndarray) -> None:
    stop = threading.Event()
    with open_devices(np.pad(speech[:30_000], (6_000, 0))) as devices:
        ending = threading.Timer(3.0, stop.set)
        ending.start()
        account = relay_phrases(devices, Phrases(converter, settings=SETTINGS), stop=stop, allowed=nothing)
        ending.cancel()
    assert len(account.delays_s) == 1
    assert 0.5 < account.spoken_s < 2.0


def test_a_machine_that_falls_behind_is_noticed_instead_of_stuttering(converter: Converter) -> None:
    sliding = Sliding(converter, settings=SETTINGS, hop_s=1.0)
    with open_devices(np.zeros(480, np.float32), blocks_at_once=60) as devices:
        account = relay_hops(devices, sliding, reserve_s=0.1, stop=threading.Event(), allowed=nothing)
    assert account.fell_behind


def test_a_voice_that_was_taken_back_falls_silent_at_once(converter: Converter) -> None:
    def refused() -> None:
        raise ConsentError("the owner of this voice has taken it back")

    sliding = Sliding(converter, settings=SETTINGS, hop_s=1.0)
    with open_devices(np.zeros(480, np.float32)) as devices, pytest.raises(ConsentError):
        relay_hops(devices, sliding, reserve_s=0.1, stop=threading.Event(), allowed=refused)
    assert devices.waiting_s == 0.0
