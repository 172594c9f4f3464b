"""The real `hometone` command as the benches drive it: a home of its own, one JSON answer, its memory, and the proof that nothing was lost.

Whether an earlier take still opens is asked of the command too, of `revoke` on a copy of the home: with the PIN it takes pieces of every
recording before it removes them, and `scan.canaries` says how many it could take (none, if one recording does not open).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample" / "allison"
TAKE = SAMPLE / "enrol-02.flac"
WORDS = "I am sorry, that's not a valid extension. Please try again."
PIN = "correct horse"
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line did; `peak_mib` is the largest memory of the process, `answer` is empty if there was no JSON object."""

    code: int
    out: str
    err: str
    wall_s: float
    peak_mib: float
    timed_out: bool = False

    @property
    def answer(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        try:
            found = json.loads(lines[-1]) if lines else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def message(self) -> str:
        return str(self.answer.get("error", {}).get("message", ""))


def command_line(home: Path, arguments: Sequence[str | bytes]) -> list[str | bytes]:
    return [sys.executable, "-m", "hometone_client.cli", "--json", "--home", str(home), *arguments]


def environment(extra: Mapping[str, str | bytes] | None = None) -> dict[str, Any]:
    """That of this process, with the device key in a file, messages in English, and what else is asked for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOMETONE_") or name == "HOMETONE_MODELS"}
    return {**kept, "HOMETONE_CUSTODY": "file", "LC_ALL": "C.UTF-8", **(extra or {})}


def run(
    home: Path,
    *arguments: str | bytes,
    extra: Mapping[str, str | bytes] | None = None,
    cwd: Path | None = None,
    signal_after: tuple[int, float] | None = None,
    timeout_s: float = 600.0,
    **options: Any,
) -> Ran:
    """Run one line to its end.

    Args:
        home: `--home`.
        arguments: The rest of the line.
        extra: Environment to add.
        cwd: Where.
        signal_after: A signal, and after how many seconds it is sent.
        timeout_s: When it is killed.
        options: Further ones of `subprocess.Popen`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        process = subprocess.Popen(
            command_line(home, arguments), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment(extra), cwd=cwd, **options
        )
        signalled = timed_out = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            elapsed_s = time.monotonic() - started
            if signal_after is not None and not signalled and elapsed_s >= signal_after[1]:
                process.send_signal(signal_after[0])
                signalled = True
            if not timed_out and elapsed_s > timeout_s:
                process.kill()
                timed_out = True
            time.sleep(_POLL_S)
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
        wall_s = time.monotonic() - started
    return Ran(process.returncode, *texts, wall_s, usage.ru_maxrss / 1024, timed_out)


def canaries() -> set[bytes]:
    """Pieces of the recording, its words and the PIN, none of which may lie anywhere in the clear."""
    samples, _ = soundfile.read(TAKE, dtype="float32")
    start = int(np.argmax(np.abs(samples)))
    return {samples[start : start + 12].tobytes(), TAKE.read_bytes()[20_000:20_048], PIN.encode(), WORDS.encode()}


def pieces_that_open(home: Path, name: str, *, pin_file: Path) -> int:
    """How many pieces of a speaker's recordings can be taken with her PIN; the home itself stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "home"
        shutil.copytree(home, copy)
        return int(run(copy, "revoke", name, "--yes", "--pin-file", str(pin_file)).answer.get("scan", {}).get("canaries", 0))


def minutes(seconds: float) -> str:
    """A length of time as people say it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
