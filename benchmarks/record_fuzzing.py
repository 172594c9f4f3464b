"""Damaged records against every parser of withdrawal, and against envelopes, heads and proofs of the log.

    python benchmarks/record_fuzzing.py [--executions 1000000 | --seconds 30] [--seed 1] [--first 0] [--only PATTERN]

Each execution damages one valid record and lets its parser read it. It may raise ProtocolError, or take it if it still says what it said
(`Target.allowed`). Anything else is a failure, printed with the seed and the number that bring it back. Half of the damage to signed
documents is done before they are signed, by the right key, so that it gets past the signature.

1. An execution depends on the seed and its number alone.
2. Whatever is no ProtocolError is a failure, also a RecursionError or a MemoryError.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing.mutations import damaged
from fuzzing.samples import TARGETS, Target

from hometone_shared.errors import ProtocolError

MOST_SHOWN = 20
GENUINE = frozenset(valid for target in TARGETS for valid in target.valid)


@dataclass
class Tally:
    """What became of the executions."""

    executions: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def execute(number: int, *, seed: int, targets: Sequence[Target], tally: Tally) -> None:
    """One execution (1)."""
    rng = random.Random(seed << 48 | number)
    target = rng.choice(targets)
    original = rng.choice(target.valid)
    changed = damaged(original, rng, rng.choice(targets).valid + target.valid)
    tally.executions += 1
    try:
        data = target.sign(changed)
        understood = target.read(data)
    except ProtocolError:
        tally.refused[target.name] += 1
        return
    except Exception as error:  # (2)
        tally.failures.append(f"{target.name}: {type(error).__name__}: {error}; --seed {seed} --first {number} --executions 1")
        return
    if changed == original or (data is changed and data in GENUINE):  # a splice may make another genuine record of it
        tally.same[target.name] += 1
    elif target.allowed(original, data, understood):
        tally.other[target.name] += 1
    else:
        tally.failures.append(f"{target.name}: took what it must not; --seed {seed} --first {number} --executions 1")


def fuzz(*, seed: int, first: int = 0, executions: int | None = None, seconds: float = 30.0, targets: Sequence[Target] = TARGETS) -> Tally:
    """Execute a number of times, or for a while."""
    tally, began, number = Tally(), time.perf_counter(), first
    while number - first < executions if executions is not None else time.perf_counter() - began < seconds:
        execute(number, seed=seed, targets=targets, tally=tally)
        number += 1
    tally.seconds = time.perf_counter() - began
    return tally


def main() -> int:
    """Run and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    targets = [target for target in TARGETS if options.only.lower() in target.name.lower()]
    tally = fuzz(seed=options.seed, first=options.first, executions=options.executions, seconds=options.seconds, targets=targets)
    print(f"{'parser':40}{'refused':>10}{'unchanged':>11}{'taken':>8}")
    for target in dict.fromkeys(target.name for target in targets):
        print(f"{target:40}{tally.refused[target]:>10}{tally.same[target]:>11}{tally.other[target]:>8}")
    rate = tally.executions / tally.seconds
    print(f"{tally.executions} executions in {tally.seconds:.1f} s, {rate:.0f} a second, {len(tally.failures)} failures")
    for failure in tally.failures[:MOST_SHOWN]:
        print(failure)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
