"""A recording is cut at pauses, measured, and put back into its own time; what is no speech is refused in plain words."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.conversion.source import laid_out, prepared, read_source, window
from hometone_shared.errors import AudioError

SAMPLE = Path(__file__).resolve().parents[4] / "sample" / "allison"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """A short sentence at 24 kHz."""
    samples, rate = soundfile.read(SAMPLE / "enrol-03.flac", dtype="float32")
    assert rate == 16_000
    return samples


def test_pieces_cover_all_speech_and_pauses_are_silent(speech: np.ndarray) -> None:
    pause = np.random.default_rng(1).normal(0, 1e-3, 24_000).astype(np.float32)
    source = prepared(np.concatenate([speech, pause, speech]), 16_000)
    assert source.total == round((2 * speech.size + pause.size) * 1.5)
    assert source.register.is_voiced
    assert 150 < source.register.median_hz < 260  # hers is 189 Hz
    gate = np.concatenate(list(laid_out(((piece.first_frame * 600, piece.gate) for piece in source.pieces), total=source.total)))
    assert gate.size == source.total
    assert gate.max() <= 1.0 + 1e-6
    middle = round((speech.size + pause.size / 2) * 1.5)
    assert not gate[middle - 6_000 : middle + 6_000].any()
    for piece in source.pieces:
        assert piece.samples.size % 600 == 0
        assert piece.f0_hz.size == piece.energy.size == piece.spoken.size == piece.samples.size // 300
        assert piece.ends - piece.begins <= 12.1 * 24_000


@given(st.lists(st.integers(600, 5_000), min_size=2, max_size=6))
def test_neighbouring_windows_sum_up_to_one(lengths: list[int]) -> None:
    edges = np.cumsum([1_000, *lengths])
    size = int(edges[-1]) + 1_000
    total = sum(window(int(first), int(last), size=size) for first, last in itertools.pairwise(edges))
    np.testing.assert_allclose(total[int(edges[0]) + 240 : int(edges[-1]) - 240], 1.0, atol=1e-6)
    assert not total[: int(edges[0]) - 240].any()


@given(places=st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 900)), max_size=6), total=st.integers(0, 5_000))
def test_sounds_are_laid_at_their_places_and_overlaps_are_sums(places: list[tuple[int, int]], total: int) -> None:
    places.sort()
    expected = np.zeros(6_000, np.float32)
    for start, size in places:
        expected[start : start + size] += 1.0
    got = list(laid_out(((start, np.ones(size, np.float32)) for start, size in places), total=total))
    np.testing.assert_array_equal(np.concatenate([*got, np.zeros(0, np.float32)]), expected[:total])


def test_a_lone_word_shorter_than_a_second_is_spoken_too(speech: np.ndarray) -> None:
    word = speech[4_000:14_000]  # 0.6 s
    source = prepared(word, 16_000)
    assert len(source.pieces) == 1
    assert source.total == 15_000


@pytest.mark.parametrize("kind", ["empty", "text", "silence", "noise", "folder", "missing"])
def test_what_is_no_recording_of_speech_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "录音.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is a letter, not a recording. " * 50, encoding="utf-8")
    elif kind == "silence":
        soundfile.write(path, np.zeros(48_000), 16_000)
    elif kind == "noise":
        soundfile.write(path, np.random.default_rng(1).normal(0, 0.05, 48_000), 16_000)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(AudioError) as refused:
        read_source(path)
    assert refused.value.hint
    assert str(tmp_path) not in str(refused.value)
