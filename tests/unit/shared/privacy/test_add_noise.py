"""The typed step from clipped to noisy: right residues, never less noise than asked for, never twice from a fixed source."""

import numpy as np
import pytest

from hometone_shared.errors import ProtocolError
from hometone_shared.privacy.clipping import add, encode
from hometone_shared.privacy.noise import add_noise
from hometone_shared.updates import ClippedUpdate, NoisyUpdate

DIGEST = "ab" * 32


def of(*values):
    return ClippedUpdate(values=np.array(values, dtype=np.int64), speakers=1)


def dealing(*noise):
    return lambda count, *, variance: np.array(noise, dtype=np.int64)


def test_residues_are_the_sum_modulo_two_to_the_32():
    noisy = add_noise(of(1, -1, 0, 5, -7), variance=9, plan_digest=DIGEST, sampler=dealing(2, -3, 0, 2**32, 2**31))
    assert isinstance(noisy, NoisyUpdate)
    assert noisy.residues.dtype == np.uint32
    assert noisy.residues.tolist() == [3, 2**32 - 4, 0, 5, 2**31 - 7]
    assert noisy.plan_digest == DIGEST


def test_the_sampler_is_asked_for_one_number_a_coordinate_of_the_right_variance():
    asked = []

    def sampler(count, *, variance):
        asked.append((count, variance))
        return np.zeros(count, dtype=np.int64)

    add_noise(of(1, 2, 3), variance=12_345, plan_digest=DIGEST, sampler=sampler)
    assert asked == [(3, 12_345)]


def test_noise_of_several_devices_adds_up_to_what_the_plan_promises():
    dimension, devices, variance = 20_000, 3, 10**7
    updates = [encode(np.linspace(-1, 1, dimension), clip_norm=1.0) for _ in range(devices)]
    total = np.zeros(dimension, dtype=np.uint32)
    for update in updates:
        total += add_noise(update, variance=variance, plan_digest=DIGEST).residues
    noise = total.view(np.int32).astype(np.int64) - add(updates).values
    assert abs(noise.var() / (devices * variance) - 1) < 5 * np.sqrt(2 / dimension)
    assert abs(noise.mean()) < 5 * np.sqrt(devices * variance / dimension)


def test_two_draws_differ():
    first, second = (add_noise(of(*[0] * 40), variance=2**28, plan_digest=DIGEST).residues for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("variance", [8, 0, -9, 9.5, 100.0, True, None, "9"])
def test_too_little_noise_is_refused(variance):
    with pytest.raises(ProtocolError):
        add_noise(of(1), variance=variance, plan_digest=DIGEST)


@pytest.mark.parametrize("digest", ["", "AB" * 32, "ab" * 31, None, 7])
def test_what_is_no_digest_is_refused(digest):
    with pytest.raises(ProtocolError):
        add_noise(of(1), variance=9, plan_digest=digest)


@pytest.mark.parametrize("noise", [np.zeros(2, dtype=np.int64), np.zeros(1), np.zeros((1, 1), dtype=np.int64), np.zeros(0, dtype=np.int64)])
def test_noise_that_does_not_fit_is_refused(noise):
    with pytest.raises(ProtocolError):
        add_noise(of(1), variance=9, plan_digest=DIGEST, sampler=lambda count, *, variance: noise)
