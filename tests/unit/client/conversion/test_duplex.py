"""What the drivers' callbacks do, without hardware: order is kept, silence fills gaps, gaps are counted."""

import numpy as np

from hometone_client.conversion.duplex import Duplex


def given(devices: Duplex, frames: int) -> np.ndarray:
    out = np.full((frames, 2), 9.0, np.float32)
    devices.give(out)
    np.testing.assert_array_equal(out[:, 0], out[:, 1])
    return out[:, 0]


def test_sound_comes_out_in_order_whatever_the_blocks_and_dry_moments_are_silent() -> None:
    devices = Duplex(microphone_hz=24_000, loudspeaker_hz=24_000)
    ramp = np.linspace(0.1, 0.9, 1_000, dtype=np.float32)
    for part in np.split(ramp, [130, 131, 700]):
        devices.write(part)
    assert devices.waiting_s == 1_000 / 24_000
    heard = np.concatenate([given(devices, 300) for _ in range(4)])
    np.testing.assert_allclose(heard[:1_000], ramp, atol=1e-6)
    assert not heard[1_000:].any()
    assert devices.gaps == 1
    given(devices, 300)
    assert devices.gaps == 1  # still the same gap
    devices.write(ramp[:100])
    given(devices, 300)
    assert devices.gaps == 2


def test_what_is_too_loud_or_no_number_reaches_nobody() -> None:
    devices = Duplex(microphone_hz=24_000, loudspeaker_hz=24_000)
    devices.write(np.full(100, 3.0, np.float32))
    assert given(devices, 100).max() <= 1.0
    block = np.full((480, 1), np.nan, np.float32)
    block[1] = 5.0
    devices.heard(block, overflow=False)
    heard = devices.read()
    assert np.isfinite(heard).all()


def test_the_microphone_is_heard_at_24_khz_and_what_waits_can_be_forgotten() -> None:
    devices = Duplex(microphone_hz=48_000, loudspeaker_hz=44_100)
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000).astype(np.float32)
    for block in np.split(tone, 50):
        devices.heard(block[:, None], overflow=False)
    assert devices.behind_s == 1.0
    sound = np.concatenate([devices.read() for _ in range(50)])
    assert 23_000 < sound.size <= 24_000
    spectrum = np.abs(np.fft.rfft(sound[2_000:22_000] * np.hanning(20_000)))
    assert abs(np.argmax(spectrum) * 24_000 / 20_000 - 440) < 3
    devices.heard(tone[:960, None], overflow=True)
    devices.forget_heard()
    assert devices.behind_s == 0.0
    assert devices.lost == 1
