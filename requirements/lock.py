"""Write the pinned lists `requirements/*.txt` and `docs/dependencies.md` from `roots.toml` and the packages installed in `.venv`.

1. Walk from each group's roots through the dependencies that the installed packages declare, on Linux, macOS and Windows alike.
2. A package belongs to the first group that needs it; later groups are installed on top of earlier ones.
3. Whatever is neither installed, nor named in `left_out` or `elsewhere`, is an error: nothing is missing by accident.

Needs `packaging` and so runs in the environment: `.venv/bin/python requirements/lock.py [--check]`.
"""

import argparse
import importlib.metadata
import sys
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
GROUPS = ("build", "speaking", "adapting", "federating", "models", "testing")
SYSTEMS = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
HEADINGS = {
    "build": "To install",
    "speaking": "To record, keep and speak",
    "adapting": "To adapt a voice and to judge it",
    "federating": "To take part in rounds and to run them",
    "models": "Public weights",
    "testing": "To test",
}


class UnknownDependencyError(Exception):
    """A package asks for another one that nobody decided about."""


def applies_somewhere(marker: Marker | None) -> bool:
    """Whether a dependency is wanted on any system and Python that Hometone supports, without extras."""
    return marker is None or any(
        marker.evaluate({**system, "python_version": python, "python_full_version": f"{python}.0", "extra": ""})
        for system in SYSTEMS
        for python in PYTHONS
    )


def read_roots() -> dict[str, dict[str, str]]:
    """The groups of `roots.toml`, names canonical."""
    tables = tomllib.loads((HERE / "roots.toml").read_text(encoding="utf-8"))
    return {group: {canonicalize_name(name): text for name, text in table.items()} for group, table in tables.items()}


def resolve(roots: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Pins of every group, {group: {name: "version[; marker]"}}.

    Raises:
        UnknownDependencyError: A needed package is neither installed nor decided about.
    """
    installed = {canonicalize_name(found.metadata["Name"]): found for found in importlib.metadata.distributions()}
    taken: set[str] = set()
    pins: dict[str, dict[str, str]] = {}
    for group in GROUPS:
        pins[group] = {}
        waiting = [(name, "") for name in roots[group]]
        while waiting:
            name, marker = waiting.pop()
            if name in taken or name in roots["left_out"]:
                continue
            if name in roots["elsewhere"]:
                pins[group][name] = f"{roots['elsewhere'][name]}; sys_platform == 'win32'"
                taken.add(name)
                continue
            if name not in installed:
                message = f"{name} is needed but neither installed nor decided about in roots.toml"
                raise UnknownDependencyError(message)
            version = installed[name].version.split("+")[0]
            pins[group][name] = version if "sys_platform" not in marker else f"{version}; {marker.replace(chr(34), chr(39))}"
            taken.add(name)
            for line in installed[name].requires or []:
                wanted = Requirement(line)
                if applies_somewhere(wanted.marker):
                    waiting.append((canonicalize_name(wanted.name), str(wanted.marker or "")))
    return pins


def requirement_file(pins: dict[str, str]) -> str:
    """One pinned list, sorted."""
    lines = (f"{name}=={pin}" for name, pin in sorted(pins.items()))
    return "# Written by requirements/lock.py from roots.toml; installed with --no-deps.\n" + "\n".join(lines) + "\n"


def dependency_page(roots: dict[str, dict[str, str]], *, pins: dict[str, dict[str, str]]) -> str:
    """`docs/dependencies.md`: every dependency asked for by name, its version and its reason."""
    parts = [
        "# Dependencies",
        "",
        "Written by `requirements/lock.py` from `requirements/roots.toml`. All versions are pinned; `requirements/*.txt` also pin",
        "what these packages need themselves. Everything is installed with `--no-deps`, so nothing arrives that is not on a list.",
        "",
    ]
    for group in GROUPS:
        parts += [f"## {HEADINGS[group]}", "", "| package | version | why |", "|---|---|---|"]
        parts += [f"| {name} | {pins[group].get(name, '').split(';')[0]} | {why} |" for name, why in roots[group].items()]
        parts += ["", f"With what they need: {len(pins[group])} packages.", ""]
    parts += ["## Left out on purpose", "", "| package | who asks for it, and why it is not there |", "|---|---|"]
    parts += [f"| {name} | {why} |" for name, why in roots["left_out"].items()]
    parts += [
        "",
        "## From the system",
        "",
        "PortAudio for microphones: on Linux the package `libportaudio2` (`.ci/run` installs it); the wheels for macOS and Windows",
        "carry it.",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write the files, or with `--check` say whether they are what would be written."""
    parser = argparse.ArgumentParser(description="pin what is installed")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file would change")
    arguments = parser.parse_args()
    roots = read_roots()
    pins = resolve(roots)
    texts = {HERE / f"{group}.txt": requirement_file(pins[group]) for group in GROUPS}
    texts[HERE.parent / "docs" / "dependencies.md"] = dependency_page(roots, pins=pins)
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        sys.stdout.write(f"{'stale' if arguments.check else 'written'}: {path.relative_to(HERE.parent)}\n")
        if not arguments.check:
            path.write_text(texts[path], encoding="utf-8")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
