"""Which base voice and which basis the rounds of this version are about.

Both sides must agree on it: a coordinator writes it into plans, laptops compare it with what they hold. The figures are data, checked
against the real base and basis by a test of the client.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Self


@dataclass(frozen=True, slots=True)
class SharedModel:
    """The names of base and basis.

    Attributes:
        base_sha256: Hash of the base voice's parameters.
        basis_sha256: Hash of the basis's definition.
        dimension: The most coordinates the basis has.
    """

    base_sha256: str
    basis_sha256: str
    dimension: int

    @classmethod
    @cache
    def of_this_version(cls) -> Self:
        """What this version is about."""
        text = resources.files("hometone_shared").joinpath("data/shared_model.json").read_text(encoding="utf-8")
        return cls(**json.loads(text))
