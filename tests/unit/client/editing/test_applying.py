"""Edits in the prosody itself: whole frames that add up, F0 that glides, gains and pauses of the finished sound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.base.prosody import Prosody
from hometone_client.editing.applying import applied, diffused
from hometone_client.editing.expression import Change, ContourPoint, Edits, Expression, Pause
from hometone_client.editing.marking import Rest, marked
from hometone_client.editing.sounding import Place, gained, paused
from hometone_client.text import Frontend
from hometone_shared.errors import UsageError

DURATIONS = np.array([10, 4, 3, 5, 2, 6, 4, 3, 12], np.int64)


def prosody(f0_hz: np.ndarray | None = None) -> Prosody:
    frames = int(DURATIONS.sum())
    curve = np.full(2 * frames, 200.0, np.float32) if f0_hz is None else f0_hz
    return Prosody(np.zeros((1, 512, frames), np.float32), curve, np.ones(2 * frames, np.float32), DURATIONS)


def edited(start: int, stop: int, **wanted: object) -> Edits:
    return Edits(changes=(Change(start=start, stop=stop, expression=Expression(**wanted)),))  # type: ignore[arg-type]


def semitones(got: Prosody) -> np.ndarray:
    return 12 * np.log2(got.f0_hz / 200.0)


@given(st.lists(st.floats(0.3, 30), min_size=1, max_size=80))
def test_what_rounding_takes_the_next_token_gets(wanted: list[float]) -> None:
    frames = diffused(np.array(wanted))
    assert np.all(frames >= 1)
    if min(wanted) >= 1.5:
        assert abs(frames.sum() - sum(wanted)) <= 0.5 + 1e-9
        assert np.all(np.abs(np.cumsum(frames) - np.cumsum(wanted)) <= 0.5 + 1e-9)


@pytest.mark.parametrize("scale", [0.7, 0.85, 1.1, 1.3, 1.9])
def test_pace_of_the_whole(scale: float) -> None:
    assert applied(prosody(), Edits(), length_scale=scale).durations.sum() == pytest.approx(DURATIONS.sum() * scale, abs=0.51)


def test_the_rate_of_a_word_is_that_words_alone() -> None:
    got = applied(prosody(), edited(2, 4, rate=0.5))
    np.testing.assert_array_equal(got.durations[[3, 4]], 2 * DURATIONS[[3, 4]])
    np.testing.assert_array_equal(np.delete(got.durations, [3, 4]), np.delete(DURATIONS, [3, 4]))


def test_a_duration_that_was_asked_for() -> None:
    got = applied(prosody(), edited(2, 5, duration_s=0.5), length_scale=1.3)
    assert abs(got.durations[3:6].sum() - 20) <= 1
    with pytest.raises(UsageError):
        applied(prosody(), edited(2, 5, duration_s=9.0))


def test_rates_multiply_and_labels_begin_anew() -> None:
    inner = Change(start=2, stop=4, expression=Expression(rate=0.5))
    anew = Change(start=2, stop=4, expression=Expression(rate=0.5, anew=frozenset({"rate"})))
    outer = Change(start=0, stop=7, expression=Expression(rate=0.8))
    assert applied(prosody(), Edits(changes=(outer, inner))).durations[3:5].sum() == pytest.approx(7 * 2.5, abs=1)
    assert applied(prosody(), Edits(changes=(outer, anew))).durations[3:5].sum() == pytest.approx(7 * 2.0, abs=1)


def test_pitch_moves_its_stretch_and_glides_no_faster_than_people_do() -> None:
    got = semitones(applied(prosody(), edited(2, 6, pitch_semitones=4.0)))
    starts = 2 * prosody().starts - 4  # heard 50 ms before their frames
    inside = slice(starts[3] + 6, starts[7] - 6)
    np.testing.assert_allclose(got[inside], 4.0, atol=0.05)
    assert np.abs(np.r_[got[: starts[3] - 6], got[starts[7] + 6 :]]).max() < 0.05
    # Xu and Sun 2002: 4 semitones take 124 ms; a raised cosine is at most pi / 2 times as fast as its mean.
    assert np.abs(np.diff(got)).max() <= 4.0 / (124.4 / 12.5) * np.pi / 2 + 0.02


def test_a_step_hides_in_a_voiceless_sound() -> None:
    curve = np.full(2 * int(DURATIONS.sum()), 200.0, np.float32)
    starts = 2 * prosody().starts - 4  # heard 50 ms before their frames
    curve[starts[3] - 4 : starts[3] + 4] = 0.0
    got = applied(prosody(curve), edited(2, 7, pitch_semitones=4.0)).f0_hz
    np.testing.assert_allclose(got[: starts[3] - 4], 200.0, rtol=1e-3)
    assert not got[starts[3] - 4 : starts[3] + 4].any()
    np.testing.assert_allclose(got[starts[3] + 4 :], 200.0 * 2 ** (4 / 12), rtol=1e-3)


def test_range_height_and_contour() -> None:
    frames = 2 * int(DURATIONS.sum())
    wave = (200.0 * 2 ** (np.sin(np.arange(frames)) / 12)).astype(np.float32)
    flat = applied(prosody(wave), edited(0, 7, pitch_range=0.0))
    starts = 2 * flat.starts - 4
    assert np.ptp(12 * np.log2(flat.f0_hz[starts[1] + 4 : starts[8] - 4])) < 0.2
    high = applied(prosody(), edited(0, 7, pitch_hz=250.0))
    assert np.median(high.f0_hz[starts[1] : starts[8]]) == pytest.approx(250.0, rel=1e-3)
    points = (ContourPoint(at=0.0, semitones=-2.0), ContourPoint(at=1.0, semitones=2.0))
    rising = semitones(applied(prosody(), edited(0, 7, contour=points)))[starts[1] + 8 : starts[8] - 8]
    assert np.all(np.diff(rising) > 0)
    assert rising[len(rising) // 2] == pytest.approx(0.0, abs=0.3)


def test_content_energy_and_unvoiced_frames_stay() -> None:
    curve = np.full(2 * int(DURATIONS.sum()), 200.0, np.float32)
    curve[30:40] = 0.0
    before = prosody(curve)
    got = applied(before, edited(0, 7, pitch_semitones=-3.0))
    assert got.content is before.content
    assert got.energy is before.energy
    assert not got.f0_hz[30:40].any()
    assert applied(before, Edits()) is before


def test_gain_is_that_of_its_stretch_and_moves_softly() -> None:
    samples = np.ones(int(DURATIONS.sum()) * 600, np.float32)
    got = 20 * np.log10(gained(samples, DURATIONS, edited(2, 5, gain_db=-6.0)))
    start, stop = int(DURATIONS[:3].sum()) * 600 - 1320, int(DURATIONS[:6].sum()) * 600 - 1320
    assert got[start + 400 : stop - 400].max() == pytest.approx(-6.0, abs=0.01)
    assert np.abs(np.r_[got[: start - 400], got[stop + 400 :]]).max() < 0.01
    assert np.abs(np.diff(got)).max() < 0.05


def speech_like() -> np.ndarray:
    rng = np.random.default_rng(3)
    tone = np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000) * 0.3
    tone[9_600:14_400] = 0.0
    return (tone + 1e-5 * rng.standard_normal(24_000)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.35, 2.0])
def test_a_pause_is_as_long_as_was_asked_without_clicks(seconds: float) -> None:
    samples = speech_like()
    got, moves = paused(samples, [Place(8_000, 16_000, seconds)], before_s=0.3, after_s=0.4)
    silent = np.flatnonzero(np.abs(got) > 3e-3)
    gaps = np.diff(silent)
    assert gaps.max() / 24_000 == pytest.approx(seconds, abs=0.012)
    assert silent[0] / 24_000 == pytest.approx(0.3, abs=0.012)
    assert (got.size - silent[-1]) / 24_000 == pytest.approx(0.4, abs=0.012)
    assert np.abs(np.diff(got)).max() <= np.abs(np.diff(samples)).max() * 1.05
    assert moves.time(1.0) == pytest.approx(got.size / 24_000)
    assert moves.time(14_400 / 24_000) - moves.time(9_600 / 24_000) == pytest.approx(seconds, abs=0.012)


def test_sound_without_a_gap_is_opened() -> None:
    tone = (0.3 * np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000)).astype(np.float32)
    got, _ = paused(tone, [Place(10_000, 12_000, 0.25)])
    assert np.diff(np.flatnonzero(np.abs(got) > 3e-3)).max() / 24_000 == pytest.approx(0.25, abs=0.03)


def test_pauses_become_commas_and_edits_keep_their_sounds() -> None:
    (utterance,) = Frontend().utterances("We like red, warm bread and tea.", language="en")
    words = {word.text: word for word in utterance.words}
    edits = Edits(
        changes=(Change(start=words["bread"].start, stop=words["bread"].stop, expression=Expression(rate=0.8)),),
        pauses=(
            Pause(at=words["like"].stop, seconds=0.3),
            Pause(at=words["red"].stop, seconds=0.0),
            Pause(at=words["tea"].start, seconds=0.2),
        ),
    )
    got, moved, rests = marked(utterance, edits)
    assert got.phonemes == utterance.phonemes.replace("lˈIk ", "lˈIk, ").replace("ɹˈɛd,", "ɹˈɛd").replace("ænd ", "ænd, ")
    (change,) = moved.changes
    assert got.phonemes[change.start : change.stop] == utterance.phonemes[words["bread"].start : words["bread"].stop]
    assert [(got.phonemes[rest.start : rest.stop], rest.seconds) for rest in rests] == [(", ", 0.3), (", ", 0.2)]
    assert [got.phonemes[w.start : w.stop] for w in got.words if w.text != ","] == [
        utterance.phonemes[w.start : w.stop] for w in utterance.words if w.text != ","
    ]
    assert isinstance(rests[0], Rest)
