"""Coordinator and laptops mean the same base and the same basis."""

import pytest

from hometone_client.base.parameters import base_hash
from hometone_client.models import packages_base
from hometone_client.sharedmodel.basis import shared_basis
from hometone_shared.shared_model import SharedModel


def test_the_basis_is_the_one_that_plans_name() -> None:
    basis = shared_basis()
    model = SharedModel.of_this_version()
    assert (model.basis_sha256, model.dimension) == (basis.sha256, basis.dimension)


@pytest.mark.models
def test_the_base_is_the_one_that_plans_name() -> None:
    assert SharedModel.of_this_version().base_sha256 == base_hash(packages_base())
