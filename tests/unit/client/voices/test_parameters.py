"""A voice that exists is valid; weight changes and pitch maps do what their formulas say."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.voices.parameters import DenseDelta, F0Map, LowRankDelta, Tremor, VoiceParameters
from hometone_shared.errors import ModelError

BASE = "ab" * 32


def voice(**changes: object) -> VoiceParameters:
    values: dict[str, object] = {
        "style": np.zeros(256, np.float32),
        "base_sha256": BASE,
        "recipe": "finetune-1",
        "created": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    }
    return VoiceParameters(**(values | changes))  # type: ignore[arg-type]


def test_the_default_f0_map_returns_the_very_curve() -> None:
    curve = np.array([0, 100.123456, 220.654321], np.float32)
    assert F0Map()(curve) is curve


@given(
    reference=st.floats(60, 400),
    target=st.floats(60, 400),
    scale=st.floats(0.5, 2.0),
    f0=st.lists(st.floats(80, 320, width=32), min_size=1, max_size=40),
)
def test_f0_map_follows_its_formula_on_voiced_frames(reference: float, target: float, scale: float, f0: list[float]) -> None:
    curve = np.array([*f0, 0.0, 9.9], np.float32)
    moved = F0Map(reference_hz=reference, target_hz=target, range_scale=scale)(curve)
    expected = [min(max(target * (float(np.float32(hz)) / reference) ** scale, 40.0), 1100.0) for hz in f0]
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved[:-2], expected, rtol=1e-6)
    np.testing.assert_array_equal(moved[-2:], curve[-2:])


def test_f0_keeps_more_than_sixteen_bits() -> None:
    # 0.01 Hz apart at 200 Hz: bfloat16 would make steps of 1 Hz of it, float16 of 0.125 Hz.
    curve = (200 + 0.01 * np.arange(50)).astype(np.float32)
    moved = F0Map(reference_hz=200, target_hz=250)(curve)
    assert np.unique(moved).size == 50


def test_low_rank_change_of_a_convolution() -> None:
    generator = np.random.default_rng(1)
    base = generator.standard_normal((6, 4, 3)).astype(np.float32)
    a, b = generator.standard_normal((6, 2)).astype(np.float32), generator.standard_normal((2, 4, 3)).astype(np.float32)
    merged = LowRankDelta(a, b).merged(base)
    np.testing.assert_allclose(merged, base + np.einsum("or,rik->oik", a, b), rtol=1e-5, atol=1e-6)
    assert merged.dtype == np.float32


def test_merged_weights_names_and_shapes() -> None:
    base = {"decoder.f0.weight": np.ones((2, 3), np.float32)}
    own = voice(weight_deltas={"decoder.f0.weight": DenseDelta(np.full((2, 3), 0.5, np.float32))})
    np.testing.assert_array_equal(own.merged_weights(base.__getitem__)["decoder.f0.weight"], np.full((2, 3), 1.5, np.float32))
    for other in ({}, {"decoder.f0.weight": np.ones((3, 2), np.float32)}):
        with pytest.raises(ModelError):
            own.merged_weights(other.__getitem__)


def test_parameters_do_not_share_memory_with_what_they_were_made_of() -> None:
    style = np.zeros(256, np.float32)
    own = voice(style=style)
    style[0] = 7
    assert own.style[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        own.style[0] = 1
    with pytest.raises(TypeError):
        own.weight_deltas["x"] = DenseDelta(np.ones(1, np.float32))  # type: ignore[index]


@pytest.mark.parametrize(
    "changes",
    [
        {"style": np.zeros(255, np.float32)},
        {"style": np.zeros((1, 256), np.float32)},
        {"style": np.zeros(256, np.float64)},
        {"style": np.full(256, np.nan, np.float32)},
        {"style": [0.0] * 256},
        {"tone_filter": np.zeros(0, np.float32)},
        {"tone_filter": np.zeros((1, 3), np.float32)},
        {"tone_filter": np.ones(4000, np.float32)},
        {"tone_filter": np.array([np.inf], np.float32)},
        {"base_sha256": "AB" * 32},
        {"base_sha256": "ab"},
        {"recipe": ""},
        {"recipe": "made by Anna Schmidt"},
        {"created": dt.datetime(2026, 1, 2, 3, 4, 5)},  # noqa: DTZ001
        {"created": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)},
        {"created": dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=8)))},
        {"created": "2026-01-02T03:04:05Z"},
        {"languages": ["zh"]},
        {"languages": ("not a tag",)},
        {"languages": ("zh",) * 17},
        {"length_scale": 0.0},
        {"length_scale": float("nan")},
        {"length_scale": True},
        {"gain_db": 99.0},
        {"voiced_noise": -0.001},
        {"breath": 0.95},
        {"tremor": 6.0},
        {"f0_map": None},
        {"weight_deltas": {"../x": DenseDelta(np.ones(1, np.float32))}},
        {"weight_deltas": {"x": np.ones(1, np.float32)}},
    ],
)
def test_impossible_voices_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ModelError) as caught:
        voice(**changes)
    assert caught.value.hint


@pytest.mark.parametrize(
    "values",
    [
        {"reference_hz": 0.0},
        {"target_hz": float("inf")},
        {"range_scale": -1.0},
        {"target_hz": 5000.0},
    ],
)
def test_impossible_pitch_maps_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ModelError):
        F0Map(**values)


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 2), (3, 4)), ((3,), (3, 4)), ((3, 2), (2,)), ((3, 1, 1), (1, 4))],
)
def test_factors_that_do_not_fit_are_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ModelError):
        LowRankDelta(np.ones(a, np.float32), np.ones(b, np.float32))


def test_factors_whose_product_would_fill_the_memory_are_refused() -> None:
    with pytest.raises(ModelError):
        LowRankDelta(np.ones((200_000, 1), np.float32), np.ones((1, 200_000), np.float32))


@pytest.mark.parametrize(
    ("taps", "delay"),
    [([1.0], 0), ([0.1, 0.8, 0.1], 1), ([0.2, 0.3, 0.3, 0.2], 1), ([0.9, 0.3, -0.1], 0), ([0.1, 0.9, -0.3, 0.05], 1)],
)
def test_tone_delay(taps: list[float], delay: int) -> None:
    assert voice(tone_filter=np.array(taps, np.float32)).tone_delay == delay


def test_digest_sees_what_changes_the_sound_and_nothing_else() -> None:
    first = voice()
    assert first.digest() == voice(created=dt.datetime(2027, 1, 1, tzinfo=dt.UTC), recipe="finetune-2").digest()
    others = [
        voice(gain_db=1.0),
        voice(length_scale=1.1),
        voice(voiced_noise=0.01),
        voice(breath=0.2),
        voice(tremor=Tremor(rate_hz=6.0, depth=0.02)),
        voice(f0_map=F0Map(target_hz=210.0)),
        voice(tone_filter=np.array([0.5], np.float32)),
        voice(style=np.ones(256, np.float32)),
        voice(weight_deltas={"x": DenseDelta(np.ones(1, np.float32))}),
        voice(base_sha256="cd" * 32),
    ]
    digests = {first.digest(), *(other.digest() for other in others)}
    assert len(digests) == len(others) + 1


def test_voices_that_differ_in_style_only_share_their_weights() -> None:
    delta = {"x": DenseDelta(np.ones(1, np.float32))}
    assert voice(weight_deltas=delta).weights_digest() == voice(weight_deltas=delta, style=np.ones(256, np.float32)).weights_digest()
    assert voice(weight_deltas=delta).weights_digest() != voice().weights_digest()
