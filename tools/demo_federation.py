"""A federation on one machine: a real coordinator over TLS, four real laptops with six speakers, one of them killed in mid-round.

Part of `python3 run.py demo`. It shows: the coordinator learns noised sums, a laptop that dies does not lose the round, a release of
the shared model is made. The two people of the sample play six speakers, each with other takes. Limits and budgets are the usual ones,
so with six people the release is mostly noise, as `hometone-coordinator plan` says beforehand: this shows that rounds work, not that
six people are enough. What it must never do: leave a process or a voice behind.
"""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LAPTOPS: Final = {
    "laptop-1": (("allison", 0), ("carlo", 0)),
    "laptop-2": (("allison", 1), ("carlo", 1)),
    "laptop-3": (("allison", 2),),
    "laptop-4": (("carlo", 2),),
}
DIES: Final = "laptop-4"
WITHDRAWS: Final = ("laptop-2", "carlo-2")
TAKES_EACH: Final = 3
MINIMUM_COHORT: Final = 3
BUDGET: Final = 8.0
EPSILON: Final = 3.9
DIMENSION: Final = 4
_PATIENCE_S: Final = 240.0


class FederationDemoError(Exception):
    """A step failed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demonstration takes place.

    Attributes:
        folder: Homes of coordinator and laptops.
        sample: The sample's recordings.
        pin: File with the PIN of all speakers.
        say: Says one line.
    """

    folder: Path
    sample: Path
    pin: Path
    say: Callable[[str], None]

    def hometone(self, laptop: str, *arguments: str) -> dict[str, Any]:
        """Run one command of a laptop."""
        return _answer(["-m", "hometone_client.cli", "--json", "--home", str(self.folder / laptop), *arguments])

    def coordinator(self, *arguments: str) -> dict[str, Any]:
        """Run one command of the coordinator."""
        return _answer(["-m", "hometone_server.cli", "--json", "--home", str(self.folder / "coordinator"), *arguments])


def _answer(words: Sequence[str]) -> dict[str, Any]:
    finished = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, encoding="utf-8", check=False)
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1]) if finished.stdout.strip() else {}
    if finished.returncode != 0:
        error = answer.get("error", {})
        raise FederationDemoError(
            f"{words[1]} ended with {finished.returncode}: {error.get('message', 'no answer')} {error.get('hint', '')}"
        )
    return answer


@contextmanager
def _running(words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process beside us, ended politely, and by force if that does not help."""
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, *words], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enrol(stage: Stage) -> None:
    """Six speakers on four laptops, each with consent to rounds and a budget."""
    for laptop, people in LAPTOPS.items():
        for person, part in people:
            name = f"{person}-{part + 1}"
            with (stage.sample / person / "takes.csv").open(encoding="utf-8", newline="") as table:
                rows = [row for row in csv.DictReader(table) if row["split"] == "enrol"][part * TAKES_EACH : (part + 1) * TAKES_EACH]
            stage.hometone(
                laptop, "enroll", name, "--yes", "--pin-file", str(stage.pin), "--gender", "woman" if person == "allison" else "man"
            )
            files = [str(stage.sample / person / row["file"]) for row in rows]
            texts = str(stage.sample / person / "takes.csv")
            language = "en" if person == "allison" else "it"
            stage.hometone(laptop, "take", "add", name, *files, "--texts", texts, "--language", language, "--pin-file", str(stage.pin))
            stage.hometone(laptop, "contribute", name, "--budget", str(BUDGET), "--yes", "--pin-file", str(stage.pin))
        stage.say(f"  {laptop}: {len(people)} speakers, consent to rounds, a budget of epsilon {BUDGET:g} each")


def play(stage: Stage) -> dict[str, Any]:
    """Found a coordinator, join, run a round, lose a laptop in the middle of it.

    Returns:
        The coordinator's status at the end.

    Raises:
        FederationDemoError: A step failed.
    """
    stage.say("\na federation: a coordinator, four laptops, six speakers played by two people")
    stage.coordinator("init", "Demo village hall", "--address", f"127.0.0.1:{free_port()}")
    enrol(stage)
    root = stage.folder / "coordinator"
    with _running(["-m", "hometone_server.cli", "--home", str(root), "serve"], stage.folder / "coordinator.log") as coordinator:
        _wait_until(lambda: _is_ready(stage.folder / "coordinator.log", coordinator), "the coordinator")
        codes = stage.coordinator("invite", "--count", str(len(LAPTOPS)))["codes"]
        for laptop, code in zip(LAPTOPS, codes, strict=True):
            stage.hometone(laptop, "join", code, "--minimum-cohort", str(MINIMUM_COHORT))
        stage.say("  all four have joined, each with a one-time code")
        with _laptops(stage) as laptops:
            order = ["--rounds", "1", "--speakers", "6", "--laptops", "4", "--epsilon", str(EPSILON), "--dimension", str(DIMENSION)]
            run = stage.coordinator("round", *order, "--minimum-cohort", str(MINIMUM_COHORT), "--stage-s", "30", "--no-wait")["run"]
            stage.say(f"  a round is ordered; when vectors are being masked, {DIES} is killed")
            began = time.monotonic()
            _wait_until(lambda: _stage_of(stage, run) in {"mask", "survivors", "unmask", "sum", "done"}, "the round")
            laptops[DIES].kill()
            _wait_until(lambda: _stage_of(stage, run) == "done", "the round")
            status = stage.coordinator("status")
            attempts = [each for each in status["attempts"] if each["run"] == run]
            figures = attempts[-1]["figures"]
            if attempts[-1]["state"] != "finished":
                raise FederationDemoError(f"the round failed: {figures.get('reason')}")
            stage.say(
                f"  release {status['release']} from {figures.get('survivors')} of {figures['devices']['roster']} laptops, "
                f"{time.monotonic() - began:.0f} s with their training; the coordinator saw a sum of {figures.get('speakers')} speakers"
            )
        withdraw_one(stage)
    for laptop, people in LAPTOPS.items():
        for person, part in people:
            if f"{person}-{part + 1}" == WITHDRAWS[1]:
                continue
            ledger = stage.hometone(laptop, "ledger", f"{person}-{part + 1}", "--pin-file", str(stage.pin))
            stage.say(f"  {laptop}, {person}-{part + 1}: spent epsilon {ledger['spent_epsilon']:.1f} of {BUDGET:g}")
    checked = stage.coordinator("log", "--verify")
    stage.say(f"  the coordinator's log of {checked['size']} entries adds up to its signed head")
    return status


def withdraw_one(stage: Stage) -> None:
    """One of the six says stop: her laptop, the coordinator and another laptop; the receipt is checked without a network."""
    laptop, name = WITHDRAWS
    receipt = stage.folder / "receipt.json"
    began = time.monotonic()
    done = stage.hometone(laptop, "revoke", name, "--yes", "--pin-file", str(stage.pin), "--bundle", str(receipt))
    if not (done["scan"]["clean"] and done["withdrawal"]["delivered"]):
        raise FederationDemoError("a withdrawal did not arrive")
    stage.say(
        f"  {name} says stop: {done['receipt']['files_removed']} files gone, {done['scan']['canaries']} pieces looked for and not found, "
        f"the coordinator told, {time.monotonic() - began:.1f} s"
    )
    stage.hometone("laptop-1", "sync")
    checked = stage.hometone("laptop-1", "receipt", "verify", str(receipt))
    bound = next(each["shared_model"] for each in checked["answers"] if each["role"] == "laptop")
    if not checked["complete"]:
        raise FederationDemoError("a receipt is not complete although everybody has answered")
    stage.say(f"  another laptop has heard of it, and checks the receipt: {len(checked['answers'])} signed answers, nothing is pending;")
    stage.say(f"  what she leaves in the release is bounded by epsilon {bound['epsilon']:.1f} at delta {bound['delta']:.0e}")


def forget_all(stage: Stage) -> None:
    """Forget all six, whatever happened before."""
    for laptop in LAPTOPS:
        if (stage.folder / laptop).exists():
            for voice in stage.hometone(laptop, "voices")["voices"]:
                if voice["kind"] == "own":
                    stage.hometone(laptop, "revoke", voice["id"], "--yes")
    stage.say("  all six are forgotten on their laptops")


@contextmanager
def _laptops(stage: Stage) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All laptops, waiting for rounds."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    names = iter(LAPTOPS)

    @contextmanager
    def rest() -> Iterator[None]:
        name = next(names, None)
        if name is None:
            yield
            return
        words = ["-m", "hometone_client.cli", "--home", str(stage.folder / name), "node"]
        with _running(words, stage.folder / f"{name}.log") as process:
            started[name] = process
            with rest():
                yield

    with rest():
        yield started


def _is_ready(log: Path, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise FederationDemoError("the coordinator did not start")
    return log.exists() and b"laptops can connect" in log.read_bytes()


def _stage_of(stage: Stage, run: str) -> str:
    status = stage.coordinator("status")
    state = next(each["state"] for each in status["campaigns"] if each["run"] == run)
    attempts = [each for each in status["attempts"] if each["run"] == run]
    if state in {"finished", "failed", "stopped"}:
        return "done"
    return str(attempts[-1]["stage"]) if attempts else ""


def _wait_until(true: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > limit:
            raise FederationDemoError(f"{what} takes longer than {_PATIENCE_S:.0f} s")
        time.sleep(0.1)


def main() -> int:
    """Play it alone, in a folder that is given."""
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True)
    pin = folder / "pin"
    pin.write_text(os.urandom(8).hex(), encoding="utf-8")
    stage = Stage(folder=folder, sample=Path(__file__).resolve().parent.parent / "sample", pin=pin, say=print)
    try:
        play(stage)
    finally:
        forget_all(stage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
