"""Wishes outside their ranges are refused in plain words; the defaults are those of the requirements."""

import pytest

from hometone_client.speaking.settings import SpeakingSettings
from hometone_shared.errors import UsageError


def test_defaults_are_those_of_the_requirements() -> None:
    settings = SpeakingSettings()
    assert (settings.length_scale, settings.noise_scale, settings.pitch_semitones, settings.pitch_range) == (1.0, 0.667, 0.0, 1.0)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("length_scale", 0.3, 3.0), ("noise_scale", 0.0, 2.0), ("pitch_semitones", -12.0, 12.0), ("pitch_range", 0.0, 2.0)],
)
def test_ranges_are_inclusive_and_beyond_is_refused(field: str, low: float, high: float) -> None:
    for value in (low, high, (low + high) / 2):
        assert getattr(SpeakingSettings(**{field: value}), field) == value
    for value in (low - 0.001, high + 0.001, float("nan"), float("inf"), -float("inf"), "1", None, True):
        with pytest.raises(UsageError) as caught:
            SpeakingSettings(**{field: value})  # type: ignore[arg-type]
        assert caught.value.hint


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, True, "7"])
def test_impossible_seeds(seed: object) -> None:
    with pytest.raises(UsageError):
        SpeakingSettings(seed=seed)  # type: ignore[arg-type]
