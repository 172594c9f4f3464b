"""Plans: what is signed comes back, and nothing outside the limits does."""

import hashlib
import json
import math
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records.plan import KIND, RoundPlan, RoundPurpose, threshold
from hometone_shared.records.signing import Envelope

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
PLAN = RoundPlan(
    run="0123456789abcdef",
    round_number=3,
    attempt=2,
    purpose=RoundPurpose.BALANCE,
    base_sha256="a" * 64,
    basis_sha256="b" * 64,
    release=7,
    release_sha256="c" * 64,
    dimension=100,
    clip_norm=0.5,
    noise_multiplier=2.0,
    colluders=1,
    weights_permille={"zh": 900, "en": 0},
    minimum_cohort=5,
    issued=10,
    deadline=20,
    reply_slot_ms=500,
    log_size=4,
    log_root="d" * 64,
    bundle_sha256="e" * 64,
)


def test_round_trip():
    envelope = Envelope.from_bytes(PLAN.signed(KEY).to_bytes())
    assert envelope.kind == KIND == "hometone/round-plan/v1"
    assert RoundPlan.from_envelope(envelope, key=PUBLIC) == PLAN
    assert set(PLAN.to_document()) == {
        "run", "round", "attempt", "purpose", "base_sha256", "basis_sha256", "release", "release_sha256", "dimension", "clip_norm",
        "noise_multiplier", "colluders", "weights_permille", "minimum_cohort", "modulus_bits", "issued", "deadline", "reply_slot_ms",
        "log_size", "log_root", "bundle_sha256",
    }  # fmt: skip
    with pytest.raises(ProtocolError):
        RoundPlan.from_envelope(envelope, key=bytes(32))
    with pytest.raises(ProtocolError):
        RoundPlan.from_envelope(Envelope.sign("hometone/other/v1", PLAN.to_document(), KEY), key=PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"run": "0123456789ABCDEF"},
        {"run": "01"},
        {"round_number": 0},
        {"attempt": 0},
        {"base_sha256": "a"},
        {"dimension": 0},
        {"dimension": (1 << 22) + 1},
        {"clip_norm": 0.0},
        {"clip_norm": math.nan},
        {"clip_norm": math.inf},
        {"noise_multiplier": 0},
        {"noise_multiplier": -1.0},
        {"colluders": -1},
        {"weights_permille": {"zh": 1001}},
        {"weights_permille": {"zh": -1}},
        {"weights_permille": {"zh": True}},
        {"weights_permille": {"zh": 0.5}},
        {"weights_permille": {"z" * 101: 5}},
        {"minimum_cohort": 1},
        {"deadline": 10},
        {"issued": -1},
        {"reply_slot_ms": -1},
        {"log_size": -1},
        {"log_root": ""},
    ],
)
def test_limits(change):
    with pytest.raises(ProtocolError):
        replace(PLAN, **change)


@pytest.mark.parametrize("change", [{"modulus_bits": 31}, {"modulus_bits": 64}, {"purpose": "fun"}, {"purpose": 1}, {"more": 1}])
def test_documents_outside_the_protocol(change):
    with pytest.raises(ProtocolError):
        RoundPlan.from_document(PLAN.to_document() | change)


@pytest.mark.parametrize("name", PLAN.to_document())
@given(
    value=st.none() | st.booleans() | st.text(max_size=4) | st.lists(st.none(), max_size=1) | st.just(10**400) | st.floats(max_value=-1.0)
)
def test_hostile_fields(name, value):
    with pytest.raises(ProtocolError):
        RoundPlan.from_document(PLAN.to_document() | {name: value})
    without = PLAN.to_document()
    del without[name]
    with pytest.raises(ProtocolError):
        RoundPlan.from_document(without)


@pytest.mark.parametrize(("devices", "needed"), [(2, 2), (3, 3), (5, 4), (6, 5), (100, 67), (1000, 667)])
def test_threshold(devices, needed):
    assert threshold(devices) == needed
    assert 3 * needed > 2 * devices >= 3 * (needed - 1)


def test_noise_of_one_device():
    # v = ceil(z^2 * 2^28 / (t - c)), section 4: t = 4, c = 1.
    assert PLAN.noise_variance(5) == -(-4 * 2**28 // 3)
    assert replace(PLAN, noise_multiplier=1e-6).noise_variance(5) == 9
    for plan, devices in ((PLAN, 4), (replace(PLAN, colluders=4), 5), (replace(PLAN, colluders=100), 5)):
        with pytest.raises(ProtocolError):
            plan.noise_variance(devices)


def test_the_sum_must_fit():
    PLAN.check_no_wrap(devices=5, speakers=5)
    quiet = replace(PLAN, noise_multiplier=1e-6)
    # 2 * (131071 * 2^14 + 8 * sqrt(5 * 9)) + 1 is the last below 2^32.
    quiet.check_no_wrap(devices=5, speakers=131_071)
    with pytest.raises(ProtocolError):
        quiet.check_no_wrap(devices=5, speakers=131_072)
    with pytest.raises(ProtocolError):
        replace(PLAN, noise_multiplier=1e5).check_no_wrap(devices=5, speakers=5)


@pytest.mark.parametrize(
    ("purpose", "release", "needed", "before"),
    [
        (RoundPurpose.MODEL, 7, (7,), 6),
        (RoundPurpose.BALANCE, 7, (7,), 6),
        (RoundPurpose.EVALUATION, 7, (6, 7), 6),
        (RoundPurpose.EVALUATION, 0, (0,), 0),
    ],
)
def test_an_evaluation_needs_the_release_before_its_own(purpose: RoundPurpose, release: int, needed: tuple[int, ...], before: int) -> None:
    plan = replace(PLAN, purpose=purpose, release=release)
    assert (plan.releases_needed, plan.release_before) == (needed, before)


def test_a_plan_that_repeats_another_says_so_and_others_are_written_as_ever():
    assert not {"repeats", "reserved_replays"} & set(PLAN.to_document())
    repeating = replace(PLAN, purpose=RoundPurpose.MODEL, repeats="f" * 64, reserved_replays=2)
    assert {**PLAN.to_document(), "purpose": "model", "repeats": "f" * 64, "reserved_replays": 2} == repeating.to_document()
    assert RoundPlan.from_envelope(Envelope.from_bytes(repeating.signed(KEY).to_bytes()), key=PUBLIC) == repeating
    assert RoundPlan.from_document({**PLAN.to_document(), "reserved_replays": 100}).reserved_replays == 100


def test_the_digest_of_a_repeating_plan_by_hand():
    repeating = replace(PLAN, purpose=RoundPurpose.MODEL, clip_norm=0.5, noise_multiplier=2.5, repeats="f" * 64, reserved_replays=2)
    by_hand = {
        "attempt": 2, "base_sha256": "a" * 64, "basis_sha256": "b" * 64, "bundle_sha256": "e" * 64, "clip_norm": 0.5, "colluders": 1,
        "deadline": 20, "dimension": 100, "issued": 10, "log_root": "d" * 64, "log_size": 4, "minimum_cohort": 5, "modulus_bits": 32,
        "noise_multiplier": 2.5, "purpose": "model", "release": 7, "release_sha256": "c" * 64, "repeats": "f" * 64, "reply_slot_ms": 500,
        "reserved_replays": 2, "round": 3, "run": "0123456789abcdef", "weights_permille": {"en": 0, "zh": 900},
    }  # fmt: skip
    payload = json.dumps(by_hand, sort_keys=True, separators=(",", ":")).encode()
    encoded = b"DSSEv1 %d %s %d %s" % (len(KIND), KIND.encode(), len(payload), payload)
    assert repeating.signed(KEY).digest == hashlib.sha256(encoded).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"repeats": ""},
        {"repeats": "f" * 63},
        {"repeats": None},
        {"repeats": "f" * 64, "purpose": "balance"},
        {"repeats": "f" * 64, "purpose": "evaluation"},
        {"reserved_replays": 0},
        {"reserved_replays": -1},
        {"reserved_replays": 101},
        {"reserved_replays": True},
        {"reserved_replays": 1.0},
    ],
)
def test_there_is_one_way_to_write_what_is_repeated(changes):
    with pytest.raises(ProtocolError):
        RoundPlan.from_document({**PLAN.to_document(), "purpose": "model", **changes})
