"""A take is frozen, whole and private; its stored form gives back every sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hometone_client.audio import Origin, RawTake, from_flac_bytes, to_flac_bytes
from hometone_shared.errors import AudioError


def test_the_samples_cannot_be_changed_and_do_not_show() -> None:
    take = RawTake(np.array([0.25, -0.5], np.float32), 16_000, Origin.FILE)
    with pytest.raises(ValueError, match="read-only"):
        take.samples[0] = 1.0
    assert "0.25" not in repr(take)
    assert take.duration_s == 2 / 16_000


def test_the_array_of_the_caller_stays_writeable() -> None:
    mine = np.array([0.25, -0.5], np.float32)
    RawTake(mine, 16_000, Origin.FILE)
    mine[0] = 0.5
    assert mine[0] == 0.5


@pytest.mark.parametrize(
    "samples",
    [
        np.empty(0, np.float32),
        np.zeros((2, 2), np.float32),
        np.array([np.nan], np.float32),
        np.array([np.inf], np.float32),
        np.array([1.1], np.float32),
    ],
    ids=["empty", "stereo", "nan", "infinite", "beyond full scale"],
)
def test_what_is_not_sound_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(AudioError):
        RawTake(samples, 16_000, Origin.FILE)


def test_a_rate_must_be_positive() -> None:
    with pytest.raises(AudioError):
        RawTake(np.ones(1, np.float32), 0, Origin.FILE)


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_integer_sources_come_back_exactly(bits: int) -> None:
    scale = 2 ** (bits - 1)
    levels = np.random.default_rng(bits).integers(-scale, scale, 5000)
    take = RawTake((levels / scale).astype(np.float32), 44_100, Origin.MICROPHONE)
    back = from_flac_bytes(to_flac_bytes(take))
    assert back.sample_rate_hz == 44_100
    assert back.origin is Origin.MICROPHONE
    np.testing.assert_array_equal(back.samples, take.samples)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_every_native_rate_can_be_stored(rate: int) -> None:
    take = RawTake(np.full(100, 0.1, np.float32), rate, Origin.FILE)
    assert from_flac_bytes(to_flac_bytes(take)).sample_rate_hz == rate


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(-1, 1, width=32)))
def test_any_take_comes_back_within_half_a_step_of_24_bits(samples: np.ndarray) -> None:
    back = from_flac_bytes(to_flac_bytes(RawTake(samples, 16_000, Origin.FILE)))
    assert np.abs(back.samples.astype(np.float64) - samples).max() <= 2.0**-23


@given(st.binary(max_size=300))
def test_damaged_storage_is_an_audio_error(data: bytes) -> None:
    with pytest.raises(AudioError):
        from_flac_bytes(data)


def test_truncated_storage_is_an_audio_error(spoken: RawTake) -> None:
    whole = to_flac_bytes(spoken)
    with pytest.raises(AudioError):
        from_flac_bytes(whole[:60])


def test_another_flac_is_not_taken_for_a_stored_take(spoken_file) -> None:
    with pytest.raises(AudioError, match="damaged"):
        from_flac_bytes(spoken_file.read_bytes())
