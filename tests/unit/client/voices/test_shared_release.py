"""A voice says which release of the shared model it was made on, and carries it; voices without one are what they were."""

import dataclasses
import datetime as dt
import hashlib
import json
import math

import numpy as np
import pytest
from safetensors.numpy import load, save

from hometone_client.voices import container
from hometone_client.voices.container import from_bytes, to_bytes
from hometone_client.voices.parameters import DenseDelta, LowRankDelta, SharedRelease, VoiceParameters
from hometone_shared.errors import ModelError

THETA = np.linspace(-1, 1, 40, dtype=np.float32)
RELEASE = SharedRelease(number=3, basis_sha256="cd" * 32, theta=THETA)


def voice(shared: SharedRelease | None = RELEASE) -> VoiceParameters:
    return VoiceParameters(
        style=np.linspace(-1, 1, 256, dtype=np.float32),
        base_sha256="ab" * 32,
        recipe="finetune-1",
        created=dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC),
        weight_deltas={"x": DenseDelta(np.ones(2, np.float32))},
        shared=shared,
    )


def described(data: bytes) -> dict[str, object]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found: dict[str, object] = json.loads(header["__metadata__"][container.METADATA_KEY])
    return found


def rewritten(description: dict[str, object], tensors: dict[str, np.ndarray]) -> bytes:
    return save(tensors, metadata={container.METADATA_KEY: json.dumps(description)})


def test_a_release_is_written_and_read_back() -> None:
    data = to_bytes(voice())
    again = from_bytes(data)
    assert again.shared is not None
    assert (again.shared.number, again.shared.basis_sha256) == (3, "cd" * 32)
    np.testing.assert_array_equal(again.shared.theta, THETA)
    assert again.digest() == voice().digest()
    assert to_bytes(again) == data
    assert described(data)["shared"] == {
        "number": 3,
        "basis_sha256": "cd" * 32,
        "theta_sha256": hashlib.sha256(THETA.tobytes()).hexdigest(),
    }


def test_a_voice_without_release_is_written_as_before_there_were_any() -> None:
    data = to_bytes(voice(None))
    assert described(data)["version"] == 1
    assert "shared" not in described(data)
    assert from_bytes(data).shared is None


def test_releases_tell_loaded_models_apart_but_their_number_does_not() -> None:
    other = SharedRelease(number=3, basis_sha256="cd" * 32, theta=2 * THETA)
    renumbered = SharedRelease(number=4, basis_sha256="cd" * 32, theta=THETA)
    digests = {voice(shared).weights_digest() for shared in (None, RELEASE, other, renumbered)}
    assert len(digests) == 3
    assert voice().digest() != voice(None).digest()


def test_the_release_comes_first_and_the_voice_on_top() -> None:
    release = {"x": DenseDelta(np.array([10, 20], np.float32)), "y": LowRankDelta(np.ones((2, 1), np.float32), np.ones((1, 3), np.float32))}
    merged = voice().merged_weights({"x": np.ones(2, np.float32), "y": np.zeros((2, 3), np.float32)}.__getitem__, release=release)
    np.testing.assert_array_equal(merged["x"], [12, 22])
    np.testing.assert_array_equal(merged["y"], np.ones((2, 3)))
    with pytest.raises(ModelError, match="another base"):
        voice().merged_weights({"x": np.ones(2, np.float32)}.__getitem__, release=release)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 0},
        {"number": True},
        {"number": 1.0},
        {"number": 10**9},
        {"basis_sha256": "CD" * 32},
        {"theta": THETA.astype(np.float64)},
        {"theta": THETA[None]},
        {"theta": THETA[:0]},
        {"theta": np.array([math.nan], np.float32)},
    ],
)
def test_impossible_releases_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        dataclasses.replace(RELEASE, **wrong)  # type: ignore[arg-type]


def test_only_a_release_is_a_release() -> None:
    with pytest.raises(ModelError, match="unknown kind"):
        voice("newest")  # type: ignore[arg-type]


def test_a_release_that_does_not_match_its_digest_is_refused() -> None:
    data = to_bytes(voice())
    description, tensors = described(data), load(data)
    changed = rewritten(description, {**tensors, "shared/theta": THETA + 1})
    lacking = rewritten(description, {name: array for name, array in tensors.items() if name != "shared/theta"})
    hidden = rewritten(described(to_bytes(voice(None))), tensors)
    bare = rewritten({key: value for key, value in description.items() if key != "shared"}, tensors)
    for bad in (changed, lacking, hidden, bare):
        with pytest.raises(ModelError):
            from_bytes(bad)
