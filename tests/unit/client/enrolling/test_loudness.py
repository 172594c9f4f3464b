"""How loud somebody speaks, in a word that helps her."""

import pytest

from hometone_client.audio.recorder import Level
from hometone_client.enrolling.loudness import Loudmeter, Loudness


def after(*levels: tuple[float, float]) -> Loudmeter:
    """Levels (root mean square, peak) a tenth of a second apart."""
    meter = Loudmeter()
    for number, (rms, peak) in enumerate(levels, start=1):
        meter.add(Level(rms_dbfs=rms, peak_dbfs=peak, elapsed_s=number / 10))
    return meter


@pytest.mark.parametrize(
    ("levels", "word"),
    [
        ((), Loudness.NOTHING),
        (((-70.0, -60.0),), Loudness.NOTHING),
        (((-45.0, -30.0),), Loudness.FAINT),
        (((-20.0, -6.0),), Loudness.GOOD),
        (((-10.0, 0.0),), Loudness.LOUD),
        (((-20.0, -6.0), (-60.0, -50.0)), Loudness.GOOD),  # a pause between two words
    ],
)
def test_in_a_word(levels: tuple[tuple[float, float], ...], word: Loudness) -> None:
    assert after(*levels).loudness is word


def test_what_was_long_ago_counts_no_more() -> None:
    meter = after((-5.0, 0.0), *([(-45.0, -30.0)] * 20))
    assert meter.loudness is Loudness.FAINT
    assert meter.elapsed_s == pytest.approx(2.1)


def test_the_scale_ends_at_both_ends() -> None:
    assert after().percent == 0
    assert after((-120.0, -120.0)).percent == 0
    assert after((0.0, 0.0)).percent == 100
    assert 0 < after((-30.0, -20.0)).percent < 100
