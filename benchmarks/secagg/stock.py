"""Flower's side: `flower-superlink` and `flower-supernode` with their documented flags, SecAgg+ wired up as in Flower's own example.

TLS with an authority of its own; state in memory and no node authentication, which are the defaults and cost Flower the least.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from secagg.flower_bundle.secagg_plus.vectors import vector
from secagg.traffic import between

from hometone_server.certificates import Certificates

HERE = Path(__file__).resolve().parent
BUNDLE = HERE / "flower_bundle"
STAGES = ("setup", "share keys", "masked vectors", "unmask")
NODE_STAGES = ("setup", "share_keys", "collect_masked_vectors", "unmask")
LOOPBACK = "127.0.0.1"
STEP = 16.0 / (1 << 22)
"""Of Flower's quantisation at its defaults: the clipping range is 8 to either side."""


class Stock:
    """Running processes; end them with `end`."""

    name = "Flower SecAgg+"

    def __init__(self, work: Path, *, laptops: int, threshold: int, timeout_s: float, ports: list[int]) -> None:
        self._work, self._laptops, self._threshold, self._timeout_s = work, laptops, threshold, timeout_s
        self._programs: list[subprocess.Popen[bytes]] = []
        self._runs = 0
        work.mkdir(parents=True)
        certificates = Certificates(work / "tls")
        certificates.folder.mkdir(mode=0o700)
        certificates.create(LOOPBACK)
        address = f"{LOOPBACK}:{ports[0]}"
        self._command_home = work / "command"
        self._command_home.mkdir()
        connection = f'address = "{address}"\nroot-certificates = "{certificates.authority}"\n'
        (self._command_home / "config.toml").write_text(f'[superlink]\ndefault = "here"\n\n[superlink.here]\n{connection}')
        try:
            self._start(
                "superlink",
                *("flower-superlink", "--host", LOOPBACK, "--port", str(ports[0]), "--disable-runtime-dependency-installation"),
                *("--ssl-certfile", str(certificates.server), "--ssl-keyfile", str(certificates.server_key)),
                *("--ssl-ca-certfile", str(certificates.authority)),
            )
            self._wait_for("superlink", "Uvicorn running|startup complete", times=1)
            for number in range(laptops):
                self._start(
                    f"node-{number}",
                    *(sys.executable, str(HERE / "stock_node.py"), str(work / f"traffic-{number}.jsonl")),
                    *("--superlink", address, "--root-certificates", str(certificates.authority), "--port", str(ports[1 + number])),
                    *("--node-config", f"partition-id={number}"),
                )
            for number in range(laptops):
                self._wait_for(f"node-{number}", "SuperNode ID", times=1)
        except BaseException:
            self.end()
            raise

    def _environment(self, home: Path) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "FLWR_HOME": str(home), "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}

    def _start(self, name: str, *command: str) -> None:
        (self._work / name).mkdir()
        with (self._work / f"{name}.log").open("wb") as log:
            self._programs.append(
                subprocess.Popen(
                    command, stdout=log, stderr=log, cwd=self._work, env=self._environment(self._work / name), start_new_session=True
                )
            )

    def _wait_for(self, name: str, words: str, *, times: int) -> None:
        until = time.monotonic() + 90
        while len(re.findall(words, (self._work / f"{name}.log").read_text())) < times:
            if time.monotonic() > until:
                raise TimeoutError(f"{name} does not start: {(self._work / f'{name}.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def round(self, *, dimension: int, dropout: str) -> dict:
        """One run with one round; raises if the average is wrong."""
        self._runs += 1
        out = self._work / f"out-{self._runs}"
        out.mkdir()
        config = f'dimension={dimension} laptops={self._laptops} threshold={self._threshold} timeout-s={self._timeout_s} out="{out}"'
        command = ["flwr", "run", str(BUNDLE), "here", "--run-config", f'{config} dropout="{dropout}"']
        at = time.time()
        environment = self._environment(self._command_home)
        subprocess.run(command, env=environment, check=True, cwd=self._work, stdout=subprocess.DEVNULL)
        began = time.monotonic()  # the run was accepted: the start of the command itself is not counted
        while not (out / "result.json").exists():
            if time.monotonic() - began > 4 * self._timeout_s + 300:
                raise TimeoutError(f"Flower's round did not end: {(self._work / 'superlink.log').read_text()[-3000:]}")
            time.sleep(0.01)
        whole_s, ended = time.monotonic() - began, time.time()
        result = json.loads((out / "result.json").read_text())
        stayed = range(self._laptops if dropout == "none" else self._laptops - 1)
        expected = np.mean([vector(number, dimension).astype(np.float64) for number in stayed], axis=0)
        furthest = float(np.abs(np.load(out / "average.npy") - expected).max()) if result["results"] == len(stayed) else float("inf")
        if furthest > STEP:
            raise ArithmeticError(f"Flower's average is wrong: {result}, {furthest}")
        return {
            "seconds": result["seconds"],
            "with_start_s": whole_s,
            "survivors": result["results"],
            "sum": f"within {furthest:.1e}, one step is {STEP:.1e}",
            "bytes": [between(self._work / f"traffic-{number}.jsonl", at, ended) for number in stayed],
            "own_s": _own(out, list(stayed)),
        }

    def end(self) -> None:
        """End every process group that was started here, the SuperLink last."""
        for program in reversed(self._programs):
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
        until = time.monotonic() + 10
        for program in reversed(self._programs):
            with suppress(subprocess.TimeoutExpired):
                program.wait(max(0.1, until - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()


def _own(out: Path, stayed: list[int]) -> dict[str, float]:
    """Mean seconds of processor that a node spends on a stage itself, its process being there."""
    files = [out / f"node-{number}-{stage}.json" for number in stayed for stage in NODE_STAGES]
    spent: dict[str, float] = {}
    for file in files:
        took = json.loads(file.read_text())
        spent[took["stage"]] = spent.get(took["stage"], 0.0) + took["processor_s"] / len(stayed)
    return spent
