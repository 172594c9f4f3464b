import numpy as np
import pytest

from hometone_client.base.prosody import VOICED_HZ, Prosody


def prosody() -> Prosody:
    durations = np.array([2, 4, 0, 3])
    frames = int(durations.sum())
    content = np.repeat(np.arange(4, dtype=np.float32), durations)[None, None].repeat(512, axis=1)
    f0 = np.array([0.0] * 4 + [100.0 + i for i in range(8)] + [0.0] * 6, dtype=np.float32)
    return Prosody(content, f0, np.arange(2 * frames, dtype=np.float32), durations)


def test_every_token_keeps_its_content_for_as_long_as_it_now_lasts():
    slow = prosody().retimed(np.array([1, 8, 0, 3]))
    assert slow.content[0, 0].tolist() == [0.0] * 1 + [1.0] * 8 + [3.0] * 3
    assert slow.f0_hz.shape == slow.energy.shape == (24,)
    assert slow.starts.tolist() == [0, 1, 9, 9, 12]


def test_nothing_glides_between_voiced_and_unvoiced():
    for middle in (1, 3, 9):
        f0 = prosody().retimed(np.array([5, middle, 0, 1])).f0_hz
        voiced = f0 > VOICED_HZ
        assert f0[voiced].min() >= 100.0
        assert f0[voiced].max() <= 107.0
        assert not f0[~voiced].any()
        assert voiced.sum() == 2 * middle


def test_the_same_durations_change_nothing():
    before = prosody()
    assert before.retimed(before.durations.copy()) is before


@pytest.mark.parametrize("durations", [[2, 4, 0], [2, 0, 0, 3], [2, 4, 1, 3], [2, 4, 0, -3]])
def test_durations_that_do_not_fit_are_refused(durations):
    with pytest.raises(ValueError, match="do not fit"):
        prosody().retimed(np.array(durations))
