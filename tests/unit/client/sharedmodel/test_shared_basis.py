"""The public basis: nested, the same everywhere, and in the layout of the base's own weights."""

import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from hometone_client.base.parameters import load_parameters
from hometone_client.models import ensure
from hometone_client.sharedmodel import layout
from hometone_client.sharedmodel.basis import Basis, basis_from, basis_named, digest_of, shared_basis
from hometone_client.voices.parameters import DenseDelta, LowRankDelta
from hometone_shared.errors import ModelError


def whole(delta: DenseDelta | LowRankDelta) -> np.ndarray:
    """The change as one array."""
    return delta.merged(np.zeros(delta.shape, np.float32))


def stored() -> dict[str, np.ndarray]:
    packed = files("hometone_client.sharedmodel") / "data" / "basis.npz"
    with packed.open("rb") as file, np.load(file, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


@pytest.fixture(scope="module")
def basis() -> Basis:
    return shared_basis()


def test_it_is_large_enough_small_on_disk_and_has_a_name(basis: Basis) -> None:
    assert basis.dimension >= 4096
    assert len((files("hometone_client.sharedmodel") / "data" / "basis.npz").read_bytes()) < 900_000
    assert len(basis.sha256) == 64
    assert basis_named(basis.sha256) is basis
    with pytest.raises(ModelError):
        basis_named("0" * 64)


def test_what_speaks_needs_no_torch_for_it() -> None:
    code = "import sys, hometone_client.sharedmodel.basis as b; b.shared_basis(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_first_coordinates_mean_the_same_in_every_dimension(basis: Basis) -> None:
    theta = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    for short in (1, 17, basis.leading.shape[1], 1000):
        cut = theta[:short]
        filled = np.concatenate([cut, np.zeros(5000 - short, np.float32)])
        np.testing.assert_array_equal(basis.raw(cut), basis.raw(filled))


def test_every_coordinate_moves_something_of_its_own(basis: Basis) -> None:
    count, span = basis.leading.shape[1], basis.leading.shape[0]
    thetas = np.eye(count, dtype=np.float32)
    moved = np.stack([basis.raw(theta) for theta in thetas])
    assert np.linalg.matrix_rank(moved) == count
    for index in (count + span, count + span + 17, basis.dimension - 1):  # beyond the span a coordinate is a raw one
        theta = np.zeros(basis.dimension, np.float32)
        theta[index] = 1
        assert np.flatnonzero(basis.raw(theta)).tolist() == [basis.order[index - count]]


def test_a_theta_of_zeros_changes_nothing(basis: Basis) -> None:
    assert basis.deltas(np.zeros(10, np.float32)) == {}


@pytest.mark.parametrize("wrong", [np.zeros((2, 2), np.float32), np.array([np.inf], np.float32), np.zeros(100_000, np.float32)])
def test_a_theta_that_does_not_fit_is_refused(basis: Basis, wrong: np.ndarray) -> None:
    with pytest.raises(ModelError):
        basis.deltas(wrong)


def test_changes_are_linear_in_theta(basis: Basis) -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.standard_normal(3000).astype(np.float32) for _ in range(2))
    first, second, both = (basis.deltas(theta) for theta in (one, other, one + 2 * other))
    assert set(both) == set(first)
    for name, delta in both.items():
        expected = whole(first[name]) + 2 * whole(second[name])
        np.testing.assert_allclose(whole(delta), expected, atol=1e-4 * (np.abs(expected).max() + 1e-9) + 1e-7)


def test_a_core_is_between_its_factors(basis: Basis) -> None:
    theta = np.random.default_rng(2).standard_normal(basis.dimension).astype(np.float32)
    raw, deltas = basis.raw(theta), basis.deltas(theta)

    def product(key: str) -> np.ndarray:
        square = raw[layout.SLICES[key]].reshape(layout.RANK, layout.RANK)
        return np.einsum("ma,ab,b...->m...", basis.left[key], square, basis.right[key])

    for core in layout.CORES:
        expected = product(core.key)
        if core.direction is not None:
            found = whole(deltas[core.name])[core.direction]
        else:
            found = whole(deltas[core.name]).T if core.name.startswith(layout.PROJECTION) else whole(deltas[core.name])
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    biases = whole(deltas[f"{layout.LSTM}.B"])
    np.testing.assert_array_equal(biases[:, :1024].ravel(), raw[layout.SLICES[f"{layout.LSTM}.B"]])
    assert not biases[:, 1024:].any()


@pytest.mark.models
def test_every_change_fits_a_weight_of_the_base_and_none_of_energy_or_decoder(basis: Basis) -> None:
    parameters = load_parameters(ensure("kokoro-82m-v1.0"))
    deltas = basis.deltas(np.ones(basis.dimension, np.float32))
    assert {block.name for block in layout.BLOCKS} == set(deltas)
    for name, delta in deltas.items():
        assert delta.shape == parameters[name].shape
        assert name.startswith(("predictor.F0", "predictor.lstm.", "predictor.duration_proj."))


def test_the_name_is_that_of_the_definition() -> None:
    arrays = stored()
    assert digest_of(arrays) == shared_basis().sha256
    arrays["scales"] = np.nextafter(arrays["scales"], np.float32(9))
    assert digest_of(arrays) != shared_basis().sha256
    assert basis_from(arrays).sha256 == digest_of(arrays)


@pytest.mark.parametrize("harm", ["lost", "short", "twice", "floats"])
def test_a_damaged_definition_is_refused(harm: str) -> None:
    arrays = stored()
    if harm == "lost":
        del arrays["mix"]
    elif harm == "short":
        arrays["scales"] = arrays["scales"][:-1]
    elif harm == "twice":
        arrays["order"] = np.zeros_like(arrays["order"])
    else:
        name = f"left/{layout.CORES[0].key}"
        arrays[name] = arrays[name].astype(np.float32)
    with pytest.raises(ModelError):
        basis_from(arrays)
