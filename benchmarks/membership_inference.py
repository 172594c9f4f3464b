"""Who sees everything, knows everybody else and bets on one speaker: how often is she right, before and after the exact replay?

    python benchmarks/membership_inference.py [FEDERATIONS]

FEDERATIONS federations (default 4,000) that a speaker joins in round 2 of 4, and as many that she never joins, are run end to end: clip,
encode, each laptop's own noise, sum modulo 2^32, decode, next release in float32 (four of five laptops stay, so that nobody's noise is
more than was promised). She gives the worst that she can: the full clip norm in one direction, every round. The attacker knows that
direction, the contributions of all others (which she computes anew from every release), all plans and all releases that are public; her
score is the sum over the rounds of (released sum less the others') along that direction, which is the best linear one.

* before: she reads the releases as they were published;
* after: the speaker has withdrawn, rounds 2 to 4 were repeated without her, the old releases are withdrawn. She reads what is left;
* too late: a replay that begins one round too late, as a control: it has to be caught.

Whoever has kept the withdrawn releases is where she was before: the bound of differential privacy is all that holds against her.

AUC: area under the curve of hits over false alarms, 0.5 is guessing; interval of DeLong et al. 1988, 95 %. Advantage: hits less false
alarms at the best fixed threshold (half of what the speaker adds), interval from Clopper and Pearson 1934 at 97.5 % for either rate.
Bounds: of a Gaussian mechanism with the mu of the repeated rounds, AUC at most Phi(mu / sqrt 2) and advantage at most 2 Phi(mu / 2) - 1
(Dong, Roth and Su 2022); of any mechanism with this epsilon and delta, advantage at most (e^epsilon - 1 + 2 delta) / (e^epsilon + 1).
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

from hometone_server.rounds.outcomes import moved
from hometone_shared.privacy.accounting import noise_multiplier
from hometone_shared.privacy.clipping import decode, encode
from hometone_shared.privacy.noise import add_noise
from hometone_shared.records.plan import SCALE, threshold

EPSILON, DELTA = 2.0, 1e-3
DEVICES, ROUNDS, JOINS, DIMENSION, CLIP_NORM, STEP = 5, 4, 2, 16, 0.7, 0.8
DIGEST = "3e" * 32
STAYING = threshold(DEVICES)
EXPOSED = ROUNDS - JOINS + 1
"""Rounds that she was in, and for which her budget is."""
MULTIPLIER = noise_multiplier(epsilon=EPSILON, delta=DELTA, rounds=EXPOSED)
MU = math.sqrt(EXPOSED) / MULTIPLIER


class World:
    """What does not change from one federation to the next, and the attacker knows."""

    def __init__(self):
        fixed = np.random.default_rng(1)  # the attacker's choice, no part of the mechanism
        self.direction = fixed.standard_normal(DIMENSION)
        self.direction /= np.linalg.norm(self.direction)
        self.wanted = fixed.standard_normal((STAYING - 1, DIMENSION))
        self.sampler = Pool()
        self.variance = math.ceil(MULTIPLIER**2 * SCALE**2 / STAYING)

    def others(self, release):
        """int64 [laptops - 1, d]: what the others give, encoded, starting from a release."""
        return np.stack([encode(np.tanh(each - release), clip_norm=CLIP_NORM).values for each in self.wanted])

    def round(self, release, *, is_in):
        """The release after one round from a release; `is_in`: whether the speaker gives something."""
        canary = encode(30.0 * self.direction if is_in else np.zeros(DIMENSION), clip_norm=CLIP_NORM)
        given = [canary, *(encode(np.tanh(each - release), clip_norm=CLIP_NORM) for each in self.wanted)]
        total = np.zeros(DIMENSION, dtype=np.uint32)
        for clipped in given:
            total += add_noise(clipped, variance=self.variance, plan_digest=DIGEST, sampler=self.sampler).residues
        decoded = decode(total.view(np.int32).astype(np.int64), clip_norm=CLIP_NORM)
        return moved(release, decoded / STAYING, step=STEP)

    def run(self, release, rounds, *, is_in):
        """All releases, the first one included: `is_in` says of each round whether she is."""
        releases = [release]
        for number in rounds:
            releases.append(self.round(releases[-1], is_in=is_in(number)))
        return releases

    def score(self, releases, *, first):
        """The attacker's: what she adds each round, in clip norms, summed over the rounds that lead from `releases[first]` on."""
        found = 0.0
        for before, after in zip(releases[first:], releases[first + 1 :], strict=False):
            mean = (after.astype(np.float64) - before) / STEP
            known = self.others(before).sum(0) * (CLIP_NORM / SCALE)
            found += (mean * STAYING - known) @ self.direction / CLIP_NORM
        return found


def scores(federations, *, joins):
    """float64 [federations] for each view: 'before', 'after', 'too late'."""
    world = World()
    found = {view: np.empty(federations) for view in ("before", "after", "too late")}
    start = np.zeros(DIMENSION, dtype=np.float32)
    rounds = range(1, ROUNDS + 1)
    for number in range(federations):
        published = world.run(start, rounds, is_in=lambda k: joins and k >= JOINS)
        found["before"][number] = world.score(published, first=JOINS - 1)
        for view, again in (("after", JOINS), ("too late", JOINS + 1)):
            kept = published[:again]
            repeated = world.run(kept[-1], rounds[again - 1 :], is_in=lambda _k: False)
            found[view][number] = world.score([*kept, *repeated[1:]], first=JOINS - 1)
    return found


@dataclass(frozen=True)
class Reading:
    """How well an attacker does, with intervals."""

    auc: float
    auc_low: float
    auc_high: float
    advantage: float
    advantage_low: float
    advantage_high: float

    @property
    def is_at_chance(self):
        return self.auc_low <= 0.5 <= self.auc_high and self.advantage_low <= 0.0 <= self.advantage_high


def read(present, absent, *, confidence=0.95, level=EXPOSED / 2):
    """AUC and advantage of scores of federations with her and without her."""
    auc, error = delong(present, absent)
    far = norm.isf((1 - confidence) / 2) * error
    hits, hits_low, hits_high = rate((present > level).sum(), len(present), confidence)
    alarms, alarms_low, alarms_high = rate((absent > level).sum(), len(absent), confidence)
    return Reading(auc, auc - far, auc + far, hits - alarms, hits_low - alarms_high, hits_high - alarms_low)


def delong(present, absent):
    """Area under the curve and its standard error."""
    order = np.concatenate([present, absent])
    ranks = np.empty(order.size)
    ranks[order.argsort(kind="stable")] = np.arange(1, order.size + 1)
    own = [np.empty(part.size) for part in (present, absent)]
    for part, target in zip((present, absent), own, strict=True):
        target[part.argsort(kind="stable")] = np.arange(1, part.size + 1)
    above = (ranks[: present.size] - own[0]) / absent.size
    below = 1 - (ranks[present.size :] - own[1]) / present.size
    return float(above.mean()), math.sqrt(above.var(ddof=1) / present.size + below.var(ddof=1) / absent.size)


def rate(count, of, confidence):
    either = (1 - confidence) / 4
    low = beta.ppf(either, count, of - count + 1) if count else 0.0
    high = beta.ppf(1 - either, count + 1, of - count) if count < of else 1.0
    return count / of, float(low), float(high)


def bounds():
    """Largest AUC and advantage that the promise allows: of a Gaussian mechanism, and advantage of any mechanism."""
    return (
        float(norm.cdf(MU / math.sqrt(2))),
        float(2 * norm.cdf(MU / 2) - 1),
        (math.exp(EPSILON) - 1 + 2 * DELTA) / (math.exp(EPSILON) + 1),
    )


def main(federations):
    began = time.perf_counter()
    with_her, without = (scores(federations, joins=joins) for joins in (True, False))
    auc, advantage, of_any = bounds()
    print(
        f"epsilon {EPSILON:g}, delta {DELTA:g}, {EXPOSED} rounds with z = {MULTIPLIER:.3f}, mu = {MU:.3f}; {federations} federations each"
    )
    print(f"bounds: AUC {auc:.3f}, advantage {advantage:.3f} (Gaussian), {of_any:.3f} (any mechanism)")
    readings = {view: read(with_her[view], without[view]) for view in with_her}
    for view, found in readings.items():
        print(
            f"{view}: AUC {found.auc:.3f} ({found.auc_low:.3f} to {found.auc_high:.3f}), advantage {found.advantage:.3f} "
            f"({found.advantage_low:.3f} to {found.advantage_high:.3f})"
        )
    print(f"{time.perf_counter() - began:.0f} s")
    kept = readings["before"].auc_low <= auc and readings["before"].advantage_low <= advantage
    as_promised = kept and readings["after"].is_at_chance and not readings["too late"].is_at_chance
    print("as promised" if as_promised else "NOT AS PROMISED")
    return 0 if as_promised else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000))
