"""The names of base and basis that rounds of this version are about."""

from hometone_shared.shared_model import SharedModel


def test_they_are_hashes_and_a_dimension_that_plans_may_have() -> None:
    model = SharedModel.of_this_version()
    assert {len(model.base_sha256), len(model.basis_sha256)} == {64}
    assert 1 <= model.dimension <= 1 << 22
    assert SharedModel.of_this_version() is model
