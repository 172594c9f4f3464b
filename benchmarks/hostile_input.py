"""Hostile input and hostile surroundings for the real `hometone` command: is the answer clear, and is nothing lost?

    python benchmarks/hostile_input.py [--only PATTERN] [--list]

Each case gets a fresh copy of one prepared home: `mei` (a take, a voice, a sound file, a job in the queue) and `otto` (a take). The case
runs one line of the command that cannot go well, or that looks as if it could not; then the home is looked at again:

1. The exit code is one that docs/cli.md promises for it. Success is right only where the case says why.
2. A failure is one JSON object with a message and a hint; no traceback, no folder of this machine, no PIN is shown.
3. `voices` works and shows who should be there.
4. Earlier takes of both speakers open with their PIN (for damaged files: once the file is restored, and otto's without).
5. No piece of a recording or PIN lies in the clear under the home, and no unfinished file is left anywhere.

A disk that is full or read-only is a small file system of its own, which takes the rights of an administrator; without them those cases
are left out and said to be.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from command_bench import PIN, SAMPLE, TAKE, Ran, canaries, minutes, pieces_that_open
from hostile.damage import Anatomy, damage_cases
from hostile.disks import DISKS
from hostile.names import NAMES
from hostile.pins import PINS
from hostile.stage import SPEAKERS, Case, LeftOut, Stage, WrongError, opened
from hostile.takes import TAKES
from hostile.texts import TEXTS

from hometone_client.models import model_folder
from hometone_client.speakers.canaries import scan
from hometone_client.speakers.exports import PREFIX
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speaking import Sessions
from hometone_client.voices import stock_parameters


@dataclass(slots=True)
class Result:
    """What became of a case."""

    case: Case
    code: int | None
    message: str
    wall_s: float = 0.0
    peak_mib: float = 0.0
    wrong: list[str] = field(default_factory=list)
    left_out: bool = False


def prepared(folder: Path) -> Stage:
    """mei with a take, a voice, a sound file and a job; otto with a take. The voice is a stock one that is hers, which saves training."""
    pin_file = folder / "pin.txt"
    pin_file.write_text(PIN, encoding="utf-8")
    stage = Stage(home=folder / "prepared", folder=folder / "exports", pin_file=pin_file)
    stage.folder.mkdir()
    for name in SPEAKERS:
        enrolled = stage.line("enroll", name, "--yes", "--pin-file", pin_file)
        added = stage.line("take", "add", name, TAKE, "--texts", SAMPLE / "takes.csv", "--pin-file", pin_file)
        if enrolled.code or added.code:
            raise SystemExit(f"cannot prepare: {enrolled.message} {added.message}")
    with opened(stage.home) as vault, SpeakerRoom(vault.unlock(vault.find("mei").speaker_id, PIN)) as room:
        room.keep_voice(stock_parameters("af_heart", base_sha256=Sessions(model_folder()).base_sha256), record={"tier": "none"})
    said, queued = stage.say("Good morning."), stage.line("queue", "add", "mei", "--tier", "quick", "--pin-file", pin_file)
    if said.code or queued.code:
        raise SystemExit(f"cannot prepare: {said.message} {queued.message}")
    return stage


class Bench:
    """Plays cases on copies of the prepared home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.prepared = prepared(folder)
        self._canaries = canaries()
        self._pieces = {name: self._open(self.prepared.home, name) for name in SPEAKERS}

    def play(self, case: Case) -> Result:
        place = Path(tempfile.mkdtemp(dir=self._folder))
        stage = Stage(home=place / "home", folder=place / "files", pin_file=self.prepared.pin_file)
        shutil.copytree(self.prepared.home, stage.home)
        stage.folder.mkdir()
        try:
            ran = case.act(stage)
        except LeftOut as reason:
            return Result(case, None, str(reason), left_out=True)
        except WrongError as error:
            result = Result(case, None, "", wrong=[str(error)])
        else:
            message = ran.message or ("done" if ran.code == 0 else "")
            result = Result(case, ran.code, message, ran.wall_s, ran.peak_mib, list(self._wrong_with(ran, case)))
        result.wrong += self._lost(stage)
        shutil.rmtree(place)
        return result

    def _wrong_with(self, ran: Ran, case: Case) -> Iterator[str]:
        """(1), (2)."""
        if ran.timed_out:
            yield f"still running after {ran.wall_s:.0f} s"
            return
        if ran.code not in case.codes:
            yield f"exit code {ran.code}, not {' or '.join(map(str, case.codes))}"
        if ran.code < 0:
            return
        shown = ran.out + ran.err
        error = ran.answer.get("error", {})
        if len(ran.out.splitlines()) != 1 or not ran.answer:
            yield "not one JSON object"
        if ran.code and not (error.get("message") and error.get("hint")):
            yield "no message or no hint"
        if ran.code and error.get("exit_code") != ran.code:
            yield "the answer has another exit code"
        if "Traceback" in shown:
            yield "a traceback"
        told = f"{error.get('message')} {error.get('hint')} {ran.err}"
        if str(self._folder) in told or str(Path.home()) + "/" in told:
            yield "a folder of this machine is shown"
        if PIN in shown:
            yield "the PIN is shown"

    def _lost(self, stage: Stage) -> Iterator[str]:
        """(3), (4), (5)."""
        known = stage.line("voices")
        names = sorted(voice["id"] for voice in known.answer.get("voices", []))
        if known.code != 0 or names != sorted(stage.speakers):
            yield f"voices afterwards: {known.code} {known.message or names}"
        for name in stage.speakers:
            opens = self._open(stage.home, name)
            if opens < min(self._pieces[name], self._pieces["otto"]):
                yield f"{name}: only {opens} pieces of her recordings open"
        if not scan(stage.home, self._canaries).clean or not scan(stage.folder / "tmp", self._canaries).clean:
            yield "something lies in the clear"
        if any(path.name.startswith(PREFIX) for path in stage.folder.rglob("*")):
            yield "an unfinished file is left"

    def _open(self, home: Path, name: str) -> int:
        return pieces_that_open(home, name, pin_file=self.prepared.pin_file)


def shown(result: Result) -> str:
    verdict = "left out" if result.left_out else "WRONG" if result.wrong else "ok"
    code = "" if result.code is None else str(result.code)
    reason = f" [{result.case.why}]" if result.code == 0 and result.case.why else ""
    wrong = f" <- {'; '.join(result.wrong)}" if result.wrong else ""
    return (
        f"| {result.case.name} | {code} | {result.message}{reason}{wrong} | {result.wall_s:.1f} s, {result.peak_mib:.0f} MiB | {verdict} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="hostile input for the command")
    parser.add_argument("--only", default="", help="regular expression; cases whose name it finds")
    parser.add_argument("--list", action="store_true", help="only say which cases there are")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        every = (*TAKES, *NAMES, *DISKS, *PINS, *damage_cases(Anatomy(bench.prepared.home)), *TEXTS)
        cases = [case for case in every if re.search(chosen.only, case.name)]
        if chosen.list:
            print("\n".join(case.name for case in cases))
            return 0
        print("| case | exit | message | took | |\n|---|---|---|---|---|", flush=True)
        started, results = time.monotonic(), []
        for number, case in enumerate(cases, 1):
            results.append(bench.play(case))
            print(shown(results[-1]), flush=True)
            if number % 10 == 0:
                left_s = (time.monotonic() - started) / number * (len(cases) - number)
                print(f"{number} of {len(cases)}, about {minutes(left_s)} to go", file=sys.stderr, flush=True)
    played = [result for result in results if not result.left_out]
    wrong = [result for result in played if result.wrong]
    print(f"{len(played) - len(wrong)} of {len(played)} cases were answered as they should be; {len(results) - len(played)} left out")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
