"""How long a device's noise takes, as a Markdown table, beside OpenDP's sampler, and whether the two agree in law.

python benchmarks/noise_sampler.py
"""

import math
import time

import numpy as np
from scipy import stats

from hometone_shared.privacy.noise import discrete_gaussian

VARIANCES = (9, 1 << 14, 1 << 28, 1 << 36)
DIMENSIONS = (1_000, 10_000, 100_000)
REPEATS = 5


def opendp_gaussian(count, *, variance):
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
    return np.array(dp.m.make_gaussian(*space, scale=math.sqrt(variance))([0] * count), dtype=np.int64)


def median_ms(sampler, dimension, variance):
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        sampler(dimension, variance=variance)
        taken.append(time.perf_counter() - began)
    return 1000 * float(np.median(taken))


def main():
    print("| variance | " + " | ".join(f"d = {d:,} (OpenDP)" for d in DIMENSIONS) + " | variance ratio | KS p against OpenDP |")
    print("|---" * (len(DIMENSIONS) + 3) + "|")
    for variance in VARIANCES:
        times = [
            f"{median_ms(discrete_gaussian, d, variance):.0f} ms ({median_ms(opendp_gaussian, d, variance):.0f} ms)" for d in DIMENSIONS
        ]
        ours, theirs = discrete_gaussian(1_000_000, variance=variance), opendp_gaussian(200_000, variance=variance)
        ratio = float(np.mean(ours.astype(float) ** 2)) / variance
        agreement = stats.ks_2samp(ours, theirs).pvalue
        print(f"| {variance:,} | {' | '.join(times)} | {ratio:.4f} | {agreement:.3f} |", flush=True)


if __name__ == "__main__":
    main()
