"""What a round of secure aggregation costs, by number of laptops: all of them and the coordinator in one process, on one core.

    python benchmarks/secagg_scale.py [LAPTOPS ...] [--dimension 4000]

Every laptop gives a random clipped vector of whole numbers. One in twenty drops out, in turn before its shares, its vector, its signature
and its opened shares. The decoded sum is compared with the plain sum bit for bit. Transport is not in it: bytes are those of the documents
and vectors.
"""

import argparse
import hashlib
import json
import time
from collections import defaultdict
from itertools import cycle

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.records.plan import SCALE, RoundPlan, RoundPurpose
from hometone_shared.secagg.aggregator import Aggregator
from hometone_shared.secagg.participant import Participant
from hometone_shared.secagg.roster import device_id
from hometone_shared.updates import NoisyUpdate

STAGES = ("offer", "roster", "mask", "survivors", "unmask", "sum")


class Costs:
    """Seconds of processor by stage and side, bytes by direction."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self.down = self.up = 0

    def timed(self, stage, side, work, *args, **named):
        begun = time.process_time()
        result = work(*args, **named)
        self.seconds[stage, side] += time.process_time() - begun
        return result


def size(document):
    """Bytes of the canonical form; all texts are ASCII, so the fast writer's are as many."""
    return len(json.dumps(document, separators=(",", ":")))


def a_plan(dimension):
    digest = hashlib.sha256(b"secagg_scale").hexdigest()
    plan = RoundPlan(
        run="00" * 8, round_number=1, attempt=1, purpose=RoundPurpose.MODEL, base_sha256=digest, basis_sha256=digest, release=0,
        release_sha256=digest, dimension=dimension, clip_norm=1.0, noise_multiplier=1.0, colluders=0, minimum_cohort=2, issued=0,
        deadline=1, reply_slot_ms=0, log_size=0, log_root=digest, bundle_sha256=digest,
    )  # fmt: skip
    return plan, digest


def measure(laptops, dimension):
    plan, digest = a_plan(dimension)
    signing_keys = [Ed25519PrivateKey.generate() for _ in range(laptops)]
    publics = [key.public_key().public_bytes_raw() for key in signing_keys]
    directory = {device_id(public): public for public in publics}
    draw = np.random.default_rng(laptops)
    vectors = draw.standard_normal((laptops, dimension))
    vectors = np.trunc(vectors * (SCALE / np.linalg.norm(vectors, axis=1, keepdims=True))).astype(np.int64)
    inputs = {device_id(public): vector for public, vector in zip(publics, vectors, strict=True)}
    dropped = draw.permutation(sorted(inputs))[: max(1, laptops // 20)].tolist()
    leaving = dict(zip(dropped, cycle(("roster", "mask", "survivors", "unmask")), strict=False))
    costs = Costs()
    aggregator = Aggregator(plan=plan, plan_digest=digest, directory=directory)

    here = {}
    for key in signing_keys:
        participant = costs.timed("offer", "laptops", Participant, plan=plan, plan_digest=digest, signing_key=key, speakers=1)
        advertisement = costs.timed("offer", "laptops", participant.advertise)
        costs.up += size(advertisement)
        here[costs.timed("offer", "coordinator", aggregator.add_advertisement, advertisement)] = participant
    request = costs.timed("offer", "coordinator", aggregator.close_roster)

    def stay(stage):
        return {device: participant for device, participant in here.items() if leaving.get(device) != stage}

    down = size(request)
    here = stay("roster")
    for device, participant in here.items():
        answer = costs.timed("roster", "laptops", participant.share, request, directory=directory)
        costs.down, costs.up = costs.down + down, costs.up + size(answer)
        costs.timed("roster", "coordinator", aggregator.add_shares, device, answer)
    requests = costs.timed("roster", "coordinator", aggregator.close_shares)

    here = stay("mask")
    for device, participant in here.items():
        costs.timed("mask", "laptops", participant.receive_shares, requests[device])
        update = NoisyUpdate((inputs[device] % (1 << 32)).astype(np.uint32), digest)
        masked = costs.timed("mask", "laptops", participant.mask, update).to_bytes()
        costs.down, costs.up = costs.down + size(requests[device]), costs.up + len(masked)
        costs.timed("mask", "coordinator", aggregator.add_masked, device, masked)
    expected = sum(inputs[device] for device in here)
    request = costs.timed("mask", "coordinator", aggregator.close_masked)

    down = size(request)
    here = stay("survivors")
    for device, participant in here.items():
        answer = costs.timed("survivors", "laptops", participant.sign, request)
        costs.down, costs.up = costs.down + down, costs.up + size(answer)
        costs.timed("survivors", "coordinator", aggregator.add_signature, device, answer)
    request = costs.timed("survivors", "coordinator", aggregator.close_signatures)

    down = size(request)
    here = stay("unmask")
    for device, participant in here.items():
        answer = costs.timed("unmask", "laptops", participant.unmask, request)
        costs.down, costs.up = costs.down + down, costs.up + size(answer)
        costs.timed("unmask", "coordinator", aggregator.add_unmasking, device, answer)
    total = costs.timed("sum", "coordinator", aggregator.total)
    assert np.array_equal(total.values, expected), "the decoded sum is not the plain sum"
    return costs, len(leaving)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("laptops", nargs="*", type=int, default=[10, 30, 100, 300, 1000])
    parser.add_argument("--dimension", type=int, default=4000)
    options = parser.parse_args()
    print(f"d = {options.dimension}; seconds of processor, of all laptops together / of the coordinator; the sum was exact in every row")
    print("| laptops | dropped | " + " | ".join(STAGES) + " | all | by the clock | a laptop, ms | a laptop sends, kB | gets, kB |")
    print("|---" * (len(STAGES) + 7) + "|")
    for laptops in options.laptops:
        begun = time.perf_counter()
        costs, dropped = measure(laptops, options.dimension)
        cells = [f"{costs.seconds[stage, 'laptops']:.2f} / {costs.seconds[stage, 'coordinator']:.2f}" for stage in STAGES]
        own = sum(seconds for (_, side), seconds in costs.seconds.items() if side == "laptops") / laptops
        print(
            f"| {laptops} | {dropped} | "
            + " | ".join(cells)
            + f" | {sum(costs.seconds.values()):.1f} | {time.perf_counter() - begun:.1f} | {1000 * own:.0f} "
            f"| {costs.up / laptops / 1000:.0f} | {costs.down / laptops / 1000:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
