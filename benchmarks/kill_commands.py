"""kill -9 at random points of the `hometone` command: does the vault still work, and is anything half there?

    python benchmarks/kill_commands.py [--rounds 20] [--commands enroll,take,say,revoke] [--seed 1]

Each round: run the command once to know how long it takes here, run it again and kill it after a random share of that time, then look at
the vault through the command alone:

1. `voices` answers with exit code 0 (an erasure that was begun is finished by this).
2. The speaker is either as before or as after, never in between: her takes and her voice can be read, or she is not there at all.
3. No file under the home holds a piece of the recording or of the PIN in the clear.
4. The command, run again, does its work.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from hometone_client.speakers.canaries import scan

ROOT = Path(__file__).resolve().parent.parent
TAKE = ROOT / "sample" / "allison" / "enrol-02.flac"
WORDS = "I am sorry, that's not a valid extension. Please try again."
STEPS = ("enroll", "take", "train", "say", "revoke")


class Bench:
    """One home with one speaker."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.out = folder / "speech.wav"
        self.pin = folder / "pin.txt"
        self.pin.write_text("correct horse", encoding="utf-8")
        samples, _ = soundfile.read(TAKE, dtype="float32")
        start = int(np.argmax(np.abs(samples)))
        self.canaries = {samples[start : start + 12].tobytes(), TAKE.read_bytes()[20_000:20_048], b"correct horse", WORDS.encode()}

    def line(self, step: str) -> list[str]:
        pin = ["--pin-file", str(self.pin)]
        return {
            "enroll": ["enroll", "mei", "--yes", *pin],
            "take": ["take", "add", "mei", str(TAKE), "--text", WORDS, "--language", "en", *pin],
            "train": ["train", "mei", "--tier", "quick", *pin],
            "say": ["say", "af_heart", WORDS, "--out", str(self.out)],
            "revoke": ["revoke", "mei", "--yes", *pin],
            "voices": ["voices"],
        }[step]

    def start(self, step: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "hometone_client.cli", "--json", "--home", str(self.home), *self.line(step)]
        environment = {**os.environ, "HOMETONE_CUSTODY": "file"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", env=environment)

    def run(self, step: str) -> tuple[int, dict[str, Any]]:
        process = self.start(step)
        out, _ = process.communicate()
        return process.returncode, json.loads(out) if out.strip() else {}

    def prepare(self, step: str, *, takes: int) -> None:
        """Bring the home into the state in which the command makes sense."""
        shutil.rmtree(self.home, ignore_errors=True)
        if step in {"take", "train", "revoke"}:
            assert self.run("enroll")[0] == 0
        if step in {"train", "revoke"}:
            for _ in range(takes):
                assert self.run("take")[0] == 0


def killed(bench: Bench, step: str, *, after_s: float) -> bool:
    """Start, wait, kill; returns whether it was still running."""
    process = bench.start(step)
    time.sleep(after_s)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive


def trial(bench: Bench, step: str, *, after_s: float, takes: int) -> str:
    """One round; returns what was wrong, or an empty string."""
    bench.prepare(step, takes=takes)
    killed(bench, step, after_s=after_s)
    code, answer = bench.run("voices") if bench.home.exists() else (0, {"voices": []})
    if code != 0:
        return f"voices ended with {code}: {answer.get('error', {}).get('message')}"
    report = scan(bench.home, bench.canaries)
    if not report.clean:
        return f"{report.found} pieces in the clear"
    there = any(voice["id"] == "mei" for voice in answer["voices"])
    again, second = bench.run(step)
    message = str(second.get("error", {}).get("message", ""))
    if step == "enroll" and there and "already" in message:
        return ""
    if step == "revoke" and not there:
        left = [path for path in (bench.home / "vault").rglob("*") if path.is_dir()]
        return f"{len(left)} folders left" if left else ""
    if step in {"take", "train"} and not there:
        return "the speaker is gone"
    return "" if again == 0 else f"again: {again} {message}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="kill the command at random points")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--commands", default="enroll,take,say,revoke")
    parser.add_argument("--takes", type=int, default=1, help="takes that lie there before train and revoke")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    generator = random.Random(chosen.seed)
    wrong: Counter[str] = Counter()
    rounds = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for step in chosen.commands.split(","):
            bench.prepare(step, takes=chosen.takes)
            started = time.monotonic()
            code, answer = bench.run(step)
            length_s = time.monotonic() - started
            print(f"{step}: takes {length_s:.1f} s here, exit code {code} {answer.get('error', {}).get('message', '')}", flush=True)
            for _ in range(chosen.rounds):
                problem = trial(bench, step, after_s=generator.uniform(0.0, length_s), takes=chosen.takes)
                rounds += 1
                if problem:
                    wrong[f"{step}: {problem}"] += 1
                    print(f"  {problem}", flush=True)
    print(f"{rounds - wrong.total()} of {rounds} rounds left a working vault and nothing in the clear")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
