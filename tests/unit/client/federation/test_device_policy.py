"""The laptop's own limits hold whatever a plan says, and survive being stored."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tests import plans

from hometone_client.federation.policy import FILE, DevicePolicy
from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.privacy.accounting import GaussianEvent, epsilon
from hometone_shared.records.plan import RoundPlan, RoundPurpose
from hometone_shared.secagg.refusal import Refusal

NOW = 1_800_000_000


def a_plan(**changes: Any) -> RoundPlan:
    return plans.a_plan(**{"dimension": 40, "issued": NOW, "deadline": NOW + 600, **changes})


def test_an_ordinary_plan_is_within_the_defaults() -> None:
    policy = DevicePolicy()
    policy.check_purpose(a_plan())
    policy.check_limits(a_plan(), now_s=NOW)


def test_one_round_alone_costs_at_most_four_by_the_accountant() -> None:
    assert epsilon([GaussianEvent(DevicePolicy().least_noise_multiplier)], delta=1e-5) <= 4.0


@pytest.mark.parametrize(
    ("limits", "changes", "words"),
    [
        ({}, {"minimum_cohort": 4}, "at least 5 laptops"),
        ({}, {"noise_multiplier": 1.0}, "noise multiplier"),
        ({}, {"clip_norm": 1000.5}, "clip norm"),
        ({}, {"dimension": (1 << 20) + 1}, "coordinates"),
        ({}, {"reply_slot_ms": 99}, "grid"),
        ({"largest_reply_slot_ms": 5000}, {"reply_slot_ms": 5001}, "grid"),
        ({}, {"deadline": NOW + 24 * 3600 + 1}, "seconds from now"),
        ({}, {"log_size": 4}, "log"),
        ({"least_colluders": 2}, {"colluders": 1}, "colluders"),
    ],
)
def test_every_limit_is_the_laptops_own(limits: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        DevicePolicy(**limits).check_limits(a_plan(**changes), now_s=NOW)
    assert refused.value.code == "limits"


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_cohort": 5},
        {"noise_multiplier": 1.09},
        {"clip_norm": 1000.0},
        {"dimension": 1 << 20},
        {"reply_slot_ms": 100},
        {"reply_slot_ms": 600_000},
        {"deadline": NOW + 24 * 3600},
        {"log_size": 5},
    ],
)
def test_both_ends_of_a_limit_are_allowed(changes: dict[str, Any]) -> None:
    DevicePolicy().check_limits(a_plan(**changes), now_s=NOW)


def test_a_purpose_that_is_not_served_is_refused() -> None:
    policy = DevicePolicy(purposes=frozenset({RoundPurpose.BALANCE}))
    policy.check_purpose(a_plan(purpose=RoundPurpose.BALANCE))
    with pytest.raises(Refusal) as refused:
        policy.check_purpose(a_plan())
    assert refused.value.code == "purpose"


def test_a_smaller_cohort_shortens_the_log_that_is_asked_for() -> None:
    policy = DevicePolicy().with_minimum_cohort(3)
    policy.check_limits(a_plan(minimum_cohort=3, log_size=3), now_s=NOW)
    with pytest.raises(Refusal):
        policy.check_limits(a_plan(minimum_cohort=2, log_size=3), now_s=NOW)


def test_it_comes_back_as_it_was_stored_and_defaults_stand_in_where_there_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "federation"
    assert DevicePolicy.load(folder) == DevicePolicy()
    policy = DevicePolicy(minimum_cohort=9, purposes=frozenset({RoundPurpose.MODEL, RoundPurpose.BALANCE}), largest_clip_norm=2.5)
    policy.save(folder)
    assert DevicePolicy.load(folder) == policy
    stored = (folder / FILE).read_bytes()
    assert stored == json.dumps(json.loads(stored), sort_keys=True, separators=(",", ":")).encode()
    policy.with_minimum_cohort(4).save(folder)
    assert DevicePolicy.load(folder).minimum_cohort == 4
    assert [path.name for path in folder.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "change",
    [
        {"minimum_cohort": 1},
        {"minimum_cohort": "5"},
        {"largest_clip_norm": 0},
        {"least_noise_multiplier": -1.0},
        {"purposes": ["model", "balance"]},
        {"purposes": ["everything"]},
        {"purposes": [["model"]]},
        {"largest_reply_slot_ms": 10},
        {"another": 1},
    ],
)
def test_a_damaged_policy_stops_rounds_instead_of_falling_back(tmp_path: Path, change: dict[str, Any]) -> None:
    document = {**DevicePolicy().to_document(), **change}
    (tmp_path / FILE).write_text(json.dumps(document, sort_keys=True, separators=(",", ":")), encoding="utf-8")
    with pytest.raises(FederationError, match="limits"):
        DevicePolicy.load(tmp_path)


def test_limits_that_make_no_sense_cannot_be_made() -> None:
    with pytest.raises(ProtocolError):
        DevicePolicy(minimum_cohort=1)
    with pytest.raises(ProtocolError):
        dataclasses.replace(DevicePolicy(), largest_dimension=0)
