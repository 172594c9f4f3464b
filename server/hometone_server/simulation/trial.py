"""One simulated round from plan to sum, checked bit for bit against the plain sum of what the laptops added."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from hometone_server.rounds.driver import Figures, RoundDriver, Times
from hometone_server.simulation.cohort import VirtualExchange, virtual_laptops
from hometone_shared.errors import FederationError, UsageError
from hometone_shared.privacy.clipping import decode
from hometone_shared.records.plan import RoundPlan, RoundPurpose, threshold

_NOTHING = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a simulated round showed.

    Attributes:
        laptops: How many began.
        survivors: Whose vectors are in the sum.
        seconds: The whole round.
        figures: By stage.
        exact: Whether the sum is the plain sum of the survivors' vectors, bit for bit.
        mean_error: Norm of the decoded mean minus the true mean of the survivors' updates, over C.
        bytes_up: Of one laptop on average, documents and vectors.
        bytes_down: The same, received.
    """

    laptops: int
    survivors: int
    seconds: float
    figures: Figures
    exact: bool
    mean_error: float
    bytes_up: float
    bytes_down: float


def simulate_round(
    *,
    laptops: int,
    dimension: int,
    dropouts: int,
    noise_multiplier: float,
    signal: float = 0.2,
    told: Callable[[str, int, int], None] = lambda _kind, _done, _all: None,
) -> TrialResult:
    """Run one round among virtual laptops.

    Args:
        laptops: How many.
        dimension: Length of the vectors.
        dropouts: How many leave on the way.
        noise_multiplier: z.
        signal: Norm of what all updates have in common, over C.
        told: Called with the stage, and how many of all have answered.

    Raises:
        UsageError: There are too few laptops, or too many leave.
        FederationError: The round failed.
    """
    if laptops < 2 or not 0 <= dropouts <= laptops - threshold(laptops):
        raise UsageError(f"of {laptops} laptops {threshold(max(laptops, 2))} have to stay")
    key = Ed25519PrivateKey.generate()
    now = int(time.time())
    plan = RoundPlan(
        run=secrets.token_hex(8),
        round_number=1,
        attempt=1,
        purpose=RoundPurpose.MODEL,
        base_sha256=_NOTHING,
        basis_sha256=_NOTHING,
        release=0,
        release_sha256=_NOTHING,
        dimension=dimension,
        clip_norm=1.0,
        noise_multiplier=noise_multiplier,
        colluders=0,
        minimum_cohort=2,
        issued=now,
        deadline=now + 86_400,
        reply_slot_ms=0,
        log_size=0,
        log_root=_NOTHING,
        bundle_sha256=_NOTHING,
    )
    updates = _updates(laptops, dimension, signal=signal)
    cohort = virtual_laptops(laptops, dropouts=dropouts)
    exchange = VirtualExchange(cohort, coordinator_key=key.public_key().public_bytes_raw(), contribution=updates, told=told)
    driver = RoundDriver(
        plan=plan,
        envelope=plan.signed(key),
        directory=exchange.directory,
        exchange=exchange,
        times=Times(prepare_s=86_400, stage_s=86_400),
    )
    began = time.monotonic()
    total = driver.run()
    seconds = time.monotonic() - began
    survivors = set(total.survivors)
    expected = np.zeros(dimension, dtype=np.uint32)
    true_mean = np.zeros(dimension)
    for number, laptop in enumerate(cohort):
        if laptop.device in survivors:
            expected += laptop.noisy
            true_mean += updates(number)
    if total.devices == 0:
        raise FederationError("nobody is left in the sum")
    error = decode(total.values, clip_norm=plan.clip_norm) / total.speakers - true_mean / total.devices
    return TrialResult(
        laptops=laptops,
        survivors=total.devices,
        seconds=seconds,
        figures=driver.figures,
        exact=bool(np.array_equal(total.values, expected.view(np.int32).astype(np.int64))),
        mean_error=float(np.linalg.norm(error)),
        bytes_up=driver.figures.bytes_up / laptops,
        bytes_down=driver.figures.bytes_down / laptops,
    )


def _updates(laptops: int, dimension: int, *, signal: float) -> Callable[[int], NDArray[np.float64]]:
    """Updates of norm 1 (C), made anew when they are needed: memory stays small. This randomness protects nobody."""
    common = np.random.default_rng(0).standard_normal(dimension)
    common *= signal / np.linalg.norm(common)

    def update(number: int) -> NDArray[np.float64]:
        own = np.random.default_rng([1, number, laptops]).standard_normal(dimension)
        made: NDArray[np.float64] = common + own * (np.sqrt(1 - signal**2) / np.linalg.norm(own))
        return made / max(1.0, float(np.linalg.norm(made)))

    return update
