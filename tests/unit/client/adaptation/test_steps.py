"""The steps of adaptation, each alone and without a network."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hometone_client.adaptation import AdaptationSettings, calibration
from hometone_client.adaptation.alignment import carry_durations, warp
from hometone_client.adaptation.checkpoint import MemoryStore, fingerprint, pack, unpack
from hometone_client.adaptation.learnt import Learnt
from hometone_client.adaptation.low_rank import LowRankConv1d
from hometone_client.adaptation.material import Words, frames_of, read_in_time
from hometone_client.adaptation.mixture import nearest_mixture, stock_embeddings
from hometone_client.adaptation.preparation import trim
from hometone_client.adaptation.progress import STAGES, Progress, ProgressReporter
from hometone_client.adaptation.selection import Trial, character_errors, choose, fewest_errors
from hometone_client.adaptation.spectral_losses import SpectralDistance
from hometone_client.audio.resampling import resample
from hometone_client.base.analysis import energy_curve, f0_curve
from hometone_client.base.readers import reader
from hometone_client.base.runtime import BaseRuntime
from hometone_client.base.styles import TYPICAL_TOKENS, stock_names, stock_style
from hometone_client.models import BASE, ensure
from hometone_client.text import Frontend
from hometone_client.voices.parameters import F0Map, LowRankDelta, VoiceParameters
from hometone_shared.errors import UsageError

RATE = 24_000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, rate = soundfile.read(Path(__file__).parents[4] / "sample" / "allison" / "enrol-02.flac", dtype="float32")
    return resample(samples, from_hz=rate, to_hz=RATE)


def tone(hz: float, seconds: float, level: float = 0.2) -> np.ndarray:
    phase = 2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE
    return (level * sum(np.sin(k * phase) / k for k in range(1, 8))).astype(np.float32)


def test_f0_of_a_harmonic_tone_is_found_every_12_5_ms() -> None:
    curve = f0_curve(tone(181.0, 1.0))
    assert curve.shape == (80,)
    assert abs(np.median(curve[curve > 0]) - 181.0) < 1.0


def test_energy_grows_by_twice_the_log_of_the_gain() -> None:
    quiet, loud = (energy_curve(tone(150.0, 1.0, level)) for level in (0.05, 0.2))
    assert quiet.shape == (80,)
    assert np.median(loud - quiet) == pytest.approx(2 * np.log(4), abs=0.02)


def test_warping_undoes_a_change_of_pace() -> None:
    generator = np.random.default_rng(0)
    features = np.cumsum(generator.standard_normal((60, 32)), axis=0).astype(np.float32)
    slow = np.repeat(features, 2, axis=0)
    positions, distance = warp(features, slow)
    assert distance < 0.02
    np.testing.assert_allclose(positions, 2 * np.arange(60) + 0.5, atol=1.6)
    _, other = warp(features, generator.standard_normal((120, 32)).astype(np.float32))
    assert other > 0.3


@given(durations=st.lists(st.integers(1, 20), min_size=1, max_size=40), stretch=st.floats(0.3, 3.0), data=st.data())
def test_carried_durations_fill_the_recording_and_drop_no_token(durations: list[int], stretch: float, data: st.DataObject) -> None:
    frames = data.draw(st.integers(len(durations), len(durations) * 30))
    steps = max(2, int(sum(durations) / 40 * 50))
    positions = np.linspace(0, frames / 40 * 50 * stretch, steps)
    carried = carry_durations(np.array(durations), positions, frames)
    assert carried.shape == (len(durations),)
    assert carried.min() >= 1
    assert carried.sum() == frames


def test_more_phonemes_than_frames_cannot_be_carried() -> None:
    with pytest.raises(ValueError, match="more phonemes"):
        carry_durations(np.ones(5, dtype=np.int64), np.arange(10.0), 4)


def test_silence_at_both_ends_is_shortened() -> None:
    silence = np.zeros(RATE, dtype=np.float32)
    trimmed = trim(np.concatenate([silence, tone(200.0, 0.5), silence]), RATE)
    assert 0.5 <= trimmed.size / RATE < 0.8
    assert trim(silence[:1000], RATE).size == 1000


def test_a_stock_voice_is_its_own_nearest_mixture() -> None:
    names = stock_names()
    for name in ("af_heart", "am_michael", "zf_xiaobei"):
        mixture = nearest_mixture(stock_embeddings()[names.index(name)], "en")
        assert mixture.nearest[0] == name
        assert mixture.weights[names.index(name)] > 0.9
        assert mixture.weights.sum() == pytest.approx(1.0, abs=1e-5)
        assert mixture.style.shape == (256,)


def test_a_mandarin_speaker_who_sounds_like_an_english_voice_reads_mandarin() -> None:
    embedding = stock_embeddings()[stock_names().index("af_heart")]
    english, mandarin = (nearest_mixture(embedding, language).style for language in ("en", "zh"))
    np.testing.assert_array_equal(mandarin[:128], english[:128])
    reads = reader("zh")
    assert reads is not None
    np.testing.assert_array_equal(mandarin[128:], reads.prosody_style)


def test_nothing_in_the_speakers_direction_falls_back_to_the_nearest_voice() -> None:
    mixture = nearest_mixture(-stock_embeddings().mean(axis=0), "en")
    assert mixture.weights.max() == 1.0


def test_the_f0_map_gives_median_and_range_of_the_speaker() -> None:
    real = [np.array([0, 100, 110, 121, 0, 133.1], dtype=np.float32)]
    made = [np.array([3.0, 200, 210, 220.5, 231.5], dtype=np.float32)]
    mapped = calibration.f0_map(real, made)
    assert mapped.target_hz == pytest.approx(np.sqrt(110 * 121), rel=1e-3)
    assert mapped.range_scale == calibration.RANGE_LIMITS[1]
    moved = mapped(np.array([5.0, mapped.reference_hz], dtype=np.float32))
    assert moved[0] == 5.0
    assert moved[1] == pytest.approx(mapped.target_hz, rel=1e-4)


def test_pitch_is_moved_by_what_hearing_adds() -> None:
    mapped = F0Map(reference_hz=200.0, target_hz=120.0)
    real, made = [np.array([0, 110, 120, 130], dtype=np.float32)], [np.array([20, 115, 120, 125], dtype=np.float32)]
    heard = calibration.heard_pitch(mapped, real=(real, 118.0), made=(made, 114.0))
    assert heard.target_hz == pytest.approx(120.0 * (118 / 120) / (114 / 120))
    assert calibration.heard_pitch(mapped, real=(real, 118.0), made=(made, float("nan"))) == mapped
    assert calibration.heard_pitch(mapped, real=(real, 200.0), made=(made, 114.0)).target_hz == pytest.approx(132.0)


def test_time_is_that_of_the_speech_alone(speech: np.ndarray) -> None:
    once = calibration.heard_time([(speech, RATE)])
    assert 0.5 * speech.size / RATE < once <= speech.size / RATE
    assert calibration.heard_time([(speech, RATE), (np.pad(speech, RATE), RATE)]) == pytest.approx(2 * once, rel=0.1)


@pytest.mark.models
def test_words_are_read_in_the_time_that_is_wanted() -> None:
    base, style = BaseRuntime(ensure(BASE)), stock_style("af_heart", TYPICAL_TOKENS)
    spoken = {7: next(iter(Frontend().utterances("We walk to the river every morning.", language="en"))).tokens}
    plain = frames_of({7: base.prosody(spoken[7], style)})
    read, length_scale = read_in_time(base, style, spoken, 1.2 * plain)
    assert 1.1 < length_scale < 1.35
    assert frames_of(read) == pytest.approx(1.2 * plain, rel=0.04)
    _, slowest = read_in_time(base, style, spoken, 5.0 * plain)
    assert slowest == calibration.PACE_LIMITS[1]


def test_a_recording_without_a_voice_leaves_the_pitch_as_it_is() -> None:
    whispered, spoken = np.zeros(80, np.float32), np.full(80, 180.0, np.float32)
    assert calibration.f0_map([whispered], [spoken]) == F0Map()
    assert calibration.f0_map([spoken], [whispered]) == F0Map()


def test_the_tone_filter_brings_one_spectrum_to_the_other() -> None:
    hz = np.arange(321) * 25.0
    made = np.ones(321)
    real = 10 ** (np.interp(hz, [0, 300, 3000, 8000], [0, 6, -6, -6]) / 10)
    taps = calibration.tone_filter(real, made, bin_hz=25.0, bandwidth_hz=8000)
    assert taps.shape == (calibration.TAPS,)
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-5)
    response = 20 * np.log10(np.abs(np.fft.rfft(taps, 4096)))
    at = {f: response[round(f / RATE * 4096)] for f in (300, 1000, 3000)}
    wanted = {f: 10 * np.log10(np.interp(f, hz, real)) for f in at}
    assert at[300] - at[3000] == pytest.approx(wanted[300] - wanted[3000], abs=1.5)


def test_above_a_narrow_band_the_tone_filter_falls() -> None:
    flat = np.ones(321)
    wide, narrow = (calibration.tone_filter(flat, flat, bin_hz=25.0, bandwidth_hz=hz) for hz in (8000, 4600))
    hz = np.fft.rfftfreq(4096, 1 / RATE)
    for taps, beyond_db in ((wide, 0.0), (narrow, calibration.BEYOND_BAND_DB)):
        response = 20 * np.log10(np.abs(np.fft.rfft(taps, 4096)))
        np.testing.assert_allclose(response[(hz > 300) & (hz < 4300)], 0.0, atol=0.5)
        np.testing.assert_allclose(response[(hz > 6000) & (hz < 11_000)], beyond_db, atol=1.0)


def test_low_rank_factors_are_the_convolution_with_merged_weights() -> None:
    torch.manual_seed(0)
    frozen = nn.Conv1d(6, 5, 3, padding=1)
    wrapped = LowRankConv1d(frozen, 2)
    x = torch.randn(1, 6, 20)
    torch.testing.assert_close(wrapped(x), frozen(x))
    nn.init.normal_(wrapped.a)
    merged = LowRankDelta(wrapped.a.detach().numpy(), wrapped.b.detach().numpy()).merged(frozen.weight.detach().numpy())
    expected = nn.functional.conv1d(x, torch.from_numpy(merged), frozen.bias, padding=1)
    torch.testing.assert_close(wrapped(x), expected, rtol=1e-4, atol=1e-5)


def test_spectral_distance_is_nought_for_equal_sounds_and_blind_above_the_band() -> None:
    distance = SpectralDistance(4000.0)
    generator = torch.Generator().manual_seed(0)
    sound = torch.from_numpy(tone(150.0, 1.0))[None]
    assert float(distance.multi_resolution(sound, sound)) == pytest.approx(0.0, abs=1e-5)
    whistle = 0.05 * torch.sin(torch.arange(sound.shape[1]) * (2 * torch.pi * 9000 / RATE))
    hiss = 0.05 * torch.randn(sound.shape, generator=generator)
    assert float(distance.multi_resolution(sound + whistle, sound)) < 0.1 * float(distance.multi_resolution(sound + hiss, sound))
    assert float(distance.tone(distance.tone_of(hiss), distance.tone_of(2 * hiss))) < 0.01  # level is not tone
    assert float(distance.tone(distance.tone_of(hiss), distance.tone_of(sound))) > 0.5
    assert float(distance.articulation(sound, 3 * sound)) < 0.05  # nor articulation
    late = torch.roll(torch.cat([sound[:, :12_000], torch.zeros(1, 12_000)], dim=1), 6000, dims=1)
    early = torch.cat([sound[:, :12_000], torch.zeros(1, 12_000)], dim=1)
    assert float(distance.articulation(early, late)) > 0.5


@pytest.mark.parametrize(
    ("errors", "standard", "chosen"),
    [((0.02, 0.02), 0.02, 1.0), ((0.10, 0.02), 0.02, 0.75), ((0.10, 0.08), 0.02, None), ((None, None), None, 1.0)],
)
def test_likeness_is_kept_as_far_as_the_words_can_bear(
    errors: tuple[float | None, ...], standard: float | None, chosen: float | None
) -> None:
    trials = [Trial(strength, 0.8 + strength / 10, found, [], [], []) for strength, found in zip((1.0, 0.75), errors, strict=True)]
    found = choose(trials, standard)
    assert (found.strength if found else None) == chosen


def test_where_no_strength_is_clear_enough_the_clearest_is_kept() -> None:
    trials = [Trial(1.0, 0.9, 0.10, [], [], []), Trial(0.75, 0.88, 0.08, [], [], []), Trial(0.5, 0.85, 0.08, [], [], [])]
    assert choose(trials, 0.41) is trials[0]  # nothing is understood anyway
    assert fewest_errors(trials).strength == 0.75


def test_the_level_is_that_of_the_speech_and_not_of_the_pauses_around_it(speech: np.ndarray) -> None:
    level = calibration.speech_level_dbfs([(speech, RATE)])
    silence = np.zeros(2 * RATE, dtype=np.float32)
    assert calibration.speech_level_dbfs([(np.concatenate([silence, speech, silence]), RATE)]) == pytest.approx(level, abs=0.7)
    assert calibration.speech_level_dbfs([(speech / 2, RATE)]) == pytest.approx(level - 6.02, abs=0.3)
    assert calibration.gain_db([speech / 2], level) == pytest.approx(6.02, abs=0.3)


def test_a_faint_recording_makes_no_faint_voice_and_a_loud_one_no_deafening_one(speech: np.ndarray) -> None:
    low, high = calibration.LEVEL_LIMITS_DBFS
    assert calibration.own_level_dbfs([(speech / 100, RATE)]) == low
    assert calibration.own_level_dbfs([(np.clip(speech * 30, -1, 1), RATE)]) == high
    assert low < calibration.own_level_dbfs([(speech, RATE)]) < high


def test_nothing_learnt_changes_nothing_and_half_changes_half() -> None:
    voice = VoiceParameters(
        style=np.zeros(256, dtype=np.float32), base_sha256="0" * 64, recipe="test-1", created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    learnt = Learnt(
        np.ones(128, dtype=np.float32),
        {"decoder.norm": np.ones(3, dtype=np.float32)},
        {"decoder.conv": (np.ones((4, 2), dtype=np.float32), np.ones((2, 5, 3), dtype=np.float32))},
    )
    unchanged, half = learnt.applied(voice, strength=0.0), learnt.applied(voice, strength=0.5)
    np.testing.assert_array_equal(unchanged.style, voice.style)
    np.testing.assert_array_equal(half.style, [*[0.5] * 128, *[0.0] * 128])
    np.testing.assert_array_equal(half.weight_deltas["decoder.norm"].merged(np.zeros(3)), [0.5] * 3)
    np.testing.assert_array_equal(half.weight_deltas["decoder.conv"].merged(np.zeros((4, 5, 3))), np.ones((4, 5, 3)))


def test_character_errors_weigh_sentences_by_length() -> None:
    sentences = [Words("今天天气很好", "zh", ()), Words("hello there", "en", ())]
    assert character_errors(sentences, ["今天天气很好。", "Hello, there!"]) == 0.0
    assert character_errors(sentences, ["今天天气", "hello there"]) == pytest.approx(2 / 16)


def test_a_state_comes_back_for_the_same_work_only() -> None:
    state = {"learning": {"step": 3, "weights": np.arange(4, dtype=np.float32), "losses": [{"total": 0.5}]}}
    work = fingerprint([b"takes", b"settings"])
    store = MemoryStore()
    assert unpack(work, store.load()) is None
    store.save(pack(work, state))
    back = unpack(work, store.load())
    assert back is not None
    assert back["learning"]["step"] == 3
    np.testing.assert_array_equal(back["learning"]["weights"].numpy(), [0, 1, 2, 3])
    assert unpack(fingerprint([b"takes", b"others"]), store.load()) is None
    assert fingerprint([b"ab", b"c"]) != fingerprint([b"a", b"bc"])
    for hostile in (b"", b"no zip", (store.load() or b"")[:100]):
        assert unpack(work, hostile) is None


def test_progress_never_falls_and_ends_at_one() -> None:
    told: list[Progress] = []
    report = ProgressReporter(told.append)
    for stage in STAGES:
        for fraction in (0.0, 0.5, 1.0):
            report(stage, fraction)
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == pytest.approx(1.0)
    assert told[-1].remaining_s == pytest.approx(0.0, abs=1e-6)


def test_tiers_are_two() -> None:
    assert AdaptationSettings.for_tier("quick").acoustic.steps < AdaptationSettings.for_tier("standard").acoustic.steps
    with pytest.raises(UsageError, match="tier"):
        AdaptationSettings.for_tier("endless")
