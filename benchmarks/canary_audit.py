"""Audits the mechanism from outside: does what a round releases give away more than it claims?

    python benchmarks/canary_audit.py [RUNS]

A round of four laptops, of whom three stay, is run RUNS times with a canary's contribution and RUNS times without (default 20,000), end
to end: clip, encode, noise of each laptop, sum modulo 2^32, decode. The adversary knows everything but the noise and whether the canary
took part; her score is the projection of the sum on the canary. Two lower bounds on epsilon follow from how often she is right, each at
95 % (Clopper and Pearson 1934 at 97.5 % for either kind of error):

* without any assumption: log((hits - delta) / false alarms), at a threshold chosen from other runs (a tenth more);
* for a Gaussian mechanism: the mu that the two error rates at one half allow at least (Nasr et al. 2023, "Tight Auditing of
  Differentially Private Machine Learning"), and its epsilon.

The correct mechanism has to stay below what it claims; one with 30 % too little noise, as a control, has to be caught.
"""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta, norm

sys.path.insert(0, str(Path(__file__).parent))

from noise_pool import Pool

from hometone_shared.privacy.accounting import GaussianEvent, epsilon, noise_multiplier
from hometone_shared.privacy.clipping import decode, encode
from hometone_shared.privacy.noise import add_noise
from hometone_shared.records.plan import SCALE, threshold

EPSILON, DELTA = 4.0, 1e-3
DEVICES, DIMENSION, CLIP_NORM = 4, 16, 0.7
DIGEST = "ca" * 32
TOO_LITTLE = 0.7


@dataclass(frozen=True)
class Reading:
    """Two lower bounds on epsilon."""

    without_assumptions: float
    gaussian: float

    @property
    def largest(self):
        return max(self.without_assumptions, self.gaussian)


def scores(runs, *, present, noise=1.0):
    """float64 [runs]: projections of released sums on the canary, in clip norms; 1 more where the canary was there."""
    staying = threshold(DEVICES)
    claimed = noise_multiplier(epsilon=EPSILON, delta=DELTA, rounds=1)
    variance = math.ceil((noise * claimed) ** 2 * SCALE**2 / staying)
    fixed = np.random.default_rng(1)  # the adversary's choice of updates, no part of the mechanism
    direction = fixed.standard_normal(DIMENSION)
    direction /= np.linalg.norm(direction)
    others = [fixed.standard_normal(DIMENSION) for _ in range(staying - 1)]
    known = sum(encode(other, clip_norm=CLIP_NORM).values for other in others)
    sampler, found = Pool(), np.empty(runs)
    for run in range(runs):
        canary = 30.0 * direction if present else np.zeros(DIMENSION)
        total = np.zeros(DIMENSION, dtype=np.uint32)
        for update in (canary, *others):
            clipped = encode(update, clip_norm=CLIP_NORM)
            total += add_noise(clipped, variance=variance, plan_digest=DIGEST, sampler=sampler).residues
        released = decode(total.view(np.int32).astype(np.int64), clip_norm=CLIP_NORM)
        found[run] = (released - known * (CLIP_NORM / SCALE)) @ direction / CLIP_NORM
    return found


def read(present, absent, *, level, confidence=0.95):
    """The two bounds, each holding with this confidence.

    Args:
        present: float64 [n], scores of runs with the canary.
        absent: float64 [m], scores of runs without.
        level: Threshold of the first bound; must not depend on these scores.
        confidence: Of each bound.
    """
    free = gaussian = 0.0
    hits, alarms = rates(present, absent, level, confidence)
    if hits - DELTA > alarms:
        free = math.log((hits - DELTA) / alarms)
    hits, alarms = rates(present, absent, 0.5, confidence)
    mu = norm.ppf(hits) - norm.ppf(alarms)
    if mu > 0:
        gaussian = epsilon([GaussianEvent(1 / mu)], delta=DELTA)
    return Reading(free, gaussian)


def rates(present, absent, level, confidence):
    """Least rate of hits, largest rate of false alarms."""
    return bounds((present > level).sum(), len(present), (absent > level).sum(), len(absent), confidence)


def bounds(hits, present, alarms, absent, confidence):
    either = (1 - confidence) / 2
    low = np.where(hits > 0, beta.ppf(either, np.maximum(hits, 1), present - hits + 1), 0.0)
    high = np.where(alarms < absent, beta.ppf(1 - either, alarms + 1, np.maximum(absent - alarms, 1)), 1.0)
    return low, high


def best_threshold(spread, runs, confidence):
    """Where the first bound is expected to be highest, if scores have this standard deviation."""
    levels = np.linspace(0.0, 5.0, 501)
    hits = np.floor(runs * norm.sf(levels, 1, spread))
    alarms = np.ceil(runs * norm.sf(levels, 0, spread))
    low, high = bounds(hits, runs, alarms, runs, confidence)
    return float(levels[np.argmax((low - DELTA) / high)])


def audit(runs, *, noise=1.0, confidence=0.95):
    spread = float(np.std(scores(runs // 10, present=False, noise=noise)))
    level = best_threshold(spread, runs, confidence)
    with_, without = (scores(runs, present=present, noise=noise) for present in (True, False))
    return read(with_, without, level=level, confidence=confidence)


def main(runs):
    print(f"claimed: epsilon {EPSILON}, delta {DELTA}; {runs} runs with the canary and as many without")
    verdicts = []
    for name, noise in (("as built", 1.0), ("30 % too little noise", TOO_LITTLE)):
        began = time.perf_counter()
        reading = audit(runs, noise=noise)
        verdicts.append(reading.largest > EPSILON)
        print(
            f"{name}: epsilon at least {reading.without_assumptions:.2f} without assumptions, {reading.gaussian:.2f} as a Gaussian; "
            f"{'CAUGHT' if verdicts[-1] else 'within the claim'} ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )
    return 0 if verdicts == [False, True] else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
