"""One round of our secure sum beside one of Flower's own SecAgg+, on the same machine in the same run: real processes, over TLS.

    python benchmarks/secagg_comparison.py [--dimension 100000] [--repetitions 3] [--json FILE]

Both sides: five nodes as processes of their own, each with a fixed vector and nothing to train; secrets are cut so that four of five
have to stay; the same timeout for every stage. Three kinds of round:

* none: nobody leaves;
* fails: the last node answers the early stages, and when its masked vector is due its program fails, which both frameworks report at
  once;
* silent: it does not answer then. Flower waits for the whole timeout, ours for twice as long again as the others took; this kind is about
  waiting, so it is run once (`--silent` times), and no ratio is taken from it.

Ours: the coordinator's SuperLink and executor, `RoundDriver`, and laptops with the installed connection, state machine, clipping, exact
noise and reply slots of 250 ms; without vault and training. Flower's: `flower-superlink`, `flower-supernode` and `flwr run` with their
defaults, `SecAggPlusWorkflow` and `secaggplus_mod`. Only one side's processes run at a time, and who comes first changes with every
repetition. Every sum is checked: ours against the plain sum of what the laptops added, noise included, bit for bit; Flower's average
against the true one, to a step of its quantisation. Bytes are the bodies of a node's calls to the SuperLink, polls included, headers not.

"The round" is `RoundDriver.run` and `SecAggPlusWorkflow.__call__`. "With its start" is from asking for the run (for Flower: from when `flwr
run` had been told that it was accepted) to the result on the disk. "Own work" is processor time inside a node's stages,
without the start of its process and without the noise, which is given beside it.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path

from secagg import ours, stock

from hometone_server.simulation.trial import simulate_round
from hometone_shared.records.plan import threshold

SMALL_DIMENSION = 1_000
LAPTOPS = 5
AIM_TIMES, AIM_KIB = 5.0, 64.0
KINDS = ("none", "fails", "silent")


def measure(options, work: Path) -> dict:
    """All rounds of both sides, in order."""
    rounds: list[dict] = []

    def one(side, label: str, *, dimension: int, dropout: str, repetition: int) -> None:
        load = os.getloadavg()[0]
        found = side.round(dimension=dimension, dropout=dropout)
        rounds.append(
            {"side": side.name, "label": label, "dropout": dropout, "dimension": dimension, "load": load, "repetition": repetition, **found}
        )
        whole = found["seconds"]["whole"]
        print(f"# repetition {repetition}: {side.name}, {label}, dropout {dropout}: {whole:.2f} s, load {load:.1f}", flush=True)

    def our_turn(repetition: int) -> None:
        side = ours.Ours(work / f"ours-{repetition}", laptops=LAPTOPS, timeout_s=options.timeout)
        try:
            for label in ("cold", "small", "small"):
                one(side, label, dimension=SMALL_DIMENSION, dropout="none", repetition=repetition)
            kinds(side, repetition)
        finally:
            side.end()

    def their_turn(repetition: int) -> None:
        ports = [ours.free_port() for _ in range(LAPTOPS + 1)]
        place = work / f"stock-{repetition}"
        side = stock.Stock(place, laptops=LAPTOPS, threshold=threshold(LAPTOPS), timeout_s=options.timeout, ports=ports)
        try:
            kinds(side, repetition)
        finally:
            side.end()

    def kinds(side, repetition: int) -> None:
        for dropout in KINDS if repetition < options.silent else KINDS[:2]:  # the silent node would miss what follows: it comes last
            one(side, "compared", dimension=options.dimension, dropout=dropout, repetition=repetition)

    for repetition in range(options.repetitions):
        turns = (our_turn, their_turn) if repetition % 2 == 0 else (their_turn, our_turn)
        for turn in turns:
            turn(repetition)
    return {"rounds": rounds, "summary": summary(rounds), "simulated": simulated()}


def simulated() -> dict:
    """Fifty laptops in one process, two of which leave: the protocol without a network."""
    found = simulate_round(laptops=50, dimension=SMALL_DIMENSION, dropouts=2, noise_multiplier=1.0)
    per_laptop = {"up": found.bytes_up, "down": found.bytes_down}
    return {"laptops": 50, "survivors": found.survivors, "seconds": found.seconds, "exact": found.exact, "bytes_per_laptop": per_laptop}


def summary(rounds: list[dict]) -> list[dict]:
    """Medians of every kind of round."""
    kinds = dict.fromkeys((each["side"], each["label"], each["dropout"]) for each in rounds)
    return [_median([each for each in rounds if (each["side"], each["label"], each["dropout"]) == kind]) for kind in kinds]


def _median(alike: list[dict]) -> dict:
    def of(values) -> float:
        return statistics.median(list(values))

    nodes = [node for each in alike for node in each["bytes"]]
    return {
        **{name: alike[0][name] for name in ("side", "label", "dropout", "dimension", "survivors")},
        "times": len(alike),
        "seconds": {stage: of(each["seconds"][stage] for each in alike) for stage in alike[0]["seconds"]},
        "round_s": sorted(each["seconds"]["whole"] for each in alike),
        "with_start_s": of(each["with_start_s"] for each in alike),
        "own_s": {stage: of(each["own_s"].get(stage, 0.0) for each in alike) for stage in alike[0]["own_s"]},
        "bytes": {way: of(node[way] for node in nodes) for way in ("up", "down", "calls")},
        "load": [round(each["load"], 1) for each in alike],
        "sum": alike[-1]["sum"],
    }


def ratios(found: list[dict]) -> dict[str, float]:
    """How many times as long Flower's takes, by kind of round."""
    medians = {(each["side"], each["dropout"]): each for each in found if each["label"] == "compared"}
    result = {}
    for dropout in ("none", "fails"):
        mine, theirs = medians["Hometone", dropout], medians["Flower SecAgg+", dropout]
        result[f"{dropout}: round"] = theirs["seconds"]["whole"] / mine["seconds"]["whole"]
        result[f"{dropout}: round, Flower's quickest over our slowest"] = theirs["round_s"][0] / mine["round_s"][-1]
        result[f"{dropout}: with its start"] = theirs["with_start_s"] / mine["with_start_s"]
        result[f"{dropout}: a node's own work without noise"] = _own_work(theirs) / _own_work(mine)
        result[f"{dropout}: bytes a node sends"] = theirs["bytes"]["up"] / mine["bytes"]["up"]
    return result


def _own_work(each: dict) -> float:
    """Seconds of processor without the noise, which Flower's side has none of."""
    return sum(seconds for stage, seconds in each["own_s"].items() if stage != "noise")


def show(result: dict) -> None:
    heads = ["side", "d", "dropout", "in the sum", "times", "by stage, s", "the round, s (least to most)", "with its start, s"]
    heads += ["own work, s", "noise, s", "a node sends, kB", "gets, kB", "calls", "load"]
    print("\n| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for each in result["summary"]:
        seconds, moved = each["seconds"], each["bytes"]
        cells = (
            each["side"] + (", first after the start" if each["label"] == "cold" else ""),
            *(each[name] for name in ("dimension", "dropout", "survivors", "times")),
            ", ".join(f"{stage} {value:.2f}" for stage, value in seconds.items() if stage != "whole"),
            f"{seconds['whole']:.2f} ({each['round_s'][0]:.2f} to {each['round_s'][-1]:.2f})",
            f"{each['with_start_s']:.2f}",
            f"{_own_work(each):.3f}",
            f"{each['own_s'].get('noise', 0.0):.3f}",
            *(f"{moved[way] / 1000:.1f}" for way in ("up", "down")),
            f"{moved['calls']:.0f}",
            each["load"],
        )
        print("| " + " | ".join(map(str, cells)) + " |")
    print("\nFlower's over ours:")
    for name, times in result["ratios"].items():
        print(f"  {name}: {times:.2f} times" + (f" (aim: at least {AIM_TIMES:.0f})" if name.endswith(": round") else ""))
    small = next(each for each in result["summary"] if each["label"] == "small")
    both = (small["bytes"]["up"] + small["bytes"]["down"]) / 1024
    print(f"\nTrivial round, d = {SMALL_DIMENSION}, {LAPTOPS} laptops: {small['seconds']['whole']:.2f} s")
    print(f"  with the start of its run: {small['with_start_s']:.2f} s")
    print(f"  a laptop, both ways, transport bodies included: {both:.1f} KiB (aim: at most {AIM_KIB:.0f})")
    trial = result["simulated"]
    print(f"Simulated, d = {SMALL_DIMENSION}, {trial['laptops']} laptops in one process: {trial['seconds']:.2f} s")
    print(f"  in the sum: {trial['survivors']}; exact: {trial['exact']}")
    ways = trial["bytes_per_laptop"]
    print(f"  a laptop, without transport: {ways['up'] / 1024:.1f} KiB up, {ways['down'] / 1024:.1f} KiB down")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, default=100_000, help="length of the vectors that are compared")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--silent", type=int, default=1, help="in how many repetitions a node is silent, too")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for every stage, on both sides")
    parser.add_argument("--json", type=Path, help="write everything there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    result["ratios"] = ratios(result["summary"])
    result["settings"] = {"laptops": LAPTOPS, "threshold": threshold(LAPTOPS), "timeout_s": options.timeout, "dimension": options.dimension}
    result["machine"] = {"cores": os.cpu_count(), "python": platform.python_version(), "flwr": _version("flwr")}
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


if __name__ == "__main__":
    main()
