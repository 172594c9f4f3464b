"""kill -9 at random points of the `hometone` command: does the vault still work, and is anything half there?

    python benchmarks/kill_commands.py [--rounds 20] [--commands enroll,take,train,queue,say,revoke] [--seed 1] [--finish-every 5]

Each command is run once to the end, to know how long it takes here. Each round then starts on a copy of the same prepared home (enrolling
and recording are done once) and kills the command; the moments are spread over its whole length, one at random in each of as many equal
parts as there are rounds. Then the vault is looked at through the command alone:

1. `voices` answers with exit code 0 (an erasure that was begun is finished by this).
2. The speaker is either as before or as after, never in between: her takes still open with her PIN, or she is not there at all.
3. No file under the home holds a piece of the recording, its words or the PIN in the clear.
4. The command, run again, does its work. `train` and `queue run` take minutes, so they go on to their end in every n-th round only
   (`--finish-every`, 0: never, 1: always); the voice must then speak.

`queue run` works in a process of its own. In every other round only the command is killed: that process must then end by itself (5),
before anything else is looked at. In the other rounds everything is killed at once, as when the power fails.
"""

import argparse
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
from dataclasses import dataclass
from pathlib import Path

from command_bench import PIN, SAMPLE, TAKE, WORDS, Ran, canaries, command_line, environment, minutes, pieces_that_open, run

from hometone_client.speakers.canaries import scan

STEPS = ("enroll", "take", "train", "queue", "say", "revoke")
LONG = ("train", "queue")
ORPHAN_S = 60.0
LONGEST_S = 4 * 3600.0  # quick training on a computer that is busy with other things
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Length:
    """How long a command takes here, and how many pieces of her recordings open before it."""

    wall_s: float
    pieces: int


class Bench:
    """Homes with one speaker, one for each state in which a command makes sense; rounds work on copies."""

    def __init__(self, folder: Path, *, takes: int) -> None:
        self._folder = folder
        self._takes = sorted(SAMPLE.glob("enrol-*.flac"))[:takes]
        self.home = folder / "home"
        self.out = folder / "speech.wav"
        self.pin = folder / "pin.txt"
        self.pin.write_text(PIN, encoding="utf-8")
        self._canaries = canaries()
        self.hit = False
        """Whether the last kill met a command that was still running."""

    def line(self, step: str) -> list[str]:
        pin = ["--pin-file", str(self.pin)]
        return {
            "enroll": ["enroll", "mei", "--yes", *pin],
            "take": ["take", "add", "mei", str(TAKE), "--text", WORDS, "--language", "en", *pin],
            "takes": ["take", "add", "mei", *map(str, self._takes), "--texts", str(SAMPLE / "takes.csv"), *pin],
            "train": ["train", "mei", "--tier", "quick", *pin],
            "queue add": ["queue", "add", "mei", "--tier", "quick", *pin],
            "queue": ["queue", "run"],
            "say": ["say", "af_heart", WORDS, "--out", str(self.out)],
            "own voice": ["say", "mei", "Good morning.", "--out", str(self.out), *pin],
            "revoke": ["revoke", "mei", "--yes", *pin],
            "voices": ["voices"],
        }[step]

    def run(self, step: str) -> Ran:
        return run(self.home, *self.line(step), timeout_s=LONGEST_S)

    def prepare(self, step: str) -> None:
        """Bring the home into the state in which the command makes sense; each state is made once."""
        before = {
            "take": ("enroll",),
            "train": ("enroll", "takes"),
            "revoke": ("enroll", "takes"),
            "queue": ("enroll", "takes", "queue add"),
        }
        shutil.rmtree(self.home, ignore_errors=True)
        done: list[str] = []
        for earlier in before.get(step, ()):
            done.append(earlier)
            kept = self._folder / f"after {', '.join(done)}"
            if not kept.exists():
                ran = self.run(earlier)
                if ran.code != 0:
                    raise SystemExit(f"cannot prepare, {earlier}: {ran.code} {ran.message}")
                shutil.copytree(self.home, kept)
            shutil.rmtree(self.home, ignore_errors=True)
            shutil.copytree(kept, self.home)

    def measure(self, step: str) -> Length:
        """Run it once to the end."""
        self.prepare(step)
        pieces = self.pieces()
        ran = self.run(step)
        print(f"{step}: takes {ran.wall_s:.1f} s here, exit code {ran.code} {ran.message}", flush=True)
        if ran.code != 0:
            raise SystemExit(1)
        return Length(ran.wall_s, pieces)

    def pieces(self) -> int:
        """How many pieces of her recordings open; 0 where there is no vault yet."""
        return pieces_that_open(self.home, "mei", pin_file=self.pin) if self.home.exists() else 0

    def kill(self, step: str, *, after_s: float, everything: bool) -> str:
        """Start, wait, kill; returns what was wrong with the processes, or an empty string."""
        process = subprocess.Popen(
            command_line(self.home, self.line(step)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        time.sleep(after_s)
        self.hit = process.poll() is None
        if everything:
            kill_group(process.pid)
        else:
            process.kill()
        process.wait()
        deadline = time.monotonic() + ORPHAN_S
        while group_lives(process.pid):
            if time.monotonic() > deadline:
                kill_group(process.pid)
                return f"its worker still runs {ORPHAN_S:.0f} s later"  # (5)
            time.sleep(POLL_S)
        return ""

    def trial(self, step: str, length: Length, *, after_s: float, everything: bool, finish: bool) -> str:
        """One round; returns what was wrong, or an empty string."""
        self.prepare(step)
        self.out.unlink(missing_ok=True)
        problem = self.kill(step, after_s=after_s, everything=everything)
        if problem:
            return problem
        known = self.run("voices")  # (1)
        if known.code != 0:
            return f"voices ended with {known.code}: {known.message}"
        there = any(voice["id"] == "mei" for voice in known.answer["voices"])
        problem = self.left(step, there=there, pieces=length.pieces)
        if problem or (step == "revoke" and not there) or (step in LONG and not finish):
            return problem
        return self.again(step, there=there)

    def left(self, step: str, *, there: bool, pieces: int) -> str:
        """(2), (3); returns what was wrong."""
        report = scan(self.home, self._canaries) if self.home.exists() else None
        if report is not None and not report.clean:
            return f"{report.found} pieces in the clear, {report.clear_files} files"
        if there:
            return "" if self.pieces() >= pieces else "her takes do not open any more"
        if step in {"take", *LONG}:
            return "the speaker is gone"
        folders = [path for path in (self.home / "vault").rglob("*") if path.is_dir()] if step == "revoke" else []
        return f"{len(folders)} folders left" if folders else ""

    def again(self, step: str, *, there: bool) -> str:
        """(4) The same line once more; returns what was wrong."""
        again = self.run(step)
        if step == "enroll" and there and "already" in again.message:
            return ""
        if again.code != 0:
            reasons = [outcome["error"] for outcome in again.answer.get("outcomes", [])]
            return "; ".join((f"again: {again.code} {again.message}", *reasons))
        if step in LONG:
            spoken = self.run("own voice")
            if spoken.code != 0 or not spoken.answer.get("seconds"):
                return f"the voice does not speak: {spoken.code} {spoken.message}"
        return ""


def kill_group(leader: int) -> None:
    """Kill a process and all that it has started."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def group_lives(leader: int) -> bool:
    """Whether anything that a process has started still runs; what is dead and not yet taken leave of does not count."""
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdecimal() else []
        except OSError:
            continue
        if fields and fields[2] == str(leader) and fields[0] not in {"Z", "X"}:
            return True
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="kill the command at random points")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--commands", default="enroll,take,say,revoke", help=f"some of {', '.join(STEPS)}; queue is `queue run`")
    parser.add_argument("--takes", type=int, default=4, help="takes that lie there before train, queue and revoke")
    parser.add_argument("--finish-every", type=int, default=5, metavar="N", help="train and queue go on to their end in every N-th round")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    steps = chosen.commands.split(",")
    if set(steps) - set(STEPS):
        parser.error(f"commands are {', '.join(STEPS)}")
    generator = random.Random(chosen.seed)
    wrong: Counter[str] = Counter()
    hits = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), takes=chosen.takes)
        for step in steps:
            length = bench.measure(step)
            started = time.monotonic()
            moments = [(part + generator.random()) / chosen.rounds * length.wall_s for part in range(chosen.rounds)]
            generator.shuffle(moments)
            for number, after_s in enumerate(moments, 1):
                finish = chosen.finish_every > 0 and number % chosen.finish_every == 0
                problem = bench.trial(step, length, after_s=after_s, everything=step != "queue" or number % 2 == 0, finish=finish)
                left_s = (time.monotonic() - started) / number * (chosen.rounds - number)
                verdict = problem or ("well, to its end" if finish and step in LONG else "well")
                hits += bench.hit
                print(f"  {step} {number} of {chosen.rounds}, at {after_s:.1f} s: {verdict}; {minutes(left_s)} to go", flush=True)
                if problem:
                    wrong[f"{step}: {problem}"] += 1
    rounds = chosen.rounds * len(steps)
    print(f"{hits} of {rounds} kills met a command that was still running")
    print(f"{rounds - wrong.total()} of {rounds} rounds left a working vault and nothing in the clear")
    for problem, count in wrong.most_common():
        print(f"  {count} times: {problem}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
