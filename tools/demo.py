"""The whole story with two real speakers, by the two commands alone: a federation, then enrol, add takes, train, say, evaluate, forget.

Run by `python3 run.py demo` inside `.venv`. What it writes: `demo-output/` (WAV files, reports, receipts). What it must never do: leave a
voice behind. Both speakers are forgotten at the end, also when something failed, and every byte of the demo's home is looked at while
the voices exist and afterwards.
"""

import csv
import io
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from hometone_client.speakers.canaries import scan

sys.path.insert(0, str(Path(__file__).resolve().parent))
from demo_federation import FederationDemoError, Stage, forget_all, play

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample"
OUTPUT = ROOT / "demo-output"
HOME = OUTPUT / "home"
PIECE_BYTES = 48

NOTE = """Two people lent their voices: Allison Smith (CC-BY-SA 3.0) and Carlo Flora (CC-BY 3.0); see sample/. Neither was asked about
cloning, so both voices are forgotten at the end. The WAV files in demo-output/ are for your ears: please delete them afterwards and do not
publish them. The demo uses the quick tier of `train`; the tier that `train` uses by default takes longer and comes nearer."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who speaks in the demo, and what is said in the new voice."""

    name: str
    language: str
    sentences: tuple[tuple[str, str], ...]


PEOPLE = (
    Person(
        name="allison",
        language="en",
        sentences=(
            ("allison-park.wav", "The weather is lovely today, so I would like to walk in the park with my neighbours."),
            ("allison-mixed.wav", "Let's go to the 超市吧，我想买一点 apples。"),
        ),
    ),
    Person(
        name="carlo",
        language="it",
        sentences=(
            ("carlo-parco.wav", "Oggi il tempo è bellissimo e vorrei fare una passeggiata nel parco con i miei vicini."),
            ("carlo-zh.wav", "今天天气很好，我想去公园散步。"),
        ),
    ),
)


class DemoError(Exception):
    """A step failed; what the command said has been shown."""


def say(text: str) -> None:
    """One line, at once."""
    print(text, flush=True)


def hometone(arguments: Sequence[str], *, pin: Path | None = None) -> dict[str, Any]:
    """Run one command as a program of its own, show it, and return its answer.

    Raises:
        DemoError: It failed.
    """
    short = [Path(word).name if Path(word).is_absolute() else word for word in arguments[:6]]
    shown = " ".join(f'"{word}"' if " " in word else word for word in short)
    say(f"  $ hometone {shown}{' ...' if len(arguments) > 6 else ''}")
    started = time.monotonic()
    command = [sys.executable, "-m", "hometone_client.cli", "--json", "--home", str(HOME), *arguments]
    if pin is not None:
        command += ["--pin-file", str(pin)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1]) if finished.stdout.strip() else {}
    if finished.returncode != 0:
        error = answer.get("error", {})
        message = f"hometone {arguments[0]} ended with {finished.returncode}: {error.get('message', 'no answer')} {error.get('hint', '')}"
        raise DemoError(message)
    say(f"    done in {time.monotonic() - started:.0f} s")
    return answer


def sample_canaries() -> set[bytes]:
    """Pieces of the sample: texts, and recordings as files, as float32 and as int16."""
    found: set[bytes] = set()
    for table in SAMPLE.glob("*/takes.csv"):
        with table.open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source))
        found.update(row["text"].encode() for row in rows if len(row["text"]) >= 20)
        for row in rows:
            data = (table.parent / row["file"]).read_bytes()
            samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
            loudest = max(0, int(np.argmax(np.abs(samples))) - 8)
            found.add(data[len(data) // 2 : len(data) // 2 + PIECE_BYTES])
            found.add(samples[loudest : loudest + PIECE_BYTES // 4].astype("<f4").tobytes())
            found.add(np.rint(samples[loudest : loudest + PIECE_BYTES // 2] * 32767).astype("<i2").tobytes())
    return found


def look(canaries: Iterable[bytes], *, when: str, place: Path = HOME) -> None:
    """Scan the demo's home, or another place.

    Raises:
        DemoError: Something lies there in the clear.
    """
    report = scan(place, canaries)
    size = f"{report.files} files, {report.size_bytes / 2**20:.1f} MiB"
    say(f"  scan {when}: {size}, {report.canaries} pieces looked for, {report.found} found")
    if not report.clean:
        message = "something lies in the clear"
        raise DemoError(message)


def make(person: Person, *, pin: Path, canaries: Iterable[bytes]) -> None:
    """One person's story up to the report."""
    folder = SAMPLE / person.name
    with (folder / "takes.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    say(f"\n{person.name}: consent and an empty place in the vault")
    hometone(["enroll", person.name, "--yes"], pin=pin)
    for split, words in (("enrol", "to learn from"), ("heldout", "kept for judging")):
        files = [str(folder / row["file"]) for row in rows if row["split"] == split]
        seconds = sum(float(row["seconds"]) for row in rows if row["split"] == split)
        say(f"{person.name}: {len(files)} takes, {seconds:.0f} s, {words}")
        held_out = ["--held-out"] if split == "heldout" else []
        hometone(
            ["take", "add", person.name, *files, "--texts", str(folder / "takes.csv"), "--language", person.language, *held_out], pin=pin
        )
    say(f"{person.name}: making the voice (quick tier, one to two minutes on two idle cores)")
    usage = hometone(["train", person.name, "--tier", "quick"], pin=pin)["record"]["usage"]
    say(f"    {usage['wall_s']:.0f} s on the clock, {usage['cpu_s']:.0f} s of processor, {usage['peak_mib']} MiB at most")
    look(canaries, when="while the voice exists")
    for file, text in person.sentences:
        spoken = hometone(["say", person.name, text, "--out", str(OUTPUT / file)], pin=pin)
        say(f"    {file}: {spoken['seconds']} s of speech in {spoken['wall_s']} s")
    say(f"{person.name}: judging the voice by three sentences beside the real takes")
    hometone(["evaluate", person.name, "--quick", "--html", str(OUTPUT / f"report-{person.name}.html")], pin=pin)


def rounds(folder: Path, *, canaries: Iterable[bytes]) -> None:
    """The federation, in homes of its own; every byte of every party is looked at before and after its people are forgotten.

    Raises:
        DemoError: Something lies in the clear.
        FederationDemoError: A step failed.
    """
    pin = folder / "rounds.pin"
    pin.write_text(secrets.token_hex(8), encoding="utf-8")
    stage = Stage(folder=OUTPUT / "federation", sample=SAMPLE, pin=pin, say=say)
    stage.folder.mkdir(parents=True)
    try:
        play(stage)
        look(canaries, when="of the coordinator and all laptops", place=stage.folder)
    finally:
        forget_all(stage)
    look(canaries, when="after forgetting all six", place=stage.folder)
    shutil.rmtree(stage.folder)


def forget(person: Person, *, pin: Path) -> None:
    """Forget one person; the WAV files stay for whoever runs the demo."""
    receipt = OUTPUT / f"receipt-{person.name}.json"
    answer = hometone(["revoke", person.name, "--yes", "--keep-exports", "--receipt", str(receipt)], pin=pin)
    found = answer["scan"]
    say(f"    {answer['receipt']['files_removed']} files removed, {found['canaries']} pieces looked for, {found['found']} found")


def main() -> int:
    """Tell the story; returns the exit code."""
    started = time.monotonic()
    say(NOTE)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    HOME.mkdir(parents=True)
    canaries = sample_canaries()
    failure = ""
    with tempfile.TemporaryDirectory() as secrets_folder:
        pins = {person.name: Path(secrets_folder) / f"{person.name}.pin" for person in PEOPLE}
        for pin in pins.values():
            pin.write_text(secrets.token_hex(8), encoding="utf-8")
        try:
            say("\nlooking at this computer and its public weights")
            hometone(["doctor"])
            rounds(Path(secrets_folder), canaries=canaries)
            for person in PEOPLE:
                make(person, pin=pins[person.name], canaries=canaries)
        except (DemoError, FederationDemoError) as error:
            failure = str(error)
        say("\nforgetting both")
        for voice in hometone(["voices"])["voices"]:
            person = next(known for known in PEOPLE if known.name == voice["id"])
            forget(person, pin=pins[person.name])
    left = hometone(["voices"])["voices"]
    look(canaries, when="after forgetting")
    if failure or left:
        print(f"demo: {failure or 'a voice is left'}", file=sys.stderr)
        return 1
    say(f"\nno voice is left; {time.monotonic() - started:.0f} s in all. To hear and read, in demo-output/:")
    for path in sorted(OUTPUT.iterdir()):
        if path.is_file():
            say(f"  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
