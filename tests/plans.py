"""Round plans for tests: within the protocol's limits, and different where a test says so."""

from typing import Any

from hometone_shared.records.plan import RoundPlan, RoundPurpose


def a_plan(**changes: Any) -> RoundPlan:
    """A plan of the purpose `model` for five laptops."""
    fields: dict[str, Any] = {
        "run": "0123456789abcdef",
        "round_number": 1,
        "attempt": 1,
        "purpose": RoundPurpose.MODEL,
        "base_sha256": "aa" * 32,
        "basis_sha256": "bb" * 32,
        "release": 0,
        "release_sha256": "cc" * 32,
        "dimension": 4,
        "clip_norm": 1.0,
        "noise_multiplier": 1.5,
        "colluders": 0,
        "minimum_cohort": 5,
        "issued": 10,
        "deadline": 600,
        "reply_slot_ms": 250,
        "log_size": 10,
        "log_root": "dd" * 32,
        "bundle_sha256": "ee" * 32,
    }
    return RoundPlan(**{**fields, **changes})
