#!/usr/bin/env python3
"""Hometone's two commands for people who have just cloned it: `python3 run.py demo` and `python3 run.py test`.

Standard library only, because it runs before anything is installed.

1. Find out whether this Python will do (3.11 or newer, able to make a virtual environment).
2. Make `.venv` and install the pinned lists of `requirements/` into it, step by step. A finished step leaves a stamp (hash of its list and
   of the Python version), so a second start is quick and an interrupted one goes on where it stopped.
3. Hand over to the environment's Python: the demo (`tools/demo.py`) or the checks, each named and timed.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMPS = VENV / "hometone-installed.json"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
PACKAGES = ("shared", "keys", "client", "server")
OLDEST_PYTHON = (3, 11)
NEEDED_GIB = 4
TORCH = "torch"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
INTERRUPTED = 130

EPILOG = """examples:
  python3 run.py demo                 make two voices from the sample, speak, evaluate, forget them (at most ten minutes)
  python3 run.py test                 every check that CI runs
  python3 run.py test --only lint     one check by name
  python3 run.py setup                only install; useful before going offline

The first start downloads about 600 MB (half of it public voice weights) and takes a few minutes. Later starts install nothing.
Programs go into .venv and results into demo-output, both beside this file; public voice weights go into your cache folder (HOMETONE_MODELS
chooses another). Delete these three and nothing is left.
"""


class StopError(Exception):
    """Something is missing; the message says what and the hint says what to do."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        """Keep both texts."""
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


def say(text: str) -> None:
    """Print one line at once, so that logs and terminals keep their order."""
    print(text, flush=True)


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One stretch of the installation that is finished or not."""

    name: str
    title: str
    lines: tuple[str, ...]

    def fingerprint(self) -> str:
        """Hash over what is installed and for which Python."""
        text = "\n".join((sys.version, platform.machine(), *self.lines))
        return hashlib.sha256(text.encode()).hexdigest()


def pinned(name: str) -> tuple[str, ...]:
    """The pins of one list, without comments."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def install_steps() -> tuple[InstallStep, ...]:
    """What has to be in `.venv`, in order."""
    adapting = pinned("adapting")
    torch = tuple(line for line in adapting if line.startswith(f"{TORCH}=="))
    rest = tuple(line for line in adapting if line not in torch)
    projects = tuple((ROOT / package / "pyproject.toml").read_text(encoding="utf-8") for package in PACKAGES)
    return (
        InstallStep(name="build", title="build tools", lines=pinned("build")),
        InstallStep(name="speaking", title="recording, vault and speaking", lines=pinned("speaking")),
        InstallStep(name="torch", title="torch, the CPU build", lines=torch),
        InstallStep(name="adapting", title="adapting and judging", lines=rest),
        InstallStep(name="federating", title="taking part in rounds", lines=pinned("federating")),
        InstallStep(name="models", title="public voice weights", lines=pinned("models")),
        InstallStep(name="testing", title="test tools", lines=pinned("testing")),
        InstallStep(name="hometone", title="Hometone's four packages", lines=projects),
    )


def read_stamps() -> dict[str, str]:
    """Fingerprints of finished steps; an unreadable file means that nothing is known to be finished."""
    try:
        return dict(json.loads(STAMPS.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_stamps(stamps: dict[str, str]) -> None:
    """Replace the stamp file in one move, so that an interruption never leaves half of it."""
    fresh = STAMPS.with_suffix(".new")
    fresh.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
    fresh.replace(STAMPS)


def require_python() -> None:
    """Refuse a Python that is too old.

    Raises:
        StopError: Older than 3.11.
    """
    if sys.version_info < OLDEST_PYTHON:
        message = f"Python 3.11 or newer is needed, this is {platform.python_version()}"
        raise StopError(message, hint="install a newer Python (python.org, or your system's packages) and start run.py with it")


def make_environment() -> None:
    """Make `.venv` unless a working one is there; a broken one (moved, or its Python was removed) is made again.

    Raises:
        StopError: This Python cannot make virtual environments, or the disk has too little room.
    """
    if PYTHON.exists():
        works = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
        if works:
            return
        say("  .venv is there but does not work; making it again")
    free_gib = shutil.disk_usage(ROOT).free / 2**30
    if free_gib < NEEDED_GIB:
        message = f"the disk has {free_gib:.1f} GiB free, {NEEDED_GIB} are needed"
        raise StopError(message, hint="make room and start again")
    say("  making .venv")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        last = (made.stdout + made.stderr).strip().splitlines()[-1:] or ["no message"]
        message = f"this Python cannot make a virtual environment: {last[0]}"
        raise StopError(message, hint="on Debian and Ubuntu: sudo apt install python3-venv")


def pip(arguments: list[str], *, expected: int = 0) -> list[str]:
    """Run pip, showing each package as it comes.

    Args:
        arguments: After `pip`.
        expected: Number of packages, for the counter; 0 shows none.

    Returns:
        pip's last lines when it failed, an empty list when it did well.
    """
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, "--progress-bar", "off"]
    seen = 0
    lines: list[str] = []
    live = sys.stdout.isatty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as running:
        for line in running.stdout or ():
            lines.append(line.rstrip())
            if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                seen += 1
                name = line.removeprefix("Collecting ").removeprefix("Requirement already satisfied: ").split("==")[0].split(" ")[0]
                if live:
                    print(f"\r    {seen}/{expected} {name[:40]:<40}", end="", flush=True)
                elif seen % 20 == 0:
                    say(f"    {seen}/{expected} packages found")
            elif line.startswith("Installing collected packages") and live:
                print(f"\r    {'unpacking':<50}", end="", flush=True)
    if live:
        print("\r" + " " * 60 + "\r", end="", flush=True)
    return lines[-15:] if running.returncode else []


def explain_pip(step: InstallStep, *, last_lines: list[str]) -> StopError:
    """Turn pip's last lines into something a person can act on."""
    text = "\n".join(last_lines)
    if "No matching distribution" in text or "from versions: none" in text:
        hint = "the package index has no such version for this Python and system; try Python 3.11 or 3.12, or another index (PIP_INDEX_URL)"
    elif "No space left" in text:
        hint = "the disk is full; make room and start again, what is done is kept"
    elif any(word in text for word in ("NewConnectionError", "timed out", "Temporary failure", "Connection", "Max retries")):
        hint = "no connection to the package index; check the network or the proxy and start again, what is done is kept"
    elif "gcc" in text or "g++" in text or "Microsoft Visual C++" in text:
        hint = "a package had to be compiled and no compiler was found; a Python version with ready-made wheels (3.11 or 3.12) avoids it"
    else:
        hint = "the lines above are pip's own; start again to retry, what is done is kept"
    shown = "\n".join(f"    | {line}" for line in last_lines)
    return StopError(f"could not install {step.title}\n{shown}", hint=hint)


def torch_attempts(pin: str) -> Iterator[tuple[str, list[str]]]:
    """Ways to get a torch without CUDA, best first: (words, pip arguments).

    On Linux x86-64 the plain wheel of the public index is the CUDA build, three gigabytes of libraries with it; the CPU build has a local
    version `+cpu`. Elsewhere the plain wheel is the CPU build.
    """
    base = ["install", "--no-deps"]
    if sys.platform == "linux" and platform.machine() in {"x86_64", "AMD64"}:
        yield "CPU build from the configured index", [*base, f"{pin}+cpu"]
        yield "CPU build from PyTorch's own index", [*base, "--index-url", TORCH_CPU_INDEX, f"{pin}+cpu"]
    yield "plain build", [*base, pin]


def install_torch(step: InstallStep) -> None:
    """Install torch and make sure that it loads and is the CPU build.

    Raises:
        StopError: No way worked; says what the last one met.
    """
    last_lines: list[str] = []
    probe = "import torch; print(torch.version.cuda)"
    for words, arguments in torch_attempts(step.lines[0]):
        say(f"    trying: {words}")
        last_lines = pip(arguments, expected=1)
        if last_lines:
            continue
        probed = subprocess.run([PYTHON, "-W", "ignore", "-c", probe], capture_output=True, text=True, check=False)
        if probed.returncode == 0 and probed.stdout.strip() == "None":
            return
        last_lines = [*probed.stderr.strip().splitlines()[-3:], "this torch does not load, or is not the CPU build"]
        pip(["uninstall", "--yes", TORCH])
    shown = "\n".join(f"    | {line}" for line in last_lines)
    raise StopError(
        f"could not install a CPU build of {step.lines[0]}\n{shown}",
        hint=f"let pip reach {TORCH_CPU_INDEX}, or put the wheel into a folder and set PIP_FIND_LINKS to it",
    )


def install(step: InstallStep) -> None:
    """Carry out one step.

    Raises:
        StopError: pip failed.
    """
    if step.name == "torch":
        install_torch(step)
        return
    if step.name == "hometone":
        paths = [text for package in PACKAGES for text in ("--editable", str(ROOT / package))]
        arguments = ["install", "--no-deps", "--no-build-isolation", *paths]
    else:
        arguments = ["install", "--no-deps", "--no-build-isolation", "--requirement", str(ROOT / "requirements" / f"{step.name}.txt")]
    if step.name == "adapting":
        arguments = ["install", "--no-deps", "--no-build-isolation", *step.lines]
    last_lines = pip(arguments, expected=len(step.lines))
    if last_lines:
        raise explain_pip(step, last_lines=last_lines)


def setup() -> None:
    """Make the environment complete; does nothing when it is.

    Raises:
        StopError: Something is missing.
    """
    require_python()
    steps = install_steps()
    stamps = read_stamps() if PYTHON.exists() else {}
    open_steps = [step for step in steps if stamps.get(step.name) != step.fingerprint()]
    if not open_steps:
        return
    say(f"installing into .venv: {len(open_steps)} of {len(steps)} steps to do")
    make_environment()
    stamps = read_stamps()
    for number, step in enumerate(open_steps, start=1):
        say(f"  [{number}/{len(open_steps)}] {step.title}")
        started = time.monotonic()
        install(step)
        stamps[step.name] = step.fingerprint()
        write_stamps(stamps)
        say(f"      done in {time.monotonic() - started:.0f} s")


def environment() -> dict[str, str]:
    """Environment of everything that runs inside `.venv`: no telemetry, no look-ups, UTF-8 everywhere."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", "")]),
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@dataclass(frozen=True, slots=True)
class Check:
    """One thing CI looks at."""

    name: str
    title: str
    command: tuple[str, ...]


def checks() -> tuple[Check, ...]:
    """Every check, in the order they run."""
    python = str(PYTHON)
    linter = str(SCRIPTS / ("lint-imports.exe" if os.name == "nt" else "lint-imports"))
    coverage = ("--cov", "--cov-branch", "--cov-report=term-missing:skip-covered")
    return (
        Check(name="lint", title="ruff check", command=(python, "-m", "ruff", "check", ".")),
        Check(name="format", title="ruff format", command=(python, "-m", "ruff", "format", "--check", ".")),
        Check(name="types", title="mypy strict", command=(python, "-m", "mypy")),
        Check(name="imports", title="who may import whom", command=(linter,)),
        Check(name="pins", title="dependencies are pinned", command=(python, str(ROOT / "requirements" / "lock.py"), "--check")),
        Check(name="models", title="public weights are assembled", command=(python, str(ROOT / "tools" / "assemble_models.py"))),
        Check(
            name="tests",
            title="pytest and coverage",
            command=(python, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-q", *coverage),
        ),
    )


def run_checks(only: list[str]) -> int:
    """Run all checks (or those named), even after a failure.

    Returns:
        The exit code of the first that failed, 0 when all did well.
    """
    first_failure = 0
    results: list[tuple[Check, int, float]] = []
    for check in checks():
        if only and check.name not in only:
            continue
        say(f"\n== {check.name}: {check.title}")
        started = time.monotonic()
        code = subprocess.run(check.command, cwd=ROOT, env=environment(), check=False).returncode
        results.append((check, code, time.monotonic() - started))
        first_failure = first_failure or code
    say("")
    for check, code, seconds in results:
        say(f"{'passed' if code == 0 else 'FAILED'}  {check.name:<8} {seconds:6.1f} s")
    return first_failure


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Hometone from a fresh clone: installs what is pinned into .venv, then does what you ask.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo | test | setup")
    commands.add_parser("demo", help="the whole story with two sample speakers; leaves WAV files and a report in demo-output/")
    test = commands.add_parser("test", help="every check that CI runs; the exit code is that of the first failure")
    names = [check.name for check in checks()]
    test.add_argument(
        "--only", action="append", default=[], choices=names, metavar="NAME", help=f"one check; repeatable: {', '.join(names)}"
    )
    commands.add_parser("setup", help="only install")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Do what was asked; returns the exit code."""
    chosen = parse(arguments)
    try:
        setup()
        if chosen.command == "test":
            return run_checks(chosen.only)
        if chosen.command == "demo":
            return subprocess.run([PYTHON, ROOT / "tools" / "demo.py"], cwd=ROOT, env=environment(), check=False).returncode
        say("everything is installed")
    except StopError as stop:
        print(f"run.py: {stop}", file=sys.stderr)
        if stop.hint:
            print(f"hint: {stop.hint}", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        print("\nrun.py: stopped; start again and it goes on from here", file=sys.stderr)
        return INTERRUPTED
    else:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
