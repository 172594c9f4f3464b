"""What Flower costs: real processes on loopback over TLS, one coordinator and some laptops that only echo.

    python benchmarks/flower_exchange.py [--laptops 3] [--rounds 5] [--dimension 300] [--out FILE]

Measures start-up (coordinator, laptop), memory of each process, seconds of one exchange and of a whole run of five in sequence, bytes per
laptop, processor time of the server, and what waiting costs. Uses the processes of tests/federation.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("offer", "roster", "mask", "survivors", "unmask")


def _processes():
    place = ROOT / "tests" / "federation" / "conftest.py"
    spec = importlib.util.spec_from_file_location("federation_processes", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _timed(action):
    began = time.monotonic()
    value = action()
    return value, time.monotonic() - began


def measure(laptops: int, rounds: int, dimension: int, work: Path) -> dict:
    processes = _processes()
    (work / "work").mkdir()
    coordinator = processes.Coordinator(processes.make_home(work / "home"), work / "work")
    coordinator.folder.prepare(bind=coordinator.home.address)
    try:
        superlink, superlink_s = _timed(coordinator.start_superlink)
        executor, executor_s = _timed(coordinator.start_executor)
        nodes = [coordinator.laptop(trace=True) for _ in range(laptops)]
        connected = [node.wait_for("told", value="connected", timeout_s=60)["after_s"] for node in nodes]
        watched = {"superlink": superlink, "executor": executor, "laptop": nodes[0]}
        handles = {name: psutil.Process(program.process.pid) for name, program in watched.items()}

        def processor_s() -> dict[str, float]:
            return {name: sum(handle.cpu_times()[:2]) for name, handle in handles.items()}

        before = processor_s()
        time.sleep(10)
        idle = {name: (value - before[name]) / 10 for name, value in processor_s().items()}
        document = {"answer": {"padding": "x" * 400}}
        stages = [{"kind": kind, "document": document, "vector_bytes": 4 * dimension if kind == "mask" else 0} for kind in STAGES]
        exchanges, wholes, spent = [], [], []
        for _ in range(rounds):
            before = processor_s()
            began = time.monotonic()
            _, out = coordinator.begin(stages, nodes=laptops)
            while not out.exists():
                time.sleep(0.005)
            wholes.append(time.monotonic() - began)
            result = json.loads(out.read_text())
            assert all(len(stage["answers"]) == laptops for stage in result["stages"])
            exchanges += [stage["seconds"] for stage in result["stages"]]
            spent.append(processor_s()["superlink"] - before["superlink"])
        memory = {name: handle.memory_info().rss / 2**20 for name, handle in handles.items()}
        coordinator.send_home(nodes[0])
        told = nodes[0].wait_for("stopped")
        sent = [request for request in told["sent"] if not request["path"].endswith(("heartbeat", "activate-node", "deactivate-node"))]
        return {
            "laptops": laptops,
            "dimension": dimension,
            "superlink_start_s": superlink_s,
            "executor_start_s": executor_s,
            "laptop_start_s": statistics.median(connected),
            "exchange_s": {"median": statistics.median(exchanges), "least": min(exchanges), "most": max(exchanges)},
            "run_of_five_s": {"median": statistics.median(wholes), "least": min(wholes), "most": max(wholes)},
            "superlink_processor_s_per_run": statistics.median(spent),
            "bytes_per_laptop_and_run": {
                "up": sum(request["up"] for request in sent) / rounds,
                "down": sum(request["down"] for request in sent) / rounds,
                "requests": len(sent) / rounds,
            },
            "memory_mib": memory,
            "laptop_peak_mib": told["peak_kib"] / 1024 if told["peak_kib"] else None,
            "idle_processor_share": idle,
            "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        }
    finally:
        coordinator.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laptops", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dimension", type=int, default=300)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options.laptops, options.rounds, options.dimension, Path(folder))
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
