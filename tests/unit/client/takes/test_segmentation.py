"""Speech is found where it is, at any rate and level, and cut into pieces of 1 to 12 s (requirement 7)."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.audio import RawTake, resample
from hometone_client.takes.segmentation import MAX_PIECE_S, MIN_PIECE_S, WINDOW_S, Activity, Segment, detect, pieces


def with_silence(spoken: RawTake, *gaps_s: float) -> np.ndarray:
    """The words, once between each two gaps."""
    parts = []
    for gap_s in gaps_s:
        parts += [np.zeros(round(gap_s * spoken.sample_rate_hz), np.float32), spoken.samples]
    return np.concatenate(parts[:-1])


def test_speech_between_silences_is_found(spoken: RawTake) -> None:
    found = detect(with_silence(spoken, 1.0, 2.0, 1.5), spoken.sample_rate_hz)
    assert found.speech[0].start_s == pytest.approx(1.0, abs=0.15)
    assert found.speech[-1].end_s == pytest.approx(found.duration_s - 1.5, abs=0.2)
    assert found.speech_s == pytest.approx(2 * spoken.duration_s, abs=0.6)
    assert not any(segment.start_s < 1.0 + spoken.duration_s + 1.0 < segment.end_s for segment in found.speech)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_the_times_hold_at_any_rate(spoken: RawTake, rate: int) -> None:
    sound = with_silence(spoken, 1.0, 1.0)
    here = detect(sound, spoken.sample_rate_hz)
    there = detect(resample(sound, from_hz=spoken.sample_rate_hz, to_hz=rate), rate)
    assert there.speech[0].start_s == pytest.approx(here.speech[0].start_s, abs=0.1)
    assert there.speech[-1].end_s == pytest.approx(here.speech[-1].end_s, abs=0.1)


@pytest.mark.parametrize("gain_db", [-20, -40, -50])
def test_faint_speech_is_found_too(spoken: RawTake, gain_db: int) -> None:
    faint = with_silence(spoken, 1.0, 1.0) * np.float32(10 ** (gain_db / 20))
    assert detect(faint, spoken.sample_rate_hz).speech_s > 3.5


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.03, 0.3])
def test_silence_and_noise_are_no_speech(level: float) -> None:
    noise = (level * np.random.default_rng(7).standard_normal(48_000)).clip(-1, 1).astype(np.float32)
    assert detect(noise, 16_000).speech == ()


def test_a_hum_and_a_click_are_no_speech() -> None:
    time = np.arange(32_000) / 16_000
    hum = (0.3 * np.sin(2 * np.pi * 50 * time)).astype(np.float32)
    hum[16_000:16_100] = 1.0
    assert detect(hum, 16_000).speech == ()


def test_one_sample_is_no_speech() -> None:
    assert detect(np.ones(1, np.float32), 48_000).speech == ()


def test_long_speech_is_cut_at_its_pauses(spoken: RawTake) -> None:
    # Pauses too short to end a stretch, in 26 s of speech.
    sound = with_silence(spoken, *[0.0, *[0.15] * 5, 0.0])
    found = detect(sound, spoken.sample_rate_hz)
    cut = pieces(found)
    assert all(MIN_PIECE_S <= piece.duration_s <= MAX_PIECE_S for piece in cut)
    assert sum(piece.duration_s for piece in cut) == pytest.approx(found.speech_s, abs=0.5)
    for before, after in itertools.pairwise(cut):
        at = round(before.end_s * 16_000)
        around = sound[max(0, at - 800) : at + 800]
        assert after.start_s >= before.end_s
        assert np.sqrt((around**2).mean()) < 0.5 * np.sqrt((sound**2).mean())


def test_a_lone_word_is_widened_to_a_second() -> None:
    activity = Activity(np.zeros(200, np.float32), (Segment(2.0, 2.4),), 6.0)
    assert pieces(activity) == (Segment(pytest.approx(1.7), pytest.approx(2.7)),)


def test_a_take_shorter_than_a_second_gives_no_piece() -> None:
    assert pieces(Activity(np.zeros(20, np.float32), (Segment(0.1, 0.5),), 0.6)) == ()


@given(
    st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0.2, 40.0)), min_size=0, max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_pieces_of_any_activity_keep_their_bounds(stretches: list[tuple[float, float]], seed: int) -> None:
    speech, now = [], 0.0
    for gap_s, length_s in stretches:
        speech.append(Segment(now + gap_s, now + gap_s + length_s))
        now = speech[-1].end_s
    probabilities = np.random.default_rng(seed).random(round(now / WINDOW_S) + 2).astype(np.float32)
    cut = pieces(Activity(probabilities, tuple(speech), now + 0.1))
    assert all(MIN_PIECE_S - 1e-6 <= piece.duration_s <= MAX_PIECE_S + 1e-6 for piece in cut)
    assert all(piece.start_s >= 0 and piece.end_s <= now + 0.1 + 1e-6 for piece in cut)
    assert all(before.end_s <= after.start_s + 1e-6 for before, after in itertools.pairwise(cut))
